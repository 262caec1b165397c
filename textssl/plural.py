"""Numbers with what they count, and lists of names, in English."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMES_SHOWN = 10


def counted(number: int, what: str) -> str:
    """One thing in the singular, none or many in the plural.

    >>> counted(1, "thread"), counted(2_000, "step")
    ('1 thread', '2,000 steps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def first_names(names: Sequence[str]) -> str:
    """The first ten names.

    >>> first_names(["sports", "world"])
    'sports, world'
    """
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (", ..." if len(names) > MAX_NAMES_SHOWN else "")
