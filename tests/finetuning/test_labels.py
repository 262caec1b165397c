"""What labels mean: names in order, missing and unseen ones named by row, weights, numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from textssl.errors import DataError, UsageError
from textssl.finetuning.examples import Examples
from textssl.finetuning.labels import Labels, class_weights, labels_of


def examples(labels: list[Any], **other: Any) -> Examples:
    return Examples(
        "t.csv", [f"text {at}" for at in range(len(labels))], None, labels, range(2, len(labels) + 2), **other
    )


def test_labels_are_named_in_natural_order():
    assert labels_of(examples(["b", "a", "b"]), task="auto").names == ("a", "b")
    assert labels_of(examples(["10", "9", "10", "2"]), task="auto").names == ("2", "9", "10")
    assert labels_of(examples([2.0, 1, 2.0]), task="auto").names == ("1", "2")
    assert labels_of(examples([True, False]), task="auto").names == ("False", "True")


def test_labels_task_is_guessed_from_the_cells():
    assert labels_of(examples([["x", "y"], []]), task="auto").task == "multi_label"
    assert labels_of(examples(["x|y", "y", ""], separator="|"), task="auto").task == "multi_label"
    assert labels_of(examples(["1.5", "2", "3"]), task="auto").task == "regression"
    assert labels_of(examples(["1", "2", "1"]), task="auto").task == "single_label"
    assert labels_of(examples(["1.0", "x"]), task="auto").task == "single_label"


def test_labels_encode_each_task():
    single = Labels("single_label", ("a", "b"))
    np.testing.assert_array_equal(single.encode(examples([" b", "a"])), [1, 0])
    several = labels_of(examples(["x|y", "y", ""], separator="|"), task="multi_label")
    np.testing.assert_array_equal(several.encode(examples(["y|x", ""], separator="|")), [[1, 1], [0, 0]])
    numbers = labels_of(examples(["1", "2", "3"]), task="regression", name="stars")
    assert (numbers.names, numbers.num_outputs) == (("stars",), 1)
    assert (numbers.mean, numbers.deviation) == pytest.approx((2, math.sqrt(2 / 3)))
    np.testing.assert_array_equal(numbers.encode(examples(["2.5"])), [np.float32(2.5)])


def test_labels_that_are_missing_are_named_by_row():
    with pytest.raises(DataError, match=r"t.csv: line 3 has no label\nFill them in"):
        labels_of(examples(["a", "", "b"]), task="auto")
    with pytest.raises(DataError, match="lines 2, 4, 5, 6, 7 and 2 more have no label"):
        labels_of(examples([None, "a", "nan", "NaN", " ", float("nan"), "", None, "b"]), task="single_label")
    with pytest.raises(DataError, match="line 3 has no label"):
        labels_of(examples([["a"], None]), task="multi_label")


def test_labels_that_training_never_saw_are_named_by_row():
    labels = Labels("single_label", ("negative", "positive"))
    with pytest.raises(DataError, match="line 3 has a label that the training set does not have, the first is "
                       r"'positve'; it has negative, positive\nDid you mean 'positive'\?"):  # fmt: skip
        labels.encode(examples(["negative", "positve"]))
    with pytest.raises(DataError, match="lines 2, 3 have labels .* the first is 'x'"):
        labels.encode(examples(["x", "y"]))


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (["a", "a"], "auto", r"every row has the same label \('a'\), at least two are expected"),
        ([[], []], "multi_label", r"every row has the same label \(none\)"),
        ([str(n) for n in range(30)], "single_label", "the 30 rows have 30 different labels, which are no classes"),
        (["1", "1"], "regression", "every label is 1, different numbers are expected"),
        (["1", "x", "inf"], "regression", "lines 3, 4 have a label that is no finite number, the first is 'x'"),
    ],
)
def test_labels_that_make_no_sense_are_refused(cells, task, message):
    with pytest.raises(DataError, match=message):
        labels_of(examples(cells), task=task)


def test_class_weights_give_every_class_the_same_sum():
    labels = Labels("single_label", ("a", "b", "never"))
    targets = np.array([0] * 9 + [1])
    weights = class_weights(labels, targets)
    assert weights[targets].mean() == pytest.approx(1)
    assert weights[0] * 9 == pytest.approx(weights[1])
    with pytest.raises(UsageError, match="class_weights balanced is for single_label, the task is multi_label"):
        class_weights(Labels("multi_label", ("a", "b")), targets)
