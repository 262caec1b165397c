"""How long a run may take: in steps, in minutes, or to the end of its epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from textssl.config import Interval, option, parse_interval, validate
from textssl.errors import UsageError
from textssl.training.ranks import Ranks
from textssl.training.task import StepResult, Task

_CALIBRATION_SHARE = 0.05  # of the minutes
_CALIBRATION_LIMIT_S = 10.0
_TARGET_SHARE = 0.95  # of the time that is left after measuring: checkpoints and a slower machine need a reserve


@dataclass(frozen=True)
class TrainerConfig:
    """Budget and checkpoints of a run."""

    max_minutes: float | None = option(None, "Stop after this many minutes, restarts added up.", above=0)
    max_steps: int | None = option(None, "Stop after this many updates.", minimum=1)
    max_units: int | None = option(None, "Stop after so much of the data, in the unit of the progress line.", minimum=1)
    checkpoint_every: str = option("60s", "Time or steps between checkpoints: 30s, 5m, 2h or 100steps.")
    keep_checkpoints: int = option(2, "Checkpoints that are kept.", minimum=1)
    evaluate_every: str = option("epoch", "When to evaluate beside the end: epoch, 500steps, 30s, 5m or 2h.")
    patience: int | None = option(
        None, "Stop after so many evaluations in a row without a better one, and keep the best state.", minimum=1
    )

    def __post_init__(self) -> None:
        validate(self)
        parse_interval(self.checkpoint_every, name="checkpoint_every")
        interval = self.evaluation_interval
        if self.patience is not None and interval is not None and interval.seconds is not None:
            raise UsageError(
                f"with patience, evaluations come by epochs or steps, got evaluate_every {self.evaluate_every!r}: "
                "the clock would decide what is learnt",
                hint="Give --evaluate-every epoch, or for instance 500steps.",
            )

    def describe(self, unit: str) -> list[str]:
        """What ends a run before its epochs are over, as a line for people; nothing where nothing does.

        Args:
            unit: what is counted, in the plural.
        """
        budget = [
            (self.max_steps, "max-steps", "step", "steps"),
            (self.max_units, "max-units", unit, unit),
            (self.max_minutes, "max-minutes", "minute", "minutes"),
        ]
        limits = [
            f"{number:{',' if isinstance(number, int) else 'g'}} {one if number == 1 else many} (--{option})"
            for number, option, one, many in budget
            if number is not None
        ]
        return [f"it stops after {' or '.join(limits)}, if its epochs are not over before"] if limits else []

    @property
    def evaluation_interval(self) -> Interval | None:
        """The distance between evaluations, or None for the ends of epochs."""
        if self.evaluate_every == "epoch":
            return None
        return parse_interval(self.evaluate_every, name="evaluate_every")


def first_step_with(task: Task, units: int) -> int:
    """How many steps it takes to consume so many units, `num_steps` at most."""
    low, high = 1, task.num_steps
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if task.units_before(middle) >= units else (middle + 1, high)
    return low


def measure_speed(
    task: Task, budget_s: float, end: int, check: Callable[[int, StepResult], None], ranks: Ranks
) -> float:
    """Units per second over the first steps; they change the task, so the caller puts its state back.

    Args:
        task: before its first step.
        budget_s: the time of the whole run; a small share of it is spent here.
        end: step at which the run ends at the latest.
        check: takes every step and its result; may raise.
        ranks: the processes that make the steps together, by the clock of the one that leads.
    """
    limit_s = min(_CALIBRATION_SHARE * budget_s, _CALIBRATION_LIMIT_S)
    steps, from_step = 0, 0
    start = since = time.monotonic()
    while steps < end and (steps < 2 or ranks.from_lead(int(time.monotonic() - start < limit_s))):
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
