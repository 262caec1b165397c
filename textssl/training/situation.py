"""What the progress line shows: the speed of this session, the time that is left, the share of the device's peak."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textssl.training.notes import Notes
from textssl.training.progress import Situation
from textssl.training.task import Task


@dataclass(frozen=True)
class Insight:
    """What a task can tell about itself beside the promise of every task.

    Args:
        utilisation: the share of the device's highest speed at so many units per second, or None.
        diagnosis: what was not finite in the last step, as JSON values; the step is then captured.
    """

    utilisation: Callable[[float], float | None]
    diagnosis: Callable[[], dict[str, Any]]


class Speedometer:
    """The speed since the first step of a session.

    Args:
        insight: of the task, or None.
    """

    def __init__(self, insight: Insight | None) -> None:
        self._insight = insight
        self._from: tuple[float, int] | None = None

    def situation(self, task: Task, notes: Notes, *, end: int, loss_nats: float, left_s: float | None) -> Situation:
        """Where the run stands after a step.

        Args:
            task: whose steps they are.
            notes: what the loop adds up.
            end: the step at which the run ends.
            loss_nats: mean per term over the last steps.
            left_s: of the budget of time, or None.
        """
        now, done = time.monotonic(), task.units_before(notes.step)
        if self._from is None:
            self._from = (now, notes.step)
        since, first = self._from
        speed = (done - task.units_before(first)) / max(now - since, 1e-9)
        total = task.units_before(end)
        remaining = (total - done) / speed if speed > 0 else None
        if remaining is not None and left_s is not None:
            remaining = min(remaining, left_s)
        return Situation(
            fraction=done / max(total, 1),
            epoch=task.epoch(notes.step),
            num_epochs=task.epoch(task.num_steps),
            unit=task.unit,
            units_per_s=speed,
            loss_nats=loss_nats,
            learning_rate=task.learning_rate(notes.step - 1),
            remaining_s=remaining,
            utilisation=self._insight.utilisation(speed) if self._insight and speed > 0 else None,
        )
