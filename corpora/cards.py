"""A card for every built-in corpus: what it is, under which terms, and how large."""

from dataclasses import dataclass
from typing import Literal

from corpora.corpus import Corpus
from corpora.errors import CorpusError, did_you_mean, listed


@dataclass(frozen=True)
class Card:
    """What there is to know about a built-in corpus before opening it.

    Args:
        name: What `corpora.load` takes.
        kind: "generated" by a program, or "installed" with Python.
        licence: Terms of use.
        source: Where the text comes from.
        size: Bytes of text; about, where it depends on the installation.
        sha256: Of the blocks; None where the text depends on the installation.
        description: One or two sentences.
    """

    name: str
    kind: Literal["generated", "installed"]
    licence: str
    source: str
    size: int
    sha256: str | None
    description: str


CARDS: dict[str, Card] = {
    made.name: made
    for made in (
        Card(
            name="facts",
            kind="generated",
            licence="that of this package",
            source="corpora/generate.py from corpora/tables",
            size=3_688_049,
            sha256="ddba4c0e8ea602053ae0ac00ba08098f1cba144d1b552aaff9dfcf299338f47b",
            description="Sentences made from tables of facts (capitals, currencies, word forms, family), with the "
            "analogy questions that they answer.",
        ),
        Card(
            name="python",
            kind="installed",
            licence="Python Software Foundation License",
            source="docstrings of the standard library of the Python that runs",
            size=1_600_000,
            sha256=None,
            description="Real English as it stands in the docstrings of Python's standard library, a paragraph per "
            "document.",
        ),
        Card(
            name="demo",
            kind="generated",
            licence="that of this package, and the Python Software Foundation License",
            source="facts, then python in lower-case words",
            size=5_200_000,
            sha256=None,
            description="Both of the others, for the demonstration: facts to ask for among real English.",
        ),
    )
}


def names() -> list[str]:
    """Returns the names of the built-in corpora."""
    return list(CARDS)


def card(name: str) -> Card:
    """Returns the card of a built-in corpus.

    Raises:
        CorpusError: There is no built-in corpus of this name.
    """
    if name not in CARDS:
        hint = did_you_mean(name, CARDS) or f"built-in corpora: {listed(CARDS)}"
        raise CorpusError(f"no built-in corpus is named {name!r}", hint=hint)
    return CARDS[name]


def open_built_in(name: str, *, limit: int | None = None) -> Corpus:
    """Opens a built-in corpus."""
    from corpora import generate, python_docs

    openers = {"facts": generate.facts, "python": python_docs.python_docs, "demo": generate.demo}
    return openers[card(name).name](limit=limit)
