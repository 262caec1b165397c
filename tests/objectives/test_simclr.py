"""SimCLR: its loss against the formula, and what it learns."""

from __future__ import annotations

import math

import numpy as np
import torch

from tests.objectives.small_images import images, prepared, task_of


def test_loss_is_the_cross_entropy_over_the_other_views():
    run = prepared(temperature=0.3)
    parts = run.gradients()
    batch = parts.objective.batch(0, 0, 1)
    loss = parts.objective.loss(parts.model, batch)
    vectors = parts.model.projector(parts.model.encoder(torch.cat(batch.made))).double()
    units = vectors / vectors.norm(dim=1, keepdim=True)
    scores = units @ units.T / 0.3
    scores.fill_diagonal_(-math.inf)
    partners = torch.arange(32).roll(16)
    expected = torch.nn.functional.cross_entropy(scores, partners, reduction="sum")
    assert loss.count.item() == 32
    torch.testing.assert_close(loss.total.double(), expected, rtol=1e-5, atol=1e-4)


def test_views_of_one_image_come_nearer_than_those_of_others():
    run = prepared(of=images(128), batch_images=64, epochs=8, width=8, learning_rate=0.01, temperature=0.2)
    task = task_of(run)
    losses = [task.step(step) for step in range(task.num_steps)]
    means = [loss.total / loss.count for loss in losses]
    assert means[0] > 0.8 * math.log(127)
    assert np.mean(means[-2:]) < means[0] - 0.5
    scores = task.evaluate()
    assert scores["projection_spread"] > 0.5
    assert scores["projection_rank"] > 3


def test_projector_has_the_widths_asked_for():
    model = prepared(projector_width=6, hidden_width=10).model
    assert model.projector.options["widths"] == (8, 10, 6)
    assert prepared().model.projector.options["widths"] == (8, 8, 128)
