"""What an evaluator promises: a name, the one number that counts, and a result that prints as a table and as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from textssl.disk import reading
from textssl.errors import DataError
from textssl.words import Words

Case = Literal["ignore", "exact"]
CLASS_COLUMNS = ("class", "precision", "recall", "f1", "support")
ENCODING_HINT = "Convert the file to UTF-8 first."


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluator found.

    Args:
        name: the evaluator.
        source: what it was measured on, for instance a file name.
        primary_metric: the name of the number that counts, a key of `metrics`.
        greater_is_better: how to read it.
        metrics: all numbers by name; ratios from 0 to 1.
        columns: headings of the table.
        rows: its rows: texts and numbers, None where there is nothing to say.
        settings: how it was measured.
        classes: name, precision, recall, F1 and number of each class, where there are classes.
    """

    name: str
    source: str
    primary_metric: str
    greater_is_better: bool
    metrics: Mapping[str, float]
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int | None]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[tuple[str, float, float, float, int]] = ()

    @property
    def primary_value(self) -> float:
        """The number that counts."""
        return self.metrics[self.primary_metric]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values; the rows as dictionaries by heading."""
        found = {
            "name": self.name,
            "source": self.source,
            "primary_metric": self.primary_metric,
            "primary_value": self.primary_value,
            "greater_is_better": self.greater_is_better,
            "metrics": dict(self.metrics),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "settings": dict(self.settings),
        }
        named = [dict(zip(CLASS_COLUMNS, each, strict=True)) for each in self.classes]
        return {**found, "classes": named} if named else found


class Evaluator(ABC):
    """One way to measure; a module textssl/evaluators/NAME.py defines one, named after the file.

    Attributes:
        NAME: the file's name.
        primary_metric: the number that counts.
        greater_is_better: how to read it.

    Each member has a method `evaluate(...) -> EvaluationResult`; its arguments are its own.
    """

    NAME: str
    primary_metric: str
    greater_is_better: bool = True

    @abstractmethod
    def evaluate(self, *arguments: Any) -> EvaluationResult:
        """Measure."""


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a small text file with their numbers, without their ends; blank ones left out.

    Raises:
        DataError: it is missing, not UTF-8, or empty.
    """
    with reading(path):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"is not UTF-8 (byte {error.start + 1} of the file)", where=f"{path}, line {line}", hint=ENCODING_HINT
        ) from error
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError("the file is empty", where=str(path))
    return lines


def word_places(words: Words, wanted: Iterable[str], *, case: Case, first: int | None = None) -> dict[str, list[int]]:
    """Where the words of a test set stand in a vocabulary.

    Args:
        words: the vocabulary, most frequent first.
        wanted: words of the test set.
        case: "ignore" takes all spellings that differ in capitals only, "exact" the word as it is.
        first: look among the first so many words only.

    Returns:
        For each wanted word that is there its places, the most frequent one first.
    """
    end = len(words) if first is None else min(first, len(words))
    wanted = list(dict.fromkeys(wanted))
    if case == "exact":
        places = words.find_many(wanted).tolist()
        return {word: [place] for word, place in zip(wanted, places, strict=True) if 0 <= place < end}
    upper = {word.upper() for word in wanted}
    by_upper: dict[str, list[int]] = {}
    for place, spelt in enumerate(words[:end]):
        if (folded := spelt.upper()) in upper:
            by_upper.setdefault(folded, []).append(place)
    return {word: by_upper[word.upper()] for word in wanted if word.upper() in by_upper}
