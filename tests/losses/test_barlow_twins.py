"""Barlow Twins against its definition, and the changes that it does not see."""

from __future__ import annotations

import pytest
import torch

from textssl.losses.barlow_twins import VARIANCE_EPSILON, barlow_twins

N, D = 9, 4


@pytest.fixture
def views() -> list[torch.Tensor]:
    torch.manual_seed(7)
    return [torch.randn(N, D, dtype=torch.float64, requires_grad=True) for _ in range(2)]


def test_barlow_twins_equals_its_definition(views):
    norm = torch.nn.BatchNorm1d(D, affine=False, eps=VARIANCE_EPSILON).double()
    correlations = norm(views[0]).T @ norm(views[1]) / N
    on = (torch.diagonal(correlations) - 1).square().sum()
    off = (correlations - torch.diag(torch.diagonal(correlations))).square().sum()
    expected = on + 0.0051 * off
    loss = barlow_twins(*views)
    torch.testing.assert_close(loss.mean, expected)
    torch.testing.assert_close(torch.autograd.grad(loss.mean, views), torch.autograd.grad(expected, views))
    assert loss.count == N


def test_order_of_features_and_samples_does_not_matter(views):
    rows, columns = torch.randperm(N), torch.randperm(D)
    moved = barlow_twins(*(view[rows][:, columns] for view in views))
    torch.testing.assert_close(moved.total, barlow_twins(*views).total)


def test_scale_and_shift_of_a_feature_do_not_matter(views):
    scale, shift = torch.rand(2, D, dtype=torch.float64) * 100 + 50
    # up to the epsilon in the variance, which large features do not feel
    moved = barlow_twins(views[0] * scale + shift, views[1] * 1_000)
    torch.testing.assert_close(moved.mean, barlow_twins(*(view * 100 for view in views)).mean, rtol=1e-6, atol=0)


def test_equal_views_of_uncorrelated_features_cost_nothing():
    corners = torch.cartesian_prod(*[torch.tensor([-1e3, 1e3], dtype=torch.float64)] * 3)
    assert barlow_twins(corners, corners).mean.item() == pytest.approx(0, abs=1e-20)


def test_repeated_features_cost_the_weight_of_their_pairs():
    feature = torch.tensor([-1e4, 1e4, 1e4, -1e4], dtype=torch.float64)
    repeated = feature.unsqueeze(1).expand(-1, 3)
    assert barlow_twins(repeated, repeated, off_diagonal_weight=0.5).mean.item() == pytest.approx(6 * 0.5)


def test_half_precision_is_raised(views):
    assert barlow_twins(*(view.half() for view in views)).total.dtype == torch.float32
