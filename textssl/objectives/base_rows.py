"""Which rows make which batch: an order of each epoch that depends on the seed alone, and the counters of steps."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.randomness import Purpose, permutation, stream_key


@dataclass(frozen=True)
class RowOrder:
    """Rows in random order, every one once an epoch; the last batch of an epoch may be smaller.

    Args:
        num_rows: rows of an epoch, at least 1.
        batch_rows: rows of a batch, at least 1.
        num_epochs: at least 1.
        seed: of the order.
        length: positions of a row, which are counted as its units.
    """

    num_rows: int
    batch_rows: int
    num_epochs: int
    seed: int
    length: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return -(-self.num_rows // self.batch_rows)

    @property
    def num_steps(self) -> int:
        """Batches of all epochs."""
        return self.num_epochs * self.steps_per_epoch

    def units_before(self, step: int) -> int:
        """Positions of the rows of all steps before this one."""
        return self._rows_before(step) * self.length

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        return self._rows_before(step) / self.num_rows

    def rows(self, step: int, part: int, num_parts: int) -> tuple[int, NDArray[np.int64]]:
        """The epoch of a step, and the rows of one of its `num_parts` contiguous slices, int64 (B,)."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        start = batch * self.batch_rows
        size = min(self.batch_rows, self.num_rows - start)
        order = _order(stream_key(self.seed, Purpose.ORDER, epoch), self.num_rows)
        return epoch, order[start + size * part // num_parts : start + size * (part + 1) // num_parts]

    def _rows_before(self, step: int) -> int:
        epoch, batch = divmod(step, self.steps_per_epoch)
        return epoch * self.num_rows + min(batch * self.batch_rows, self.num_rows)


def spread_rows(num_rows: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the rows 0 to num_rows - 1, evenly spread, int64."""
    count = min(num_rows, most)
    return np.arange(count, dtype=np.int64) * num_rows // max(count, 1)


@functools.lru_cache(maxsize=2)
def _order(key: int, num_rows: int) -> NDArray[np.int64]:
    order = permutation(key, num_rows)
    order.flags.writeable = False
    return order
