"""A card for every built-in corpus, of text or of images: what it is, under which terms, and how large."""

from dataclasses import dataclass
from typing import Literal

from corpora.corpus import Corpus
from corpora.errors import CorpusError, did_you_mean, listed

Content = Literal["text", "images"]
DIGITS_LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"
DIGITS_SOURCE = "scikit-learn's load_digits, gray values 0 to 16 scaled to 0 to 255"

@dataclass(frozen=True)
class Card:
    """What there is to know about a built-in corpus before opening it.

    Args:
        name: What `corpora.load` takes, or `corpora.load_images`.
        kind: "generated" by a program, or "installed" with Python or a library that is always there.
        licence: Terms of use.
        source: Where the content comes from.
        size: Bytes of text or of pixels; about, where it depends on the installation.
        sha256: Of the blocks of text, or the fingerprint of images; None where it depends on the installation.
        description: One or two sentences.
        content: "text" or "images".
    """

    name: str
    kind: Literal["generated", "installed"]
    licence: str
    source: str
    size: int
    sha256: str | None
    description: str
    content: Content = "text"


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
        Card(
            name="digits",
            kind="installed",
            licence=DIGITS_LICENCE,
            source=DIGITS_SOURCE,
            size=115_008,
            sha256="ae85147d9f41841b7cca59c411a8eb670187ec99c0a7cd0c5eb764dcfe23884c",
            description="1,797 real handwritten digits, gray, 8 x 8 pixels, 10 labels.",
            content="images",
        ),
        Card(
            name="digits-train",
            kind="installed",
            licence=DIGITS_LICENCE,
            source=DIGITS_SOURCE,
            size=83_008,
            sha256="2d604226399fee3488b7e451e8f45e753ec4e1745e48f89cb29a79ccf080b46e",
            description="The first 1,297 of digits, to learn from.",
            content="images",
        ),
        Card(
            name="digits-test",
            kind="installed",
            licence=DIGITS_LICENCE,
            source=DIGITS_SOURCE,
            size=32_000,
            sha256="fbd384184ea10b78cfe178f57e429b2b08007a9155f602ed9ec2a523b3b43009",
            description="The last 500 of digits, to test with.",
            content="images",
        ),
    )
}


def names(content: Content | None = None) -> list[str]:
    """Returns the names of the built-in corpora, those of text first.

    Args:
        content: "text" or "images" for the names of these only.
    """
    return [name for name, card in CARDS.items() if content in (None, card.content)]


def card(name: str) -> Card:
    """Returns the card of a built-in corpus.

    Raises:
        CorpusError: There is no built-in corpus of this name.
    """
    if name not in CARDS:
        hint = did_you_mean(name, CARDS) or f"built-in corpora: {listed(CARDS)}"
        raise CorpusError(f"no built-in corpus is named {name!r}", hint=hint)
    return CARDS[name]


def refuse_content(card: Card, expected: Content) -> None:
    """Raises CorpusError when a built-in corpus holds images where text is expected, or text where images are."""
    if card.content == expected:
        return
    if expected == "text":
        hint = f"methods for images learn from it: textssl train simclr {card.name} --out RUN"
        python = f"corpora.load_images({card.name!r})"
    else:
        hint = f"methods for text learn from it: textssl train skipgram {card.name} --out RUN"
        python = f"corpora.load({card.name!r})"
    raise CorpusError(
        f"the built-in corpus {card.name!r} holds {card.content}, {expected} "
        f"{'is' if expected == 'text' else 'are'} expected",
        hint=f"{hint}; in Python: {python}\nbuilt-in corpora of {expected}: {listed(names(expected))}",
    )


def open_built_in(name: str, *, limit: int | None = None) -> Corpus:
    """Opens a built-in corpus of text."""
    from corpora import generate, python_docs

    refuse_content(card(name), "text")
    openers = {"facts": generate.facts, "python": python_docs.python_docs, "demo": generate.demo}
    return openers[card(name).name](limit=limit)
