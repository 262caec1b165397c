"""Cosine regression against its closed form."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from textssl.losses.cosine_regression import cosine_regression

N, D = 5, 3


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(6)
    predicted, target = (torch.randn(N, D, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return predicted, target


def test_cosine_regression_is_two_minus_two_cosines():
    predicted, target = pair()
    loss = cosine_regression(predicted, target)
    torch.testing.assert_close(loss.total, (2 - 2 * F.cosine_similarity(predicted, target)).sum())
    assert loss.count == N


def test_half_the_loss_minus_one_is_simsiams():
    predicted, target = pair()
    simsiam = -F.cosine_similarity(predicted, target).mean()
    torch.testing.assert_close(cosine_regression(predicted, target).mean / 2 - 1, simsiam)


def test_lengths_do_not_matter_and_equal_directions_cost_nothing():
    predicted, target = pair()
    longer = cosine_regression(predicted * 9, target * 0.2)
    torch.testing.assert_close(longer.total, cosine_regression(predicted, target).total)
    assert abs(cosine_regression(predicted, 3 * predicted).total.item()) < 1e-13


def test_gradient_passes_the_numeric_check_and_the_target_receives_none():
    predicted, target = pair()
    assert torch.autograd.gradcheck(lambda values: cosine_regression(values, target.detach()).total, predicted)
    cosine_regression(predicted, target).total.backward()
    assert target.grad is None
