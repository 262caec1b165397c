"""VICReg against its definition, term by term, and the changes that it does not see."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.vicreg import vicreg

N, D = 9, 4
ONLY_SPREAD = {"invariance_weight": 0.0}


@pytest.fixture
def views() -> list[torch.Tensor]:
    torch.manual_seed(9)
    return [torch.randn(N, D, dtype=torch.float64, requires_grad=True) for _ in range(2)]


def test_vicreg_equals_its_definition(views):
    invariance = F.mse_loss(*views)
    variance = sum(F.relu(1 - (view.var(0) + 1e-4).sqrt()).mean() / 2 for view in views)
    covariance = 0
    for view in views:
        matrix = torch.cov(view.T)
        covariance = covariance + (matrix - torch.diag(torch.diagonal(matrix))).square().sum() / D
    expected = 25 * invariance + 25 * variance + covariance
    loss = vicreg(*views)
    torch.testing.assert_close(loss.mean, expected)
    torch.testing.assert_close(torch.autograd.grad(loss.mean, views), torch.autograd.grad(expected, views))
    assert loss.count == N


def test_order_of_features_and_samples_does_not_matter(views):
    rows, columns = torch.randperm(N), torch.randperm(D)
    moved = vicreg(*(view[rows][:, columns] for view in views))
    torch.testing.assert_close(moved.total, vicreg(*views).total)


def test_variance_and_covariance_do_not_see_a_shift(views):
    shift = torch.randn(D, dtype=torch.float64) * 10
    moved = vicreg(views[0] + shift, views[1], **ONLY_SPREAD)
    torch.testing.assert_close(moved.total, vicreg(*views, **ONLY_SPREAD).total)


def test_collapsed_features_cost_the_whole_spread_and_have_a_finite_gradient():
    flat = torch.ones(N, D, dtype=torch.float64, requires_grad=True)
    loss = vicreg(flat, flat.detach())
    assert loss.mean.item() == pytest.approx(25 * (1 - 0.01))
    assert torch.autograd.grad(loss.total, flat)[0].isfinite().all()


def test_one_sample_is_refused():
    with pytest.raises(UsageError, match="the batch must be at least 2 samples, got 1"):
        vicreg(torch.ones(1, D), torch.ones(1, D))
