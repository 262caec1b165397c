"""The promise between a method and the trainer: a task is a numbered list of complete updates.

A step is a function of its number and the task's state alone, so a run that stops and goes on is the run that did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one update did.

    Args:
        total: summed loss in nats.
        count: number of loss terms in it.
        units: raw units consumed, for instance words.
        applied: whether the update was made; a task refuses an update that is not finite.
        gradient_norm: of the update before it was clipped; None where nobody knows it.
    """

    total: float
    count: float
    units: int
    applied: bool = True
    gradient_norm: float | None = None


class Task(Protocol):
    """One complete update per step, in an order that depends on the step number alone."""

    @property
    def unit(self) -> str:
        """What is counted, in the plural: "words"."""
        ...

    @property
    def num_steps(self) -> int:
        """All steps of all epochs."""
        ...

    @property
    def decay_steps(self) -> int:
        """The step at which the learning rate reaches its end; `num_steps` until it is set."""
        ...

    def set_decay_steps(self, steps: int) -> None:
        """Fix the step at which the learning rate reaches its end; called once at most, before the first step."""
        ...

    def step(self, index: int) -> StepResult:
        """Make update number `index`, 0 to num_steps - 1."""
        ...

    def units_before(self, index: int) -> int:
        """Units scheduled before step `index`; `units_before(num_steps)` is all of them."""
        ...

    def learning_rate(self, index: int) -> float:
        """The learning rate of step `index`."""
        ...

    def epoch(self, index: int) -> float:
        """Epochs that are over before step `index`, with fraction; `epoch(num_steps)` is the number of epochs."""
        ...

    def state(self) -> Mapping[str, NDArray[np.generic[Any]]]:
        """All that steps change, as arrays; the trainer reads them between two steps."""
        ...

    def load_state(self, arrays: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Copy a state that `state` gave back into the task."""
        ...
