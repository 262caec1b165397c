"""The vote of neighbours: against counting by hand, and each image among the others."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.vision import neighbors
from textssl.vision.neighbors import QUERIES_AT_ONCE, accuracy_among_others, nearest, vote


def test_nearest_equals_sorting_all_cosines(monkeypatch):
    source = np.random.default_rng(0)
    bank, queries = source.normal(size=(50, 6)).astype(np.float32), source.normal(size=(9, 6)).astype(np.float32)
    monkeypatch.setattr(neighbors, "QUERIES_AT_ONCE", 4)
    cosines, numbers = nearest(bank, queries, 12)
    expected = (queries @ bank.T) / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(bank, axis=1))
    order = np.argsort(-expected, axis=1)[:, :12]
    np.testing.assert_array_equal(numbers, order)
    np.testing.assert_allclose(cosines, np.take_along_axis(expected, order, axis=1), atol=1e-6)


def test_votes_are_weighted_by_cosine_and_temperature():
    cosines = np.array([[0.9, 0.5, 0.5], [0.9, 0.5, 0.5]], dtype=np.float32)
    labels = np.array([[0, 1, 1], [0, 1, 1]])
    assert vote(cosines, labels, 2, 0.07).tolist() == [0, 0]
    assert vote(cosines, labels, 2, 100.0).tolist() == [1, 1], "nearly equal votes: the two outnumber the one"


@pytest.mark.parametrize("num", [40, QUERIES_AT_ONCE + 9])
def test_accuracy_equals_the_vote_of_all_others_one_by_one(num):
    source = np.random.default_rng(3)
    vectors, labels = source.normal(size=(num, 5)).astype(np.float32), source.integers(0, 3, num)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = 0
    for own in range(num):
        others = np.delete(np.arange(num), own)
        cosines = units[others] @ units[own]
        nearest = np.argsort(-cosines, kind="stable")[:7]
        scores = [np.exp(cosines[nearest][labels[others][nearest] == label] / 0.5).sum() for label in range(3)]
        right += int(np.argmax(scores)) == labels[own]
    assert accuracy_among_others(vectors, labels, k=7, temperature=0.5) == right / num


def test_equal_vectors_before_the_own_one_leave_k_votes():
    vectors, labels = np.ones((9, 2), np.float32), np.array([0, 0, 0, 0, 0, 0, 0, 1, 1])
    assert accuracy_among_others(vectors, labels, k=8) == 7 / 9
    for k in range(1, 9):
        assert 0 <= accuracy_among_others(vectors, labels, k=k) <= 1


def test_no_vector_votes_for_itself():
    vectors, labels = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]], np.array([0, 1, 0, 1])
    assert accuracy_among_others(vectors, labels, k=1) == 0.0
    assert accuracy_among_others(vectors, np.array([0, 0, 1, 1]), k=100) == 1.0
    assert accuracy_among_others(np.zeros((3, 2), np.float32), np.array([1, 1, 1])) == 1.0
