"""Sampled softmax against the full cross-entropy."""

from __future__ import annotations

import pytest
import torch

from textssl.losses.cross_entropy import cross_entropy
from textssl.losses.sampled_softmax import sampled_softmax

N, V, D = 5, 7, 3
DOUBLE = torch.float64


@pytest.fixture
def parts() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(2)
    hidden, table, bias = (torch.randn(shape, dtype=DOUBLE, requires_grad=True) for shape in ((N, D), (V, D), (V,)))
    return hidden, table, torch.tensor([0, 6, -1, 2, 2]), bias


def test_every_entry_drawn_as_often_as_expected_equals_cross_entropy(parts):
    hidden, table, targets, bias = parts
    times = torch.tensor([1, 3, 2, 1, 5, 1, 4])
    drawn = torch.arange(V).repeat_interleave(times)
    loss = sampled_softmax(hidden, table, targets, drawn, log_expected=times[drawn].double().log(), bias=bias)
    expected = cross_entropy(hidden, table, targets, bias)
    torch.testing.assert_close((loss.total, loss.count), (expected.total, expected.count))
    leaves = (hidden, table, bias)
    torch.testing.assert_close(torch.autograd.grad(loss.total, leaves), torch.autograd.grad(expected.total, leaves))


def test_the_estimated_normaliser_is_right_on_average_over_all_draws(parts):
    hidden, table, _, _ = parts
    shares = torch.tensor([0.05, 0.1, 0.3, 0.2, 0.1, 0.05, 0.2], dtype=DOUBLE)
    targets, row = torch.tensor([6]), hidden[:1]
    mean = torch.zeros((), dtype=DOUBLE)
    for one in range(V):
        for other in range(V):
            drawn = torch.tensor([one, other])
            loss = sampled_softmax(row, table, targets, drawn, log_expected=(2 * shares[drawn]).log()).total
            mean += shares[one] * shares[other] * torch.exp(loss)
    full = torch.exp(cross_entropy(row, table, targets).total)
    torch.testing.assert_close(mean, full)


def test_gradients_pass_the_numeric_check(parts):
    hidden, table, targets, bias = parts
    drawn, log_expected = torch.tensor([1, 6, 6, 2]), torch.randn(4, dtype=DOUBLE)
    for tile_rows in (None, 2):
        assert torch.autograd.gradcheck(
            lambda *leaves, rows=tile_rows: (
                sampled_softmax(
                    leaves[0], leaves[1], targets, drawn, log_expected=log_expected, bias=leaves[2], tile_rows=rows
                ).total
            ),
            (hidden, table, bias),
        )


def test_a_drawn_entry_equal_to_the_target_changes_nothing(parts):
    hidden, table, _, _ = parts
    targets = torch.full((N,), 4)
    with_hit, without = (
        sampled_softmax(hidden, table, targets, drawn, log_expected=torch.zeros(len(drawn), dtype=DOUBLE)).total
        for drawn in (torch.tensor([1, 4, 2]), torch.tensor([1, 2]))
    )
    torch.testing.assert_close(with_hit, without)
