"""Pictures of images: PNG of any number of labels and channels, names taken literally."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.image_figures import _as_pictures, draw_image_map, draw_nearest

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("num_labels", [0, 1, 3, 30])
def test_map_is_drawn_for_any_number_of_labels(num_labels):
    source = np.random.default_rng(0)
    points = source.normal(size=(60, 2))
    targets = source.integers(-1, num_labels, 60) if num_labels else None
    names = [f"$label_{number}$ " + "x" * 30 for number in range(num_labels)]
    assert draw_image_map(points, targets, names, title="a $title$", axes=("x", "y")).startswith(PNG)


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (2, np.uint16), (5, np.uint8)])
def test_nearest_images_are_drawn_for_any_channels(channels, dtype):
    pixels = np.random.default_rng(0).integers(0, 200, (2, 4, 6, 5, channels)).astype(dtype)
    labels = (["a", None], [["a", "b", None]] * 2)
    png = draw_nearest(pixels[:, 0], pixels[:, 1:], np.zeros((2, 3)), labels, title="nearest")
    assert png.startswith(PNG)


def test_pictures_keep_8_bits_as_they_are_and_stretch_16():
    gray = np.array([[[[0], [51]], [[255], [102]]]], np.uint8)
    np.testing.assert_allclose(_as_pictures(gray), [[[0, 0.2], [1, 0.4]]])
    deep = np.linspace(1000, 2000, 16 * 16).reshape(1, 16, 16, 1).astype(np.uint16)
    shown = _as_pictures(deep)
    assert (shown.min(), shown.max()) == (0, 1)
    assert _as_pictures(np.zeros((1, 2, 2, 7), np.uint8)).shape == (1, 2, 2, 3)
    assert _as_pictures(np.zeros((1, 400, 400, 3), np.uint8)).shape == (1, 100, 100, 3)
