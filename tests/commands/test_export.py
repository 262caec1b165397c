"""`textssl export`: to files, to folders, from anything."""

import gzip
import json

import numpy as np
import pytest

import textssl
from tests.small_language_models import trained
from textssl.commands.export import export
from textssl.errors import UsageError


@pytest.mark.parametrize("name", ["v.bin", "v.txt", "v.vec", "v.txt.gz", "v.glove", "folder"])
def test_export_and_load_again_is_identical(run, vectors, tmp_path, name):
    done = run("export", vectors, name)
    assert done.code == 0, done.err
    assert "30 words x 8" in done.out
    before, after = textssl.Embeddings.load(vectors), textssl.Embeddings.load(tmp_path / name)
    assert list(after.words) == list(before.words)
    np.testing.assert_array_equal(np.asarray(after.vectors), np.asarray(before.vectors))
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is left beside it"


def test_export_converts_between_foreign_files(run, tmp_path):
    with gzip.open(tmp_path / "v.txt.gz", "wt") as file:
        file.write("2 3\na 1 2 3\nb 4 5 6\n")
    assert run("export", "v.txt.gz", "v.bin").code == 0
    assert run("export", "v.bin", "out").code == 0
    assert textssl.Embeddings.load(tmp_path / "out")["b"].tolist() == [4, 5, 6]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "v.bin", "v.txt.gz"]


def test_export_tells_what_it_left_out(run, tmp_path):
    (tmp_path / "v.txt").write_text("3 1\na 1\na 2\nb 0\n")
    done = run("export", "v.txt", "v.bin", "--json")
    result = json.loads(done.out)
    assert result["num_words"] == 2
    assert any("1 records left out: their word stood before" in note for note in result["notes"])


def test_export_takes_a_run(run, finished_run):
    assert run("export", finished_run, "v.bin").code == 0


def test_export_takes_the_format_by_name(run, vectors, tmp_path):
    assert run("export", vectors, "v.dat", "--format", "word2vec_binary").code == 0
    assert (tmp_path / "v.dat").read_bytes().startswith(b"30 8\n")
    assert run("export", vectors, "v.1", "--format", "folder").code == 0
    assert (tmp_path / "v.1").is_dir()


def test_export_never_replaces_unasked(run, vectors, tmp_path):
    (tmp_path / "v.bin").write_bytes(b"precious")
    done = run("export", vectors, "v.bin")
    assert done.code == 2
    assert "v.bin: exists already" in done.err
    assert "--force" in done.err
    assert (tmp_path / "v.bin").read_bytes() == b"precious"
    assert run("export", vectors, "v.bin", "--force").code == 0
    assert (tmp_path / "v.bin").read_bytes() != b"precious"


def test_export_replaces_only_folders_that_it_wrote(run, vectors, tmp_path):
    assert run("export", vectors, "out").code == 0
    assert run("export", vectors, "out", "--force").code == 0
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    done = run("export", vectors, "home", "--force")
    assert done.code == 2
    assert "textssl did not write it" in done.err
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


def test_damaged_source_leaves_the_old_target(run, tmp_path):
    (tmp_path / "v.txt").write_text("2 3\na 1 2 3\nb 4 nan 6\n")
    (tmp_path / "v.bin").write_bytes(b"precious")
    done = run("export", "v.txt", "v.bin", "--force")
    assert done.code == 3
    assert (tmp_path / "v.bin").read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.bin", "v.txt"]


def test_export_refuses_a_kind_that_does_not_fit(vectors, tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(UsageError, match="is a folder already"):
        export(vectors, tmp_path / "d", format="word2vec_binary", force=True)
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="is a file already"):
        export(vectors, tmp_path / "f", force=True)


def test_export_to_itself_is_refused(tmp_path):
    (tmp_path / "v.txt").write_text("1 1\na 1\n")
    with pytest.raises(UsageError, match="source and target are the same"):
        export(tmp_path / "v.txt", tmp_path / "v.txt", force=True)


def test_unknown_ending_and_unknown_format_name_the_nearest(run, vectors):
    done = run("export", vectors, "v.bim")
    assert done.code == 2
    assert "the ending '.bim' tells no format" in done.err
    assert "Did you mean '.bin'?" in done.err
    done = run("export", vectors, "v", "--format", "word2vec_bin")
    assert done.code == 2
    assert "Did you mean 'word2vec_binary'" in done.err


def test_a_transformer_becomes_a_hugging_face_folder(run, tmp_path):
    transformers = pytest.importorskip("transformers")
    done = run("export", trained("masked_lm"), "hub", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    opened = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "hub")
    assert result["num_parameters"] == opened.num_parameters()
    assert (result["format"], result["dimension"]) == ("hugging_face", 64)
    names = {path.name for path in (tmp_path / "hub").iterdir()}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= names
    assert run("export", trained("masked_lm"), "hub").code == 2, "never replaced unasked"
    done = run("export", trained("masked_lm"), "hub", "--force")
    assert f"hub  {opened.num_parameters():,} parameters, " in done.out
    assert run("export", trained("next_token"), "gpt").code == 0
    assert (tmp_path / "gpt" / "generation_config.json").is_file()


@pytest.mark.parametrize("words", [["lm.bin"], ["lm", "--format", "word2vec_text"]])
def test_a_transformer_is_no_file_of_vectors(run, tmp_path, words):
    done = run("export", trained("masked_lm"), *words)
    assert done.code == 2
    assert "holds a transformer, which is written as a Hugging Face folder only" in done.err
    assert "textssl embed" in done.err
    assert list(tmp_path.iterdir()) == []
