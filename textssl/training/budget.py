"""How long a run may take: in steps, in minutes, or to the end of its epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from textssl.config import option, parse_interval, validate
from textssl.training.task import StepResult, Task

_CALIBRATION_SHARE = 0.05  # of the minutes
_CALIBRATION_LIMIT_S = 10.0
_TARGET_SHARE = 0.95  # of the time that is left after measuring: checkpoints and a slower machine need a reserve


@dataclass(frozen=True)
class TrainerConfig:
    """Budget and checkpoints of a run."""

    max_minutes: float | None = option(None, "Stop after this many minutes, restarts added up.", above=0)
    max_steps: int | None = option(None, "Stop after this many updates.", minimum=1)
    checkpoint_every: str = option("60s", "Time or steps between checkpoints: 30s, 5m, 2h or 100steps.")
    keep_checkpoints: int = option(2, "Checkpoints that are kept.", minimum=1)

    def __post_init__(self) -> None:
        validate(self)
        parse_interval(self.checkpoint_every, name="checkpoint_every")


def measure_speed(task: Task, budget_s: float, end: int, check: Callable[[int, StepResult], None]) -> float:
    """Units per second over the first steps; they change the task, so the caller puts its state back.

    Args:
        task: before its first step.
        budget_s: the time of the whole run; a small share of it is spent here.
        end: step at which the run ends at the latest.
        check: takes every step and its result; may raise.
    """
    limit_s = min(_CALIBRATION_SHARE * budget_s, _CALIBRATION_LIMIT_S)
    steps, from_step = 0, 0
    start = since = time.monotonic()
    while steps < end and (steps < 2 or time.monotonic() - start < limit_s):
        check(steps, task.step(steps))
        steps += 1
        if steps == 1 and end > 1:  # the first step also compiles and fills caches
            from_step, since = 1, time.monotonic()
    duration_s = max(time.monotonic() - since, 1e-9)
    return (task.units_before(steps) - task.units_before(from_step)) / duration_s


def last_step_in_time(task: Task, units_per_s: float, left_s: float, end: int) -> int:
    """The step at which the time will be over, 1 to `end`, with a reserve."""
    units = units_per_s * max(left_s, 0.0) * _TARGET_SHARE
    low, high = 1, end
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if task.units_before(middle) <= units else (low, middle - 1)
    return low
