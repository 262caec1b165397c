"""The command train: runs and their folders, resuming, refusing, budgets, and the same from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import textssl
from tests.objectives.topics import FLAGS, SMALL, documents, model_bytes, topic_gap, train_small
from textssl.embeddings import Embeddings
from textssl.errors import DataError, DivergedError, UsageError
from textssl.run_folder import RunFolder
from textssl.training import checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture
def train_line(run, corpus, tmp_path):
    """Runs `textssl train skipgram c.txt --out OUT FLAGS ...`."""

    def call(*more: str, out: str = "run", method: str = "skipgram", flags: str = FLAGS):
        return run("train", method, corpus, "--out", out, "--cache", tmp_path / "cache", *flags.split(), *more)

    return call


def test_train_writes_a_run(train_line, tmp_path):
    done = train_line()
    assert done.code == 0
    assert done.out.startswith("run: 28,800 words in ")
    assert "loss per epoch (nats per pair): 2." in done.out
    assert "textssl query run WORD" in done.out
    assert "7,200 words, 32 distinct, in 600 documents" in done.err
    assert "engine cpu on 1 thread\n" in done.err
    run = RunFolder.view(tmp_path / "run")
    assert run.status()["state"] == "finished"
    assert run.config()["objective"] == "skipgram"
    assert run.config()["dim"] == 16
    assert run.data()["num_tokens"] == 7200
    records = run.read_metrics()
    assert [record["epoch_loss_nats"] for record in records if record["kind"] == "epoch"] == pytest.approx(
        run.status()["summary"]["epoch_losses"]
    )
    assert topic_gap(Embeddings.load(run.path)) > 0.6


def test_subsampling_that_leaves_hardly_a_word_is_told(run, corpus):
    line = "of 7,200 words in an epoch: a vocabulary as small as this one needs --subsample 0"
    words = ("train", "skipgram", corpus.name, "--min-count", "1", "--dry-run")
    assert line in run(*words, "--subsample", "1e-5").out
    assert line not in run(*words, "--subsample", "0").out


def test_command_file_does_the_same_again(train_line, run, tmp_path):
    assert train_line("--keep-context", "--no-lowercase").code == 0
    words = (tmp_path / "run" / "command.txt").read_text().split()
    assert words[0] == "textssl"
    first = model_bytes(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "before")
    assert run(*words[1:]).code == 0
    assert model_bytes(tmp_path / "run") == first


def test_json_holds_the_summary(train_line):
    result = json.loads(train_line("--json").out)
    assert result["run"] == "run"
    assert result["objective"] == "skipgram"
    assert result["summary"]["units"] == 28_800
    assert len(result["summary"]["epoch_losses"]) == 4
    assert any("token store" in note for note in result["notes"])


def test_dry_run_says_what_would_be_trained_and_makes_no_run(train_line, tmp_path):
    done = train_line("--dry-run")
    assert done.code == 0
    assert "skipgram, 16 dimensions, negative sampling" in done.out
    assert "nothing was trained" in done.out
    assert not (tmp_path / "run").exists()


def test_dry_run_needs_no_folder(run, corpus, tmp_path):
    assert run("train", "skipgram", corpus, "--dry-run", "--cache", tmp_path / "cache", "--min-count", "1").code == 0
    done = run("train", "skipgram", corpus)
    assert done.code == 2
    assert "the run needs a folder" in done.err
    assert "--out runs/skipgram" in done.err


def test_finished_run_prints_its_result_again(train_line, tmp_path):
    first = train_line()
    before = model_bytes(tmp_path / "run"), (tmp_path / "run" / "metrics.jsonl").read_bytes()
    again = train_line()
    assert again.code == 0
    assert again.out == first.out
    assert "run is finished already; its result again:" in again.err
    assert (model_bytes(tmp_path / "run"), (tmp_path / "run" / "metrics.jsonl").read_bytes()) == before


def test_other_configuration_is_refused_before_the_corpus_is_read(train_line, tmp_path):
    train_line()
    before = model_bytes(tmp_path / "run")
    (tmp_path / "c.txt").unlink()
    done = train_line("--seed", "7", flags=FLAGS.replace("--window 3", "--window 5"))
    assert done.code == 2
    assert "holds a run with another configuration:" in done.err
    assert "window: 3 -> 5" in done.err
    assert "seed: 1 -> 7" in done.err
    assert model_bytes(tmp_path / "run") == before


def test_other_corpus_is_refused(train_line, corpus, tmp_path):
    train_line()
    corpus.write_text("other words\n" * 100)
    done = train_line()
    assert done.code == 2
    assert "holds a run with other data:" in done.err
    assert "num_tokens: 7200 -> 200" in done.err


@pytest.mark.parametrize("flags", ["--threads 3", "--max-steps 99", "--checkpoint-every 9m", "--keep-checkpoints 5"])
def test_how_a_run_is_made_may_change(flags, train_line):
    base = FLAGS.replace(" --threads 1", "")
    assert train_line("--max-steps", "2", flags=base).code == 0
    assert train_line(flags=f"{base} {flags}").code == 0


def test_preset_file_and_flags_come_one_after_the_other(train_line, tmp_path):
    (tmp_path / "t.toml").write_text("max_n = 4\nwindow = 2\nseed = 9\n")
    flags = "--dim 16 --min-count 1 --epochs 1 --threads 1 --window 4"
    assert train_line("--preset", "subwords", "--config", "t.toml", flags=flags).code == 0
    config = RunFolder.view(tmp_path / "run").config()
    assert [config[name] for name in ("min_n", "max_n", "window", "seed", "dim")] == [3, 4, 4, 9, 16]


def test_configuration_of_a_run_makes_the_same_run_again(train_line, tmp_path):
    train_line("--seed", "3")
    assert train_line("--config", "run/config.toml", out="again", flags="--threads 1").code == 0
    assert (tmp_path / "run" / "config.toml").read_text() == (tmp_path / "again" / "config.toml").read_text()
    assert model_bytes(tmp_path / "run") == model_bytes(tmp_path / "again")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("windwo = 3", ("there is no option 'windwo'", "Did you mean 'window'?")),
        ("window = 0", ("window must be at least 1 and at most 1000, got 0",)),
        ('threads = "all"', ("threads must be a whole number, got 'all'",)),
        ('config = "x.toml"', ("there is no option 'config'",)),
        ('objective = "cbow"', ("is a configuration of cbow, expected skipgram", "textssl train cbow")),
    ],
)
def test_bad_file_is_refused_with_its_name(content, words, train_line, tmp_path):
    (tmp_path / "t.toml").write_text(content + "\n")
    done = train_line("--config", "t.toml")
    assert done.code == 2
    assert done.err.startswith("error: t.toml: ")
    assert all(word in done.err for word in words), done.err


def test_unknown_preset_is_refused_with_the_nearest(train_line):
    done = train_line("--preset", "subword")
    assert done.code == 2
    assert "skipgram has no preset 'subword'" in done.err
    assert "Did you mean 'subwords'?" in done.err
    assert "Its presets: subwords, phrases." in train_line("--preset", "zzz").err


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "tpu:0"])
def test_unknown_device_is_refused(device, train_line):
    done = train_line("--device", device)
    assert done.code == 2
    assert f"device must be auto, cpu, cuda, cuda:N or mps, got '{device}'" in done.err


def test_device_that_is_not_there_is_refused(train_line):
    torch = pytest.importorskip("torch")
    device = f"cuda:{torch.cuda.device_count()}"
    done = train_line("--device", device)
    assert done.code == 2
    assert f"this machine has no {device} that torch can use" in done.err
    assert "Give --device cpu." in done.err


def test_word_vectors_run_on_the_cpu_unless_told_otherwise(train_line, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert train_line("--max-steps", "1").code == 0
    assert RunFolder.view(tmp_path / "run").config()["device"] == "cpu"


def test_word_vectors_are_refused_under_torchrun(train_line, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = train_line()
    assert done.code == 2
    assert "word vectors are trained by one process" in done.err
    assert "Start it without torchrun, with --threads." in done.err


def test_device_without_torch_is_refused(train_line, monkeypatch):
    monkeypatch.setitem(sys.modules, "textssl.training.devices", None)
    done = train_line("--device", "cuda")
    assert done.code == 2
    assert "the device cuda needs torch" in done.err
    assert 'pip install "textssl[torch]"' in done.err


def test_patience_without_evaluations_is_refused(train_line):
    done = train_line("--patience", "2")
    assert done.code == 2
    assert "patience needs evaluations" in done.err


def test_units_are_a_budget(train_line):
    result = json.loads(train_line("--max-units", "5000", "--json").out)["summary"]
    assert result["ended_by"] == "max_units"
    assert 5000 <= result["units"] < 13_000


def test_learning_rate_too_high_ends_with_exit_5_and_leaves_the_checkpoint(train_line, tmp_path):
    flags = FLAGS + " --learning-rate 1e6 --checkpoint-every 1steps"
    done = train_line("--max-steps", "4", flags=flags)
    assert done.code == 5
    assert "training diverged: " in done.err
    assert "Start a new run with a lower learning rate, for instance 2e+05." in done.err
    assert RunFolder.view(tmp_path / "run").status()["state"] == "diverged"
    newest = checkpoint.load_newest(tmp_path / "run" / "checkpoints", warn=print)
    assert all(np.isfinite(array).all() for array in newest.arrays.values())
    assert not (tmp_path / "run" / "model").exists()


def test_minutes_are_a_budget(tmp_path):
    result = train_small(tmp_path, epochs=100_000, max_minutes=1.5 / 60)
    summary = result.summary
    assert summary.ended_by == "max_minutes"
    assert 0.5 < summary.elapsed_s < 3
    assert 10 < summary.steps < 100_000
    records = [record for record in RunFolder.view(result.run).read_metrics() if record["kind"] == "train"]
    rates = [record["learning_rate"] for record in records]  # how far they fall: test_trainer_minutes, by its own clock
    assert rates[-1] == min(rates) < 0.05
    assert topic_gap(Embeddings.load(result.run)) > 0.6


def test_a_second_process_is_refused(tmp_path):
    with RunFolder.open(tmp_path / "run", {}, [], data={}), pytest.raises(UsageError, match="another configuration"):
        train_small(tmp_path)


def test_python_takes_texts_and_lists_of_tokens(tmp_path):
    tokens = documents(200)
    texts = [" ".join(words) for words in tokens]
    first, second = (
        textssl.train("skipgram", corpus, out=tmp_path / name, cache=tmp_path / "cache", **SMALL)
        for name, corpus in (("tokens", tokens), ("texts", texts))
    )
    assert np.array_equal(Embeddings.load(first.run).vectors, Embeddings.load(second.run).vectors)
    assert "DOCUMENTS" in (tmp_path / "texts" / "command.txt").read_text()
    with pytest.raises(UsageError, match=r"documents can be read only once: a generator is used up") as caught:
        textssl.train("skipgram", (text for text in texts), out=tmp_path / "x", **SMALL)
    assert "Pass a list" in caught.value.hint
    assert not (tmp_path / "x").exists()


def test_python_is_told_of_unknown_options(tmp_path):
    with pytest.raises(UsageError, match=r"windwo is no option of skipgram") as caught:
        textssl.train("skipgram", documents(2), out=tmp_path / "x", windwo=3)
    assert caught.value.hint == "Did you mean 'window'?"
    with pytest.raises(UsageError, match=r"size_of_things is no option of skipgram") as caught:
        textssl.train("skipgram", documents(2), out=tmp_path / "x", size_of_things=3)
    assert caught.value.hint == "See textssl train skipgram --help."


def test_errors_of_the_corpus_pass_through(tmp_path):
    with pytest.raises(DataError, match="min_count"):
        train_small(tmp_path, corpus=[["a", "b", "c"]], min_count=9)
    with pytest.raises(DivergedError, match="training diverged"):
        train_small(tmp_path, learning_rate=1e6)


def test_training_imports_nothing_heavy(corpus, tmp_path):
    heavy = (
        "torch",
        "scipy.linalg",
        "pyarrow",
        "datasets",
        "sklearn",
        "matplotlib",
        "tokenizers",
        "pandas",
        "safetensors",
    )
    code = (
        "import sys; from textssl.cli import main; code = main(sys.argv[1:]); "
        f"print(code, sorted({set(heavy)!r} & set(sys.modules)))"
    )
    words = ["train", "skipgram", str(corpus), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    line = [sys.executable, "-c", code, *words, *FLAGS.split()]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
