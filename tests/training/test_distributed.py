"""Two processes that train together equal one, agree on signals and faults, and leave one run folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.small_network import PLAIN, small_task, train_network
from textssl.errors import UsageError
from textssl.run_folder import RunFolder
from textssl.training import distributed
from textssl.training.captures import newest_capture
from textssl.training.checkpoint import load_newest
from textssl.training.ranks import OneRank

TWO_PARTS = replace(PLAIN, num_parts=2)
"""What two processes compute, computed by one."""


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> tuple[Path, list[dict]]:
    """The folder of two processes, and what each of them found."""
    folder = tmp_path_factory.mktemp("together")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    line = [sys.executable, "-m", "tests.training.two_ranks", str(folder)]
    children = [
        subprocess.Popen(line, env={**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE)
        for rank in ("0", "1")
    ]
    errors = [child.communicate(timeout=120)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0], "\n".join(errors)
    return folder, [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    torch.set_num_threads(1)
    train_network(folder, small_task(TWO_PARTS, dropout=0.2))
    return folder


def last_state(run: Path) -> dict[str, np.ndarray]:
    return load_newest(run / "checkpoints", warn=pytest.fail).arrays


def assert_close(first, second) -> None:
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6, atol=1e-9)


def test_ranks_know_their_number_and_agree(together):
    assert [found["rank"] for found in together[1]] == [0, 1]
    assert [found["leads"] for found in together[1]] == [True, False]
    assert [found["largest"] for found in together[1]] == [[1, 3], [1, 3]]


def test_two_processes_equal_one(together, alone):
    folder, found = together
    assert_close(last_state(folder / "whole"), last_state(alone))
    assert found[0]["steps"] == found[1]["steps"] == 12
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["scores"] == pytest.approx(RunFolder.view(alone).status()["summary"]["scores"], rel=1e-9)
    losses = [
        [record["loss_nats"] for record in RunFolder.view(run).read_metrics() if record["kind"] == "train"]
        for run in (folder / "whole", alone)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    assert len(losses[0]) == 12  # one process alone writes them


def test_signal_to_one_stops_both_with_a_checkpoint_that_one_process_goes_on_from(together, alone, tmp_path):
    folder, found = together
    assert [each["codes"]["stopped"] for each in found] == [143, 143]
    run = folder / "stopped"
    assert RunFolder.view(run).status()["state"] == "interrupted"
    assert load_newest(run / "checkpoints", warn=pytest.fail).notes["step"] == 6
    train_network(run, small_task(TWO_PARTS, dropout=0.2))
    assert_close(last_state(run), last_state(alone))


def test_fault_of_one_part_stops_both_and_is_captured_once(together):
    folder, found = together
    assert [each["codes"]["diverged"] for each in found] == [5, 5]
    capture = newest_capture(folder / "diverged")
    assert (capture.step, capture.diagnosis["num_parts"]) == (3, 2)
    assert RunFolder.view(folder / "diverged").status()["state"] == "diverged"


def test_full_memory_of_one_halves_the_parts_of_both(together):
    assert [each["num_parts"] for each in together[1]] == [2, 2]


def test_without_torchrun_there_is_one_rank(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks, device = distributed.join_ranks("cpu")
    assert isinstance(ranks, OneRank)
    assert (device, ranks.largest([4, 2]), ranks.from_lead(7)) == ("cpu", [4, 2], 7)


def test_more_processes_than_gpus_and_other_devices_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    message = r"^torchrun started more processes than the 2 GPUs of this machine\nGive torchrun --nproc-per-node 2.$"
    with pytest.raises(UsageError, match=message):
        distributed.join_ranks("cuda")
    message = r"^several processes train on cpu or cuda, got mps\nStart it without torchrun.$"
    with pytest.raises(UsageError, match=message):
        distributed.join_ranks("mps")


def test_sparse_gradients_are_refused_among_several():
    table = torch.nn.Parameter(torch.zeros(3, 2))
    torch.nn.functional.embedding(torch.tensor([1]), table, sparse=True).sum().backward()
    with pytest.raises(UsageError, match=r"^tables with sparse gradients are trained by one process\nStart it without"):
        distributed._dense_gradient(table)


def test_buckets_hold_gradients_of_one_type_and_a_bounded_size(monkeypatch):
    monkeypatch.setattr(distributed, "BUCKET_BYTES", 100)
    gradients = [torch.zeros(size) for size in (10, 10, 30, 1)] + [torch.zeros(1, dtype=torch.float64)]
    assert [[part.numel() for part in bucket] for bucket in distributed._buckets(gradients)] == [
        [10, 10],
        [30],
        [1],
        [1],
    ]
    assert list(distributed._buckets([])) == []
