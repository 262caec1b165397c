"""The processes that train one model together, seen from the loop: who writes, and how they agree; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Ranks(Protocol):
    """One process among `count` that all make the same calls in the same order."""

    @property
    def rank(self) -> int:
        """The number of this process, 0 to count - 1."""
        ...

    @property
    def count(self) -> int:
        """How many processes there are."""
        ...

    @property
    def leads(self) -> bool:
        """Whether this process writes the run folder and speaks: that is number 0."""
        ...

    def largest(self, values: Sequence[int]) -> list[int]:
        """The largest of each value over all processes."""
        ...

    def from_lead(self, value: int) -> int:
        """The value of the process that leads, 0 or more."""
        ...


class OneRank:
    """A process that trains alone."""

    rank = 0
    count = 1
    leads = True

    def largest(self, values: Sequence[int]) -> list[int]:
        """The values themselves."""
        return list(values)

    def from_lead(self, value: int) -> int:
        """The value itself."""
        return value
