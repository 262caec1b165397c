"""InfoNCE in its four forms: in the batch, both ways, NT-Xent, with a queue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.info_nce import info_nce, nt_xent, queue_info_nce, symmetric_info_nce

N, M, D = 4, 6, 3
DOUBLE = torch.float64
TEMPERATURE = 0.2


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(11)


def vectors(rows: int = N) -> torch.Tensor:
    return torch.randn(rows, D, dtype=DOUBLE, requires_grad=True)


def unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def test_info_nce_equals_torch_cross_entropy_of_cosines():
    queries, keys = vectors(), vectors(M)
    loss = info_nce(queries, keys, temperature=TEMPERATURE, first_key=2)
    scores = unit(queries) @ unit(keys).T / TEMPERATURE
    expected = F.cross_entropy(scores, torch.arange(2, 6), reduction="sum")
    torch.testing.assert_close(loss.total, expected)
    assert loss.count == N


def test_nt_xent_equals_the_formula_of_simclr_in_numpy():
    first, second = vectors(), vectors()
    z = unit(torch.cat([first, second])).detach().numpy()
    similar = np.exp(z @ z.T / TEMPERATURE)
    expected = 0.0
    for i in range(2 * N):
        j = (i + N) % (2 * N)
        expected -= np.log(similar[i, j] / (similar[i].sum() - similar[i, i]))
    loss = nt_xent(first, second, temperature=TEMPERATURE)
    assert loss.total.item() == pytest.approx(expected, rel=1e-12)
    assert loss.count == 2 * N


def test_queue_info_nce_equals_the_code_of_moco():
    queries, keys, queue = vectors(), vectors(), vectors(M)
    positive = (unit(queries) * unit(keys)).sum(1, keepdim=True)
    scores = torch.cat([positive, unit(queries) @ unit(queue).T], 1) / TEMPERATURE
    expected = F.cross_entropy(scores, torch.zeros(N, dtype=torch.int64), reduction="sum")
    torch.testing.assert_close(queue_info_nce(queries, keys, queue, temperature=TEMPERATURE).total, expected)


def test_symmetric_info_nce_is_the_sum_of_both_directions():
    first, second = vectors(), vectors()
    both = symmetric_info_nce(first, second, temperature=TEMPERATURE)
    swapped = symmetric_info_nce(second, first, temperature=TEMPERATURE)
    scores = unit(first) @ unit(second).T / TEMPERATURE
    expected = sum(F.cross_entropy(side, torch.arange(N), reduction="sum") for side in (scores, scores.T))
    torch.testing.assert_close(both.total, expected)
    torch.testing.assert_close(both.total, swapped.total)
    assert both.count == 2 * N


@pytest.mark.parametrize("form", [info_nce, nt_xent, symmetric_info_nce])
def test_length_of_vectors_and_order_of_samples_do_not_matter(form):
    first, second, order = vectors(), vectors(), torch.randperm(N)
    given = form(first, second, temperature=TEMPERATURE).total
    changed = form(7 * first[order], 0.1 * second[order], temperature=TEMPERATURE).total
    torch.testing.assert_close(given, changed)


def test_gradients_of_vectors_and_temperature_pass_the_numeric_check():
    temperature = torch.tensor(0.3, dtype=DOUBLE, requires_grad=True)
    for form in (info_nce, nt_xent, symmetric_info_nce):
        assert torch.autograd.gradcheck(
            lambda one, other, heat, form=form: form(one, other, temperature=heat).total,
            (vectors(), vectors(), temperature),
        )
    assert torch.autograd.gradcheck(
        lambda one, other, queue, heat: queue_info_nce(one, other, queue, temperature=heat).total,
        (vectors(), vectors(), vectors(M), temperature),
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    with pytest.raises(UsageError, match=r"temperature must be above 0, got (0\.0|-1\.0|nan)"):
        nt_xent(vectors(), vectors(), temperature=temperature)


@pytest.mark.parametrize("first_key", [-1, 3])
def test_a_query_without_its_own_key_is_refused(first_key):
    message = f"first_key must be 0 to 2 with 4 queries and 6 keys, got {first_key}"
    with pytest.raises(UsageError, match=message):
        info_nce(vectors(), vectors(M), temperature=1.0, first_key=first_key)


def test_momentum_contrast_of_the_third_version_is_in_batch_contrast_of_queries_and_keys():
    queries, keys = vectors(), vectors()
    scores = torch.einsum("nc,mc->nm", unit(queries), unit(keys)) / TEMPERATURE
    expected = F.cross_entropy(scores, torch.arange(N)) * 2 * TEMPERATURE  # the scale of its authors' code
    torch.testing.assert_close(info_nce(queries, keys, temperature=TEMPERATURE).mean * 2 * TEMPERATURE, expected)


def test_random_vectors_of_many_axes_cost_the_logarithm_of_the_others():
    first, second = torch.randn(2, 40, 100_000)
    assert nt_xent(first, second, temperature=1.0).mean.item() == pytest.approx(np.log(79), abs=1e-3)


def test_equal_views_of_orthogonal_vectors_have_the_closed_form():
    views = torch.eye(5, dtype=DOUBLE)
    expected = np.log(1 + 8 * np.exp(-1 / TEMPERATURE))
    assert nt_xent(views, views, temperature=TEMPERATURE).mean.item() == pytest.approx(expected)


def test_views_may_change_places():
    first, second = vectors(), vectors()
    swapped = nt_xent(second, first, temperature=TEMPERATURE)
    torch.testing.assert_close(nt_xent(first, second, temperature=TEMPERATURE).total, swapped.total)
