"""Triplet margin over views: its loss against loops and negatives as functions of the step."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.objectives.small_images import prepared
from textssl.errors import UsageError
from textssl.objectives.triplet import random_others

DISTANCES = {
    "squared_euclidean": lambda a, b: (a - b).square().sum(-1),
    "euclidean": lambda a, b: (a - b).norm(dim=-1),
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, dim=-1),
}


def chosen_loss(near: float, far: list[float], how: str, margin: float) -> float:
    if how == "all":
        return float(np.mean([max(0.0, near - one + margin) for one in far]))
    if how == "hardest":
        return max(0.0, near - min(far) + margin)
    beyond = [one for one in far if one > near]
    return max(0.0, near - (min(beyond) if beyond else max(far)) + margin)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("negatives", ["all", "hardest", "semi_hard"])
def test_loss_is_the_margin_over_the_chosen_negatives_both_ways(distance, negatives):
    run = prepared("triplet", distance=distance, negatives=negatives, margin=0.3)
    batch = run.objective.batch(0, 0, 1)
    loss = run.objective.loss(run.model, batch)
    vectors = F.normalize(run.model.projector(run.model.encoder(torch.cat(batch.made))).double(), dim=1).detach()
    apart, total = DISTANCES[distance], 0.0
    for anchors, positives in (vectors.split(16), vectors.split(16)[::-1]):
        for i in range(16):
            far = [apart(anchors[i], positives[j]).item() for j in range(16) if j != i]
            total += chosen_loss(apart(anchors[i], positives[i]).item(), far, negatives, 0.3)
    assert loss.count.item() == 32
    assert loss.total.item() == pytest.approx(total, rel=1e-4)


def test_random_negatives_are_a_function_of_seed_step_and_place():
    own = np.arange(10)
    drawn = random_others(own, 10, seed=3, step=7)
    assert np.array_equal(drawn, random_others(own, 10, seed=3, step=7))
    assert np.array_equal(drawn[4:], random_others(own[4:], 10, seed=3, step=7)), "a process draws its own share"
    assert not np.array_equal(drawn, random_others(own, 10, seed=3, step=8))
    many = np.stack([random_others(own, 10, seed=3, step=step) for step in range(900)])
    assert not (many == own).any()
    counts = np.stack([np.bincount(many[:, place], minlength=10) for place in own])
    assert counts.sum(0).min() > 0
    away = np.bincount((many - own).ravel() % 10, minlength=10)[1:]
    assert abs(away - 1000).max() < 5 * np.sqrt(1000)


def test_loss_of_random_negatives_is_that_of_the_drawn_ones():
    run = prepared("triplet", negatives="random", margin=0.5)
    batch = run.objective.batch(2, 0, 1)
    loss = run.objective.loss(run.model, batch)
    first, second = F.normalize(run.model.projector(run.model.encoder(torch.cat(batch.made))), dim=1).chunk(2)
    drawn = torch.from_numpy(random_others(np.arange(16), 16, seed=1, step=2))
    apart = DISTANCES["squared_euclidean"]
    expected = sum(
        F.relu(apart(a, p) - apart(a, p[drawn]) + 0.5).sum() for a, p in ((first, second), (second, first))
    )
    torch.testing.assert_close(loss.total, expected)


def test_unknown_names_are_refused():
    message = "negatives must be one of all, hardest, semi_hard, random, got 'semi'"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        prepared("triplet", negatives="semi")
