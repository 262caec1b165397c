"""BYOL: its loss against the formula, the copy, its views, and what happens without a stop-gradient."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from tests.objectives.small_images import images, prepared, task_of
from textssl.config import resolve
from textssl.losses.core import LossTensor
from textssl.models.base_momentum import momentum_at
from textssl.objectives.byol import BYOL, BYOLConfig

SMALL = {"hidden_width": 16, "projector_width": 8, "predictor_width": 16}


def test_loss_is_the_squared_distance_in_both_directions():
    run = prepared("byol", **SMALL)
    parts = run.gradients()
    batch, model = parts.objective.batch(0, 0, 1), copy.deepcopy(parts.model)
    loss = parts.objective.loss(parts.model, batch)
    predicted = [F.normalize(model.predictor(model.projector(model.encoder(view))), dim=1) for view in batch.made]
    targets = [F.normalize(model.teacher(view), dim=1) for view in batch.made]
    expected = sum((predicted[view] - targets[1 - view]).square().sum() for view in (0, 1))
    assert loss.count.item() == 16
    torch.testing.assert_close(loss.total, expected, rtol=1e-5, atol=1e-4)


def test_copy_follows_after_each_update_and_gets_no_gradient():
    run = prepared("byol", momentum=0.6, **SMALL)
    task, model = task_of(run), run.model
    expected = [part.clone() for part in model.teacher.parameters()]
    for step in range(3):
        task.step(step)
        kept = momentum_at(step, task.num_steps, 0.6)
        online = [*model.encoder.parameters(), *model.projector.parameters()]
        expected = [kept * own + (1 - kept) * part.detach() for own, part in zip(expected, online, strict=True)]
        torch.testing.assert_close(list(model.teacher.parameters()), expected)
    assert all(part.grad is None and not part.requires_grad for part in model.teacher.parameters())


def test_copy_has_statistics_of_the_batches_that_it_sees():
    run = prepared("byol", **SMALL)
    task_of(run).step(0)
    own, other = (dict(network.named_buffers()) for network in (run.model.teacher.model[0], run.model.encoder))
    moved = [name for name, mean in own.items() if name.endswith("running_mean") and mean.abs().sum() > 0]
    assert moved
    assert all(torch.equal(own[name], other[name]) for name in moved), "the first step has the same weights"


def test_second_view_has_rates_of_its_own():
    objective = prepared("byol", blur=0.5, second_blur=0.1, second_solarise=0.2, **SMALL).objective
    first, second = objective.view_settings(0), objective.view_settings(1)
    assert (first.blur, first.solarise) == (0.5, 0.0)
    assert (second.blur, second.solarise) == (0.1, 0.2)
    same = prepared("byol", blur=0.5, **SMALL).objective
    assert same.view_settings(0) == same.view_settings(1)


@pytest.mark.parametrize("stopped", [True, False])
def test_vectors_collapse_where_both_sides_are_trained(stopped):
    """The stop-gradient, copy and predictor are what keeps vectors apart; the gauges see their absence."""
    run = prepared("byol", images(64), batch_images=32, epochs=40, learning_rate=0.01, **SMALL)
    objective, lines = run.objective, []

    def plain(model, batch):
        first, second = objective.projections(model, objective.views(batch))
        total = (2 - 2 * F.cosine_similarity(first, second)).sum()
        return LossTensor(total, torch.tensor(float(len(first))))

    if not stopped:
        objective.loss = plain
    task = task_of(run, note=lines.append)
    for step in range(task.num_steps):
        task.step(step)
    spread = task.evaluate()["projection_spread"]
    assert (spread < 0.2) == bool(lines) == (not stopped), (spread, lines)


@pytest.mark.parametrize("preset", BYOL.PRESETS)
def test_presets_are_valid(preset):
    resolve(BYOLConfig, {}, preset=BYOL.PRESETS[preset])


def test_predictor_of_width_0_is_one_matrix_that_learns():
    run = prepared("byol", **{**SMALL, "predictor_width": 0})
    (layer,) = run.model.predictor
    before = layer.weight.detach().clone()
    assert layer.bias is None
    assert layer.weight.shape == (8, 8)
    task_of(run).step(0)
    assert not torch.equal(layer.weight, before)
