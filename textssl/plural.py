"""A number with what it counts, in English."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """One thing in the singular, none or many in the plural.

    >>> counted(1, "thread"), counted(2_000, "step")
    ('1 thread', '2,000 steps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
