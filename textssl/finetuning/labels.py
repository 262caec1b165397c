"""What the labels of a table mean: names of classes, sets of names, or numbers; and the numbers that train on them.

Legend: N texts, C classes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError, did_you_mean
from textssl.finetuning.examples import Examples, places_text
from textssl.plural import first_names

Task = Literal["single_label", "multi_label", "regression"]
MAX_CLASS_SHARE = 0.5
MIN_ROWS_TO_DOUBT = 20
MISSING = frozenset({"", "nan"})
NO_LABEL_HINT = "Fill them in, or leave such rows out with --on-bad skip."


@dataclass(frozen=True)
class Labels:
    """What is predicted.

    Args:
        task: one class for each text, any number of classes, or a number.
        names: the C classes in the order of the model's outputs; one name, the column's, for regression.
        mean: of the training labels, for regression; else 0.
        deviation: their standard deviation, for regression; else 1.
    """

    task: Task
    names: tuple[str, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def num_outputs(self) -> int:
        """Outputs of the model: C, or 1 for regression."""
        return len(self.names)

    def encode(self, examples: Examples) -> NDArray[Any]:
        """The labels as targets of the loss.

        Returns:
            int64 (N,), numbers of classes; float32 (N, C) of 0 and 1 for multi_label; float32 (N,) for regression.

        Raises:
            DataError: a label is missing, or was not in the training set; rows are named.
        """
        refuse_missing(examples, self.task)
        if self.task == "regression":
            return _numbers(examples)
        number = {name: at for at, name in enumerate(self.names)}
        sets = [names_in(label, self.task, examples.separator) for label in examples.labels]
        unseen = [at for at, names in enumerate(sets) if any(name not in number for name in names)]
        if unseen:
            raise self._unseen(examples, unseen, sets)
        if self.task == "single_label":
            return np.array([number[names[0]] for names in sets], dtype=np.int64)
        targets = np.zeros((len(sets), len(self.names)), dtype=np.float32)
        for row, names in enumerate(sets):
            targets[row, [number[name] for name in names]] = 1.0
        return targets

    def _unseen(self, examples: Examples, rows: Sequence[int], sets: Sequence[Sequence[str]]) -> DataError:
        given = next(name for name in sets[rows[0]] if name not in self.names)
        return DataError(
            f"{places_text(examples, rows)} {'has a label' if len(rows) == 1 else 'have labels'} that the training set "
            f"does not have, the first is {given!r}; it has {first_names(self.names)}",
            where=examples.source,
            hint=did_you_mean(given, self.names)
            or "Leave these rows out, or label such texts in the training set too.",
        )


def labels_of(train: Examples, *, task: Task | Literal["auto"], name: str = "label") -> Labels:
    """Find out what the labels of a training set mean.

    Args:
        train: the training set.
        task: "auto" takes lists of labels, and cells with a separator, as multi_label, fractions as regression, all
            else as classes.
        name: the column, which names the output of a regression.

    Returns:
        The classes in natural order: numbers by size, texts by their letters.

    Raises:
        DataError: labels are missing, there is one class only, or nearly every row has a class of its own.
    """
    found: Task = _guess(train) if task == "auto" else task
    refuse_missing(train, found)
    if found == "regression":
        numbers = _numbers(train)
        deviation = float(numbers.std())
        if deviation == 0:
            raise DataError(f"every label is {float(numbers[0]):g}, different numbers are expected", where=train.source)
        return Labels(found, (name,), float(numbers.mean()), deviation)
    counts = Counter(label for cell in train.labels for label in names_in(cell, found, train.separator))
    if len(counts) < 2:
        only = ", ".join(map(repr, counts)) or "none"
        raise DataError(
            f"every row has the same label ({only}), at least two are expected",
            where=train.source,
            hint="Name the right column with --label.",
        )
    if len(counts) > MAX_CLASS_SHARE * len(train) and len(train) >= MIN_ROWS_TO_DOUBT:
        raise DataError(
            f"the {len(train):,} rows have {len(counts):,} different labels, which are no classes",
            where=train.source,
            hint="Name the right column with --label; numbers are predicted with --task regression.",
        )
    return Labels(found, tuple(sorted(counts, key=_natural)))


def names_in(label: Any, task: Task, separator: str | None) -> list[str]:
    """The names in one cell: one for single_label, any number for multi_label."""
    if task == "single_label":
        return [_name(label)]
    if isinstance(label, list):
        return [_name(part) for part in label]
    parts = _name(label).split(separator) if separator else [_name(label)]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def class_weights(labels: Labels, targets: NDArray[Any]) -> NDArray[np.float32]:
    """Weights that make every class count the same in sum: w_c = N / (C n_c).

    Args:
        labels: classes of a single_label task.
        targets: int64 (N,).

    Returns:
        float32 (C,); their mean over the texts is 1.

    Raises:
        UsageError: the task is another one.
    """
    if labels.task != "single_label":
        raise UsageError(f"class_weights balanced is for single_label, the task is {labels.task}")
    counts = np.bincount(targets, minlength=len(labels.names))
    present = np.count_nonzero(counts)
    return np.asarray(len(targets) / (present * np.maximum(counts, 1)) * (counts > 0), dtype=np.float32)


def refuse_missing(examples: Examples, task: Task) -> None:
    """Raise for the rows without a label.

    Raises:
        DataError: the rows are named.
    """
    if task == "multi_label":  # a text may have none of the labels
        missing = [at for at, label in enumerate(examples.labels) if label is None]
    else:
        missing = [at for at, label in enumerate(examples.labels) if is_missing(label)]
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        raise DataError(f"{places_text(examples, missing)} {verb} no label", where=examples.source, hint=NO_LABEL_HINT)


def is_missing(label: Any) -> bool:
    """Whether a cell holds no label: nothing, blank, or NaN."""
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return True
    return isinstance(label, str) and label.strip().lower() in MISSING


def _guess(train: Examples) -> Task:
    cells = [label for label in train.labels if not is_missing(label)]
    if train.separator is not None or any(isinstance(label, list) for label in cells):
        return "multi_label"
    texts = {_name(label) for label in cells}
    numbers = [_number(text) for text in texts]
    if texts and all(number is not None for number in numbers) and any(number % 1 for number in numbers if number):
        return "regression"
    return "single_label"


def _name(label: Any) -> str:
    """A label as text: whole floats, which some files make of integers, without their point."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).strip()


def _numbers(examples: Examples) -> NDArray[np.float32]:
    numbers = [_number(label) for label in examples.labels]
    bad = [at for at, number in enumerate(numbers) if number is None]
    if bad:
        given = examples.labels[bad[0]]
        raise DataError(
            f"{places_text(examples, bad)} {'has' if len(bad) == 1 else 'have'} a label that is no finite number, "
            f"the first is {given!r}",
            where=examples.source,
            hint="Classes by name are predicted with --task single_label.",
        )
    return np.array(numbers, dtype=np.float32)


def _number(label: Any) -> float | None:
    try:
        number = float(label)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _natural(name: str) -> tuple[int, float, str]:
    number = _number(name)
    return (1, 0.0, name) if number is None else (0, number, name)
