"""The loss core: A(S) - <S, T>, its masks, weights and tiles."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.loss_sum import LossSum
from textssl.losses import core
from textssl.losses.core import Kind, LossTensor, fenchel_young, scored

KINDS: tuple[Kind, ...] = ("softmax", "sigmoid", "square", "hinge")
ROWS, CANDIDATES, WIDTH = 6, 5, 3
DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(3)


def index_targets() -> torch.Tensor:
    return torch.tensor([4, 0, -1, 2, 2, 1])


def soft_targets() -> torch.Tensor:
    return torch.rand(ROWS, CANDIDATES, dtype=DOUBLE) * (torch.rand(ROWS, CANDIDATES) > 0.5)


def factors(num_keys: int) -> dict[str, torch.Tensor]:
    """Every factor of the scores, in float64 and with a gradient."""
    shapes = {
        "queries": (ROWS, WIDTH), "keys": (num_keys, WIDTH), "scale": (), "bias": (), "own": (ROWS, WIDTH),
        "own_offsets": (ROWS,), "key_offsets": (num_keys,),
    }  # fmt: skip
    return {name: torch.randn(shape, dtype=DOUBLE, requires_grad=True) for name, shape in shapes.items()}


def test_softmax_with_index_targets_equals_torch_cross_entropy():
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), index_targets()
    loss = fenchel_young(scores, targets, kind="softmax")
    torch.testing.assert_close(loss.total, F.cross_entropy(scores, targets, ignore_index=-1, reduction="sum"))
    assert loss.count == 5


def test_softmax_with_soft_targets_equals_torch_cross_entropy():
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), torch.rand(ROWS, CANDIDATES, dtype=DOUBLE)
    loss = fenchel_young(scores, targets, kind="softmax")
    torch.testing.assert_close(loss.total, F.cross_entropy(scores, targets, reduction="sum"))


def test_sigmoid_with_many_targets_equals_torch_binary_cross_entropy():
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), torch.rand(ROWS, CANDIDATES) > 0.5
    loss = fenchel_young(scores, targets, kind="sigmoid")
    expected = F.binary_cross_entropy_with_logits(scores, targets.double(), reduction="sum")
    torch.testing.assert_close(loss.total, expected)
    assert loss.count == ROWS


def test_sigmoid_index_target_equals_the_same_target_as_a_row_of_bools():
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), index_targets()
    as_rows = torch.arange(CANDIDATES) == targets.unsqueeze(1)
    by_index, by_rows = (fenchel_young(scores, form, kind="sigmoid") for form in (targets, as_rows))
    torch.testing.assert_close(by_index.total, by_rows.total)
    assert by_index.count == by_rows.count == ROWS


def test_sigmoid_is_exact_for_large_scores_in_both_directions():
    scores = torch.tensor([[-80.0, 80.0, 21.0]], dtype=DOUBLE)
    loss = fenchel_young(scores, kind="sigmoid")
    expected = np.logaddexp(0, [-80.0, 80.0, 21.0]).sum()
    assert loss.total.item() == pytest.approx(expected, rel=1e-15)


def test_square_of_unit_vectors_is_half_of_one_minus_the_cosine_terms():
    predicted, target = (F.normalize(torch.randn(ROWS, WIDTH, dtype=DOUBLE), dim=1) for _ in range(2))
    loss = fenchel_young(predicted, target, kind="square")
    cosines = (predicted * target).sum()
    torch.testing.assert_close(2 * loss.total + ROWS, 2 * ROWS - 2 * cosines)


def test_hinge_without_targets_equals_torch_triplet_margin_loss():
    anchor, positive, negative = (torch.randn(ROWS, WIDTH, dtype=DOUBLE) for _ in range(3))
    difference = (anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1) + 0.5
    loss = fenchel_young(difference.unsqueeze(1), kind="hinge")
    expected = F.triplet_margin_loss(anchor, positive, negative, margin=0.5, eps=0, reduction="sum")
    torch.testing.assert_close(loss.total, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["index", "soft"])
@pytest.mark.parametrize("tile_rows", [None, 4])
def test_gradients_of_all_factors_pass_the_numeric_check(kind, form, tile_rows):
    parts = factors(CANDIDATES - 1)
    targets = {"index": index_targets(), "soft": soft_targets()}[form]
    mask = torch.rand(ROWS, CANDIDATES) > 0.2
    mask[1] = False
    weights = torch.rand(ROWS, dtype=DOUBLE)

    def total(*values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(parts, values, strict=True))
        return scored(
            **given, targets=targets, kind=kind, mask=mask, weights=weights, tile_rows=tile_rows
        ).total  # fmt: skip

    assert torch.autograd.gradcheck(total, tuple(parts.values()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted_by", ["none", "row", "candidate"])
def test_tiles_of_any_size_equal_the_plain_loss_and_gradient(kind, weighted_by):
    if kind == "softmax" and weighted_by == "candidate":
        weighted_by = "row"
    parts, targets, mask = factors(CANDIDATES - 1), soft_targets(), torch.rand(CANDIDATES) > 0.3
    shape = {"none": None, "row": (ROWS,), "candidate": (ROWS, CANDIDATES)}[weighted_by]
    weights = None if shape is None else torch.rand(shape, dtype=DOUBLE).round(decimals=1)
    outcomes = []
    for tile_rows in (None, 1, 4, ROWS, 100):
        loss = scored(**parts, targets=targets, kind=kind, mask=mask, weights=weights, tile_rows=tile_rows)
        outcomes.append((loss.total, loss.count, *torch.autograd.grad(3 * loss.total, tuple(parts.values()))))
    for other in outcomes[1:]:
        torch.testing.assert_close(other, outcomes[0])


@pytest.mark.parametrize(("num_keys", "tiled"), [(50, False), (51, True)])
def test_tiles_are_chosen_by_size_and_agree_with_the_plain_loss(monkeypatch, num_keys, tiled):
    monkeypatch.setattr(core, "TILED_ABOVE_SCORES", 1000)
    monkeypatch.setattr(core, "TILE_SCORES", 160)
    monkeypatch.setattr(core, "TILE_MIN_ROWS", 2)
    queries, keys = torch.randn(20, 4, requires_grad=True), torch.randn(num_keys, 4)
    targets = torch.randint(0, num_keys, (20,))
    loss = core.scored(queries, keys, targets, kind="softmax")
    assert ("TiledLoss" in type(loss.total.grad_fn).__name__) == tiled
    plain = F.cross_entropy(queries @ keys.T, targets, reduction="sum")
    torch.testing.assert_close(loss.total, plain)
    torch.testing.assert_close(torch.autograd.grad(loss.total, queries), torch.autograd.grad(plain, queries))


def test_scores_of_own_key_offsets_scale_and_bias_follow_the_formula():
    parts, targets = factors(4), torch.zeros(ROWS, dtype=torch.int64)
    own = (parts["queries"] * parts["own"]).sum(1) * parts["scale"] + parts["bias"] + parts["own_offsets"]
    shared = parts["queries"] @ parts["keys"].T * parts["scale"] + parts["bias"] + parts["key_offsets"]
    expected = F.cross_entropy(torch.cat([own.unsqueeze(1), shared], 1), targets, reduction="sum")
    torch.testing.assert_close(scored(**parts, targets=targets, kind="softmax").total, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("poison", [float("inf"), float("-inf"), float("nan")])
def test_a_masked_score_changes_nothing_whatever_its_value(kind, poison):
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), soft_targets()
    mask = torch.rand(ROWS, CANDIDATES) > 0.4
    mask[0] = False
    poisoned = torch.where(mask, scores, poison).requires_grad_()
    clean = scores.clone().requires_grad_()
    results = [fenchel_young(values, targets, kind=kind, mask=mask) for values in (clean, poisoned)]
    torch.testing.assert_close(results[1].total, results[0].total)
    gradients = [
        torch.autograd.grad(result.total, values)[0] for result, values in zip(results, (clean, poisoned), strict=True)
    ]
    torch.testing.assert_close(gradients[1], gradients[0])
    assert not gradients[1][~mask].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_candidate_equals_a_missing_one(kind):
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), soft_targets()
    mask = torch.tensor([True, True, False, True, False])
    masked = fenchel_young(scores, targets, kind=kind, mask=mask)
    missing = fenchel_young(scores[:, mask], targets[:, mask], kind=kind)
    torch.testing.assert_close(masked.total, missing.total)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_with_nothing_left_counts_nothing(kind):
    scores = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE, requires_grad=True)
    loss = fenchel_young(scores, index_targets(), kind=kind, mask=torch.zeros(CANDIDATES, dtype=torch.bool))
    assert loss.total == 0
    assert loss.count == 0
    assert loss.mean == 0
    assert not torch.autograd.grad(loss.mean, scores)[0].any()


def test_an_index_target_that_is_masked_out_leaves_the_softmax_row_uncounted():
    scores = torch.randn(2, 3, dtype=DOUBLE)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    loss = fenchel_young(scores, torch.tensor([2, 2]), kind="softmax", mask=mask)
    torch.testing.assert_close(loss.total, F.cross_entropy(scores[1:], torch.tensor([2])))
    assert loss.count == 1


@pytest.mark.parametrize("kind", KINDS)
def test_row_weights_weigh_total_and_count(kind):
    scores, targets, weights = (
        torch.randn(ROWS, CANDIDATES, dtype=DOUBLE),
        soft_targets(),
        torch.tensor([2, 0, 1, 1, 3, 0]),
    )
    rows = torch.tensor([0, 0, 2, 3, 4, 4, 4])
    weighted = fenchel_young(scores, targets, kind=kind, weights=weights)
    repeated = fenchel_young(scores[rows], targets[rows], kind=kind)
    torch.testing.assert_close(weighted.total, repeated.total)
    assert weighted.count == repeated.count


@pytest.mark.parametrize("kind", ["sigmoid", "square", "hinge"])
def test_candidate_weights_equal_repeated_candidates(kind):
    scores, targets = torch.randn(ROWS, 3, dtype=DOUBLE), torch.rand(ROWS, 3, dtype=DOUBLE)
    columns = torch.tensor([0, 0, 2])
    weighted = fenchel_young(scores, targets, kind=kind, weights=torch.tensor([2.0, 0, 1]).expand(ROWS, 3))
    repeated = fenchel_young(scores[:, columns], targets[:, columns], kind=kind)
    torch.testing.assert_close(weighted.total, repeated.total)


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_rows_and_candidates_and_leading_axes_do_not_matter(kind):
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), soft_targets()
    rows, columns = torch.randperm(ROWS), torch.randperm(CANDIDATES)
    given = fenchel_young(scores, targets, kind=kind)
    moved = fenchel_young(scores[rows][:, columns], targets[rows][:, columns], kind=kind)
    shaped = fenchel_young(scores.view(2, 3, CANDIDATES), targets.view(2, 3, CANDIDATES), kind=kind)
    torch.testing.assert_close(given.total, moved.total)
    torch.testing.assert_close(given.total, shaped.total)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_in_parts_adds_up_to_the_whole(kind):
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE, requires_grad=True), index_targets()
    whole = fenchel_young(scores, targets, kind=kind)
    parts = fenchel_young(scores[:2], targets[:2], kind=kind) + fenchel_young(scores[2:], targets[2:], kind=kind)
    torch.testing.assert_close(whole.mean, parts.mean)
    whole_gradient, parts_gradient = (torch.autograd.grad(loss.mean, scores)[0] for loss in (whole, parts))
    torch.testing.assert_close(whole_gradient, parts_gradient, rtol=1e-12, atol=1e-15)


def test_softmax_does_not_change_when_a_row_is_shifted_even_if_targets_do_not_sum_to_one():
    scores, targets = torch.randn(ROWS, CANDIDATES, dtype=DOUBLE), soft_targets()
    shift = torch.randn(ROWS, 1, dtype=DOUBLE) * 100
    losses = [fenchel_young(values, targets, kind="softmax").total for values in (scores, scores + shift)]
    torch.testing.assert_close(losses[0], losses[1])


def test_half_precision_scores_are_summed_in_float32():
    scores = torch.full((4096, 8), 0.1, dtype=torch.bfloat16)
    loss = fenchel_young(scores, torch.zeros(4096, dtype=torch.int64), kind="softmax")
    assert loss.total.dtype == torch.float32
    assert float(loss.mean) == pytest.approx(np.log(8), rel=1e-6)


def test_scores_are_float32_even_under_autocast():
    queries, keys = torch.randn(16, 8), torch.randn(16, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = scored(queries, keys, torch.arange(16), kind="softmax")
    torch.testing.assert_close(loss.total, F.cross_entropy(queries @ keys.T, torch.arange(16), reduction="sum"))


def test_half_precision_keys_receive_gradients_in_their_own_type():
    queries, keys = (torch.randn(16, 8, dtype=torch.bfloat16, requires_grad=True) for _ in range(2))
    scored(queries, keys, torch.arange(16), kind="softmax", tile_rows=5).mean.backward()
    assert queries.grad.dtype == keys.grad.dtype == torch.bfloat16


def test_targets_receive_no_gradient():
    targets = torch.rand(ROWS, CANDIDATES, requires_grad=True)
    scores = torch.randn(ROWS, CANDIDATES, requires_grad=True)
    fenchel_young(scores, targets, kind="softmax").total.backward()
    assert targets.grad is None


def test_loss_tensor_becomes_a_loss_sum():
    loss = LossTensor(torch.tensor(3.0, requires_grad=True), torch.tensor(2.0))
    assert loss.detached() == LossSum(3.0, 2.0)


SCORES = torch.zeros(ROWS, CANDIDATES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kind": "softmx"},
            "kind must be one of softmax, sigmoid, square, hinge; got 'softmx'\nDid you mean 'softmax'?",
        ),
        ({"targets": torch.zeros(3, dtype=torch.int64)}, "index targets must have the shape (6,), got (3,)"),
        ({"targets": torch.zeros(3, 2)}, "targets must broadcast to the shape (6, 5), got (3, 2)"),
        ({"mask": torch.ones(2) > 0}, "mask must broadcast to the shape (6, 5), got (2,)"),
        ({"mask": torch.ones(5)}, "mask must be bool (True where a candidate takes part), got torch.float32"),
        ({"weights": torch.ones(5)}, "weights must broadcast to the shape (6,), got (5,)"),
        (
            {"weights": torch.ones(6, 5), "kind": "softmax"},
            "softmax takes one weight per row, got one per candidate; add log weights to the scores instead",
        ),
    ],
)
def test_what_does_not_fit_the_scores_is_refused(options, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        fenchel_young(SCORES, **{"kind": "sigmoid", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"keys": torch.zeros(4, 2)},
            "queries (N, D) and keys (M, D) must be matrices of one width, got (6, 3) and (4, 2)",
        ),
        ({"own": torch.zeros(5, 3)}, "own must have the shape (6, 3), got (5, 3)"),
        ({"key_offsets": torch.zeros(6)}, "key_offsets must have the shape (4,), got (6,)"),
        ({"own_offsets": torch.zeros(6)}, "own_offsets need own keys; give own, or leave own_offsets out"),
        ({"tile_rows": 0}, "tile_rows must be at least 1, got 0"),
    ],
)
def test_factors_that_do_not_fit_each_other_are_refused(options, message):
    given = {"queries": torch.zeros(6, 3), "keys": torch.zeros(4, 3), **options}
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        scored(**given, kind="sigmoid")
