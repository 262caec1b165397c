"""Progress on the error stream: one live line in a terminal, plain lines at growing distances elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from textssl.training.lines import loss_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

_LIVE_DISTANCE_S = 0.1
_FIRST_DISTANCE_S = 1.0
_LAST_DISTANCE_S = 60.0
_GROWTH = 0.1  # a plain line whenever the time has grown by a tenth


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a training run stands.

    Args:
        fraction: done of all that is to do, 0 to 1.
        epoch: epochs that are over, with fraction.
        num_epochs: epochs in all.
        unit: what is counted, "words".
        units_per_s: speed of this session.
        loss_nats: mean per term over the last steps.
        learning_rate: of the last step.
        remaining_s: expected time to the end, or None as long as nobody knows.
        utilisation: share of the device's highest speed that the model reaches, or None where nobody knows.
    """

    fraction: float
    epoch: float
    num_epochs: float
    unit: str
    units_per_s: float
    loss_nats: float
    learning_rate: float
    remaining_s: float | None
    utilisation: float | None = None


class Progress(Protocol):
    """Shows where a run stands."""

    def start(self, title: str) -> None:
        """Say what begins, at once."""
        ...

    def update(self, situation: Situation) -> None:
        """Take the newest situation; called after every step, shows it when it is time to."""
        ...

    def message(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def close(self) -> None:
        """Show the last situation and leave the screen in order."""
        ...


def make_progress(stream: TextIO | None = None) -> Progress:
    """The live line where the stream is a terminal that can show it, else plain lines."""
    stream = stream or sys.stderr
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveProgress(stream)
    return PlainProgress(stream)


class SilentProgress:
    """Shows warnings only.

    Args:
        stream: where warnings go; the error stream by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def start(self, title: str) -> None:
        """Show nothing."""

    def update(self, situation: Situation) -> None:
        """Show nothing."""

    def message(self, text: str) -> None:
        """Write warnings to the stream."""
        if text.startswith("WARNING"):
            (self._stream or sys.stderr).write(text + "\n")

    def close(self) -> None:
        """Do nothing."""


class PlainProgress:
    """Lines for a log: after a second, and then whenever the time has grown by a tenth, at most a minute apart.

    Args:
        stream: where the lines go.
        clock: seconds from any start.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._due = self._start + _FIRST_DISTANCE_S
        self._waiting: Situation | None = None

    def start(self, title: str) -> None:
        """Write the title."""
        self._start = self._clock()
        self._due = self._start + _FIRST_DISTANCE_S
        self.message(title)

    def update(self, situation: Situation) -> None:
        """Write a line when it is due."""
        self._waiting = situation
        now = self._clock()
        if now >= self._due:
            self._write()
            self._due = now + min(max(_FIRST_DISTANCE_S, _GROWTH * (now - self._start)), _LAST_DISTANCE_S)

    def message(self, text: str) -> None:
        """Write a line."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Write the last situation if nobody has seen it."""
        self._write()

    def _write(self) -> None:
        if self._waiting is not None:
            self.message(line_of(self._waiting))
            self._waiting = None


class LiveProgress:
    """One line that changes in place, ten times a second at most.

    Args:
        stream: the terminal.
        clock: seconds from any start.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._due = 0.0
        self._waiting: Situation | None = None
        self._console: Console | None = None
        self._live: Live | None = None

    def start(self, title: str) -> None:
        """Print the title and begin the live line below it."""
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
        self._console.print(title)
        self._live = Live("", console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def update(self, situation: Situation) -> None:
        """Change the line when it is due."""
        self._waiting = situation
        now = self._clock()
        if now >= self._due:
            self._due = now + _LIVE_DISTANCE_S
            self._show()

    def message(self, text: str) -> None:
        """Print a line above the live one."""
        if self._console is None:
            self._stream.write(text + "\n")
        else:
            self._console.print(text)

    def close(self) -> None:
        """Leave the last line and show the cursor again."""
        if self._live is not None:
            self._show()
            self._live.stop()
            self._live = None

    def _show(self) -> None:
        from rich.text import Text

        if self._live is not None and self._waiting is not None:
            self._live.update(Text(line_of(self._waiting), no_wrap=True, overflow="ellipsis"), refresh=True)


def line_of(situation: Situation) -> str:
    """One line: share done, epoch, speed once it is known, loss, learning rate and time to the end."""
    parts = [
        f"{100 * situation.fraction:5.1f} %",
        f"epoch {situation.epoch:.2f}/{situation.num_epochs:g}",
        *([f"{number_text(situation.units_per_s)} {situation.unit}/s"] if situation.units_per_s else []),
        f"loss {loss_text(situation.loss_nats)}",
        f"learning rate {situation.learning_rate:.3g}",
        *([f"{100 * situation.utilisation:.0f} % of peak"] if situation.utilisation is not None else []),
    ]
    if situation.remaining_s is not None:
        parts.append(f"ETA {duration_text(situation.remaining_s)}")
    return "  ".join(parts)


def number_text(number: float) -> str:
    """A number in three digits: 951, 12.3 k, 4.21 M."""
    for suffix in ("", " k", " M"):
        if abs(number) < 999.5:
            return f"{number:.3g}{suffix}"
        number /= 1000
    return f"{number:,.3g} G"


def duration_text(seconds: float) -> str:
    """Minutes and seconds, or hours, minutes and seconds: 2:05, 1:02:05."""
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds_left:02d}" if hours else f"{minutes}:{seconds_left:02d}"
