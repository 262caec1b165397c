"""Text classification: logistic regression on a text's mean vector, beside TF-IDF with the same, and the largest class.

Legend: N texts, D width, C classes.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from textssl.disk import reading
from textssl.errors import DataError, UsageError, did_you_mean
from textssl.evaluators.base import EvaluationResult, Evaluator
from textssl.neighbours import Floats, safe
from textssl.randomness import first_in_proportion
from textssl.text.characters import UNSPACED
from textssl.word_vectors import WordVectors

Method = Literal["vectors", "tfidf", "majority"]
Labelled = tuple[list[str], list[str]]

COLUMNS = ("method", "train_texts", "seeds", "accuracy", "accuracy_std", "macro_f1", "macro_f1_std")
MAX_FIELD_BYTES = 1 << 24
MAX_ITERATIONS = 1000
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_UNSPACED = "".join(f"{chr(first)}-{chr(last)}" for first, last in UNSPACED)
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_TERM = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]{{2,}}")
_SIGNS = re.compile("[\u2e80-\u3004\u3008-\u3030\u30fb]+")
"""Of the ranges of scripts without spaces, what is no letter: radicals, punctuation."""


class Classification(Evaluator):
    """Accuracy of a text classifier on averaged vectors, with its baselines."""

    NAME = "classification"
    primary_metric = "accuracy"
    greater_is_better = True

    def evaluate(  # type: ignore[override]  # each evaluator has arguments of its own
        self,
        embeddings: WordVectors,
        train: Labelled,
        test: Labelled,
        *,
        sizes: Sequence[int] = (),
        seeds: Sequence[int] = (1, 2, 3),
        source: str = "texts",
    ) -> EvaluationResult:
        """Train and test classifiers.

        Args:
            embeddings: words and vectors.
            train: texts and labels, a list each.
            test: texts and labels that were not trained on.
            sizes: how many training texts to draw, one experiment each; none means all of them.
            seeds: one draw of the training texts for each.
            source: what the texts are, for the result.

        Returns:
            metrics accuracy and macro_f1 of the vectors at the largest size, the same with tfidf_ and majority_ before
            them, and coverage (words of the test texts that have a vector); a row for each method and size, with mean
            and standard deviation over the seeds.

        Raises:
            DataError: too few texts or classes.
            UsageError: a size is larger than the training set, or there are no seeds.
        """
        sizes = [len(train[0])] if not sizes else list(sizes)
        _check(train, test, sizes, seeds)
        train_vectors, _ = average_vectors(embeddings, train[0])
        test_vectors, coverage = average_vectors(embeddings, test[0])
        train_labels, test_labels = np.array(train[1]), np.array(test[1])
        texts = np.array(train[0], dtype=object)
        runs: dict[tuple[Method, int], list[tuple[float, float]]] = {}
        for size in sizes:
            for seed in seeds:
                chosen = draw(train_labels, size, seed)
                labels = train_labels[chosen]
                predictions: dict[Method, NDArray[Any]] = {
                    "vectors": _predict(StandardScaler(), train_vectors[chosen], labels, test_vectors),
                    "tfidf": _predict(tfidf(), texts[chosen], labels, test[0]),
                    "majority": majority(labels, len(test_labels)),
                }
                for method, predicted in predictions.items():
                    runs.setdefault((method, size), []).append(scores(test_labels, predicted))
        return self._result(runs, source, sizes, seeds, coverage)

    def _result(
        self,
        runs: dict[tuple[Method, int], list[tuple[float, float]]],
        source: str,
        sizes: Sequence[int],
        seeds: Sequence[int],
        coverage: float,
    ) -> EvaluationResult:
        rows = []
        metrics = {"coverage": coverage}
        for (method, size), found in runs.items():
            means, deviations = np.mean(found, axis=0), np.std(found, axis=0)
            rows.append((method, size, len(found), *map(float, (means[0], deviations[0], means[1], deviations[1]))))
            if size == max(sizes):
                prefix = "" if method == "vectors" else f"{method}_"
                metrics |= {f"{prefix}accuracy": float(means[0]), f"{prefix}macro_f1": float(means[1])}
        return EvaluationResult(
            name=self.NAME,
            source=source,
            primary_metric=self.primary_metric,
            greater_is_better=self.greater_is_better,
            metrics=metrics,
            columns=COLUMNS,
            rows=rows,
            settings={"sizes": list(sizes), "seeds": list(seeds)},
        )


def average_vectors(embeddings: WordVectors, texts: Sequence[str]) -> tuple[Floats, float]:
    """The mean of the unit vectors of each text's words, in the capitals of the text or in small letters.

    Args:
        embeddings: words and vectors; n-grams give unseen words a vector.
        texts: N texts, cut into runs of letters and digits.

    Returns:
        float32 (N, D), zeros for a text without a known word; the share of words that have a vector.
    """
    tokens = [_WORD.findall(text) for text in texts]
    distinct = list(dict.fromkeys(word for text in tokens for word in text))
    places = embeddings.words.find_many(distinct)
    small = embeddings.words.find_many([word.lower() for word in distinct])
    places = np.where(places >= 0, places, small)
    table = np.zeros((len(distinct) + 1, embeddings.vector_size), dtype=np.float32)
    known = np.flatnonzero(places >= 0)
    table[known] = np.asarray(embeddings.vectors[places[known]]) / safe(embeddings.norms[places[known]])[:, None]
    has_vector = places >= 0
    if embeddings.ngrams is not None:
        for at in np.flatnonzero(~has_vector).tolist():
            if distinct[at] in embeddings:
                table[at], has_vector[at] = embeddings.get_vector(distinct[at], norm=True), True
    number = {word: at for at, word in enumerate(distinct)}
    means = np.zeros((len(texts), embeddings.vector_size), dtype=np.float32)
    num_known = num_words = 0
    for row, text in enumerate(tokens):
        rows = np.array([number[word] for word in text], dtype=np.int64)
        used = rows[has_vector[rows]]
        num_known, num_words = num_known + len(used), num_words + len(rows)
        if len(used):
            means[row] = table[used].mean(axis=0)
    return means, num_known / num_words if num_words else 0.0


def read_labelled(path: Path, *, text: str, label: str, delimiter: str | None = None) -> Labelled:
    """Texts and labels of a CSV or TSV file with headings.

    Args:
        path: the file, UTF-8.
        text: heading of the column of texts.
        label: heading of the column of labels.
        delimiter: what parts the columns; a tab for .tsv, else a comma, when not given.

    Raises:
        DataError: a column is missing, a row has another count of columns, or an empty text or label.
    """
    delimiter = delimiter or ("\t" if path.suffix == ".tsv" else ",")
    csv.field_size_limit(MAX_FIELD_BYTES)
    texts: list[str] = []
    labels: list[str] = []
    with reading(path), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        try:
            headings = next(rows, [])
            columns = [_column(path, headings, wanted) for wanted in (text, label)]
            for row in rows:
                if not row:
                    continue
                if len(row) != len(headings):
                    raise DataError(
                        f"has {len(row)} columns, the headings are {len(headings)}",
                        where=f"{path}, line {rows.line_num}",
                    )
                values = [row[column].strip() for column in columns]
                if not all(values):
                    empty = text if not values[0] else label
                    raise DataError(f"the column {empty!r} is empty", where=f"{path}, line {rows.line_num}")
                texts.append(values[0])
                labels.append(values[1])
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"is no CSV in UTF-8: {error}", where=f"{path}, after line {rows.line_num}") from error
    if not texts:
        raise DataError("holds no rows below its headings", where=str(path))
    return texts, labels


def draw(labels: NDArray[Any], size: int, seed: int) -> NDArray[np.int64]:
    """Which training texts to use: `size` of them, classes in their proportions, at least one of each where it fits.

    Args:
        labels: (N,).
        size: from 1 to N; N takes all.
        seed: of the draw.
    """
    return first_in_proportion(np.random.default_rng(seed).permutation(len(labels)), labels, size)


def scores(expected: NDArray[Any], predicted: NDArray[Any]) -> tuple[float, float]:
    """Accuracy, and F1 averaged over the classes that stand in either list."""
    f1 = []
    for label in np.unique(np.concatenate([expected, predicted])):
        hits = np.count_nonzero((expected == label) & (predicted == label))
        f1.append(2 * hits / (np.count_nonzero(expected == label) + np.count_nonzero(predicted == label)))
    return float(np.mean(expected == predicted)), float(np.mean(f1))


def _predict(features: Any, inputs: Any, labels: NDArray[Any], test_inputs: Any) -> NDArray[Any]:
    """Logistic regression on features that are fitted on the training texts alone."""
    return np.asarray(make_pipeline(features, logistic()).fit(inputs, labels).predict(test_inputs))


def tfidf() -> TfidfVectorizer:
    """The terms of a text, rare ones weighing more: log counts times log inverse document frequency, of unit length."""
    return TfidfVectorizer(sublinear_tf=True, analyzer=terms)


def terms(text: str) -> list[str]:
    """The words of two letters and more in small letters, as scikit-learn takes them by default.

    Of scripts that write no spaces, single characters and pairs of neighbours; of a text without any of these, its
    characters, so that every text but a blank one has terms.
    """
    found: list[str] = []
    for part in _TERM.findall(text.lower()):
        if not _UNSPACED_CHARACTER.match(part):
            found.append(part)
            continue
        for run in filter(None, _SIGNS.split(part)):
            found += [*run, *map("".join, pairwise(run))]
    return found or [character for character in text if not character.isspace()]


def logistic() -> LogisticRegression:
    """Logistic regression with an L2 penalty of 1."""
    return LogisticRegression(max_iter=MAX_ITERATIONS)


def majority(labels: NDArray[Any], num_tests: int) -> NDArray[Any]:
    """The most frequent label, the first in order among equals, for every test text."""
    counts = Counter(labels.tolist())
    return np.full(num_tests, max(sorted(counts), key=counts.__getitem__))


def _check(train: Labelled, test: Labelled, sizes: Sequence[int], seeds: Sequence[int]) -> None:
    for name, (texts, labels) in (("training", train), ("test", test)):
        if not texts or len(texts) != len(labels):
            raise DataError(f"the {name} set must hold as many texts as labels, got {len(texts)} and {len(labels)}")
    if len(set(train[1])) < 2:
        raise DataError(f"the training set must hold at least two classes, got {sorted(set(train[1]))}")
    if not seeds:
        raise UsageError("at least one seed is needed, got none")
    classes = len(set(train[1]))
    for size in sizes:
        if not classes <= size <= len(train[0]):
            raise UsageError(
                f"a training size must be from {classes}, the number of classes, to {len(train[0])}, got {size}"
            )


def _column(path: Path, headings: list[str], wanted: str) -> int:
    if wanted not in headings:
        raise DataError(
            f"has no column {wanted!r}, it has {', '.join(headings) or 'none'}",
            where=f"{path}, line 1",
            hint=did_you_mean(wanted, headings) or None,
        )
    return headings.index(wanted)
