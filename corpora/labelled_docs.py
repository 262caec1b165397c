"""Labelled text that is present wherever Python is: docstrings of the standard library, by the package they stand in.

The words of a docstring in lower case are the text, the package is the label. A text that holds the name of its own
package is left out, for it would tell the label; so is one that stands in two packages. Which texts train and which
test follows from the hash of each text, so that it is the same everywhere.
"""

import hashlib
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from corpora.errors import CorpusError
from corpora.python_docs import docstrings, source_files, words_of

PACKAGES = ("asyncio", "email", "importlib", "logging", "unittest", "xml")
"""Packages of every installation of Python 3.11 to 3.13 with enough docstrings (tkinter is often a package apart)."""
MIN_WORDS = 5
NUM_TRAIN, MAX_TEST = 30, 100
"""Texts of each package to learn from, and to test with at most."""


class LabelledText(NamedTuple):
    """A text and its label."""

    text: str
    label: str


class LabelledSets(NamedTuple):
    """Texts to learn from and texts to test with; no text stands in both."""

    train: tuple[LabelledText, ...]
    test: tuple[LabelledText, ...]


@cache
def labelled_docs() -> LabelledSets:
    """Returns docstrings of the running Python with their packages, NUM_TRAIN of each package to learn from.

    Raises:
        CorpusError: This Python comes without the sources of a package, or with too few docstrings (python -OO).
    """
    return labelled_below(Path(sysconfig.get_paths()["stdlib"]))


def labelled_below(folder: Path) -> LabelledSets:
    """Returns the same of the packages below a folder.

    Args:
        folder: Where the packages lie.

    Raises:
        CorpusError: A package has too few docstrings.
    """
    by_package = {package: dict.fromkeys(texts_of(folder / package)) for package in PACKAGES}
    train: list[LabelledText] = []
    test: list[LabelledText] = []
    for package, texts in by_package.items():
        others = {text for other, found in by_package.items() if other != package for text in found}
        kept = sorted((text for text in texts if text not in others and package not in text), key=place)
        if len(kept) <= NUM_TRAIN:
            raise CorpusError(
                f"the package {package} has {len(kept)} docstrings to use, more than {NUM_TRAIN} are needed",
                where=str(folder),
                hint="use a Python that is installed with the sources of its standard library",
            )
        train += [LabelledText(text, package) for text in kept[:NUM_TRAIN]]
        test += [LabelledText(text, package) for text in kept[NUM_TRAIN : NUM_TRAIN + MAX_TEST]]
    return LabelledSets(*(tuple(sorted(each, key=lambda row: place(row.text))) for each in (train, test)))


def texts_of(package: Path) -> Iterator[str]:
    """Yields the docstrings of a package in lower-case words, very short ones left out."""
    for path in source_files(package) if package.is_dir() else ():
        for docstring in docstrings(path):
            words = words_of(docstring)
            if len(words) >= MIN_WORDS:
                yield " ".join(words)


def place(text: str) -> bytes:
    """Returns what texts are ordered by: a hash, which has nothing to do with what they say."""
    return hashlib.sha256(text.encode()).digest()
