"""A task of the trainer for fused kernels: blocks of the data in a fixed order, taken by several threads.

A step is a group of blocks. Which blocks, in which order and at which learning rate depends on the data and the seed
alone, so one thread gives the same numbers on every run; several threads change the same tables at the same time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.randomness import Purpose, permutation, stream_key
from textssl.training.task import StepResult

FINAL_FRACTION = 1e-4
"""The learning rate ends at this part of its start, as in word2vec.c."""
BLOCK_UNITS = (500, 10_000)
"""Fewest and most units of a block: what depends on its neighbours, such as windows, is cut at its ends."""
BLOCKS = 64
"""An epoch has so many blocks, if that makes them neither too small nor too large."""
STEP_WORK = 3e10
"""Arithmetic operations of a step, about: some tenths of a second, after which threads wait for the last of them."""
STEP_UNITS = (20_000, 1_000_000)


class BlockEngine(Protocol):
    """What a fused kernel offers."""

    @property
    def num_units(self) -> int:
        """Units of one epoch."""
        ...

    @property
    def work_per_unit(self) -> float:
        """Arithmetic operations for one unit, about."""
        ...

    @property
    def num_threads(self) -> int:
        """How many threads may train at once."""
        ...

    def train_block(self, start: int, stop: int, *, epoch: int, learning_rate: float, thread: int) -> tuple[float, int]:
        """Train on units start to stop - 1; returns the summed loss in nats and the number of its terms.

        Where start and stop are equal nothing is trained, and the kernel is compiled if it is not yet.
        """
        ...

    def tables(self) -> Mapping[str, NDArray[np.float32]]:
        """What training changes, as views."""
        ...


class KernelTask:
    """The `Task` of a `BlockEngine`.

    Args:
        engine: trains blocks.
        unit: what is counted, in the plural.
        num_epochs: at least 1.
        learning_rate: at the first block; it falls linearly with the units scheduled.
        seed: of the order of blocks.
    """

    def __init__(self, engine: BlockEngine, *, unit: str, num_epochs: int, learning_rate: float, seed: int) -> None:
        self._engine, self.unit, self._num_epochs = engine, unit, num_epochs
        self._first_learning_rate, self._seed = learning_rate, seed
        self._block_units = min(max(math.ceil(engine.num_units / BLOCKS), BLOCK_UNITS[0]), BLOCK_UNITS[1])
        self._num_blocks = math.ceil(engine.num_units / self._block_units)
        step_units = min(max(STEP_WORK / engine.work_per_unit, STEP_UNITS[0]), STEP_UNITS[1])
        self._step_blocks = max(1, round(step_units / self._block_units))
        self._steps_per_epoch = math.ceil(self._num_blocks / self._step_blocks)
        # two epochs: the one that is trained, and that in which the run or the decay ends
        self._blocks = lru_cache(maxsize=2)(self._ordered_blocks)
        self.set_decay_steps(self.num_steps)
        self._pool = ThreadPoolExecutor(engine.num_threads) if engine.num_threads > 1 else None

    @property
    def num_steps(self) -> int:
        """All steps of all epochs."""
        return self._num_epochs * self._steps_per_epoch

    @property
    def decay_steps(self) -> int:
        """The step at which the learning rate reaches its end."""
        return self._decay_steps

    def set_decay_steps(self, steps: int) -> None:
        """Fix the step at which the learning rate reaches its end, at least 1."""
        self._decay_steps, self._decay_units = steps, self.units_before(steps)

    def units_before(self, index: int) -> int:
        """Units scheduled before step `index`."""
        epoch, step = divmod(index, self._steps_per_epoch)
        if step == 0:
            return epoch * self._engine.num_units
        return epoch * self._engine.num_units + int(self._blocks(epoch)[1][step * self._step_blocks])

    def epoch(self, index: int) -> float:
        """Epochs that are over before step `index`, with fraction."""
        return self.units_before(index) / self._engine.num_units

    def learning_rate(self, index: int) -> float:
        """The learning rate of the first block of step `index`."""
        return self._rate(self.units_before(index))

    def warm_up(self) -> None:
        """Have the kernel compiled, so that the first step takes no longer than the others."""
        self._engine.train_block(0, 0, epoch=0, learning_rate=self._first_learning_rate, thread=0)

    def step(self, index: int) -> StepResult:
        """Train the blocks of step `index`; returns when all threads are done."""
        epoch, step = divmod(index, self._steps_per_epoch)
        order, before = self._blocks(epoch)
        first = step * self._step_blocks
        places = range(first, min(first + self._step_blocks, self._num_blocks))

        def train(place: int, thread: int) -> tuple[float, int]:
            start = int(order[place]) * self._block_units
            stop = min(start + self._block_units, self._engine.num_units)
            rate = self._rate(epoch * self._engine.num_units + int(before[place]))
            return self._engine.train_block(start, stop, epoch=epoch, learning_rate=rate, thread=thread)

        results = self._shared_out(train, places)
        total, count = sum(loss for loss, _ in results), sum(terms for _, terms in results)
        units = int(before[places.stop] - before[places.start])
        return StepResult(total, count, units, applied=math.isfinite(total))

    def state(self) -> Mapping[str, NDArray[np.generic[Any]]]:
        """The tables; the arrays that are trained, not copies."""
        return dict(self._engine.tables())

    def load_state(self, arrays: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Copy a state that `state` gave into the tables.

        Raises:
            DataError: a table is missing or has another shape.
        """
        for name, table in self._engine.tables().items():
            if name not in arrays or arrays[name].shape != table.shape:
                found = arrays[name].shape if name in arrays else "nothing"
                raise DataError(f"the checkpoint's table {name} must have shape {table.shape}, found {found}")
            table[:] = arrays[name]

    def _rate(self, units: int) -> float:
        return self._first_learning_rate * max(1 - units / self._decay_units, FINAL_FRACTION)

    def _ordered_blocks(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The blocks of an epoch in their order, and the units scheduled before each of them and after the last."""
        order = permutation(stream_key(self._seed, Purpose.ORDER, epoch), self._num_blocks)
        sizes = np.full(self._num_blocks, self._block_units)
        sizes[order == self._num_blocks - 1] = self._engine.num_units - (self._num_blocks - 1) * self._block_units
        return order, np.concatenate([[0], np.cumsum(sizes)])

    def _shared_out(self, train: Callable[[int, int], tuple[float, int]], places: range) -> list[tuple[float, int]]:
        """train(place, thread) for every place: each thread takes the next one that is left."""
        if self._pool is None:
            return [train(place, 0) for place in places]
        remaining = iter(places)

        def work(thread: int) -> list[tuple[float, int]]:
            return [train(place, thread) for place in remaining]

        jobs = [self._pool.submit(work, thread) for thread in range(self._engine.num_threads)]
        return list(itertools.chain.from_iterable(job.result() for job in jobs))
