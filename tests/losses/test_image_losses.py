"""Every loss for images: two processes equal one, and the gradient is the numerical one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.losses.image_cases import CASES, everything, outcome

ROOT = Path(__file__).parents[2]
# The targets of the others are made of the same values without a gradient, which a numerical step does not know; their
# own tests check them with targets that stay.
WHOLE_GRADIENT = [name for name in CASES if not name.startswith(("prototype", "self_", "cosine"))]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[torch.Tensor]]]:
    """For each rank the outcome of every case."""
    folder = tmp_path_factory.mktemp("ranks")
    outs = [folder / f"{rank}" for rank in range(2)]
    command = [sys.executable, "-m", "tests.losses.image_cases"]
    started = [
        subprocess.Popen([*command, str(rank), str(folder / "meet"), str(out)], cwd=ROOT)
        for rank, out in enumerate(outs)
    ]
    assert [process.wait(timeout=600) for process in started] == [0, 0]
    read = [json.loads(out.read_text()) for out in outs]
    return [
        {name: [torch.tensor(part, dtype=torch.float64) for part in parts] for name, parts in rank.items()}
        for rank in read
    ]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one_in_loss_count_and_gradients(ranks, name):
    total, count, *split, shared = outcome(name, everything())
    first, second = (rank[name] for rank in ranks)
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(first[0] + second[0], total, **close)
    assert first[1] + second[1] == count
    for place, whole in enumerate(split, 2):
        torch.testing.assert_close(torch.cat([first[place], second[place]]), whole, **close)
    torch.testing.assert_close(first[-1] + second[-1], shared, **close)


@pytest.mark.parametrize("name", WHOLE_GRADIENT)
def test_gradients_pass_the_numeric_check(name):
    parts = [part[:6].requires_grad_() for part in everything()]
    assert torch.autograd.gradcheck(lambda *values: CASES[name](*values).total, parts)
