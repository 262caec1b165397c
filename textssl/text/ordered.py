"""Work for several threads whose results come back in the order of the input, with few of them waiting at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, executor: ThreadPoolExecutor
) -> Iterator[Result]:
    """Apply a function to items on several threads; bounded memory, results in input order.

    Args:
        function: called on the executor's threads, so it should give up the GIL.
        items: read on the calling thread.
        threads: how many items are in work at a time; one more waits, so that no thread stands idle.
        executor: has at least so many threads.

    Returns:
        The results; the first exception of the function is raised in its place.
    """
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
