"""A loss as a sum and a count, so that parts of a batch add up exactly to the whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossSum:
    """Summed loss in nats and the number of terms in it."""

    total: float
    count: float

    @property
    def mean(self) -> float:
        """Loss per term in nats; not a number when there is no term."""
        return self.total / self.count if self.count else float("nan")

    def __add__(self, other: LossSum) -> LossSum:
        return LossSum(self.total + other.total, self.count + other.count)
