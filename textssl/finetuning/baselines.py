"""What any score must be held against: the largest class, TF-IDF, averaged word vectors; each fitted on the same rows.

Legend: N texts, D width of the features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from textssl.evaluators.classification import average_vectors, logistic, majority, tfidf
from textssl.finetuning.examples import Examples
from textssl.finetuning.labels import Labels, Task
from textssl.finetuning.metrics import scores_of
from textssl.word_vectors import WordVectors

MAJORITY, MEAN = "majority", "mean of the labels"
TFIDF, VECTORS = "TF-IDF + {}", "averaged word vectors + {}"
_LEARNERS = {"single_label": "logistic regression", "multi_label": "logistic regression", "regression": "ridge"}


@dataclass(frozen=True)
class Baseline:
    """A simple method and its scores on the test set.

    Args:
        name: what it is.
        scores: as `metrics.scores_of` names them.
    """

    name: str
    scores: dict[str, float]


def baselines(
    labels: Labels,
    train: Examples,
    targets: NDArray[Any],
    test: Examples,
    test_targets: NDArray[Any],
    *,
    vectors: WordVectors | None = None,
) -> list[Baseline]:
    """Fit and test the simple methods.

    Args:
        labels: what is predicted.
        train: the training rows, the same that the model learns from.
        targets: their targets, as `Labels.encode` gives them.
        test: the test rows.
        test_targets: theirs.
        vectors: word vectors, for the third method; None leaves it out.

    Returns:
        The simplest method first.
    """
    learner = _LEARNERS[labels.task]
    found = {MEAN if labels.task == "regression" else MAJORITY: _constant(labels.task, targets, len(test))}
    inputs = _tfidf_features(train, test)
    found[TFIDF.format(learner)] = _learn(labels.task, *inputs, targets)
    if vectors is not None:
        inputs = _vector_features(vectors, train, test)
        found[VECTORS.format(learner)] = _learn(labels.task, *inputs, targets)
    return [Baseline(name, scores_of(labels.task, test_targets, decided)) for name, decided in found.items()]


def pair_features(first: Any, second: Any) -> Any:
    """Two texts as one row: a, b, |a - b| and a * b beside each other.

    Args:
        first: (N, D), dense or sparse.
        second: likewise.

    Returns:
        (N, 4 D), of the same kind.

    Source: Conneau et al. 2017, InferSent, section 3.1 (arXiv 1705.02364).
    """
    if sparse.issparse(first):
        return sparse.hstack([first, second, abs(first - second), first.multiply(second)]).tocsr()
    return np.hstack([first, second, np.abs(first - second), first * second])


def _tfidf_features(train: Examples, test: Examples) -> tuple[Any, Any]:
    """Features whose words and weights come from the training rows alone."""
    vectorizer = tfidf().fit([*train.texts, *(train.pairs or ())])
    return tuple(
        vectorizer.transform(each.texts)
        if each.pairs is None
        else pair_features(vectorizer.transform(each.texts), vectorizer.transform(each.pairs))
        for each in (train, test)
    )


def _vector_features(vectors: WordVectors, train: Examples, test: Examples) -> tuple[Any, Any]:
    def features(each: Examples) -> Any:
        first, _ = average_vectors(vectors, each.texts)
        return first if each.pairs is None else pair_features(first, average_vectors(vectors, each.pairs)[0])

    scaler = StandardScaler()
    return scaler.fit_transform(features(train)), scaler.transform(features(test))


def _learn(task: Task, inputs: Any, test_inputs: Any, targets: NDArray[Any]) -> NDArray[Any]:
    if task == "single_label":
        # A limit on the training rows may leave one class only; then there is nothing to learn.
        if len(np.unique(targets)) == 1:
            return majority(targets, test_inputs.shape[0])
        return np.asarray(logistic().fit(inputs, targets).predict(test_inputs))
    if task == "regression":
        return np.asarray(Ridge().fit(inputs, targets).predict(test_inputs))
    columns = [_learn("single_label", inputs, test_inputs, column) for column in targets.T]
    return np.stack(columns, axis=1)


def _constant(task: Task, targets: NDArray[Any], num_tests: int) -> NDArray[Any]:
    """What is most frequent in the training set, or the mean."""
    if task == "single_label":
        return majority(targets, num_tests)
    if task == "regression":
        return np.full(num_tests, targets.mean(), dtype=np.float32)
    return np.tile((targets.mean(axis=0) >= 0.5).astype(np.float32), (num_tests, 1))
