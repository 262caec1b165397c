"""Losses equal torch's, slices add up to the batch, padding changes nothing, predictions come back in order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.finetuning.small import texts
from textssl.finetuning.classifier import new_classifier
from textssl.finetuning.embedding import TextModel, embed_texts, open_text_model
from textssl.finetuning.encoding import BatchPlan
from textssl.finetuning.labels import Labels
from textssl.finetuning.objective import FineTuning, HeadTuning, LabelledTexts, mean_loss, outputs, predict, summed_loss

TWO = Labels("single_label", ("fruit", "metal"))


@pytest.fixture(params=["encoder", "decoder"])
def source(request) -> TextModel:
    return open_text_model(request.getfixturevalue(request.param))


def tuning(source: TextModel, number: int = 20) -> FineTuning:
    encoded = source.encode(texts(number)[0])
    labelled = LabelledTexts(encoded, np.arange(number) % 2, TWO, pad_id=0)
    return FineTuning(labelled, BatchPlan(encoded.lengths, batch_size=8, num_epochs=2, seed=1))


def test_losses_equal_those_of_torch():
    scores = torch.randn(5, 3, dtype=torch.float64)
    classes, weights = torch.tensor([0, 2, 1, 1, 0]), torch.tensor([1.0, 2, 0.5, 0.5, 1]).double()
    single = summed_loss(Labels("single_label", ("a", "b", "c")), scores, classes, weights)
    expected = F.cross_entropy(scores, classes, weight=torch.tensor([1.0, 0.5, 2]).double(), reduction="sum")
    torch.testing.assert_close(single.total, expected)
    assert float(single.count) == 5
    several = torch.tensor([[1.0, 0, 1]] * 5).double()
    loss = summed_loss(Labels("multi_label", ("a", "b", "c")), scores, several)
    torch.testing.assert_close(loss.total, F.binary_cross_entropy_with_logits(scores, several, reduction="sum"))
    numbers = torch.randn(5).double()
    loss = summed_loss(Labels("regression", ("x",)), scores[:, :1], numbers)
    torch.testing.assert_close(loss.total, 0.5 * F.mse_loss(scores[:, 0], numbers, reduction="sum"))


def test_mean_loss_of_probabilities_is_that_of_the_scores():
    scores = torch.randn(5, 3)
    single, several = np.array([0, 2, 1, 1, 0]), np.array([[1, 0, 1]] * 5, dtype=np.float32)
    names = ("a", "b", "c")
    for labels, probabilities, targets in (
        (Labels("single_label", names), scores.softmax(1), single),
        (Labels("multi_label", names), scores.sigmoid(), several),
    ):
        expected = summed_loss(labels, scores, torch.from_numpy(targets)).mean
        assert mean_loss(labels, probabilities.numpy(), targets) == pytest.approx(float(expected), rel=1e-5)
    labels = Labels("regression", ("x",), mean=1.0, deviation=2.0)
    assert mean_loss(labels, np.array([[3.0]], dtype=np.float32), np.array([1.0])) == pytest.approx(0.5)


def test_slices_of_a_batch_add_up_to_it(source):
    objective = tuning(source)
    model = new_classifier(source, TWO, seed=1).eval()
    with torch.no_grad():
        for step in (0, 2):
            whole = objective.loss(model, objective.batch(step, 0, 1))
            parts = [objective.loss(model, objective.batch(step, part, 16)) for part in range(16)]
            torch.testing.assert_close(sum(part.total for part in parts), whole.total, rtol=1e-5, atol=1e-5)
            assert sum(part.count for part in parts) == whole.count
    assert objective.units_before(objective.num_steps) == 2 * objective.texts.encoded.lengths.sum()
    assert objective.epoch(3) == 1
    assert objective.evaluation() is None


def test_predictions_do_not_depend_on_the_batch(source):
    encoded = source.encode([*texts(30)[0], ""])
    model = new_classifier(source, TWO, dropout=0.5, seed=1).train()
    found = predict(model, encoded, TWO, pad_id=0, device="cpu")
    assert model.training
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    alone = predict(model, source.encode([texts(30)[0][7]]), TWO, pad_id=0, device="cpu")
    np.testing.assert_allclose(found[7], alone[0], rtol=1e-4)
    assert outputs(model, source.encode([]), pad_id=0, device="cpu").shape == (0, 0)


def test_frozen_features_give_the_loss_of_the_whole_model(source):
    objective = tuning(source)
    model = new_classifier(source, TWO, seed=1).eval()
    features = outputs(model, objective.texts.encoded, pad_id=0, device="cpu", what="features")
    head = HeadTuning(objective.texts, objective.plan, features_ND=features)
    whole = objective.loss(model, objective.batch(1, 0, 1))
    torch.testing.assert_close(head.loss(model, head.batch(1, 0, 1)).total, whole.total, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_texts_are_embedded_whatever_stands_beside_them(source, pooling):
    some = texts(9)[0]
    found = embed_texts(source, some, pooling=pooling)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(embed_texts(source, some[4:5], pooling=pooling)[0], found[4], rtol=1e-3, atol=1e-5)
    raw = embed_texts(source, some, pooling=pooling, normalise=False)
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), found, rtol=1e-4, atol=1e-6)


def test_embedding_is_the_mean_of_the_hidden_vectors(encoder):
    source = open_text_model(encoder)
    encoded = source.encode(["apple is good"])
    with torch.no_grad():
        hidden = source.model.hidden(torch.from_numpy(encoded.ids)[None])[0]
    found = embed_texts(source, ["apple is good"], normalise=False)
    np.testing.assert_allclose(found[0], hidden.mean(0).numpy(), rtol=1e-4, atol=1e-6)
