"""Kernels are compiled at their first use on a machine: people are told, and none of that time counts as training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from numba.core import event


class _Once(event.Listener):  # type: ignore[misc]  # numba has no types
    """Says one line when the first function is compiled; one that lies in Numba's cache is loaded without an event."""

    def __init__(self, say: Callable[[], None]) -> None:
        self._say: Callable[[], None] | None = say

    def on_start(self, _event: Any) -> None:
        """A compilation begins."""
        say, self._say = self._say, None
        if say is not None:
            say()

    def on_end(self, _event: Any) -> None:
        """A compilation is over."""


@contextlib.contextmanager
def told_when_compiling(note: Callable[[str], None], purpose: str) -> Iterator[None]:
    """Say it, once, if a kernel is compiled meanwhile.

    Args:
        note: takes the line.
        purpose: what the kernels do, as in "train".
    """
    line = f"compiling the kernels that {purpose}: some seconds, the next runs find them compiled"
    with event.install_listener("numba:compile", _Once(lambda: note(line))):
        yield
