"""Pictures: right geometry, words taken literally, valid PNG."""

from __future__ import annotations

import numpy as np
import pytest

from textssl import figures

PNG = b"\x89PNG\r\n\x1a\n"


def test_principal_plane_equals_the_eigenvectors_of_the_covariance():
    vectors = np.random.default_rng(0).normal(size=(40, 6)) * (5, 3, 1, 1, 1, 1)
    points, share = figures.principal_plane(vectors)
    covariance = np.cov(vectors.T)
    values, axes = np.linalg.eigh(covariance)
    expected = (vectors - vectors.mean(axis=0)) @ axes[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(share, values[::-1][:2] / values.sum())


def test_principal_plane_does_not_depend_on_where_the_vectors_lie():
    vectors = np.random.default_rng(1).normal(size=(10, 4))
    np.testing.assert_allclose(figures.principal_plane(vectors)[0], figures.principal_plane(vectors + 7)[0], atol=1e-9)


def test_principal_plane_of_equal_vectors_is_one_point():
    points, share = figures.principal_plane(np.ones((3, 1)))
    assert points.tolist() == [[0, 0]] * 3
    assert share.tolist() == [0, 0]


def test_neighbour_map_keeps_two_groups_apart():
    random = np.random.default_rng(2)
    vectors = np.concatenate([random.normal(5, 0.1, (12, 4)), random.normal(0, 0.1, (12, 4)) - (5, 0, 0, 0)])
    points = figures.neighbour_map(vectors, seed=1)
    within = np.linalg.norm(points[:12] - points[:12].mean(axis=0), axis=1).max()
    between = np.linalg.norm(points[:12].mean(axis=0) - points[12:].mean(axis=0))
    assert between > within


def test_map_takes_words_literally_and_leaves_out_labels_that_cover_others():
    words = ["$x^{$", "a_b$c$", "<b>", "\\frac"] * 20
    png = figures.draw_map(words, np.zeros((80, 2)), title="$odd$", axes=("one", "two"))
    assert png.startswith(PNG)


def test_pairs_draw_an_arrow_for_each(monkeypatch: pytest.MonkeyPatch):
    points = np.array([[2.0, 0], [2, 1], [2, 2], [0, 0], [0, 1], [0, 2]])
    pairs = [("a", "A"), ("b", "B"), ("c", "C")]
    drawn = []
    monkeypatch.setattr(figures, "as_png", lambda figure: drawn.append(figure) or b"")
    figures.draw_pairs(pairs, points, title="t", axes=("x", "y"))
    (axes,) = drawn[0].axes
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    labels = [text.get_text() for text in axes.texts if text.get_text()]
    assert len(arrows) == 3
    assert labels == ["a", "b", "c", "A", "B", "C"]
    assert all(arrow.xyann[0] < arrow.xy[0] for arrow in arrows), "arrows lead to the right"


def test_labels_do_not_overlap(monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr(figures, "as_png", lambda figure: drawn.append(figure) or b"")
    points = np.random.default_rng(4).normal(size=(60, 2))
    figures.draw_map([f"word{number}" for number in range(60)], points, title="t", axes=("x", "y"))
    (axes,) = drawn[0].axes
    boxes = [figures._extent(text, drawn[0]) for text in axes.texts if text.get_text().startswith("word")]
    overlaps = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert len(boxes) > 20
    assert overlaps == []


def test_curves_draw_one_panel_for_each(monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr(figures, "as_png", lambda figure: drawn.append(figure) or b"")
    figures.draw_curves(
        {"loss": ([1, 2], [3.0, 2.0]), "words_per_s": ([1, 2], [2e6, float("nan")])}, title="t", along="step"
    )
    assert [axes.get_ylabel() for axes in drawn[0].axes] == ["loss", "words_per_s"]
    assert drawn[0].axes[-1].get_xlabel() == "step"
