"""Analogy questions in Google's format: "a is to b as c is to ?", answered over a whole vocabulary at once.

The questions of a file hold few different words (905 in Google's 19,544), so one product U = Q E^T of their vectors
with the vocabulary, in blocks of the vocabulary, serves them all: score(a, b, c) = U[b] - U[a] + U[c].
Legend: Q different words in the questions, V words looked at, N questions, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from textssl.embeddings import COSMUL_EPSILON
from textssl.errors import DataError, UsageError
from textssl.evaluators.base import Case, EvaluationResult, Evaluator, numbered_lines, word_places
from textssl.neighbours import Floats, safe
from textssl.word_vectors import WordVectors

Protocol = Literal["restricted", "full"]
Method = Literal["3CosAdd", "3CosMul"]
Counts = tuple[int, int, int]

RESTRICTED_TO = 30_000
THREADS = 2
# Columns of U at once: its 905 rows and the scores of some questions then stay in the caches.
BLOCK_WORDS = 8192
# In Google's files the names of the syntactic sections begin like this.
SYNTACTIC_PREFIX = "gram"
COLUMNS = ("section", "kind", "correct", "asked", "in_file", "accuracy")
_LAYOUT_HINT = "Each line must hold four words, a b c d, after a line ': name' that begins a section."


@dataclass(frozen=True)
class _Section:
    name: str
    questions: list[tuple[str, str, str, str]]

    @property
    def kind(self) -> str:
        return "syntactic" if self.name.startswith(SYNTACTIC_PREFIX) else "semantic"


class Analogy(Evaluator):
    """Accuracy on analogy questions, per section, semantic, syntactic and in total."""

    NAME = "analogy"
    primary_metric = "accuracy"
    greater_is_better = True

    def evaluate(  # type: ignore[override]  # each evaluator has arguments of its own
        self,
        embeddings: WordVectors,
        questions: Path,
        *,
        protocol: Protocol = "restricted",
        restrict_vocab: int = RESTRICTED_TO,
        method: Method = "3CosAdd",
        case: Case = "ignore",
        threads: int = THREADS,
    ) -> EvaluationResult:
        """Answer a file of questions.

        3CosAdd: argmax_w cos(w, b) - cos(w, a) + cos(w, c); 3CosMul: argmax_w cos'(w, b) cos'(w, c) / (cos'(w, a) +
        1e-6) with cos' = (cos + 1) / 2; w is none of a, b, c. Questions with a word not looked at are not asked.

        Args:
            embeddings: words, most frequent first, and vectors.
            questions: sections ": name" with lines of four words.
            protocol: "restricted" looks at the most frequent words only, "full" at all.
            restrict_vocab: how many words "restricted" looks at.
            method: how answers are scored.
            case: "ignore" takes words that differ in capitals only as one, with its most frequent spelling's vector.
            threads: how many threads compare scores.

        Returns:
            metrics accuracy, semantic, syntactic, coverage (asked / in the file), correct, asked; NaN where nothing
            was asked. A row for each section, then semantic, syntactic, total.

        Raises:
            DataError: the file is not in this layout, or no question can be asked.
            UsageError: restrict_vocab or threads is below 1.

        Source: Mikolov et al. 2013 (arXiv 1301.3781), section 4.1; Levy and Goldberg 2014 for 3CosMul; the
        restricted protocol is that of word2vec's compute-accuracy.
        """
        for name, value in (("restrict_vocab", restrict_vocab), ("threads", threads)):
            if value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}")
        sections = read_questions(questions)
        size = min(restrict_vocab, len(embeddings)) if protocol == "restricted" else len(embeddings)
        asked, correct = _answer(embeddings, sections, size, method, case, threads)
        if not any(map(len, asked)):
            raise DataError(
                f"none of the {sum(len(section.questions) for section in sections):,} questions can be asked: "
                f"in each a word is not among the {size:,} words that are looked at",
                where=str(questions),
                hint="Ask over all words with --protocol full, or train on more text.",
            )
        settings = {"protocol": protocol, "words": size, "method": method, "case": case}
        return _result(str(questions), sections, asked, correct, settings)


def read_questions(path: Path) -> list[_Section]:
    """The sections of a questions file.

    Raises:
        DataError: a line is neither ": name" nor four words, or a question stands before the first section.
    """
    sections: list[_Section] = []
    for number, line in numbered_lines(path):
        if line.startswith(":"):
            sections.append(_Section(line[1:].strip(), []))
            continue
        words = line.split()
        if not sections:
            raise DataError(
                f"expected a section ': name' before the first question, got {line[:60]!r}",
                where=f"{path}, line {number}",
                hint=_LAYOUT_HINT,
            )
        if len(words) != 4:
            raise DataError(
                f"expected four words, got {len(words)}: {line[:60]!r}",
                where=f"{path}, line {number}",
                hint=_LAYOUT_HINT,
            )
        sections[-1].questions.append((words[0], words[1], words[2], words[3]))
    return sections


def _answer(
    embeddings: WordVectors, sections: Sequence[_Section], size: int, method: Method, case: Case, threads: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.bool_]]]:
    """For each section the numbers of the questions asked, and whether each was answered rightly."""
    wanted = [word for section in sections for question in section.questions for word in question]
    places = word_places(embeddings.words, wanted, case=case, first=size)
    fold = str.upper if case == "ignore" else str
    known = {fold(word): at for at, word in enumerate(dict.fromkeys(map(fold, places)))}
    spelt = {known[fold(word)]: spellings for word, spellings in places.items()}
    asked = [
        [number for number, question in enumerate(section.questions) if all(fold(w) in known for w in question)]
        for section in sections
    ]
    ids = np.array(
        [
            [known[fold(word)] for word in section.questions[number]]
            for section, numbers in zip(sections, asked, strict=True)
            for number in numbers
        ],
        dtype=np.int64,
    ).reshape(-1, 4)
    spellings = [spelt[at] for at in range(len(known))]
    found = _Search(embeddings, spellings, size, method, threads).best(ids[:, :3])
    word_of = np.full(size, -1, dtype=np.int64)
    for at, variants in enumerate(spellings):
        word_of[variants] = at
    right = word_of[found] == ids[:, 3] if len(ids) else np.zeros(0, dtype=np.bool_)
    ends = np.cumsum([len(numbers) for numbers in asked])
    return [np.array(numbers, dtype=np.int64) for numbers in asked], np.split(right, ends[:-1])


@dataclass(frozen=True)
class _Group:
    """Questions that share a and b: which ones, and their c."""

    a: int
    b: int
    questions: NDArray[np.int64]
    cs: NDArray[np.int64]


@dataclass(frozen=True)
class _Block:
    """Columns of U from `start` on; for each word of the test set which of them it is, and whether it is one."""

    start: int
    scores: Floats
    hidden: list[list[int]]
    hides: NDArray[np.bool_]


class _Search:
    """The best word for each question, over blocks of the vocabulary."""

    def __init__(
        self, embeddings: WordVectors, spellings: Sequence[Sequence[int]], size: int, method: Method, threads: int
    ) -> None:
        self._vectors, self._norms = embeddings.vectors[:size], safe(embeddings.norms[:size])
        first = [variants[0] for variants in spellings]
        self._queries: Floats = np.asarray(self._vectors[first]) / self._norms[first][:, None]
        self._spellings = spellings
        self._method = method
        self._threads = threads

    def best(self, questions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the best word that is none of a, b, c.

        Args:
            questions: a, b, c as numbers of words of the test set, int64 (N, 3).
        """
        groups = _grouped(questions)
        best = np.zeros(len(questions), dtype=np.int64)
        best_scores = np.full(len(questions), -np.inf, dtype=np.float32)
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(self._vectors), BLOCK_WORDS):
                block = self._block(start)

                def compare(part: Sequence[_Group], block: _Block = block) -> None:
                    for group in part:
                        self._compare(group, block, best, best_scores)

                # Groups hold different questions, so threads never write to the same place.
                list(pool.map(compare, [groups[part :: self._threads] for part in range(self._threads)]))
        return best

    def _block(self, start: int) -> _Block:
        rows = slice(start, min(start + BLOCK_WORDS, len(self._vectors)))
        scores: Floats = self._queries @ np.asarray(self._vectors[rows]).T
        scores /= self._norms[rows]
        if self._method == "3CosMul":
            scores += np.float32(1)
            scores /= np.float32(2)
        hidden = [[at - start for at in variants if rows.start <= at < rows.stop] for variants in self._spellings]
        return _Block(start, scores, hidden, np.array([bool(columns) for columns in hidden]))

    def _compare(self, group: _Group, block: _Block, best: NDArray[np.int64], best_scores: Floats) -> None:
        scores, hidden = block.scores, block.hidden
        candidates = scores[group.cs]
        if self._method == "3CosAdd":
            candidates += scores[group.b] - scores[group.a]
        else:
            candidates *= scores[group.b] / (scores[group.a] + np.float32(COSMUL_EPSILON))
        candidates[:, hidden[group.a] + hidden[group.b]] = -np.inf
        for row in np.flatnonzero(block.hides[group.cs]).tolist():
            candidates[row, hidden[int(group.cs[row])]] = -np.inf
        places = candidates.argmax(axis=1)
        values = candidates[np.arange(len(places)), places]
        better = values > best_scores[group.questions]
        improved = group.questions[better]
        best_scores[improved] = values[better]
        best[improved] = places[better] + block.start


def _grouped(questions: NDArray[np.int64]) -> list[_Group]:
    order = np.lexsort((questions[:, 1], questions[:, 0]))
    groups = []
    for (a, b), members in groupby(order.tolist(), key=lambda at: (int(questions[at, 0]), int(questions[at, 1]))):
        numbers = np.fromiter(members, dtype=np.int64)
        groups.append(_Group(a, b, numbers, questions[numbers, 2]))
    return groups


def _result(
    source: str,
    sections: Sequence[_Section],
    asked: Sequence[NDArray[np.int64]],
    correct: Sequence[NDArray[np.bool_]],
    settings: Mapping[str, str | int],
) -> EvaluationResult:
    kinds = [section.kind for section in sections]
    counts = [
        (int(right.sum()), len(numbers), len(section.questions))
        for section, numbers, right in zip(sections, asked, correct, strict=True)
    ]
    totals = {name: _summed(counts, kinds, name) for name in ("semantic", "syntactic", "total")}
    rows = [
        (section.name, section.kind, *numbers, _ratio(numbers[0], numbers[1]))
        for section, numbers in zip(sections, counts, strict=True)
    ]
    rows += [(name, name, *sums, _ratio(sums[0], sums[1])) for name, sums in totals.items()]
    return EvaluationResult(
        name=Analogy.NAME,
        source=source,
        primary_metric=Analogy.primary_metric,
        greater_is_better=Analogy.greater_is_better,
        metrics={
            "accuracy": _ratio(*totals["total"][:2]),
            "semantic": _ratio(*totals["semantic"][:2]),
            "syntactic": _ratio(*totals["syntactic"][:2]),
            "coverage": _ratio(totals["total"][1], totals["total"][2]),
            "correct": totals["total"][0],
            "asked": totals["total"][1],
        },
        columns=COLUMNS,
        rows=rows,
        settings=settings,
    )


def _summed(counts: Sequence[Counts], kinds: Sequence[str], name: str) -> Counts:
    chosen = [numbers for numbers, kind in zip(counts, kinds, strict=True) if name in (kind, "total")]
    correct, asked, in_file = (sum(column) for column in zip((0, 0, 0), *chosen, strict=True))
    return correct, asked, in_file


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
