"""Triplet margin against torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.triplet import in_batch_triplet, triplet

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


def _chosen(terms: torch.Tensor, negatives: str, *, as_far_as_the_positive: torch.Tensor) -> torch.Tensor:
    """Of the losses of one anchor with each negative; a nearer negative has a larger loss."""
    if negatives == "all":
        return terms.mean()
    beyond = terms[terms < as_far_as_the_positive] if negatives == "semi_hard" else terms
    return beyond.max() if len(beyond) else terms.min()


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("negatives", ["all", "hardest", "semi_hard"])
def test_negatives_of_the_batch_equal_a_loop_over_triplets(vectors, distance, negatives):
    anchor, positive, _ = vectors
    expected = 0
    for i in range(N):
        terms = [
            triplet(anchor[i : i + 1], positive[i : i + 1], positive[j : j + 1], margin=0.8, distance=distance).total
            for j in range(N)
            if j != i
        ]
        without = triplet(anchor[i : i + 1], positive[i : i + 1], positive[i : i + 1], margin=0.8, distance=distance)
        expected = expected + _chosen(torch.stack(terms), negatives, as_far_as_the_positive=without.total)
    loss = in_batch_triplet(anchor, positive, margin=0.8, distance=distance, negatives=negatives)
    torch.testing.assert_close(loss.total, expected)
    gradients = (torch.autograd.grad(total, vectors[:2]) for total in (loss.total, expected))
    torch.testing.assert_close(*gradients)
    assert loss.count == N


def test_semi_hard_negative_is_the_farthest_where_none_is_beyond_the_positive():
    """Distances to the positive, and to the negatives: 5; 1, 2.   8; 4, 7.   7; 4, 8."""
    anchor, positive = torch.tensor([[0.0], [9.0], [9.0]]), torch.tensor([[5.0], [1.0], [2.0]])
    loss = in_batch_triplet(anchor, positive, margin=1.5, negatives="semi_hard")
    assert loss.total.item() == (5 - 2 + 1.5) + (8 - 7 + 1.5) + (7 - 8 + 1.5)


def test_squared_distances_keep_their_digits_far_from_the_origin():
    torch.manual_seed(1)
    anchor, positive = (torch.randn(N, D) for _ in range(2))
    near = in_batch_triplet(anchor, positive, margin=1.0, distance="squared_euclidean")
    far = in_batch_triplet(anchor + 1_000, positive + 1_000, margin=1.0, distance="squared_euclidean")
    torch.testing.assert_close(far.total, near.total, rtol=1e-3, atol=0)


def test_a_batch_without_negatives_is_refused(vectors):
    with pytest.raises(UsageError, match="negatives of the batch need at least 2 samples, got 1"):
        in_batch_triplet(vectors[0][:1], vectors[1][:1], margin=0.1)
    message = "negatives must be one of all, hardest, semi_hard; got 'hardes'\nDid you mean 'hardest'"
    with pytest.raises(UsageError, match=message):
        in_batch_triplet(*vectors[:2], margin=0.1, negatives="hardes")
