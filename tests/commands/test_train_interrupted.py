"""Training on the command line that is killed, interrupted, or finds the disk full: it goes on to the same bits."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import DISK_CALLS, FailingDisk
from tests.objectives.topics import FLAGS, SMALL, model_bytes, train_small
from textssl.errors import ResourceError
from textssl.run_folder import RunFolder
from textssl.training import checkpoint

LONG = FLAGS.replace("--epochs 4", "--epochs 80") + " --checkpoint-every 1steps"
ROOT = Path(__file__).parents[2]


def interrupt(number: str, times: int, seed: int, folder: Path, corpus: Path, out: str) -> list[str]:
    words = ["train", "skipgram", str(corpus), "--out", str(folder / out), "--cache", str(folder / "cache")]
    line = [
        sys.executable,
        "-m",
        "tests.commands.interrupted_training",
        number,
        str(times),
        str(seed),
        str(folder / out),
    ]
    done = subprocess.run([*line, *words, *LONG.split()], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, "no checkpoint was damaged"
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    options = {**SMALL, "epochs": 80, "checkpoint_every": "7steps"}
    return model_bytes(train_small(folder, **options).run)


@pytest.mark.parametrize(("number", "code"), [("SIGKILL", -9), ("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted_command_resumes_to_the_same_bits(number, code, corpus, tmp_path, undisturbed):
    lines = interrupt(number, 3, 11, tmp_path, corpus, "run")
    codes = [int(line.split()[0]) for line in lines]
    assert codes[-1] == 0
    assert set(codes) == {code, 0}
    assert model_bytes(tmp_path / "run") == undisturbed
    summary = RunFolder.view(tmp_path / "run").status()["summary"]
    assert summary["steps"] == 80
    assert summary["units"] == 80 * 7200
    steps = [record["step"] for record in RunFolder.view(tmp_path / "run").read_metrics() if record["kind"] == "epoch"]
    assert steps == list(range(1, 81))


def test_ctrl_c_at_the_command_line_says_how_to_go_on(corpus, tmp_path):
    words = ["train", "skipgram", str(corpus), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    flags = LONG.replace("--epochs 80", "--epochs 100000").split()
    child = subprocess.Popen(
        [sys.executable, "-m", "textssl", *words, *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not list(tmp_path.glob("run/checkpoints/step-*")) and time.monotonic() < end:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Run the same command again to go on." in err
    assert "Traceback" not in err
    assert RunFolder.view(tmp_path / "run").status()["state"] == "interrupted"


@pytest.fixture
def small_run(tmp_path):
    """Trains the small corpus with a checkpoint at every step, and gives the bytes of the model."""

    def call(out: str, **options) -> bytes:
        return model_bytes(
            train_small(tmp_path, out=tmp_path / out, epochs=3, checkpoint_every="1steps", **options).run
        )

    return call


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory) -> bytes:
    return model_bytes(train_small(tmp_path_factory.mktemp("whole"), epochs=3).run)


@pytest.mark.parametrize("at", [0, 1, 2, 5, 9, 14, 20, 27, 35, 44, 54, 65])
def test_full_disk_at_any_moment_leaves_a_run_that_goes_on(at, small_run, three_epochs, monkeypatch):
    disk = FailingDisk(at, errno.ENOSPC, lasting=True)
    with monkeypatch.context() as patch:
        for name in DISK_CALLS:
            patch.setattr(os, name, disk.wrap(name, getattr(os, name)))
        with pytest.raises(ResourceError, match=r"the disk is full"):
            small_run("run")
    assert small_run("run") == three_epochs


def test_full_disk_while_a_checkpoint_is_written_leaves_the_one_before(small_run, three_epochs, tmp_path, monkeypatch):
    save, calls = checkpoint.save_tensors, []

    def fail_at_the_second(path, arrays):
        calls.append(path)
        save(path, arrays)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "save_tensors", fail_at_the_second)
    with pytest.raises(ResourceError, match=r"the disk is full"):
        small_run("run")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000001"]
    monkeypatch.undo()
    assert small_run("run") == three_epochs
