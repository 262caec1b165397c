"""Word similarity: the cosines of word pairs against human judgements, as rank correlation (Spearman) and Pearson's.

Files hold two words and a score a line, parted by tabs, commas or spaces; lines that begin with # are left out, and the
first line may hold headings. Further columns are allowed: the score is the first number after the words.
Legend: N pairs.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textssl.errors import DataError
from textssl.evaluators.base import Case, EvaluationResult, Evaluator, numbered_lines, word_places
from textssl.word_vectors import WordVectors

DELIMITERS = ("\t", ",", ";")
COLUMNS = ("word", "other", "human", "cosine")
MIN_PAIRS = 2
_LAYOUT_HINT = "Each line must hold two words and a score, parted by tabs, commas or spaces."


@dataclass(frozen=True)
class _Pair:
    word: str
    other: str
    score: float


class Similarity(Evaluator):
    """Correlation of cosines with human judgements of word pairs."""

    NAME = "similarity"
    primary_metric = "spearman"
    greater_is_better = True

    def evaluate(  # type: ignore[override]  # each evaluator has arguments of its own
        self, embeddings: WordVectors, pairs: Path, *, case: Case = "ignore"
    ) -> EvaluationResult:
        """Compare cosines with a file of judged pairs; pairs with a word that has no vector are left out and counted.

        Args:
            embeddings: words and vectors; n-grams give unseen words a vector.
            pairs: the file.
            case: "ignore" looks a word up as it is, then in other capitals, the most frequent spelling first.

        Returns:
            metrics spearman, pearson, coverage (pairs used / in the file), pairs; a row for each pair used.

        Raises:
            DataError: the file is not in this layout, or fewer than two pairs can be used, or all values are equal.
        """
        judged = read_pairs(pairs)
        found = word_places(embeddings.words, (word for pair in judged for word in (pair.word, pair.other)), case=case)
        rows: list[tuple[str, str, float, float]] = []
        for pair in judged:
            keys = [_key(embeddings, found, word) for word in (pair.word, pair.other)]
            if keys[0] is not None and keys[1] is not None:
                cosine = embeddings.similarity(keys[0], keys[1])
                rows.append((pair.word, pair.other, pair.score, cosine))
        if len(rows) < MIN_PAIRS:
            raise DataError(
                f"only {len(rows)} of {len(judged)} pairs have vectors for both words, at least {MIN_PAIRS} are needed",
                where=str(pairs),
                hint="Train on more text, or lower --min-count.",
            )
        human, cosines = np.array([row[2] for row in rows]), np.array([row[3] for row in rows])
        if not (np.ptp(human) > 0 and np.ptp(cosines) > 0):
            raise DataError(
                f"all {len(rows)} pairs have the same score or the same cosine, so there is no correlation",
                where=str(pairs),
                hint=_LAYOUT_HINT,
            )
        return EvaluationResult(
            name=self.NAME,
            source=str(pairs),
            primary_metric=self.primary_metric,
            greater_is_better=self.greater_is_better,
            metrics={
                "spearman": spearman(human, cosines),
                "pearson": pearson(human, cosines),
                "coverage": len(rows) / len(judged),
                "pairs": len(rows),
            },
            columns=COLUMNS,
            rows=rows,
            settings={"case": case, "pairs_in_file": len(judged)},
        )


def read_pairs(path: Path) -> list[_Pair]:
    """The judged pairs of a file.

    Raises:
        DataError: a line does not hold two words and a finite score.
    """
    lines = [(number, line) for number, line in numbered_lines(path) if not line.lstrip().startswith("#")]
    delimiter = _delimiter([line for _, line in lines])
    pairs: list[_Pair] = []
    for place, (number, line) in enumerate(lines):
        fields = next(csv.reader([line], delimiter=delimiter)) if delimiter else line.split()
        fields = [field.strip() for field in fields]
        scores = [value for value in map(_number, fields[2:]) if value is not None]
        if len(fields) > 2 and fields[0] and fields[1] and scores and np.isfinite(scores[0]):
            pairs.append(_Pair(fields[0], fields[1], scores[0]))
        elif place or len(fields) < 3:
            raise DataError(
                f"expected two words and a score, got {line[:60]!r}",
                where=f"{path}, line {number}",
                hint=_LAYOUT_HINT,
            )
    if not pairs:
        raise DataError("holds no pairs", where=str(path), hint=_LAYOUT_HINT)
    return pairs


def spearman(left: ArrayLike, right: ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's, of the ranks, where equal values share their mean rank.

    Args:
        left, right: (N,), N at least 2, not all equal.
    """
    return pearson(average_ranks(left), average_ranks(right))


def pearson(left: ArrayLike, right: ArrayLike) -> float:
    """Pearson's correlation, sum (x - mean x)(y - mean y) / (N std x std y).

    Args:
        left, right: (N,), N at least 2, not all equal.
    """
    x, y = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1, 1))


def average_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of their ranks, float64 (N,)."""
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _key(embeddings: WordVectors, found: dict[str, list[int]], word: str) -> str | int | None:
    if word in embeddings.words:
        return word
    if word in found:
        return found[word][0]
    return word if word in embeddings else None


def _delimiter(lines: list[str]) -> str | None:
    """What parts the fields of all lines; None for white space."""
    for delimiter in DELIMITERS:
        if lines and all(line.count(delimiter) >= 2 for line in lines):
            return delimiter
    return None


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None
