"""The learning rate over a run, against its formulas."""

from __future__ import annotations

import math

import pytest

from textssl.objectives.base import Optimisation
from textssl.training.schedules import rate_factor


def factors(schedule: str, *, steps: int = 100, **options: float) -> list[float]:
    optimisation = Optimisation("adamw", 1.0, schedule=schedule, **options)
    return [rate_factor(optimisation, step / steps, (step + 1) / steps) for step in range(steps)]


def test_warm_up_rises_by_equal_parts_and_never_stands_at_zero():
    assert factors("constant", warmup=0.1)[:12] == pytest.approx([0.1 * step for step in range(1, 11)] + [1, 1])


def test_linear_falls_from_the_end_of_the_warm_up_to_the_last_step():
    found = factors("linear", warmup=0.2)
    assert found[20] == 1
    assert found[60] == pytest.approx(0.5)
    assert found[99] == pytest.approx(1 / 80)


def test_linear_holds_its_last_part():
    assert factors("linear", final_fraction=0.25)[75:] == [0.25] * 25


def test_cosine_is_half_a_wave_down_to_the_last_part():
    found = factors("cosine", final_fraction=0.1)
    assert found[0] == 1
    assert found[50] == pytest.approx(0.55)
    assert found[25] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)


def test_stable_stays_and_falls_with_the_root_at_the_end():
    found = factors("stable", warmup=0.1, decay=0.2)
    assert found[10:81] == [1] * 71
    assert found[85] == pytest.approx(1 - math.sqrt(0.25))
    assert found[95] == pytest.approx(1 - math.sqrt(0.75))


def test_stable_without_a_decay_is_constant():
    assert factors("stable") == factors("constant")


def test_a_run_that_goes_on_after_its_end_keeps_the_last_rate():
    for schedule in ("linear", "cosine", "stable"):
        optimisation = Optimisation("adamw", 1.0, schedule=schedule, decay=0.2, final_fraction=0.05)
        assert rate_factor(optimisation, 1.5, 1.6) == pytest.approx(0.05)
