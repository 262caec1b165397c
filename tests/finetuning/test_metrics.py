"""Scores by hand and against scikit-learn; tables per class; the confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from textssl.finetuning.labels import Labels
from textssl.finetuning.metrics import PRIMARY, confusion, decisions, per_class, scores_of, spread

ABC = Labels("single_label", ("a", "b", "c"))


def test_decisions_have_the_layout_of_targets():
    probabilities = np.array([[0.2, 0.7, 0.6], [0.5, 0.4, 0.1]], dtype=np.float32)
    np.testing.assert_array_equal(decisions("single_label", probabilities), [1, 0])
    np.testing.assert_array_equal(decisions("multi_label", probabilities), [[0, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(decisions("regression", probabilities[:, :1]), probabilities[:, 0])


def test_scores_name_the_one_that_counts_first():
    targets, decided = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    assert scores_of("single_label", targets, decided)["accuracy"] == 0.75
    several = scores_of("multi_label", np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]]))
    assert several == pytest.approx({"micro_f1": 0.8, "macro_f1": 0.5, "exact_match": 0.5})
    numbers = scores_of("regression", np.array([1.0, 2, 4]), np.array([2.0, 3, 3.5]))
    assert numbers["spearman"] == 1
    assert numbers["mean_absolute_error"] == pytest.approx(2.5 / 3)
    for task, found in (("multi_label", several), ("regression", numbers)):
        assert next(iter(found)) == PRIMARY[task]


def test_correlation_with_a_constant_is_nothing():
    found = scores_of("regression", np.array([1.0, 2, 3]), np.full(3, 2.0))
    assert (found["spearman"], found["pearson"]) == (0, 0)


def test_classes_and_confusion_equal_counts_by_hand():
    targets, decided = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    table = per_class(ABC, targets, decided)
    assert [each.support for each in table] == [2, 3, 0]
    assert (table[1].precision, table[1].recall, table[2].f1) == pytest.approx((2 / 3, 2 / 3, 0))
    np.testing.assert_array_equal(
        confusion(ABC, targets, decided), confusion_matrix(targets, decided, labels=[0, 1, 2])
    )
    assert per_class(Labels("regression", ("x",)), targets, decided) == []
    several = per_class(Labels("multi_label", ("x", "y")), np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]]))
    assert [each.recall for each in several] == [0.5, 1]


def test_spread_is_mean_and_deviation_of_a_sample():
    assert spread([{"accuracy": 0.5}]) == {"accuracy": (0.5, 0.0)}
    assert spread([{"accuracy": 1.0}, {"accuracy": 3.0}])["accuracy"] == pytest.approx((2, 2**0.5))
