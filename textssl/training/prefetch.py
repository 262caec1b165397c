"""Batches made ahead of their use by threads; a batch is a function of its number, so threads change only the time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
AHEAD_PER_THREAD = 2


class Prefetch(Generic[ItemT]):
    """Calls make(number) for the numbers that will be asked for next.

    Args:
        make: a pure function of the number.
        end: numbers from here on are not made.
        threads: 0 to make each item when it is asked for.
    """

    def __init__(self, make: Callable[[int], ItemT], *, end: int, threads: int) -> None:
        self._make, self._end, self._threads = make, end, threads
        # Threads of a pool are no daemons: at its end the process waits for the few items that were to be made ahead.
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batches") if threads else None
        self._waiting: dict[int, Future[ItemT]] = {}

    def take(self, number: int) -> ItemT:
        """Item `number`; an error of its making is raised here."""
        if self._pool is None:
            return self._make(number)
        last = min(number + self._threads * AHEAD_PER_THREAD, self._end - 1)
        wanted = range(number, max(last, number) + 1)
        for other in [each for each in self._waiting if each not in wanted]:
            self._waiting.pop(other).cancel()
        for each in wanted:
            if each not in self._waiting:
                self._waiting[each] = self._pool.submit(self._make, each)
        return self._waiting.pop(number).result()

    def prepare(self, number: int) -> None:
        """Make item `number` now and keep it, if threads keep items; an error of its making is raised by `take`."""
        if self._pool is None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(self._make, number)
            return
        if number not in self._waiting:
            self._waiting[number] = self._pool.submit(self._make, number)
        wait([self._waiting[number]])

    def close(self) -> None:
        """Drop what was made ahead and end the threads."""
        self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
