"""A network that is killed, or whose disk fails in any write of a save, goes on from a whole checkpoint exactly."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.faults import sweep
from tests.training.network_killer import Unmeasured
from tests.training.network_killer import train as train_killed
from tests.training.small_network import assert_same_bits, copied, small_task, train_network
from tests.training.small_task import records
from textssl.errors import Interrupted, ResourceError
from textssl.storage import verify_folder
from textssl.training.checkpoint import load_newest

STOPPED_AT, NUM_STEPS = 2, 3


def checkpoints(folder):
    return sorted((folder / "checkpoints").glob("step-????????"))


def state_of(folder):
    """The newest checkpoint's arrays; a damaged one would be an error."""
    return copied(load_newest(folder / "checkpoints", warn=pytest.fail).arrays)


def without_clock(folder):
    clock = ("utilisation", "tokens_per_s")
    return [{key: value for key, value in record.items() if key not in clock} for record in records(folder)]


def test_network_killed_at_random_times_and_in_writes_ends_in_the_same_bits(tmp_path):
    train_killed(tmp_path / "undisturbed")
    folder = tmp_path / "killed"
    printed = subprocess.check_output(
        [sys.executable, "-m", "tests.training.network_killer", str(folder), "12", "5"], text=True, timeout=120
    )
    assert len(set(printed.split())) > 3  # the kills fell into training
    assert not list(folder.glob("checkpoints/*.corrupt*"))
    for path in checkpoints(folder):
        verify_folder(path, hashes=True)
    train_killed(folder)
    assert without_clock(folder) == without_clock(tmp_path / "undisturbed")
    assert_same_bits(state_of(folder), state_of(tmp_path / "undisturbed"))
    assert [path.name for path in checkpoints(folder)] == [path.name for path in checkpoints(tmp_path / "undisturbed")]
    assert not list(folder.rglob(".tmp-*"))


def new_task():
    return small_task(objective=Unmeasured(num_steps=NUM_STEPS), dropout=0.2, loader_threads=0)


def stopping_task():
    """Gets a signal in one of its steps."""
    task = new_task()
    step = task.step

    def stopping(index):
        if index == STOPPED_AT - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(index)

    task.step = stopping
    return task


def train(folder, task=None):
    task = task or new_task()
    train_network(folder, task, checkpoint_every="1steps", keep_checkpoints=2)
    return copied(task.state())


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that got a signal with two steps to go, and the end of one that did not."""
    torch.set_num_threads(1)  # as in the tests: sums over rows are cut by threads
    folder = tmp_path_factory.mktemp("stopped")
    end = train(folder / "whole")
    with pytest.raises(Interrupted):
        train(folder / "stopped", stopping_task())
    return folder / "stopped", end, without_clock(folder / "whole")


class FailingFile:
    """A file of Python whose writes are counted and fail as those of the system do."""

    def __init__(self, file, disk):
        self.file = file
        self.write = disk.wrap("write to a file", file.write)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize(("code", "lasting"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_disk_that_fails_at_any_write_of_a_save_leaves_the_checkpoint_before(
    tmp_path, monkeypatch, stopped, code, lasting
):
    before, end, all_records = stopped
    old = copied(state_of(before))
    failed = set()
    for number, disk in enumerate(sweep(monkeypatch, code, lasting=lasting)):
        folder = tmp_path / str(number)
        disk.at = 10**9
        shutil.copytree(before, folder)
        disk.at, disk.calls = number, 0
        opened = Path.open

        def failing_open(path, mode="r", *given, disk=disk, opened=opened, **options):
            file = opened(path, mode, *given, **options)
            return FailingFile(file, disk) if "w" in mode else file

        try:
            with monkeypatch.context() as patch:
                patch.setattr(Path, "open", failing_open)
                train(folder)
        except ResourceError as error:
            assert error.exit_code == 4
            assert ("the disk is full" if code == errno.ENOSPC else "Input/output error") in str(error)
        finally:
            disk.at = 10**9
        failed |= {disk.failed}
        for path in checkpoints(folder):
            verify_folder(path, hashes=True)
        if (folder / "checkpoints" / f"step-{STOPPED_AT + 1:08d}").exists():
            break  # the next save is not disturbed any more
        assert_same_bits(state_of(folder), old)
        assert_same_bits(train(folder), end)
        assert without_clock(folder) == all_records
        assert not list(folder.rglob(".tmp-*"))
    assert {"write to a file", "write", "fsync", "rename", "mkdir"} <= failed, number
