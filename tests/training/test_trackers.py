"""Trackers get the records, and their failures never reach training."""

from __future__ import annotations

import math
import sys
import types

import pytest

from tests.training.small_task import SmallTask
from textssl.run_folder import RunFolder
from textssl.training.progress import SilentProgress
from textssl.training.trackers import SafeTracker, make_tracker, numbers_of
from textssl.training.trainer import Trainer, TrainerConfig

RECORD = {"kind": "train", "step": 3, "loss_nats": 2.5, "words_per_s": 10.0}


def run_with(tracker, folder):
    """Train the small task with a tracker, and read its records."""
    with RunFolder.open(folder, {}, ["test"], data={}) as run:
        task = SmallTask()
        config = TrainerConfig()
        Trainer(task, run, config=config, evaluate=task.scores, progress=SilentProgress(), trackers=[tracker]).run()
        return run.read_metrics()


class Memory:
    def __init__(self):
        self.records, self.closed = [], 0

    def log(self, record):
        self.records.append(record)

    def close(self):
        self.closed += 1


def test_tracker_gets_every_record_and_is_closed(tmp_path):
    memory = Memory()
    lines = []
    assert run_with(SafeTracker("tensorboard", lambda: memory, warn=lines.append), tmp_path) == memory.records
    assert memory.closed == 1
    assert lines == []


@pytest.mark.parametrize("failing", ["open", "log", "close"])
def test_failure_warns_once_and_training_goes_on(tmp_path, failing):
    class Failing(Memory):
        def log(self, record):
            super().log(record)
            if failing == "log":
                raise OSError("no network")

        def close(self):
            raise OSError("no network")

    def opened():
        if failing == "open":
            raise OSError("no network")
        return Failing()

    lines = []
    assert len(run_with(SafeTracker("wandb", opened, warn=lines.append), tmp_path)) == 30
    assert lines == ["WARNING: wandb fails and is left out from here on: no network"]


def test_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    lines = []
    tracker = make_tracker("wandb", tmp_path, {}, warn=lines.append)
    tracker.log(RECORD)
    tracker.log(RECORD)
    assert len(lines) == 1
    assert lines[0].endswith("(pip install wandb)")


def test_numbers_are_named_by_their_kind():
    assert numbers_of(RECORD) == {"train/loss_nats": 2.5, "train/words_per_s": 10.0}
    scores = {"kind": "evaluation", "step": 4, "scores": {"perplexity": 9.0, "bad": math.nan}, "unit": "words"}
    assert numbers_of(scores) == {"evaluation/perplexity": 9.0}


def test_weights_and_biases_gets_one_run_over_all_sessions(tmp_path, monkeypatch):
    logged, started = [], []

    class Run:
        def log(self, values):
            logged.append(values)

        def finish(self):
            logged.append("finished")

    def init(**given):
        started.append(given)
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    for _ in range(2):
        tracker = make_tracker("wandb", tmp_path / "news", {"dim": 5}, warn=pytest.fail)
        tracker.log(RECORD)
        tracker.close()
    assert logged[0] == {"train/loss_nats": 2.5, "train/words_per_s": 10.0, "step": 3}
    assert logged[1] == "finished"
    assert started[0] == started[1]
    assert (started[0]["name"], started[0]["resume"], started[0]["config"]) == ("news", "allow", {"dim": 5})


def test_tensorboard_gets_scalars(tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, log_dir):
            written.append(log_dir)

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=SummaryWriter))
    tracker = make_tracker("tensorboard", tmp_path, {}, warn=pytest.fail)
    tracker.log(RECORD)
    tracker.close()
    assert written == [
        str(tmp_path / "tensorboard"), ("train/loss_nats", 2.5, 3), ("train/words_per_s", 10.0, 3), "closed",
    ]  # fmt: skip
