"""Runs of every method for images: killed and resumed to the same bits, two processes equal to one, learning."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.objectives.image_runs import StoppedError, of_ranks, whole
from tests.objectives.small_images import prepared, task_of
from tests.training.small_network import assert_same_bits, copied
from textssl import registry
from textssl.run_folder import RunFolder
from textssl.training.checkpoint import load_newest

METHODS = [name for name in registry.names("objectives") if registry.load("objectives", name).FAMILY == "images"]
LONGEST_S = 300  # importing torch takes a minute on a machine that is busy


@pytest.fixture(autouse=True)
def one_thread():
    """As the processes have: the order of sums depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def start(methods: list[str], folder: Path, what: str, **environment: str) -> subprocess.Popen:
    line = [sys.executable, "-m", "tests.objectives.image_runs", *methods, str(folder), what]
    return subprocess.Popen(line, env={**os.environ, **environment}, stderr=subprocess.PIPE)


def newest(folder: Path) -> str:
    return max((path.name for path in folder.glob("checkpoints/step-????????")), default="")


def stop(child: subprocess.Popen, folder: Path, number: int) -> str:
    """Send a signal once the run is past a new checkpoint; gives the newest one then."""
    before, end = newest(folder), time.monotonic() + LONGEST_S
    while newest(folder) <= max(before, "step-00000002") and child.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    child.send_signal(number)
    child.communicate(timeout=LONGEST_S)
    return newest(folder)


def assert_equal_runs(one: Path, other: Path) -> None:
    """The last state and the saved model, to the last bit."""
    states = [load_newest(path / "checkpoints", warn=pytest.fail).arrays for path in (one, other)]
    assert_same_bits(*map(copied, states))
    for name in ("model.safetensors", "config.json"):
        assert (one / "model" / name).read_bytes() == (other / "model" / name).read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_run_that_fails_midway_ends_in_the_bits_of_the_undisturbed_one(method, tmp_path):
    whole(method, tmp_path / "undisturbed")
    for step in (5, 11):
        with pytest.raises(StoppedError):
            whole(method, tmp_path / "stopped", stop_at=step)
    whole(method, tmp_path / "stopped")
    assert_equal_runs(tmp_path / "stopped", tmp_path / "undisturbed")


def test_killed_run_ends_in_the_bits_of_the_undisturbed_one(tmp_path):
    """By the method that keeps most beside its parameters: a queue, a copy, statistics of groups."""
    whole("moco", tmp_path / "undisturbed")
    killed = tmp_path / "killed"
    steps = [stop(start(["moco"], killed, "whole"), killed, number) for number in (signal.SIGKILL, signal.SIGTERM)]
    assert "" < steps[0] < steps[1], "both signals met the run"
    assert RunFolder.view(killed).status()["state"] == "interrupted"
    whole("moco", killed)
    assert_equal_runs(killed, tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two processes end with, all methods one after the other."""
    folder = tmp_path_factory.mktemp("ranks")
    shared = [method for method in METHODS if prepared(method).objective.across_ranks]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    children = [start(shared, folder, "ranks", RANK=rank, LOCAL_RANK=rank, **common) for rank in ("0", "1")]
    errors = [child.communicate(timeout=LONGEST_S)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0], "\n".join(errors)
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_equal_one(method, of_two, tmp_path, monkeypatch):
    """In float64, losses, parameters, statistics, what is kept beside them, and scores of held-back images."""
    if not prepared(method).objective.across_ranks:
        pytest.skip("is trained by one process")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    of_ranks(method, tmp_path)
    first, second, alone = (
        dict(np.load(path / f"{method}-{rank}.npz", allow_pickle=False))
        for path, rank in ((of_two, "rank0"), (of_two, "rank1"), (tmp_path, "rank0"))
    )
    assert first.keys() == second.keys() == alone.keys()
    for name, expected in alone.items():
        np.testing.assert_allclose(first[name], expected, rtol=1e-6, atol=1e-8, err_msg=name)
        np.testing.assert_allclose(second[name], first[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_step_that_is_not_applied_leaves_no_trace(method):
    task = task_of(prepared(method))
    task.step(0)
    with torch.no_grad():
        weight = next(task.model.encoder.parameters())
        good = weight.clone()
        weight.fill_(float("nan"))
    before = copied(task.state())
    assert not task.step(1).applied
    assert_same_bits(copied(task.state()), before)
    with torch.no_grad():
        weight.copy_(good)
    assert task.step(1).applied


@pytest.mark.parametrize("method", METHODS)
def test_evaluation_changes_nothing_and_gauges_collapse(method):
    task = task_of(prepared(method))
    task.step(0)
    before = copied(task.state())
    scores = task.evaluate()
    assert_same_bits(copied(task.state()), before)
    assert scores["feature_rank"] > 1
    lines: list[str] = []
    task = task_of(prepared(method), note=lines.append)
    with torch.no_grad():
        for part in task.model.encoder.parameters():
            part.zero_()
    task.evaluate()
    assert any("have collapsed" in line for line in lines)
