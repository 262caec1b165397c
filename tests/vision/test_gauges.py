"""Gauges of collapse on vectors whose answers are known by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from textssl.vision.gauges import Remedies, collapse_warnings, effective_rank, prototype_use, spread_gauges

REMEDIES = Remedies("Do this.", "Do that.", "Do the other.")


def gauges(vectors) -> dict[str, float]:
    return spread_gauges(np.asarray(vectors, np.float32), of="vector")


def warnings(**scores: float) -> list[str]:
    return collapse_warnings(scores, of="vector", most_rank=128, remedies=REMEDIES)


def test_vectors_spread_over_the_sphere_are_healthy():
    found = gauges(np.random.default_rng(1).normal(size=(4000, 16)))
    assert found["vector_spread"] == pytest.approx(1, abs=0.01)
    assert found["vector_cosine"] == pytest.approx(0, abs=0.01)
    assert found["vector_rank"] == pytest.approx(16, abs=0.1)


def test_two_opposite_points_have_rank_one_and_the_cosine_of_their_pairs():
    """Of 4 vectors +a, +a, -a, -a there are 2 pairs of cosine 1 and 4 of cosine -1; a = (1, 0) deviates by 1 and 0."""
    found = gauges([[3, 0], [1, 0], [-2, 0], [-1, 0]])
    assert found["vector_cosine"] == pytest.approx(-2 / 6)
    assert found["vector_spread"] == pytest.approx(np.sqrt(2) / 2)
    assert found["vector_rank"] == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 2.5, float("nan"), float("inf")])
def test_vectors_that_do_not_vary_count_as_fully_collapsed(value):
    assert gauges(np.full((5, 3), value)) == {"vector_spread": 0.0, "vector_cosine": 1.0, "vector_rank": 1.0}


def test_length_does_not_count_for_the_direction():
    vectors = np.random.default_rng(2).normal(size=(50, 8))
    longer = vectors * np.linspace(1, 9, 50)[:, None]
    for name in ("vector_spread", "vector_cosine"):
        assert gauges(vectors)[name] == pytest.approx(gauges(longer)[name], rel=1e-5)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
def test_effective_rank_equals_its_formula_by_singular_values(shape):
    vectors = np.random.default_rng(3).normal(size=shape) * np.linspace(1, 3, shape[1])
    values = np.linalg.svd(vectors, compute_uv=False)
    shares = values / values.sum()
    assert effective_rank(vectors) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert effective_rank(np.eye(7)) == pytest.approx(7)
    assert effective_rank(np.zeros((3, 2))) == 1


def test_prototype_use_counts_even_use_as_one():
    assert prototype_use(np.eye(4)) == pytest.approx(1)
    assert prototype_use(np.eye(4)[[2, 2, 2]]) == pytest.approx(1 / 4)
    assert prototype_use(np.eye(4)[[0, 1, 0, 1]]) == pytest.approx(2 / 4)
    assert prototype_use(np.full((3, 5), 0.2)) == pytest.approx(1)


def test_healthy_gauges_warn_of_nothing():
    assert warnings(vector_spread=0.9, vector_cosine=0.1, vector_rank=40, prototype_use=0.8) == []
    assert warnings() == []


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            {"vector_spread": 0.01, "vector_cosine": 0.999, "vector_rank": 1.0},
            "the vectors have collapsed: spread 0.010 (healthy: near 1), mean cosine 0.999 (near 0). Do this.",
        ),
        (
            {"vector_spread": 0.15, "vector_cosine": 0.98, "vector_rank": 1.0},
            "the vectors come near to collapse: spread 0.150 (healthy: near 1), mean cosine 0.980 (near 0). Do this.",
        ),
        (
            {"vector_spread": 0.9, "vector_cosine": 0.0, "vector_rank": 1.5},
            "the vectors differ in few directions: effective rank 1.5 of 128 (healthy: above 4). Do that.",
        ),
        (
            {"prototype_use": 0.02},
            "few prototypes are used: 2.0% of them (healthy: most of them). Do the other.",
        ),
    ],
)
def test_warnings_give_value_healthy_value_and_remedy(scores, message):
    (line,) = warnings(**scores)
    assert re.fullmatch(re.escape(message), line)


def test_every_remedy_names_something_to_change():
    assert all("--" in text for text in vars(Remedies()).values())
