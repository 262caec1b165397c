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

from tests.objectives.image_runs import of_ranks, whole
from tests.objectives.small_images import prepared, task_of
from tests.training.small_network import assert_same_bits, copied
from textssl import registry
from textssl.run_folder import RunFolder
from textssl.training.checkpoint import load_newest

METHODS = [name for name in registry.names("objectives") if registry.load("objectives", name).FAMILY == "images"]
LONGEST_S = 300  # importing torch takes a minute on a machine that is busy


def start(method: str, folder: Path, what: str, **environment: str) -> subprocess.Popen:
    line = [sys.executable, "-m", "tests.objectives.image_runs", method, str(folder), what]
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


@pytest.mark.parametrize("method", METHODS)
def test_killed_run_ends_in_the_bits_of_the_undisturbed_one(method, tmp_path):
    whole(method, tmp_path / "undisturbed")
    killed = tmp_path / "killed"
    steps = [stop(start(method, killed, "whole"), killed, number) for number in (signal.SIGKILL, signal.SIGTERM)]
    assert "" < steps[0] < steps[1], "both signals met the run"
    assert RunFolder.view(killed).status()["state"] == "interrupted"
    whole(method, killed)
    states = [load_newest(path / "checkpoints", warn=pytest.fail).arrays for path in (killed, tmp_path / "undisturbed")]
    assert_same_bits(*map(copied, states))
    for name in ("model.safetensors", "config.json"):
        assert (killed / "model" / name).read_bytes() == (tmp_path / "undisturbed" / "model" / name).read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_equal_one(method, tmp_path, monkeypatch):
    """In float64, losses, parameters, statistics, what is kept beside them, and scores of held-back images."""
    if not prepared(method).objective.across_ranks:
        pytest.skip("is trained by one process")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    children = [start(method, tmp_path, "ranks", RANK=rank, LOCAL_RANK=rank, **common) for rank in ("0", "1")]
    errors = [child.communicate(timeout=LONGEST_S)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0], "\n".join(errors)
    (tmp_path / "alone").mkdir()
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    of_ranks(method, tmp_path / "alone")
    first, second, alone = (
        dict(np.load(tmp_path / name, allow_pickle=False)) for name in ("rank0.npz", "rank1.npz", "alone/rank0.npz")
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
