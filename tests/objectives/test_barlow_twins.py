"""Barlow Twins over views: its loss against the algorithm."""

from __future__ import annotations

import pytest
import torch

from tests.objectives.small_images import prepared

WIDTHS = {"projector_width": 24, "hidden_width": 16}


def standard(vectors: torch.Tensor) -> torch.Tensor:
    return (vectors - vectors.mean(0)) / (vectors.var(0, correction=0) + 1e-5).sqrt()


def test_loss_is_that_of_the_correlations_of_the_two_views():
    run = prepared("barlow_twins", off_diagonal_weight=0.02, **WIDTHS)
    batch = run.objective.batch(0, 0, 1)
    loss = run.objective.loss(run.model, batch)
    first, second = run.model.projector(run.model.encoder(torch.cat(batch.made))).double().chunk(2)
    correlations = standard(first).T @ standard(second) / 16
    own = correlations.diagonal()
    expected = (own - 1).square().sum() + 0.02 * (correlations.square().sum() - own.square().sum())
    assert loss.count.item() == 16
    assert loss.mean.item() == pytest.approx(expected.item(), rel=1e-5)


def test_projector_has_three_layers_of_the_widths_asked_for():
    assert prepared("barlow_twins", **WIDTHS).model.projector.options["widths"] == (8, 16, 16, 24)
