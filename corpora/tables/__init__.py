"""Tables of facts from which `generate` makes sentences: a row per line, "facts : words that go with them"."""

from typing import NamedTuple


class Row(NamedTuple):
    """One line of a table: the words that the questions ask for, and words that go with all of them."""

    facts: tuple[str, ...]
    company: tuple[str, ...]


def rows(table: str) -> list[Row]:
    """Returns the rows of a table; blank lines do not count."""
    found = []
    for line in table.splitlines():
        facts, _, company = line.partition(":")
        if facts.strip():
            found.append(Row(tuple(facts.split()), tuple(company.split())))
    return found


def words(text: str) -> tuple[str, ...]:
    """Returns the words of a text."""
    return tuple(text.split())
