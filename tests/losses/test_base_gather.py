"""Rows gathered over processes: two of them equal one, in losses and gradients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.losses.two_processes import ROWS, WIDTH, everything, losses
from textssl.losses.base_gather import first_row, gathered, own_share

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, torch.Tensor]]:
    """For each rank the message about unequal rows, and total and gradients in one row."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "tests.losses.two_processes"]
    outs = [folder / f"{rank}" for rank in range(2)]
    started = [
        subprocess.Popen([*command, str(rank), str(folder / "meet"), str(out)], cwd=ROOT)
        for rank, out in enumerate(outs)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    read = [out.read_text().split("\n") for out in outs]
    return [(lines[0], torch.tensor([float(line) for line in lines[1:]], dtype=torch.float64)) for lines in read]


def test_two_processes_equal_one_in_loss_and_gradients(outcomes):
    whole = {name: part.requires_grad_() for name, part in everything().items()}
    total = losses(**whole, first=0)
    queries, keys, table = torch.autograd.grad(total, tuple(whole.values()))
    sizes = [1, ROWS * WIDTH, ROWS * WIDTH, table.numel()]
    first, second = (values.split(sizes) for _, values in outcomes)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(first[0] + second[0], total.detach().reshape(1), **close)
    torch.testing.assert_close(torch.cat([first[1], second[1]]).view_as(queries), queries, **close)
    torch.testing.assert_close(torch.cat([first[2], second[2]]).view_as(keys), keys, **close)
    torch.testing.assert_close((first[3] + second[3]).view_as(table), table, **close)


def test_unequal_numbers_of_rows_are_refused_by_every_process(outcomes):
    for message, _ in outcomes:
        assert message.startswith("all processes must gather equally many rows, got 2 to 3 ")
        assert message.endswith("Choose a batch that the number of processes divides.")


def test_without_other_processes_rows_stay_as_they_are():
    rows = torch.randn(3, 2, requires_grad=True)
    assert gathered(rows) is rows
    assert first_row(rows) == 0
    assert own_share(rows) is rows
