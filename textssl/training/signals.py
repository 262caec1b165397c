"""Ctrl-C and SIGTERM while training: the first asks for a stop after the step, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Notes the first signal while it is entered; the handlers from before come back at the end.

    Outside the main thread Python delivers no signals, so nothing is installed there.

    Args:
        before_exit: called before a second signal ends the process.
    """

    def __init__(self, before_exit: Callable[[], None]) -> None:
        self.number: int | None = None
        self._before_exit = before_exit
        self._previous: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for kind in CAUGHT:
                self._previous[kind] = signal.signal(kind, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for caught, previous in self._previous.items():
            signal.signal(caught, previous if previous is not None else signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            return
        self._before_exit()
        os._exit(128 + number)
