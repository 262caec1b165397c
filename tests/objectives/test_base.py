"""What an objective promises: the ranges of its optimisation."""

from __future__ import annotations

import re

import pytest

from textssl.errors import UsageError
from textssl.objectives.base import Optimisation


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        ({"num_parts": 0}, "num_parts must be at least 1, got 0"),
        ({"clip_norm": -1.0}, "clip_norm must be above 0, got -1.0"),
        (
            {"schedule": "stable", "warmup": 0.5, "decay": 0.6},
            "warmup and decay are shares of the run, together at most 1, got 0.5 and 0.6",
        ),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"momentum": 0.0, "nesterov": True}, "momentum must be above 0 with nesterov and below 1, got 0.0"),
        ({"warmup": -0.1}, "warmup and decay are shares of the run, together at most 1, got -0.1 and 0.0"),
    ],
)
def test_optimisation_checks_its_ranges(given, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        Optimisation("adamw", **{"learning_rate": 1e-3, **given})
