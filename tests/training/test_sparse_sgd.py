"""Gradient descent on touched rows: the plain sum, and the sum held back where a row was visited often."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.training.sparse_sgd import SparseSgd


def after_a_step(rows: list[int], slopes: torch.Tensor, max_rate: float) -> torch.Tensor:
    """What a table of zeros becomes when each visit of a row adds a slope to its gradient."""
    table = torch.nn.Parameter(torch.zeros(4, slopes.shape[1]))
    optimizer = SparseSgd([table], learning_rate=0.5, max_rate=max_rate)
    (F.embedding(torch.tensor(rows, dtype=torch.int64), table, sparse=True) * slopes).sum().backward()
    optimizer.step()
    return table.detach()


def test_few_visits_of_a_row_are_summed():
    moved = after_a_step([1, 3, 1], torch.tensor([[1.0, 2.0], [4.0, 4.0], [3.0, 6.0]]), max_rate=1)
    assert moved.tolist() == [[0, 0], [-2, -4], [0, 0], [-2, -2]]


def test_many_visits_of_a_row_move_it_like_the_largest_number_allowed():
    moved = after_a_step([1] * 10 + [2], torch.ones(11, 3), max_rate=2)
    assert moved[:, 0].tolist() == [0, -2, -0.5, 0]


def test_gradients_of_zero_are_no_visits():
    slopes = torch.zeros(10, 2)
    slopes[:3] = 1
    assert after_a_step([0] * 10, slopes, max_rate=1.5)[0].tolist() == [-1.5, -1.5]


def test_a_batch_without_rows_changes_nothing():
    assert not after_a_step([], torch.ones(0, 2), max_rate=2).any()


def test_one_visit_is_always_whole():
    assert after_a_step([2], torch.ones(1, 2), max_rate=0.1)[2].tolist() == [-0.5, -0.5]


def test_dense_gradients_are_applied_as_they_are():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = SparseSgd([weight, torch.nn.Parameter(torch.ones(2))], learning_rate=0.1, max_rate=1)
    (weight * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    optimizer.step()
    assert weight.tolist() == pytest.approx([0.9, 0.8, 0.7])


def test_a_max_rate_of_zero_is_refused():
    with pytest.raises(UsageError, match=r"^max_rate must be above 0, got 0$"):
        SparseSgd([torch.nn.Parameter(torch.ones(2))], learning_rate=0.1, max_rate=0)
