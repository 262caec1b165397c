"""models/base_norm.py: torch's norm on one process, the whole batch on two, groups of the batch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.models.norm_processes import batch, outcome
from textssl.errors import UsageError
from textssl.models.base_norm import BatchNorm1d, BatchNorm2d, freeze_statistics, split_batches

ROOT = Path(__file__).parents[2]
SHAPES = {BatchNorm1d: (6, 3), BatchNorm2d: (6, 3, 4, 5)}
THEIRS = {BatchNorm1d: nn.BatchNorm1d, BatchNorm2d: nn.BatchNorm2d}


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """The outcome of each rank."""
    folder = tmp_path_factory.mktemp("ranks")
    outs = [folder / f"{rank}" for rank in range(2)]
    command = [sys.executable, "-m", "tests.models.norm_processes"]
    started = [
        subprocess.Popen([*command, str(rank), str(folder / "meet"), str(out)], cwd=ROOT)
        for rank, out in enumerate(outs)
    ]
    assert [process.wait(timeout=600) for process in started] == [0, 0]
    return [json.loads(out.read_text()) for out in outs]


def test_two_processes_with_unequal_batches_equal_one(ranks):
    for name, values in outcome(*batch()).items():
        first, second = (torch.tensor(rank[name], dtype=torch.float64) for rank in ranks)
        if name in ("outputs", "images"):
            made = torch.cat([first, second])
        elif name.startswith("gradient"):
            made = first + second
        else:
            assert torch.equal(first, second), name
            made = first
        whole = torch.tensor(values, dtype=torch.float64)
        torch.testing.assert_close(made, whole, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


def test_one_row_on_each_of_two_processes_is_a_batch(ranks):
    assert [rank["one row each"] for rank in ranks] == ["", ""]


def test_one_row_on_two_processes_together_is_refused_by_both(ranks):
    message = "batch normalisation needs at least 2 values for each channel while training, got 1"
    assert [rank["no row here"] for rank in ranks] == [message, message]


@pytest.mark.parametrize("kind", SHAPES)
def test_one_process_is_torchs_norm_to_the_last_bit(kind):
    ours, theirs = kind(3).double(), THEIRS[kind](3).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for _ in range(2):
        values = numbers(*SHAPES[kind])
        assert torch.equal(ours(values), theirs(values))
    for name, part in ours.state_dict().items():
        assert torch.equal(part, theirs.state_dict()[name])
    assert torch.equal(ours.eval()(values), theirs.eval()(values))


@pytest.mark.parametrize("kind", SHAPES)
def test_groups_are_normalised_each_by_itself(kind):
    norm, values = kind(3).double(), numbers(*SHAPES[kind])
    split_batches(nn.Sequential(norm), 2)
    parts = [THEIRS[kind](3).double() for _ in range(2)]
    expected = torch.cat([part(piece) for part, piece in zip(parts, values.chunk(2), strict=True)])
    torch.testing.assert_close(norm(values), expected)
    for name in ("running_mean", "running_var"):
        averaged = (getattr(parts[0], name) + getattr(parts[1], name)) / 2
        torch.testing.assert_close(getattr(norm, name), averaged)
    assert norm.num_batches_tracked == 1
    torch.testing.assert_close(norm.eval()(values[:1]), norm(values)[:1])


@pytest.mark.parametrize("kind", SHAPES)
def test_frozen_statistics_are_used_while_training_and_stay(kind):
    norm, values = kind(3).double(), numbers(*SHAPES[kind])
    norm(values)
    kept = {name: part.clone() for name, part in norm.state_dict().items()}
    freeze_statistics(nn.Sequential(norm))
    made = norm.train()(2 * values)
    assert all(torch.equal(part, kept[name]) for name, part in norm.state_dict().items())
    assert torch.equal(made, norm.eval()(2 * values))
    made.sum().backward()
    assert norm.weight.grad is not None


def test_gradients_through_groups_pass_the_numeric_check():
    norm = BatchNorm1d(3).double()
    split_batches(norm, 2)
    assert torch.autograd.gradcheck(norm, numbers(6, 3).requires_grad_())


def test_batches_that_cannot_be_normalised_are_refused():
    norm = BatchNorm1d(2)
    with pytest.raises(UsageError, match="at least 2 values for each channel while training, got 1\nChoose a larger b"):
        norm(torch.zeros(1, 2))
    split_batches(norm, 4)
    with pytest.raises(UsageError, match="a batch of 6 cannot be cut into 4 equal groups\nChoose a batch that"):
        norm(torch.zeros(6, 2))
    with pytest.raises(UsageError, match="needs at least 2 values for each channel while training, got 1"):
        norm(torch.zeros(4, 2))
    with pytest.raises(UsageError, match="groups must be at least 1, got 0"):
        split_batches(norm, 0)
