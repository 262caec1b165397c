"""Triplet margin against torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.triplet import triplet

N, D = 6, 3
DISTANCES = ("euclidean", "squared_euclidean", "cosine")


@pytest.fixture
def vectors() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(4)
    return tuple(torch.randn(N, D, dtype=torch.float64, requires_grad=True) for _ in range(3))


def test_euclidean_triplet_equals_torch(vectors):
    loss = triplet(*vectors, margin=0.7)
    expected = F.triplet_margin_loss(*vectors, margin=0.7, eps=0, reduction="sum")
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(torch.autograd.grad(loss.total, vectors), torch.autograd.grad(expected, vectors))
    assert loss.count == N


def test_cosine_triplet_equals_torch_with_that_distance(vectors):
    expected = F.triplet_margin_with_distance_loss(
        *vectors, distance_function=lambda a, b: 1 - F.cosine_similarity(a, b), margin=0.3, reduction="sum"
    )
    torch.testing.assert_close(triplet(*vectors, margin=0.3, distance="cosine").total, expected)


def test_squared_distances_of_unit_vectors_are_twice_the_cosine_distances(vectors):
    unit = [F.normalize(part, dim=1) for part in vectors]
    squared = triplet(*unit, margin=0.4, distance="squared_euclidean")
    cosine = triplet(*unit, margin=0.2, distance="cosine")
    torch.testing.assert_close(squared.total, 2 * cosine.total)


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradients_pass_the_numeric_check(vectors, distance):
    def total(*parts: torch.Tensor) -> torch.Tensor:
        return triplet(*parts, margin=0.5, distance=distance).total

    assert torch.autograd.gradcheck(total, vectors)


def test_equal_vectors_have_a_finite_gradient():
    anchor = torch.ones(2, D, requires_grad=True)
    loss = triplet(anchor, anchor.detach().clone(), torch.zeros(2, D), margin=5.0)
    assert torch.autograd.grad(loss.total, anchor)[0].isfinite().all()


def test_what_cannot_be_measured_is_refused(vectors):
    with pytest.raises(UsageError, match=r"margin must be at least 0, got -0\.1"):
        triplet(*vectors, margin=-0.1)
    message = r"distance must be one of euclidean, squared_euclidean, cosine; got 'cosin'\nDid you mean 'cosine'"
    with pytest.raises(UsageError, match=message):
        triplet(*vectors, margin=0.1, distance="cosin")
