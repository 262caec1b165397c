"""A corpus generated from tables of facts, and the analogy questions that it answers.

Words that share a row of a table (france, paris, french) share the company of the row; words that share a column share
the frames of the templates. Skip-gram and CBOW find both, so that paris - france + italy ends at rome. The sentences
are made from templates; the same seed and size always give the same text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TypeVar

from corpora.corpus import DocumentCorpus
from corpora.errors import CorpusError
from corpora.tables import Row, grammar, places, rows, templates

T = TypeVar("T")
NUM_SENTENCES = 80_000
FILLER_SHARE = 0.15
MAX_SENTENCES = 4  # in one document
ARTICLE = re.compile(r"\ban? ")
VOWEL = re.compile(r"[aeio]|un(?!i)|uzb")  # "an unaware uzbek", but "a ukrainian uniform"
PARTNERS = 40  # with how many other rows a row is asked


@dataclass(frozen=True)
class Table:
    """A table of facts with its templates.

    Args:
        rows: The facts.
        columns: Names of the facts in a row, as the templates use them.
        templates: Sentences with names in braces.
    """

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    templates: tuple[str, ...]


def table(text: str, columns: str, sentences: tuple[str, ...]) -> Table:
    """Returns a table from its text and the names of its columns."""
    return Table(tuple(rows(text)), tuple(columns.split()), sentences)


@cache
def tables() -> dict[str, Table]:
    """Returns the tables of facts by name."""
    return {
        "places": table(places.COUNTRIES, "country capital adjective currency region", templates.PLACES),
        "cities": table(places.CITIES, "city state", templates.CITIES),
        "comparisons": table(grammar.COMPARISONS, "base comparative superlative", templates.COMPARISONS),
        "adverbs": table(grammar.ADVERBS, "base adverb", templates.ADVERBS),
        "opposites": table(grammar.OPPOSITES, "positive negative", templates.OPPOSITES),
        "verbs": table(grammar.VERBS, "base participle past third", templates.VERBS),
        "nouns": table(grammar.NOUNS, "singular plural", templates.NOUNS),
        "family": table(grammar.FAMILY, "male female", templates.FAMILY),
    }


# Section of the questions: table, first column, second column.
SECTIONS: dict[str, tuple[str, str, str]] = {
    "capital-common-countries": ("places", "capital", "country"),
    "capital-world": ("places", "capital", "country"),
    "currency": ("places", "country", "currency"),
    "city-in-state": ("cities", "city", "state"),
    "family": ("family", "male", "female"),
    "gram1-adjective-to-adverb": ("adverbs", "base", "adverb"),
    "gram2-opposite": ("opposites", "positive", "negative"),
    "gram3-comparative": ("comparisons", "base", "comparative"),
    "gram4-superlative": ("comparisons", "base", "superlative"),
    "gram5-present-participle": ("verbs", "base", "participle"),
    "gram6-nationality-adjective": ("places", "country", "adjective"),
    "gram7-past-tense": ("verbs", "participle", "past"),
    "gram8-plural": ("nouns", "singular", "plural"),
    "gram9-plural-verbs": ("verbs", "base", "third"),
}


def facts(*, seed: int = 1, size: int = NUM_SENTENCES, limit: int | None = None) -> DocumentCorpus:
    """Returns a corpus of sentences made from tables of facts, with the questions that it answers.

    Args:
        seed: Another seed gives other sentences about the same facts.
        size: Number of sentences, at least 1.
        limit: Read this many documents at most.
    """
    if size < 1:
        raise CorpusError(f"size must be at least 1 sentence, got {size}", hint=f"the default is {NUM_SENTENCES:,}")
    return DocumentCorpus("facts", lambda: documents(seed, size), limit=limit, questions=questions())


def demo(*, limit: int | None = None) -> DocumentCorpus:
    """Returns the facts followed by the docstrings of Python in lower-case words, for the demonstration."""
    from corpora.python_docs import standard_library, words_of

    def both() -> Iterator[str]:
        yield from documents(1, NUM_SENTENCES)
        yield from (" ".join(words_of(paragraph)) for paragraph in standard_library())

    return DocumentCorpus("demo", both, limit=limit, questions=questions())


def facts_countries_capitals() -> list[tuple[str, str]]:
    """Returns the well-known countries with their capitals, for the figure of Mikolov et al. (2013)."""
    return [(row.facts[0], row.facts[1]) for row in tables()["places"].rows if row.facts[1] in places.COMMON]


def questions() -> str:
    """Returns the analogy questions in the layout of Google's questions-words.txt."""
    lines: list[str] = []
    for section, (name, first, second) in SECTIONS.items():
        lines.append(f": {section}")
        pairs = pairs_of(tables()[name], first, second)
        if section == "capital-common-countries":
            pairs = [pair for pair in pairs if pair[0] in places.COMMON]
        for i, (a, b) in enumerate(pairs):
            partners = [pairs[(i + step) % len(pairs)] for step in range(1, min(PARTNERS + 1, len(pairs)))]
            lines.extend(f"{a} {b} {c} {d}" for c, d in partners if len({a, b, c, d}) == 4)
    return "\n".join(lines) + "\n"


def pairs_of(facts: Table, first: str, second: str) -> list[tuple[str, str]]:
    """Returns two columns of a table as pairs."""
    i, j = facts.columns.index(first), facts.columns.index(second)
    return [(row.facts[i], row.facts[j]) for row in facts.rows]


def documents(seed: int, size: int) -> Iterator[str]:
    """Yields documents of one to MAX_SENTENCES sentences, `size` sentences in all."""
    draw = Draw(seed)
    # Rows with many facts need more sentences; the others are not to become rare beside them.
    deck = [facts for facts in tables().values() for _ in range(len(facts.rows) * (2 + len(facts.columns)))]
    while size:
        number = min(size, 1 + draw.index(MAX_SENTENCES))
        yield " ".join(sentence(draw, deck) for _ in range(number))
        size -= number


class Draw:
    """Draws from sequences by a seed; the draws are the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        # Of random.Random only random() is promised to stay as it is; choice and shuffle have changed.
        self._random = Random(seed).random

    def index(self, size: int) -> int:
        """Returns a number from 0 to size - 1."""
        return int(self._random() * size)

    def of(self, items: Sequence[T]) -> T:
        """Returns one of the items."""
        return items[self.index(len(items))]

    def share(self) -> float:
        """Returns a number from 0 to 1."""
        return self._random()


class Blanks(dict[str, str]):
    """What the names in a template stand for; words of a pool are drawn when they are asked for."""

    def __init__(self, draw: Draw, facts: dict[str, str]) -> None:
        super().__init__(facts)
        self._draw = draw

    def __missing__(self, name: str) -> str:
        return self._draw.of(templates.POOLS[name.rstrip("2")])


def sentence(draw: Draw, deck: Sequence[Table]) -> str:
    """Returns one sentence: about a row of a table, or one that carries no fact."""
    if draw.share() < FILLER_SHARE:
        return draw.of(templates.FILLERS).format_map(Blanks(draw, {}))
    chosen = draw.of(deck)
    row = draw.of(chosen.rows)
    blanks = Blanks(draw, dict(zip(chosen.columns, row.facts, strict=True)))
    first = draw.index(len(row.company))
    blanks["company"] = row.company[first]
    blanks["company2"] = row.company[(first + 1 + draw.index(len(row.company) - 1)) % len(row.company)]
    other = draw.of(chosen.rows)
    blanks.update({f"other_{column}": fact for column, fact in zip(chosen.columns, other.facts, strict=True)})
    return with_articles(draw.of(chosen.templates).format_map(blanks))


def with_articles(text: str) -> str:
    """Returns the text with "a" or "an" as the next word's sound asks for."""
    return ARTICLE.sub(lambda found: "an " if VOWEL.match(text, found.end()) else "a ", text)
