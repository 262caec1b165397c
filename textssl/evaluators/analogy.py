"""Analogy questions in Google's format: "a is to b as c is to ?", answered over a whole vocabulary at once.

The questions of a file hold few different words (905 in Google's 19,544), so one product U = Q E^T of their vectors
with the vocabulary, in blocks of the vocabulary, serves them all: score(a, b, c) = U[b] - U[a] + U[c].
Legend: Q different words in the questions, V words looked at, N questions, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
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
BLOCK_WORDS = 8192
"""Columns of U at once, which bounds the memory: 30 MB for 905 words."""
RUN = 16
"""Words that are looked at or left out together."""
QUESTIONS_AT_ONCE = 1024
"""More take more memory, fewer more calls, which threads cannot make at the same time."""
WORDS_TRIED = 16
"""Words of the largest differences that are tried first."""
LEAST_FACTOR = np.float32(1e-12)
"""Of 3CosMul, so that a word that is hidden by 0 is below every other."""
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
    wanted = list(chain.from_iterable(chain.from_iterable(section.questions for section in sections)))
    places = word_places(embeddings.words, wanted, case=case, first=size)
    fold = str.upper if case == "ignore" else str
    numbers = {folded: at for at, folded in enumerate(dict.fromkeys(map(fold, places)))}
    known = {word: numbers[fold(word)] for word in places}
    spelt = {known[word]: spellings for word, spellings in places.items()}
    ids = np.array([known.get(word, -1) for word in wanted], dtype=np.int64).reshape(-1, 4)
    asked = (ids >= 0).all(axis=1)
    spellings = [spelt[at] for at in range(len(numbers))]
    found = _Search(embeddings, spellings, size, method, threads).best(ids[asked, :3])
    word_of = np.full(size, -1, dtype=np.int64)
    for at, variants in enumerate(spellings):
        word_of[variants] = at
    right = np.zeros(len(ids), dtype=np.bool_)
    right[asked] = (found >= 0) & (word_of[found] == ids[asked, 3])
    borders = np.cumsum([len(section.questions) for section in sections])[:-1]
    asked_in = [np.flatnonzero(part) for part in np.split(asked, borders)]
    return asked_in, [part[chosen] for part, chosen in zip(np.split(right, borders), asked_in, strict=True)]


@dataclass(frozen=True)
class _Block:
    """Columns of U from `start` on, cut into runs: of R runs, run r holds the columns r, r + R, r + 2 R, ...

    Args:
        start: the word of the first column.
        width: how many columns are words; the last run is filled up with hidden ones.
        buffer: (Q, at least RUN x R), C order.
        scores: (Q, RUN x R), the part in use.
        largest: the largest score of each run (Q, R).
        own: the columns that are spellings of each word of the test set.
    """

    start: int
    width: int
    buffer: Floats
    scores: Floats
    largest: Floats
    own: list[list[int]]


class _Search:
    """The best word for each question, over blocks of the vocabulary.

    A score is D[w] + U[c][w] with D = U[b] - U[a] (3CosMul: D[w] U[c][w] with D = U[b] / U[a]), so in a run of words it
    is at most the largest D plus the largest U[c] there; most runs cannot hold the best word and are not looked at.
    Rounding keeps that order, so nothing is missed.
    """

    def __init__(
        self, embeddings: WordVectors, spellings: Sequence[Sequence[int]], size: int, method: Method, threads: int
    ) -> None:
        self._vectors, self._norms = embeddings.vectors[:size], safe(embeddings.norms[:size])
        first = [variants[0] for variants in spellings]
        self._queries: Floats = np.asarray(self._vectors[first]) / self._norms[first][:, None]
        self._spellings = spellings
        self._join: np.ufunc = np.add if method == "3CosAdd" else np.multiply
        self._hidden = np.float32(-np.inf if method == "3CosAdd" else 0)
        self._threads = threads

    def best(self, questions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the best word that is none of a, b, c; -1 where there is no other word.

        Args:
            questions: a, b, c as numbers of words of the test set, int64 (N, 3).
        """
        if not len(questions):
            return np.zeros(0, dtype=np.int64)
        order = np.lexsort((questions[:, 1], questions[:, 0]))  # equal pairs a, b side by side
        questions = questions[order]
        best = np.full(len(questions), -1, dtype=np.int64)
        best_scores = np.full(len(questions), self._hidden, dtype=np.float32)
        scores = np.empty((len(self._queries), -(-BLOCK_WORDS // RUN) * RUN), dtype=np.float32)
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(self._vectors), BLOCK_WORDS):
                block = self._block(start, scores)

                def compare(first: int, block: _Block = block) -> None:
                    part = slice(first, first + QUESTIONS_AT_ONCE)
                    self._compare(questions[part], block, best[part], best_scores[part])

                # Parts are different questions, so threads never write to the same place.
                list(pool.map(compare, range(0, len(questions), QUESTIONS_AT_ONCE)))
        found = np.empty_like(best)
        found[order] = best
        return found

    def _block(self, start: int, buffer: Floats) -> _Block:
        """Fill the columns from `start` on into the buffer."""
        rows = slice(start, min(start + BLOCK_WORDS, len(self._vectors)))
        width = rows.stop - start
        directions = np.asarray(self._vectors[rows]) / self._norms[rows][:, None]
        scores = buffer[:, : -(-width // RUN) * RUN]
        cosines = np.matmul(self._queries, directions.T, out=scores[:, :width])
        if self._join is np.multiply:
            cosines += np.float32(1)
            cosines /= np.float32(2)
            np.maximum(cosines, LEAST_FACTOR, out=cosines)
        scores[:, width:] = self._hidden
        own = [[at - start for at in variants if rows.start <= at < rows.stop] for variants in self._spellings]
        for word, columns in enumerate(own):
            scores[word, columns] = self._hidden  # wherever a word stands in a question, it is no answer
        return _Block(start, width, buffer, scores, _largest(scores), own)

    def _compare(
        self, questions: NDArray[np.int64], block: _Block, best: NDArray[np.int64], best_scores: Floats
    ) -> None:
        """Look for better words for some questions, in which equal pairs stand side by side."""
        new_pair = np.append(True, (questions[1:, :2] != questions[:-1, :2]).any(axis=1))
        pair, cs = np.cumsum(new_pair) - 1, questions[:, 2]
        differences = self._differences(questions[new_pair, :2], block)
        largest = _largest(differences)
        inside_run = np.arange(RUN)[:, None] * largest.shape[1]

        def scores(question: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
            """Of some columns for some questions, (..., questions); one flat index is much faster than two."""
            of_pair = differences.take(pair[question] * differences.shape[1] + columns)
            of_c = block.buffer.take(cs[question] * block.buffer.shape[1] + columns)
            joined: Floats = self._join(of_pair, of_c, out=of_pair)
            return joined

        everyone = np.arange(len(questions))
        bounds = self._join(largest[pair], block.largest[cs])
        enough = np.maximum(best_scores, scores(everyone, _large_columns(differences, largest)[:, pair]).max(axis=0))
        promising = bounds.argmax(axis=1)
        np.maximum(enough, scores(everyone, promising + inside_run).max(axis=0), out=enough)
        question, run = np.divmod(np.flatnonzero(bounds >= enough[:, None]), largest.shape[1])
        looked_at = scores(question, run + inside_run)
        values = looked_at.max(axis=0)
        before = best_scores.copy()
        np.maximum.at(best_scores, question, values)
        found = np.flatnonzero((values == best_scores[question]) & (values > before[question]))
        places = block.start + run[found] + inside_run[looked_at[:, found].argmax(axis=0), 0]
        last_first = np.argsort(-places)  # what is written last stays: the first of equal words
        best[question[found[last_first]]] = places[last_first]

    def _differences(self, pairs: NDArray[np.int64], block: _Block) -> Floats:
        """D for some pairs a, b; hidden at the words of the pair."""
        above, below = block.scores[pairs[:, 1]], block.scores[pairs[:, 0]]
        if self._join is np.add:
            with np.errstate(invalid="ignore"):  # inf - inf in columns that are hidden below
                above -= below
        else:
            above /= below + np.float32(COSMUL_EPSILON)
        above[:, block.width :] = self._hidden
        for row, word in enumerate(pairs[:, 0].tolist()):
            above[row, block.own[word]] = self._hidden
        return above


def _largest(scores: Floats) -> Floats:
    """The largest score of every run."""
    largest: Floats = scores.reshape(len(scores), RUN, -1).max(axis=1)
    return largest


def _large_columns(differences: Floats, largest: Floats) -> NDArray[np.int64]:
    """Some columns in which D is large, (WORDS_TRIED or fewer, pairs)."""
    num_runs = largest.shape[1]
    tried = min(WORDS_TRIED, num_runs)
    runs = np.argpartition(largest, num_runs - tried, axis=1)[:, num_runs - tried :]
    rows = np.arange(len(runs))[:, None]
    inside = differences.reshape(len(runs), RUN, -1)[rows, :, runs].argmax(axis=2)
    return np.ascontiguousarray((inside * num_runs + runs).T)


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
