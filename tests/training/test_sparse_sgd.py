"""Gradient descent on touched rows: the plain sum, and the sum held back where a row was visited often."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.training.sparse_sgd import SparseSgd

RATE = 0.125


def after_a_step(
    rows: list[int], slopes: torch.Tensor, *, max_visits: float = 16, learning_rate: float = RATE
) -> torch.Tensor:
    """By how many learning rates a table of zeros has sunk when each visit of a row adds a slope to its gradient."""
    table = torch.nn.Parameter(torch.zeros(4, slopes.shape[1]))
    optimizer = SparseSgd([table], learning_rate=learning_rate, max_visits=max_visits)
    (F.embedding(torch.tensor(rows, dtype=torch.int64), table, sparse=True) * slopes).sum().backward()
    optimizer.step()
    return -table.detach() / learning_rate


def test_few_visits_of_a_row_are_summed():
    moved = after_a_step([1, 3, 1], torch.tensor([[1.0, 2.0], [4.0, 4.0], [3.0, 6.0]]), max_visits=2)
    assert moved.tolist() == [[0, 0], [4, 8], [0, 0], [4, 4]]


def test_many_visits_of_a_row_move_it_like_the_largest_number_allowed():
    moved = after_a_step([1] * 10 + [2], torch.ones(11, 3), max_visits=4)
    assert moved[:, 0].tolist() == pytest.approx([0, 4, 1, 0])


@pytest.mark.parametrize(("learning_rate", "allowed"), [(0.05, 16), (0.01, 16), (0.2, 4), (0.8, 1), (2.0, 1)])
def test_large_learning_rates_allow_fewer_visits_and_always_one(learning_rate, allowed):
    moved = after_a_step([0] * 100 + [1], torch.ones(101, 1), learning_rate=learning_rate)
    assert moved[:, 0].tolist() == pytest.approx([allowed, 1, 0, 0], rel=1e-5)


def test_gradients_of_zero_are_no_visits():
    slopes = torch.zeros(10, 2)
    slopes[:3] = 1
    assert after_a_step([0] * 10, slopes, max_visits=3)[0].tolist() == [3, 3]


def test_a_batch_without_rows_changes_nothing():
    assert not after_a_step([], torch.ones(0, 2)).any()


def test_dense_gradients_are_applied_as_they_are():
    weight, untouched = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))
    optimizer = SparseSgd([weight, untouched], learning_rate=0.1)
    (weight * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    optimizer.step()
    assert weight.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert untouched.tolist() == [1, 1]


def test_max_visits_below_one_is_refused():
    with pytest.raises(UsageError, match=r"^max_visits must be at least 1, got 0.5$"):
        SparseSgd([torch.nn.Parameter(torch.ones(2))], learning_rate=0.1, max_visits=0.5)
