"""How good predictions are: scores of a task by name, a table per class, the confusion matrix.

Legend: N texts, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score, precision_recall_fscore_support

from textssl.evaluators.classification import scores as accuracy_and_f1
from textssl.finetuning.labels import Labels, Task

PRIMARY: Mapping[Task, str] = {"single_label": "accuracy", "multi_label": "micro_f1", "regression": "spearman"}
"""The score that counts; the greater the better."""
THRESHOLD = 0.5
Predictions = NDArray[np.float32]


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others.

    Args:
        name: of the class.
        precision: share of the texts said to be of the class that are.
        recall: share of its texts that are found.
        f1: their harmonic mean.
        support: number of its texts.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def decisions(task: Task, probabilities: Predictions) -> NDArray[np.generic]:
    """What is predicted, in the layout of the targets.

    Args:
        task: of the labels.
        probabilities: (N, C); (N, 1) numbers for regression.

    Returns:
        int64 (N,); float32 (N, C) of 0 and 1 for multi_label; float32 (N,) for regression.
    """
    if task == "single_label":
        return np.asarray(probabilities.argmax(axis=1).astype(np.int64))
    if task == "multi_label":
        return np.asarray((probabilities >= THRESHOLD).astype(np.float32))
    return np.asarray(probabilities[:, 0].astype(np.float32))


def scores_of(task: Task, targets: NDArray[np.generic], decided: NDArray[np.generic]) -> dict[str, float]:
    """The scores of a task, the one that counts first.

    Args:
        task: of the labels.
        targets, decided: in the layout of `Labels.encode`.
    """
    if task == "single_label":
        accuracy, macro_f1 = accuracy_and_f1(targets, decided)
        return {"accuracy": accuracy, "macro_f1": macro_f1}
    if task == "multi_label":
        return {
            "micro_f1": float(f1_score(targets, decided, average="micro", zero_division=0)),
            "macro_f1": float(f1_score(targets, decided, average="macro", zero_division=0)),
            "exact_match": float(np.mean((targets == decided).all(axis=1))),
        }
    return _regression_scores(targets.astype(np.float64), decided.astype(np.float64))


def per_class(labels: Labels, targets: NDArray[np.generic], decided: NDArray[np.generic]) -> list[ClassScore]:
    """A row for each class; none for regression."""
    if labels.task == "regression":
        return []
    numbers = np.arange(len(labels.names)) if labels.task == "single_label" else None
    found = precision_recall_fscore_support(targets, decided, labels=numbers, zero_division=0)
    return [
        ClassScore(name, float(precision), float(recall), float(f1), int(support))
        for name, precision, recall, f1, support in zip(labels.names, *found, strict=True)
    ]


def confusion(labels: Labels, targets: NDArray[np.generic], decided: NDArray[np.generic]) -> NDArray[np.int64]:
    """How often class i (row) was taken for class j (column), int64 (C, C)."""
    size = len(labels.names)
    cells = targets.astype(np.int64) * size + decided.astype(np.int64)
    return np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.int64)


def spread(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation (of a sample; 0 for one run) of every score over runs."""
    found = {}
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        found[name] = (float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)
    return found


def _regression_scores(targets: NDArray[np.float64], decided: NDArray[np.float64]) -> dict[str, float]:
    """Correlations are 0 where one side is constant, as a constant tells nothing of the other side."""
    constant = len(targets) < 2 or np.ptp(targets) == 0 or np.ptp(decided) == 0
    error = decided - targets
    return {
        "spearman": 0.0 if constant else float(spearmanr(targets, decided).statistic),
        "pearson": 0.0 if constant else float(pearsonr(targets, decided).statistic),
        "mean_absolute_error": float(np.abs(error).mean()),
        "root_mean_squared_error": float(np.sqrt((error**2).mean())),
    }
