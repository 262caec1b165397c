"""The vector folder: round trips, model2vec's reading of it, opening in no time, folders that do not hold together."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from textssl.embeddings import Embeddings
from textssl.embeddings_folder import MODEL_FILE, WORDS_FILE
from textssl.errors import DataError, UsageError
from textssl.ngram_table import NgramTable
from textssl.run_folder import RunFolder

WORDS = ["the", "of", "New_York", "naïve", "ca\u00a0fe", "[UNK]", '"q"', "日本", "x" * 700, "back\\slash"]


def made(num_words: int = 10, dimension: int = 3) -> Embeddings:
    generator = np.random.default_rng(0)
    words = WORDS[:num_words] + [f"w{at}" for at in range(num_words - len(WORDS))]
    table = generator.normal(size=(num_words, dimension)).astype(np.float32)
    return Embeddings(words, table, counts=np.arange(num_words, 0, -1))


def whole() -> Embeddings:
    ngrams = NgramTable(np.ones((2, 3), dtype=np.float32), np.array([4, 9]), 3, 6, 100)
    base = made()
    return Embeddings(base.words, base.vectors, counts=base.counts, context=base.vectors * 2, ngrams=ngrams)


def test_folder_round_trip_is_exact(tmp_path: Path) -> None:
    saved = whole()
    saved.save(tmp_path / "v", metadata={"dimension": 3})
    loaded = Embeddings.load(tmp_path / "v")
    assert loaded.words == saved.words
    assert loaded.metadata == {"dimension": 3}
    for name in ("vectors", "norms", "counts", "context"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    assert loaded.ngrams is not None
    np.testing.assert_array_equal(loaded.ngrams.rows, [4, 9])
    assert (loaded.ngrams.min_n, loaded.ngrams.max_n, loaded.ngrams.buckets) == (3, 6, 100)
    assert isinstance(loaded.vectors, np.memmap)


def test_folder_is_what_model2vec_reads(tmp_path: Path) -> None:
    saved = made()
    saved.save(tmp_path / "v")
    tensors = load_file(tmp_path / "v" / MODEL_FILE)
    tokenizer = Tokenizer.from_file(str(tmp_path / "v" / "tokenizer.json"))
    np.testing.assert_array_equal(tensors["embeddings"], saved.vectors)
    assert tokenizer.get_vocab_size() == len(saved) + 1 == len(tensors["mapping"])
    for place, word in enumerate(saved.words):
        assert tokenizer.encode(word).ids == [place]
        assert tensors["mapping"][place] == place
    assert tokenizer.encode("the zebra\tof").ids == [0, len(saved), 1]
    assert json.loads((tmp_path / "v" / "config.json").read_text())["normalize"] is False
    header = (tmp_path / "v" / MODEL_FILE).read_bytes()[8:200]
    assert header.index(b'"embeddings"') < header.index(b'"mapping"')


def test_folder_opens_in_model2vec_with_zero_difference(tmp_path: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    saved = made(40)
    saved.save(tmp_path / "ours")
    opened = model2vec.StaticModel.from_pretrained(tmp_path / "ours")
    np.testing.assert_array_equal(opened.embedding, saved.vectors)
    for word in saved.words:
        np.testing.assert_array_equal(opened.encode([word])[0], saved[word])
    assert not opened.encode(["zebra"]).any()
    opened.save_pretrained(tmp_path / "theirs")
    back = Embeddings.load(tmp_path / "theirs")
    for word in saved.words:
        np.testing.assert_array_equal(back[word], saved[word])


def model2vec_folder(folder: Path, tokens: object, tensors: dict[str, np.ndarray], **model: object) -> Path:
    folder.mkdir()
    save_file(tensors, folder / MODEL_FILE)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": tokens, **model}, "added_tokens": []}))
    return folder


def test_foreign_folder_applies_mapping_and_weights(tmp_path: Path) -> None:
    tensors = {
        "embeddings": np.array([[1, 2], [3, 4]], dtype=np.float16),
        "mapping": np.array([1, 0, 1]),
        "weights": np.array([1, 10, 2], dtype=np.float32),
    }
    loaded = Embeddings.load(model2vec_folder(tmp_path / "v", {"b": 1, "a": 0, "c": 2}, tensors))
    assert list(loaded.words) == ["a", "b", "c"]
    np.testing.assert_array_equal(loaded.vectors, [[3, 4], [10, 20], [6, 8]])


def test_foreign_folder_reads_unigram_tokens(tmp_path: Path) -> None:
    tensors = {"embeddings": np.eye(2, dtype=np.float32)}
    assert list(Embeddings.load(model2vec_folder(tmp_path / "v", [["x", -1.0], ["y", -2.0]], tensors)).words) == [
        "x",
        "y",
    ]


EYE = np.eye(2, dtype=np.float32)


@pytest.mark.parametrize(
    ("tokens", "tensors", "message"),
    [
        ({"a": 0}, {"embeddings": EYE}, "has 2 rows, the tokenizer has 1 tokens"),
        ({"a": 0, "b": 5}, {"embeddings": EYE}, "numbers its tokens with gaps or twice"),
        ({"a": 0, "b": "x"}, {"embeddings": EYE}, "is no tokenizer of the tokenizers library"),
        ("abc", {"embeddings": EYE}, "is no tokenizer of the tokenizers library"),
        ({"a": 0, "b": 1}, {"other": EYE}, "has no matrix 'embeddings', it has other"),
        (
            {"a": 0, "b": 1},
            {"embeddings": EYE, "mapping": np.array([0, 2])},
            "has a 'mapping' that leads outside",
        ),
        ({"a": 0, "b": 1}, {"embeddings": EYE, "weights": np.ones(3)}, r"has weights of shape \(3,\) for 2 tokens"),
        ({"a": 0, "b": 1}, {"embeddings": EYE[:, :0]}, "the vectors are 0 wide, expected 1 to 65,536"),
    ],
)
def test_foreign_folder_that_does_not_fit_is_refused(
    tokens: object, tensors: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        Embeddings.load(model2vec_folder(tmp_path / "v", tokens, tensors))


def test_run_folder_opens_its_model(tmp_path: Path) -> None:
    made().save(tmp_path / "run" / "model")
    assert Embeddings.load(tmp_path / "run").words == made().words


def test_run_without_vectors_says_so(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", {"dim": 4}, ["textssl", "train", "cbow", "c.txt"], data={}).close()
    with pytest.raises(DataError, match="has no model yet, the run is new\nFinish it: textssl train cbow c.txt"):
        Embeddings.load(tmp_path / "run")


def test_other_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run and no vector folder: it holds no model.safetensors"):
        Embeddings.load(tmp_path)


def reseal(folder: Path, name: str, tensors: dict[str, np.ndarray]) -> None:
    """Put other arrays into a file, and make the manifest forget that it knew better."""
    save_file(tensors, folder / name)
    from textssl.storage import commit_folder

    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    commit_folder(folder, lambda new: [(new / key).write_bytes(value) for key, value in files.items()], replace=True)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            MODEL_FILE,
            {"embeddings": np.ones((9, 3), np.float32)},
            r"must hold 'embeddings' as float32 \(10, D\), found",
        ),
        (MODEL_FILE, {"embeddings": np.ones((10, 3))}, r"must hold 'embeddings' as float32 \(10, D\), found float64"),
        (MODEL_FILE, {"embeddings": None}, r"must hold 'embeddings' as float32 \(10, D\), found none"),
        (WORDS_FILE, {"norms": None}, r"has no norms, float32 \(10,\)"),
        (WORDS_FILE, {"counts": np.ones(3, np.int64)}, r"has counts of int64 \(3,\), expected int64 \(10,\)"),
        (WORDS_FILE, {"order": None}, "the word list has no array 'order'"),
        ("context.safetensors", {"context": np.ones((10, 2), np.float32)}, "has width 2, the vectors have 3"),
        ("ngrams.safetensors", {"vectors": None}, "must hold vectors as float32 and buckets as int64"),
        ("ngrams.safetensors", {"vectors": np.ones((2, 4), np.float32)}, r"holds vectors \(2, 4\) for 2 buckets"),
        ("ngrams.safetensors", {}, "lacks one of min_n, max_n, buckets in its metadata"),
    ],
)
def test_folder_whose_files_do_not_fit_is_refused(
    name: str, change: dict[str, np.ndarray | None], message: str, tmp_path: Path
) -> None:
    folder = whole().save(tmp_path / "v")
    tensors = {**load_file(folder / name), **change}
    reseal(folder, name, {key: value for key, value in tensors.items() if value is not None})
    with pytest.raises(DataError, match=message):
        Embeddings.load(folder)


def test_ngram_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    NgramTable(EYE, np.array([1, 2]), 5, 3, 10).write(tmp_path / "x")
    with pytest.raises(DataError, match="has n-grams of 5 to 3 characters in 10 buckets, which cannot be"):
        NgramTable.open(tmp_path / "x", 2)


def test_ngrams_combined_in_an_unknown_way_are_refused(tmp_path: Path) -> None:
    NgramTable(EYE, np.array([1, 2]), 3, 5, 10, combine="product").write(tmp_path / "x")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="combines rows by 'product', expected one of mean, sum"):
        NgramTable.open(tmp_path / "x", 2)


def test_folder_with_another_size_is_refused(tmp_path: Path) -> None:
    folder = made().save(tmp_path / "v")
    with (folder / MODEL_FILE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="bytes, expected"):
        Embeddings.load(folder)


@pytest.mark.parametrize(("place", "field"), [(4, "vectors"), (7, "context")])
def test_save_refuses_numbers_that_are_not_finite(place: int, field: str, tmp_path: Path) -> None:
    arrays = {"vectors": made().vectors.copy(), "context": made().vectors.copy()}
    arrays[field][place, 1] = np.nan
    embeddings = Embeddings(WORDS, arrays["vectors"], context=arrays["context"])
    with pytest.raises(DataError, match=f"vector {place + 1} holds NaN or inf, vectors must be finite"):
        embeddings.save(tmp_path / "v")
    assert list(tmp_path.iterdir()) == []


def test_save_refuses_no_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no words, so there is nothing to write"):
        Embeddings([], np.zeros((0, 2), dtype=np.float32)).save(tmp_path / "v")


def test_save_does_not_overwrite(tmp_path: Path) -> None:
    made().save(tmp_path / "v")
    with pytest.raises(UsageError, match="exists already"):
        made(5).save(tmp_path / "v")
    made(5).save(tmp_path / "v", replace=True)
    assert len(Embeddings.load(tmp_path / "v")) == 5


def test_folder_opens_in_no_time_and_without_heavy_imports(tmp_path: Path) -> None:
    made(20_000, 20).save(tmp_path / "v")
    start = time.perf_counter()
    Embeddings.load(tmp_path / "v")
    assert time.perf_counter() - start < 0.5  # about 3 ms; the limit is wide for a busy machine
    code = (
        "import sys; from textssl.embeddings import Embeddings; "
        f"Embeddings.load({str(tmp_path / 'v')!r}).most_similar('the'); "
        "print([m for m in ('torch', 'numba', 'sklearn', 'pyarrow', 'scipy', 'tokenizers') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
