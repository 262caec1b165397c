"""VICReg over views: its loss against the three terms, and what they are for."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.objectives.small_images import images, prepared, task_of

WIDTHS = {"projector_width": 24, "hidden_width": 16}
OPTIONS = {"of": images(128), "batch_images": 64, "epochs": 8, "width": 8, "learning_rate": 0.01}


def spread(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What deviations lack, and the squared covariances of different numbers."""
    covariances = torch.cov(vectors.T)
    lack = F.relu(1 - (covariances.diagonal() + 1e-4).sqrt()).mean()
    return lack, (covariances.square().sum() - covariances.diagonal().square().sum()) / vectors.shape[1]


def test_loss_is_the_weighted_sum_of_its_three_terms():
    weights = {"invariance_weight": 3.0, "variance_weight": 7.0, "covariance_weight": 2.0}
    run = prepared("vicreg", **weights, **WIDTHS)
    batch = run.objective.batch(0, 0, 1)
    loss = run.objective.loss(run.model, batch)
    first, second = run.model.projector(run.model.encoder(torch.cat(batch.made))).double().chunk(2)
    (flat, repeated), (other_flat, other_repeated) = spread(first), spread(second)
    expected = 3 * (first - second).square().mean() + 7 * (flat + other_flat) / 2 + 2 * (repeated + other_repeated)
    assert loss.count.item() == 16
    assert loss.mean.item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_variance_and_covariance_all_vectors_become_one():
    lines: list[str] = []
    options = {"variance_weight": 0.0, "covariance_weight": 0.0, **OPTIONS, **WIDTHS}
    task = task_of(prepared("vicreg", **{**options, "epochs": 30}), note=lines.append)
    apart = []
    for step in range(task.num_steps):
        task.step(step)
        if step in (0, task.num_steps - 1):
            run = task.objective
            with torch.no_grad():
                batch = run.batch(0, 0, 1)
                apart.append(task.model.projector(task.model.encoder(batch.made[0])).std(0).mean().item())
    assert apart[1] < 0.2 * apart[0]


def test_projector_has_three_layers_of_the_widths_asked_for():
    assert prepared("vicreg", **WIDTHS).model.projector.options["widths"] == (8, 16, 16, 24)
