"""The objective masked_lm: batches, loss, evaluation, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.small_language_models import CAPITALS, TINY, sentences, trained
from textssl import registry
from textssl.errors import UsageError
from textssl.objectives.base import Setting
from textssl.text.sources import from_iterable


def prepared(tmp_path, *, seed: int = 1, **options):
    method = registry.load("objectives", "masked_lm")
    config = method.Config(**{**TINY, **options})
    return method().prepare(from_iterable(sentences(4)), config, Setting(seed, 1, "cpu", tmp_path, None))


def same(one, other) -> bool:
    parts = ("ids_BT", "positions", "targets")
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in parts)


def test_a_batch_is_a_function_of_seed_and_step(tmp_path):
    first, second = (prepared(tmp_path).gradients().objective for _ in range(2))
    other = prepared(tmp_path, seed=2).gradients().objective
    assert same(first.batch(5, 0, 1), second.batch(5, 0, 1))
    assert not same(first.batch(5, 0, 1), first.batch(6, 0, 1))
    assert not same(first.batch(5, 0, 1), other.batch(5, 0, 1))


def test_a_row_has_new_masks_in_every_epoch(tmp_path):
    objective = prepared(tmp_path, batch_rows=1_000).gradients().objective
    hidden = [objective.batch(step, 0, 1) for step in range(2)]
    sorted_rows = [np.sort(np.where(batch.ids_BT == 4, 0, batch.ids_BT), axis=0) for batch in hidden]
    assert hidden[0].ids_BT.shape == hidden[1].ids_BT.shape
    assert not np.array_equal(*sorted_rows)


def test_parts_of_a_batch_sum_to_the_loss_of_the_whole(tmp_path):
    parts = prepared(tmp_path).gradients()
    objective, model = parts.objective, parts.model
    whole = objective.loss(model, objective.batch(1, 0, 1))
    thirds = [objective.loss(model, objective.batch(1, part, 3)) for part in range(3)]
    assert sum(loss.count.item() for loss in thirds) == whole.count.item()
    torch.testing.assert_close(sum(loss.total for loss in thirds), whole.total, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"document_mask": True}, {"mask_unit": "word", "packing": "sentences"}])
def test_the_loss_is_the_cross_entropy_of_the_hidden_tokens(tmp_path, options):
    parts = prepared(tmp_path, **options).gradients()
    batch = parts.objective.batch(0, 0, 1)
    hidden_BTD = parts.model.hidden(batch.ids_BT, documents_BT=batch.documents_BT)
    table_VD, bias_V = parts.model.output_table
    logits = parts.model.mlm_hidden(hidden_BTD.flatten(0, 1)) @ table_VD.T + bias_V
    expected = torch.nn.functional.cross_entropy(logits[batch.positions], batch.targets, reduction="sum")
    loss = parts.objective.loss(parts.model, batch)
    torch.testing.assert_close(loss.total, expected, rtol=1e-5, atol=1e-4)
    assert loss.count.item() == len(batch.targets)


def test_about_as_many_tokens_are_hidden_as_asked_for(tmp_path):
    objective = prepared(tmp_path, mask_rate=0.4, batch_rows=1_000).gradients().objective
    batch = objective.batch(0, 0, 1)
    special = sum(int((batch.ids_BT == id).sum()) for id in (0, 2, 3))
    assert len(batch.positions) / (batch.ids_BT.numel() - special) == pytest.approx(0.4, abs=0.01)


def test_an_evaluation_is_the_same_every_time_whatever_rate_and_seed(tmp_path):
    low, high = (prepared(tmp_path, seed=seed, mask_rate=rate) for seed, rate in ((1, 0.15), (9, 0.5)))
    batches = [list(run.gradients().objective.evaluation()) for run in (low, low, high)]
    assert all(same(*pair) for pair in zip(batches[0], batches[1], strict=True))
    assert all(same(*pair) for pair in zip(batches[0], batches[2], strict=True))


def test_padding_is_seen_by_nobody(tmp_path):
    run = prepared(tmp_path)
    objective, last = run.gradients().objective, run.training.num_rows - 1
    for step in range(run.order.steps_per_epoch):
        batch = objective.batch(step, 0, 1)
        holds_last = last in run.order.rows(step, 0, 1)[1]
        padded = bool((batch.ids_BT == run.corpus.tokenizer.pad_id).any())
        assert padded <= holds_last
        assert (batch.documents_BT is not None) == padded


def test_shares_of_masks_that_do_not_fit_are_refused():
    method = registry.load("objectives", "masked_lm")
    with pytest.raises(UsageError, match=r"mask_share and random_share must be at most 1 together, got 0\.8 \+ 0\.4"):
        method.Config(random_share=0.4)


def test_masked_lm_learns_facts_from_both_sides():
    from textssl.commands.fill import fill

    run = trained("masked_lm")
    right = 0
    for country, capital in CAPITALS.items():
        for text, answer in (
            (f"the capital of {country} is [MASK]", capital),
            (f"{capital} is the capital of [MASK]", country),
        ):
            right += fill(run, text, topn=1, device="cpu").answers[0].masks[0][0].token == answer
    assert right >= 15, f"{right} of 16 facts"
