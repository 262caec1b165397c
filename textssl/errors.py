"""The errors that people see: what happened, where, and what to type next; each kind with its own exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class TextsslError(Exception):
    """An error that is shown as one message, without a traceback.

    Args:
        message: what was given and what was expected, in one sentence.
        where: the file, line, row or key that it is about.
        hint: what to do or to type next.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n{self.hint}" if self.hint else ""
        return f"{place}{self.message}{advice}"


class UsageError(TextsslError, ValueError):
    """An option, a name or a configuration that cannot be used as it was given."""

    exit_code = 2


class DataError(TextsslError, ValueError):
    """A file or a corpus whose content is not what it should be."""

    exit_code = 3


class ResourceError(TextsslError):
    """Disk, memory, permission or a lock that the work needs and does not get."""

    exit_code = 4


class DivergedError(TextsslError):
    """Training whose loss is no longer a finite number."""

    exit_code = 5


class Interrupted(TextsslError):
    """Training that a signal ended after its checkpoint was saved.

    Args:
        signal_number: the signal, for instance 2 for Ctrl-C; the exit code is 128 more.
        where: the run folder.
        hint: how to go on.
    """

    def __init__(self, signal_number: int, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(f"stopped by signal {signal_number}, a checkpoint is saved", where=where, hint=hint)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


def nearest(given: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """The candidates that are spelt most like `given`, best first, capitals ignored."""
    by_folded: dict[str, str] = {}
    for candidate in candidates:
        by_folded.setdefault(candidate.casefold(), candidate)
    close = difflib.get_close_matches(given.casefold(), by_folded, n=limit, cutoff=0.6)
    return [by_folded[folded] for folded in close]


def did_you_mean(given: str, candidates: Iterable[str], *, shown: Mapping[str, str] | None = None) -> str:
    """The question "Did you mean 'window'?", or nothing when no candidate is near.

    Args:
        given: what was typed.
        candidates: what it could have been.
        shown: how the candidates are written in the question, where they are compared in another form.
    """
    close = [repr(shown[name] if shown else name) for name in nearest(given, candidates)]
    if not close:
        return ""
    *others, last = close
    return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"
