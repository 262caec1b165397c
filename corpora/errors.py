"""The error of this package, and one kind of it: what is wrong with a corpus, where, and what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches


class CorpusError(ValueError):
    """Says what is wrong with a corpus.

    Args:
        message: What was given and what was expected.
        where: The file, with the line, row or byte where there is one.
        hint: What to do or to type next.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        first = f"{self.where}: {self.message}" if self.where else self.message
        return f"{first}\n{self.hint}" if self.hint else first


class NoImages(CorpusError):
    """Not one image can be read from a source."""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Returns names as one readable line, shortened past `limit`."""
    names = list(names)
    shown = ", ".join(names[:limit])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > limit else shown


def did_you_mean(given: str, candidates: Iterable[str]) -> str:
    """Returns "did you mean ...?" with the candidates that are spelt nearly like `given`, or ""."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    near = get_close_matches(given.lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(by_lower[name] for name in near)}?" if near else ""
