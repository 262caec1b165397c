"""The objective next_token: batches, loss, bits per byte, and what it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.small_language_models import CAPITALS, TINY, sentences, trained
from textssl import registry
from textssl.losses.core import LossTensor
from textssl.objectives.base import Setting
from textssl.objectives.base_batches import predicted_bytes
from textssl.text.sources import from_iterable


def prepared(tmp_path, *, seed: int = 1, **options):
    method = registry.load("objectives", "next_token")
    config = method.Config(**{**TINY, **options})
    return method().prepare(from_iterable(sentences(4)), config, Setting(seed, 1, "cpu", tmp_path, None))


def test_an_epoch_predicts_every_token_and_separator_once(tmp_path):
    run = prepared(tmp_path)
    objective, store = run.gradients().objective, run.corpus.store
    targets = [objective.batch(step, 0, 1).targets for step in range(run.order.steps_per_epoch)]
    predicted = torch.cat(targets)
    predicted = predicted[predicted >= 0].numpy()
    spans = [store.ids[store.offsets[number] : store.offsets[number + 1]] for number in run.corpus.training]
    expected = np.concatenate([*spans, np.full(len(spans), run.corpus.tokenizer.separator_id)])
    np.testing.assert_array_equal(np.sort(predicted), np.sort(expected))


def test_targets_are_the_tokens_that_follow(tmp_path):
    batch = prepared(tmp_path).gradients().objective.batch(0, 0, 1)
    targets_BT = batch.targets.view(batch.ids_BT.shape)
    inside = targets_BT[:, :-1] >= 0
    assert torch.equal(targets_BT[:, :-1][inside], batch.ids_BT[:, 1:][inside].long())


@pytest.mark.parametrize("document_mask", [False, True])
def test_the_loss_is_the_cross_entropy_of_the_next_tokens(tmp_path, document_mask):
    run = prepared(tmp_path, document_mask=document_mask, batch_rows=1_000)
    parts = run.gradients()
    batch = parts.objective.batch(0, 0, 1)
    assert (batch.documents_BT is not None) == document_mask
    logits = (
        parts.model.hidden(batch.ids_BT, documents_BT=batch.documents_BT).flatten(0, 1) @ parts.model.output_table.T
    )
    expected = torch.nn.functional.cross_entropy(logits, batch.targets, ignore_index=-1, reduction="sum")
    loss = parts.objective.loss(parts.model, batch)
    torch.testing.assert_close(loss.total, expected, rtol=1e-5, atol=1e-3)
    assert loss.count.item() == int((batch.targets >= 0).sum())


def test_bytes_of_all_rows_are_the_bytes_of_the_text_and_its_newlines(tmp_path):
    run = prepared(tmp_path, validation_share=0.3)
    for packing, documents in ((run.training, run.corpus.training), (run.validation, run.corpus.validation)):
        rows = packing.rows(np.arange(packing.num_rows))
        expected = int(run.corpus.store.document_bytes[documents].sum()) + len(documents)
        assert predicted_bytes(run.corpus.store, rows) == pytest.approx(expected, rel=1e-12)


def test_bits_per_byte_of_a_uniform_guess_are_the_tokens_bits(tmp_path):
    run = prepared(tmp_path, validation_share=0.3)
    objective = run.gradients().objective
    count = sum(int((batch.targets >= 0).sum()) for batch in objective.evaluation())
    loss = LossTensor(torch.tensor(count * math.log(64)), torch.tensor(float(count)))
    num_bytes = int(run.corpus.store.document_bytes[run.corpus.validation].sum()) + len(run.corpus.validation)
    scores = objective.scores(loss)
    assert scores["bits_per_byte"] == pytest.approx(6 * count / num_bytes, rel=1e-6)
    assert scores["perplexity"] == pytest.approx(64, rel=1e-5)


def test_next_token_learns_facts():
    from textssl.commands.generate import generate

    run = trained("next_token")
    made = [
        generate(run, f"the capital of {country} is", temperature=0, max_new_tokens=6, device="cpu").texts[0].text
        for country in CAPITALS
    ]
    right = sum(text.strip() == capital for text, capital in zip(made, CAPITALS.values(), strict=True))
    assert right >= 7, made
