"""`textssl check`: corpora, runs, vector files."""

import json
import shlex
import shutil

import numpy as np
import pytest

from tests.objectives.topics import SMALL, documents
from textssl.commands import _corpus_check
from textssl.commands.check import check
from textssl.commands.train import train
from textssl.errors import DivergedError
from textssl.training.task import StepResult


def test_check_counts_a_corpus_by_hand(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"\xef\xbb\xbfa b a\r\n\r\nc d\r\na b a\n")
    found = check(str(path))
    assert (found.num_documents, found.num_words, found.num_distinct) == (3, 8, 4)
    assert found.longest_document_bytes == 5
    assert found.duplicate_rate == pytest.approx(1 / 3)
    assert (found.num_crlf, found.num_nul, found.byte_order_mark) == (3, 0, True)
    assert found.vocabulary[1] == 4
    assert found.vocabulary[2] == 2
    assert found.vocabulary[5] == 0
    assert found.exit_code == 0


def test_check_tells_what_to_type_next(run, tmp_path):
    (tmp_path / "c.txt").write_text("a b c d e\n" * 10)
    done = run("check", "c.txt")
    assert done.code == 0
    assert "next: textssl train skipgram c.txt --out runs/c\n" in done.out
    assert "will take about" in done.out


def test_command_to_type_next_reads_the_corpus_as_check_did(run, tmp_path):
    (tmp_path / "a table.csv").write_text("body\n" + "größe b c d e\n" * 10, encoding="latin-1")
    done = run("check", "a table.csv", "--text-field", "body", "--encoding", "latin-1", "--limit", "8")
    words = "train skipgram 'a table.csv' --text-field body --encoding latin-1 --limit 8 --out 'runs/a table'"
    assert done.out.splitlines()[-1] == f"next: textssl {words}"
    assert run(*shlex.split(words), "--dim", "4", "--threads", "1", "--subsample", "0").code == 0


def test_check_of_rare_words_advises_a_lower_min_count(run, tmp_path):
    (tmp_path / "c.txt").write_text("every word once\n")
    assert (
        "no word comes 5 times\nnext: textssl train skipgram c.txt --out runs/c --min-count 1"
        in run("check", "c.txt").out
    )


def test_check_tells_the_byte_of_a_bad_encoding_and_exits_with_3(run, tmp_path):
    (tmp_path / "c.txt").write_bytes(b"good\nbad \xff byte")
    done = run("check", "c.txt")
    assert done.code == 3
    assert "byte 0xff at byte 9 is no valid utf-8" in done.out
    assert "--encoding" in done.out


def test_check_skips_and_counts_on_request(run, tmp_path):
    (tmp_path / "c.txt").write_bytes(b"good\nbad \xff byte")
    done = run("check", "c.txt", "--on-bad", "skip", "--json")
    assert done.code == 0
    assert json.loads(done.out)["skipped"] == {"bad bytes replaced": 1}


def test_check_reads_columns(run, tmp_path):
    (tmp_path / "c.csv").write_text("id,body\n1,one two\n2,three\n")
    assert json.loads(run("check", "c.csv", "--text-field", "body", "--json").out)["num_words"] == 3


def test_check_of_a_built_in_corpus(run):
    assert json.loads(run("check", "facts", "--limit", "20", "--json").out)["num_documents"] == 20


def test_duplicate_rate_of_a_sample_stays_near_the_truth(monkeypatch):
    monkeypatch.setattr(_corpus_check, "MAX_SAMPLED_LINES", 20_000)
    documents = _corpus_check._Documents()
    for number in range(0, 60_000, 1000):
        lines = [b"%d" % (index // 2) for index in range(number, number + 1000)]
        documents.take(b"\n".join(lines) + b"\n")
    assert documents.number == 60_000
    assert documents.duplicate_rate() == pytest.approx(0.5, abs=0.02)


def test_document_over_many_blocks_is_one():
    documents = _corpus_check._Documents()
    for block in (b"one ", b"two ", b"three\nfo", b"ur\n", b"  \n"):
        documents.take(block)
    documents.end()
    assert (documents.number, documents.longest) == (2, 13)


def test_check_of_a_run_verifies_model_and_checkpoints(run, finished_run):
    done = run("check", finished_run)
    assert done.code == 0
    assert "run " in done.out
    assert "finished" in done.out
    assert "all hashes right" in done.out


def test_check_of_a_damaged_run_names_the_file_and_exits_with_3(run, finished_run):
    model = finished_run / "model" / "model.safetensors"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    done = run("check", finished_run)
    assert done.code == 3
    assert "model.safetensors: is damaged: its sha256 is not the one in the manifest" in done.out


def test_check_of_a_run_without_model_says_so(run, finished_run):
    shutil.rmtree(finished_run / "model")
    done = run("check", finished_run)
    assert done.code == 0
    assert "nothing to verify yet" in done.out


def test_check_of_a_vector_folder(run, vectors):
    done = run("check", vectors)
    assert done.code == 0
    assert "model " in done.out


def test_check_of_a_vector_file_reads_it_through(run, tmp_path):
    (tmp_path / "v.txt").write_text("2 3\na 1 2 3\nb 4 5 6\n")
    assert "2 words x 3" in run("check", "v.txt").out
    rows = np.arange(6, dtype="<f4").reshape(2, 3)
    (tmp_path / "v.bin").write_bytes(b"2 3\na " + rows[0].tobytes() + b"\nb " + rows[1].tobytes()[:-2])
    done = run("check", "v.bin")
    assert done.code == 3
    assert "v.bin" in done.out


def test_check_of_nothing_there(run):
    done = run("check", "nothing.txt")
    assert done.code == 3
    assert "nothing.txt: no such file or folder" in done.err


@pytest.fixture(scope="module")
def diverged_run(tmp_path_factory):
    """A run of the engine reference that diverged at a far too high learning rate."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("diverged")
    (folder / "c.txt").write_text("".join(" ".join(words) + "\n" for words in documents(60)))
    options = {**SMALL, "engine": "reference", "learning_rate": 1e30, "cache": folder / "cache"}
    with pytest.raises(DivergedError, match="--replay"):
        train("skipgram", folder / "c.txt", out=folder / "run", **options)
    return folder / "run"


def test_replay_makes_the_captured_step_again(run, diverged_run):
    done = run("check", diverged_run, "--replay")
    assert done.code == 5
    assert "made again, loss " in done.out
    assert "input_table" in done.out
    assert "next: start a new run with a lower --learning-rate" in done.out
    found = json.loads(run("check", diverged_run, "--replay", "--json").out)
    assert found["reproduced"] is True
    assert found["diagnosis"] == found["captured"]


def test_replay_of_a_step_that_is_well_now_says_so(run, diverged_run, monkeypatch):
    from textssl.training.gradient_task import GradientTask

    monkeypatch.setattr(GradientTask, "step", lambda task, index: StepResult(2.0, 1.0, 1))
    done = run("check", diverged_run, "--replay")
    assert done.code == 0
    assert "all is finite now: the machine, a library or the corpus is another than in the run" in done.out


def test_replay_in_another_place_says_so(run, diverged_run, monkeypatch):
    from textssl.training.gradient_task import GradientTask

    monkeypatch.setattr(GradientTask, "diagnosis", lambda task: {"bad_parts": [7], "precision": "bfloat16"})
    done = run("check", diverged_run, "--replay")
    assert done.code == 5
    assert "it diverges again, yet not in the same place" in done.out
    assert "lower --learning-rate, or with --precision float32" in done.out


def test_replay_of_other_runs_is_refused(run, finished_run, diverged_run, tmp_path):
    done = run("check", finished_run, "--replay")
    assert done.code == 2
    assert "has no captured step: only a network's run that diverged has one" in done.err
    assert "textssl check" in done.err
    shutil.copytree(diverged_run, tmp_path / "python")
    command = (tmp_path / "python" / "command.txt").read_text()
    corpus = str(diverged_run.parent / "c.txt")
    (tmp_path / "python" / "command.txt").write_text(command.replace(corpus, "DOCUMENTS"))
    done = run("check", "python", "--replay")
    assert done.code == 2
    assert "was trained from Python on a corpus that no file holds" in done.err
    assert "textssl.training.captures.replay" in done.err
