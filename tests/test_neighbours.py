"""Nearest rows against a plain sort, whatever the block size."""

from __future__ import annotations

import numpy as np
import pytest

from textssl import neighbours
from textssl.neighbours import cosines, nearest_rows, row_norms, top_places, unit, unit_rows


@pytest.mark.parametrize("topn", [0, 1, 10, 300, 5000])
@pytest.mark.parametrize("width", [1, 63, 64, 1000, 4096])
def test_top_places_equals_stable_sort(width: int, topn: int) -> None:
    scores = np.random.default_rng(width).integers(0, 500, (3, width)).astype(np.float32)
    expected = -np.sort(-scores, axis=1)[:, :topn]
    found = top_places(scores, topn)
    np.testing.assert_array_equal(np.take_along_axis(scores, found, axis=1), expected)
    assert all(len(set(row)) == len(row) for row in found.tolist())


def test_top_places_of_different_scores_equals_argsort() -> None:
    scores = np.random.default_rng(0).permutation(10_000).astype(np.float32)[None]
    np.testing.assert_array_equal(top_places(scores, 20), np.argsort(-scores)[:, :20])


@pytest.mark.parametrize("at_once", [1, 500, 1 << 24])
def test_nearest_rows_does_not_depend_on_blocks(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SCORES_AT_ONCE", at_once)
    vectors = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    directions = np.stack([unit(vector) for vector in vectors[:4]])
    rows, values = nearest_rows(vectors, row_norms(vectors), directions, topn=7, left_out=[[0], [1], [], [3, 5]])
    scores = directions @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    scores[[0, 1, 3, 3], [0, 1, 3, 5]] = -np.inf
    np.testing.assert_array_equal(rows, np.argsort(-scores, axis=1)[:, :7])
    np.testing.assert_allclose(values, -np.sort(-scores, axis=1)[:, :7], rtol=1e-5)


def test_row_norms_survive_numbers_whose_squares_do_not_fit() -> None:
    vectors = np.array([[3e38, 0], [3e-30, 4e-30], [0, 0], [3e38, 3e38]], dtype=np.float32)
    norms = row_norms(vectors)
    np.testing.assert_allclose(norms[:3], [3e38, 5e-30, 0], rtol=1e-6)
    assert norms[3] == np.finfo(np.float32).max


def test_cosines_with_zeros_are_zero() -> None:
    vectors = np.array([[0, 0], [2, 0]], dtype=np.float32)
    assert cosines(vectors, row_norms(vectors), unit([1, 0])).tolist() == [0, 1]
    assert unit([0, 0]).tolist() == [0, 0]


def test_unit_rows_leave_zeros() -> None:
    np.testing.assert_allclose(unit_rows(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]])
