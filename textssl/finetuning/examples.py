"""Labelled texts with the rows they come from: splits, limits, and what stands in two sets at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError

MAX_PLACES_SHOWN = 5
MIN_ROWS_FOR_HINTS = 20
LABEL_IN_TEXT_SHARE = 0.95
# White space and punctuation of ASCII, of the typographer and of CJK; accents and vowel signs are no separators.
_SEPARATORS = re.compile(r"[\s!-/:-@\[-`{-~\u00a1\u00ab\u00b7\u00bb\u00bf\u2000-\u206f\u3000-\u303f\uff01-\uff0f]+")


@dataclass(frozen=True)
class Examples:
    """N texts, their labels as the file has them, and where they stand in it.

    Args:
        source: the file, for messages.
        texts: N texts.
        pairs: N second texts, or None where there is one text.
        labels: N cells: text, numbers, lists of names; empty where the file has no labels.
        places: N numbers of lines or rows.
        place_name: what they count, "line" or "row".
        separator: between the names in a cell of several labels; None where a cell is one name or a list.
    """

    source: str
    texts: Sequence[str]
    pairs: Sequence[str] | None
    labels: Sequence[Any]
    places: Sequence[int]
    place_name: str = "line"
    separator: str | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """The examples with these numbers, in this order."""
        return replace(
            self,
            texts=[self.texts[row] for row in rows],
            pairs=None if self.pairs is None else [self.pairs[row] for row in rows],
            labels=[self.labels[row] for row in rows] if self.labels else [],
            places=[self.places[row] for row in rows],
        )


def places_text(examples: Examples, rows: Sequence[int]) -> str:
    """Rows as people find them: "lines 4, 7, 12 and 3 more"."""
    places = [f"{examples.places[row]:,}" for row in rows[:MAX_PLACES_SHOWN]]
    if len(rows) == 1:
        return f"{examples.place_name} {places[0]}"
    more = f" and {len(rows) - MAX_PLACES_SHOWN:,} more" if len(rows) > MAX_PLACES_SHOWN else ""
    return f"{examples.place_name}s {', '.join(places)}{more}"


def cut_off(
    examples: Examples, *, share: float, seed: int, classes: NDArray[np.int64] | None = None
) -> tuple[Examples, Examples]:
    """Keep a share of the different texts back, drawn by the seed; equal texts stay on one side.

    Classes are kept back in their proportions; each keeps a text to learn from. A text has the class of its first row.

    Args:
        examples: N of them.
        share: of the texts kept back, above 0 and below 1.
        seed: of the choice.
        classes: int64 (N,) of a single_label task, else None.

    Returns:
        The rest and what is kept back, both in their old order.

    Raises:
        DataError: too few examples for two sets.
    """
    first: dict[bytes, int] = {}
    group = np.array([first.setdefault(key, at) for at, key in enumerate(_keys(examples))], dtype=np.int64)
    if len(first) < 2:
        raise DataError(
            f"the {len(examples)} rows hold {len(first)} different text, two sets need at least 2",
            where=examples.source,
            hint="Give more rows, or a dev set of its own with --dev.",
        )
    texts = np.array(list(first.values()), dtype=np.int64)
    kinds = np.zeros(len(texts), dtype=np.int64) if classes is None else classes[texts]
    num_kinds = len(np.unique(kinds))
    size = max(num_kinds, len(texts) - max(1, round(share * len(texts))))
    if size == len(texts):
        raise DataError(
            f"there is one text of each of {num_kinds} classes, so that none can be kept back to decide by",
            where=examples.source,
            hint="Give --dev-share 0, or a dev set of its own with --dev.",
        )
    stays = np.isin(group, texts[drawn(len(texts), size=size, classes=kinds, seed=seed)])
    return examples.take(np.flatnonzero(stays)), examples.take(np.flatnonzero(~stays))


def drawn(
    num_rows: int, *, size: int, classes: NDArray[np.int64] | None, seed: int, what: str = "texts"
) -> NDArray[np.int64]:
    """A number of rows drawn by the seed: classes in their proportions where there are classes.

    Args:
        num_rows: N, to draw from.
        size: from the number of classes to N.
        classes: int64 (N,) of a single_label task, else None.
        seed: of the draw.
        what: the rows are, for the message.

    Returns:
        int64 (size,), rising.

    Raises:
        UsageError: the size is out of its range.
    """
    from textssl.evaluators.classification import draw

    least = 1 if classes is None else len(np.unique(classes))
    if not least <= size <= num_rows:
        raise UsageError(
            f"train_limit must be from {least}, one for each class, to {num_rows}, the number of training {what}, "
            f"got {size}"
        )
    return np.sort(draw(np.zeros(num_rows, dtype=np.int64) if classes is None else classes, size, seed))


@dataclass(frozen=True)
class Overlap:
    """Texts that stand in two sets.

    Args:
        first: the set that is asked about, "test" for instance.
        second: the other one.
        exact: how many rows of the first have a text that the second has.
        normalised: the same when capitals, punctuation and spaces do not count; at least `exact`.
        places: some of these rows, in words.
    """

    first: str
    second: str
    exact: int
    normalised: int
    places: str

    def __str__(self) -> str:
        rows = "row of the {} set stands" if self.normalised == 1 else "rows of the {} set stand"
        return (
            f"{self.normalised:,} {rows.format(self.first)} in the {self.second} set too "
            f"({self.exact:,} letter by letter): {self.places}"
        )


def overlaps(sets: dict[str, Examples]) -> list[Overlap]:
    """The rows of every set whose text stands in a set before it; sets without such rows are left out.

    Args:
        sets: by name, the training set first.
    """
    exact = {name: [_pair(examples, at) for at in range(len(examples))] for name, examples in sets.items()}
    normal = {name: _keys(examples) for name, examples in sets.items()}
    found = []
    names = list(sets)
    for at, second in enumerate(names):
        known_exact, known_normal = set(exact[second]), set(normal[second])
        for first in names[at + 1 :]:
            rows = [row for row, key in enumerate(normal[first]) if key in known_normal]
            if rows:
                same = sum(exact[first][row] in known_exact for row in rows)
                found.append(Overlap(first, second, same, len(rows), places_text(sets[first], rows)))
    return found


def contradictions(examples: Examples) -> list[int]:
    """The rows whose text stands in an earlier row with another label."""
    seen: dict[tuple[str, str], str] = {}
    rows = []
    for at in range(len(examples)):
        label = repr(examples.labels[at])
        if seen.setdefault(_pair(examples, at), label) != label:
            rows.append(at)
    return rows


def shows_its_label(examples: Examples) -> bool:
    """Whether nearly every text holds its own label as a word, which makes any score meaningless."""
    labels = [str(label).strip().casefold() for label in examples.labels]
    if len(labels) < MIN_ROWS_FOR_HINTS or len(set(labels)) < 2:
        return False
    held = sum(
        bool(label) and f" {label} " in f" {_normalised(text)} "
        for label, text in zip(labels, examples.texts, strict=True)
    )
    return held > LABEL_IN_TEXT_SHARE * len(labels)


def _pair(examples: Examples, at: int) -> tuple[str, str]:
    return examples.texts[at], "" if examples.pairs is None else examples.pairs[at]


def _keys(examples: Examples) -> list[bytes]:
    """A hash of every text without what does not count."""
    return [
        hashlib.blake2b("\0".join(map(_normalised, _pair(examples, at))).encode(), digest_size=12).digest()
        for at in range(len(examples))
    ]


def _normalised(text: str) -> str:
    return _SEPARATORS.sub(" ", text).strip().casefold() or text
