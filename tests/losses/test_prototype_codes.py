"""Prototype codes and their Sinkhorn: against SwAV's own steps, closed forms and invariances."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.base_sinkhorn import sinkhorn_codes
from textssl.losses.base_swapped import swapped_prediction
from textssl.losses.prototype_codes import prototype_codes

N, K = 8, 5
DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(2)


def cosines(rows: int = N) -> torch.Tensor:
    return torch.rand(rows, K, dtype=DOUBLE) * 2 - 1


def codes_by_products(scores: torch.Tensor, epsilon: float, iterations: int) -> torch.Tensor:
    """The steps of the paper's appendix: exponentials, divided by sums."""
    shares_KN = torch.exp(scores / epsilon).T
    shares_KN = shares_KN / shares_KN.sum()
    for _ in range(iterations):
        shares_KN = shares_KN / shares_KN.sum(1, keepdim=True) / K
        shares_KN = shares_KN / shares_KN.sum(0, keepdim=True) / len(scores)
    return (shares_KN * len(scores)).T


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_codes_equal_the_steps_of_the_paper(iterations):
    scores = cosines()
    expected = codes_by_products(scores, 0.05, iterations)
    torch.testing.assert_close(sinkhorn_codes(scores, epsilon=0.05, iterations=iterations), expected)


def test_codes_sum_to_one_and_share_the_prototypes_equally_in_the_end():
    codes = sinkhorn_codes(cosines(), epsilon=0.5, iterations=200)
    torch.testing.assert_close(codes.sum(1), torch.ones(N, dtype=DOUBLE))
    torch.testing.assert_close(codes.sum(0), torch.full((K,), N / K, dtype=DOUBLE))


def test_codes_do_not_change_when_all_scores_are_shifted_however_far():
    scores = cosines()
    torch.testing.assert_close(sinkhorn_codes(scores + 5_000), sinkhorn_codes(scores), rtol=1e-7, atol=1e-9)


def test_codes_follow_the_order_of_samples_and_prototypes():
    scores, rows, columns = cosines(), torch.randperm(N), torch.randperm(K)
    moved = sinkhorn_codes(scores[rows][:, columns])
    torch.testing.assert_close(moved, sinkhorn_codes(scores)[rows][:, columns])


def test_half_precision_scores_give_finite_codes_in_float32():
    scores = cosines().half() * 1_000
    codes = sinkhorn_codes(scores)
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes.sum(1), torch.ones(N))


def loss_by_loops(scores: list[torch.Tensor], codes: list[torch.Tensor], temperature: float) -> torch.Tensor:
    """Mean over the coded views of the mean over the other views, as SwAV's code."""
    means = []
    for i, code in enumerate(codes):
        others = [part for v, part in enumerate(scores) if v != i]
        terms = [-(code * F.log_softmax(part / temperature, 1)).sum(1).mean() for part in others]
        means.append(torch.stack(terms).mean())
    return torch.stack(means).mean()


@pytest.mark.parametrize("views", [2, 5])
def test_prototype_codes_equal_the_loss_of_swav(views):
    scores = [cosines().requires_grad_() for _ in range(views)]
    loss = prototype_codes(scores)
    codes = [codes_by_products(part.detach(), 0.05, 3) for part in scores[:2]]
    expected = loss_by_loops(scores, codes, 0.1)
    torch.testing.assert_close(loss.mean, expected)
    torch.testing.assert_close(torch.autograd.grad(loss.mean, scores), torch.autograd.grad(expected, scores))
    assert loss.count == N * 2 * (views - 1)


def test_a_queue_takes_part_in_the_codes_alone():
    scores, queued = [cosines().requires_grad_() for _ in range(2)], [cosines(3), cosines(3)]
    together = [torch.cat([earlier, part.detach()]) for earlier, part in zip(queued, scores, strict=True)]
    codes = [codes_by_products(part, 0.05, 3)[-N:] for part in together]
    torch.testing.assert_close(prototype_codes(scores, queued=queued).mean, loss_by_loops(scores, codes, 0.1))


def test_equal_scores_cost_the_logarithm_of_the_prototypes():
    scores = [torch.full((N, K), 0.3, dtype=DOUBLE) for _ in range(3)]
    assert prototype_codes(scores).mean.item() == pytest.approx(math.log(K))


def test_one_assigned_view_is_predicted_by_the_others_alone():
    scores = [cosines().requires_grad_() for _ in range(3)]
    loss = prototype_codes(scores, num_assigned=1)
    assert loss.count == 2 * N
    loss.total.backward()
    assert scores[0].grad is None
    assert scores[1].grad is not None


def test_gradient_of_a_swapped_prediction_passes_the_numeric_check():
    codes = [cosines().softmax(1) for _ in range(2)]
    scores = [cosines().requires_grad_() for _ in range(3)]
    assert torch.autograd.gradcheck(lambda *parts: swapped_prediction(parts, codes, temperature=0.3).total, scores)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="epsilon must be above 0, got 0"):
        sinkhorn_codes(cosines(), epsilon=0)
    with pytest.raises(UsageError, match="iterations must be at least 1, got 0"):
        sinkhorn_codes(cosines(), iterations=0)
    with pytest.raises(UsageError, match="temperature must be above 0, got 0"):
        prototype_codes([cosines(), cosines()], temperature=0)
    with pytest.raises(UsageError, match="scores must be those of at least 2 views, got 1"):
        prototype_codes([cosines()], num_assigned=1)
    with pytest.raises(UsageError, match="codes must be those of 1 to 2 views, got 0"):
        prototype_codes([cosines(), cosines()], num_assigned=0)
    with pytest.raises(UsageError, match="queued must have a part for each of 2 assigned views, got 1"):
        prototype_codes([cosines(), cosines()], queued=[cosines()])
