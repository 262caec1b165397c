"""Cross-entropy over a vocabulary, and the tiles of the core that carry it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses import core
from textssl.losses.cross_entropy import cross_entropy

N, V, D = 13, 11, 4
DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(5)


def parts(dtype: torch.dtype = DOUBLE) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden vectors, table, targets of which one is left out, bias."""
    hidden, table, bias = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in ((N, D), (V, D), (V,)))
    targets = torch.randint(0, V, (N,))
    targets[3] = -1
    return hidden, table, targets, bias


@pytest.mark.parametrize("tile_rows", [None, 1, 5, 100])
def test_cross_entropy_equals_torch_with_gradients(tile_rows):
    hidden, table, targets, bias = parts()
    loss = cross_entropy(hidden, table, targets, bias, tile_rows=tile_rows)
    expected = F.cross_entropy(hidden @ table.T + bias, targets, ignore_index=-1, reduction="sum")
    torch.testing.assert_close(loss.total, expected)
    assert loss.count == N - 1
    leaves = (hidden, table, bias)
    torch.testing.assert_close(torch.autograd.grad(3 * loss.total, leaves), torch.autograd.grad(3 * expected, leaves))


def test_cross_entropy_equals_numpy():
    hidden, table, targets, bias = (part.detach().numpy() for part in parts())
    scores = hidden @ table.T + bias
    rows = np.flatnonzero(targets >= 0)
    expected = sum(np.log(np.exp(scores[row]).sum()) - scores[row, targets[row]] for row in rows)
    loss = cross_entropy(*map(torch.from_numpy, (hidden, table, targets, bias)))
    assert loss.total.item() == pytest.approx(expected, rel=1e-13)


def test_cross_entropy_passes_the_numeric_gradient_check():
    hidden, table, targets, bias = parts()
    assert torch.autograd.gradcheck(
        lambda *leaves: cross_entropy(leaves[0], leaves[1], targets, leaves[2], tile_rows=4).total,
        (hidden, table, bias),
    )


def test_a_tied_table_receives_the_gradients_of_both_of_its_uses():
    _, table, targets, _ = parts()
    ids = torch.randint(0, V, (N,))
    loss = cross_entropy(table[ids].tanh(), table, targets, tile_rows=4)
    expected = F.cross_entropy(table[ids].tanh() @ table.T, targets, ignore_index=-1, reduction="sum")
    torch.testing.assert_close(torch.autograd.grad(loss.total, table), torch.autograd.grad(expected, table))


def test_large_scores_stay_exact_in_float32():
    hidden = torch.tensor([[1.0], [1.0]])
    table = torch.tensor([[1e4], [1e4 - 200.0], [-1e30]])
    loss = cross_entropy(hidden, table, torch.tensor([1, 0]))
    assert loss.total.item() == 200.0


def test_rows_without_a_target_have_no_gradient_and_no_count():
    hidden, table, _, bias = parts()
    loss = cross_entropy(hidden, table, torch.full((N,), -1), bias)
    assert (loss.total.item(), loss.count.item()) == (0.0, 0.0)
    assert not torch.autograd.grad(loss.total, hidden)[0].any()


def test_no_rows_at_all_give_zero_and_zero_gradients():
    _, table, _, bias = parts()
    hidden = torch.zeros(0, D, dtype=DOUBLE, requires_grad=True)
    loss = cross_entropy(hidden, table, torch.zeros(0, dtype=torch.int64), bias)
    gradients = torch.autograd.grad(loss.total, (hidden, table, bias))
    assert (loss.total.item(), loss.count.item()) == (0.0, 0.0)
    assert [tuple(part.shape) for part in gradients] == [(0, D), (V, D), (V,)]
    assert not gradients[1].any()


def test_row_weights_through_the_tiles_equal_the_plain_loss():
    hidden, table, targets, _ = parts()
    weights = torch.rand(N, dtype=DOUBLE)
    tiled, plain = (
        core.scored(hidden, table, targets, kind="softmax", weights=weights, tile_rows=rows) for rows in (4, None)
    )
    torch.testing.assert_close((tiled.total, tiled.count), (plain.total, plain.count))
    torch.testing.assert_close(torch.autograd.grad(tiled.total, hidden), torch.autograd.grad(plain.total, hidden))


def test_evaluation_makes_no_gradient(monkeypatch):
    monkeypatch.setattr(core, "row_losses_and_slopes", None)
    hidden, table, targets, bias = parts()
    with torch.no_grad():
        loss = cross_entropy(hidden, table, targets, bias)
    expected = F.cross_entropy(hidden @ table.T + bias, targets, ignore_index=-1, reduction="sum")
    torch.testing.assert_close(loss.total, expected)


@pytest.mark.parametrize(
    ("num_rows", "num_candidates", "rows"), [(1_200, 8_192, 400), (100, 8_192, 100), (1_000, 10**6, 250), (0, 5, 1)]
)
def test_tiles_are_of_equal_size_and_neither_large_nor_narrow(num_rows, num_candidates, rows):
    assert core.tile_rows_for(num_rows, num_candidates, torch.device("cpu")) == rows


def test_a_hidden_width_that_is_not_the_tables_is_refused():
    with pytest.raises(UsageError, match=r"must be matrices of one width, got \(2, 3\) and \(5, 4\)"):
        cross_entropy(torch.zeros(2, 3), torch.zeros(5, 4), torch.zeros(2, dtype=torch.int64))
