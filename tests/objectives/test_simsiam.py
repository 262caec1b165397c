"""SimSiam: its loss against the formula, the stop-gradient, and the predictor's rate."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from tests.objectives.small_images import prepared, task_of
from textssl.config import resolve
from textssl.objectives.simsiam import SimSiam, SimSiamConfig

SMALL = {"hidden_width": 16, "projector_width": 8, "predictor_width": 12}


def expected_loss(model, views) -> torch.Tensor:
    """1 more than minus the mean cosine, as in algorithm 1."""
    vectors = [model.projector(model.encoder(view)) for view in views]
    predicted = [model.predictor(each) for each in vectors]
    cosines = [F.cosine_similarity(predicted[view], vectors[1 - view].detach()) for view in (0, 1)]
    return (1 - sum(cosines) / 2).sum()


def test_loss_and_gradient_are_those_of_the_algorithm():
    parts = prepared("simsiam", **SMALL).gradients()
    batch, other = parts.objective.batch(0, 0, 1), copy.deepcopy(parts.model)
    loss = parts.objective.loss(parts.model, batch)
    expected = expected_loss(other, batch.made)
    assert loss.count.item() == 16
    torch.testing.assert_close(loss.total, expected, rtol=1e-5, atol=1e-5)
    loss.total.backward()
    expected.backward()
    for own, asked in zip(parts.model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own.grad, asked.grad, rtol=1e-4, atol=1e-5)


def test_projector_and_predictor_have_the_layers_of_the_paper():
    model = prepared("simsiam", **SMALL).model
    assert model.projector.options["widths"] == (8, 16, 16, 8)
    assert model.projector.options["last_norm"] == "plain"
    assert model.predictor.options["widths"] == (8, 12, 8)
    assert model.predictor.last.bias is not None
    assert model.part_names == ["projector", "predictor"]


@pytest.mark.parametrize(("rate", "last"), [("constant", 0.01), ("schedule", 0.0025)])
def test_predictor_keeps_the_highest_rate_where_asked(rate, last):
    """Of three steps the last one has a quarter of the rate, by the cosine."""
    options = {"predictor_rate": rate, "optimizer": "sgd", "sgd_momentum": 0.0, "warmup": 0.0, "weight_decay": 0.0}
    run = prepared("simsiam", batch_images=48, epochs=3, learning_rate=0.01, **options, **SMALL)
    task = task_of(run)
    for step in range(2):
        task.step(step)
    parts = [run.model.predictor.last.weight, run.model.projector.last.weight]
    before = [part.detach().clone() for part in parts]
    task.step(2)
    rates = [
        (((old - part) * part.grad).sum() / part.grad.square().sum()).item()
        for old, part in zip(before, parts, strict=True)
    ]
    assert rates == pytest.approx([last, 0.0025], rel=0.01)


@pytest.mark.parametrize("preset", SimSiam.PRESETS)
def test_presets_are_valid(preset):
    resolve(SimSiamConfig, {}, preset=SimSiam.PRESETS[preset])
