"""Boxes: inside the image, with the areas and ratios asked for; weights: each output's sum to 1, known answers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textssl.vision.warp import centres, crop_boxes, triangle_weights, warp, whole_boxes  # noqa: E402


def boxes_of(num_boxes=20_000, *, height=32, width=32, areas=(0.08, 1.0), ratios=(3 / 4, 4 / 3)):
    uniforms = np.random.default_rng(0).random((num_boxes, 22))
    places, tries = uniforms[:, :2], uniforms[:, 2:].reshape(-1, 10, 2)
    return crop_boxes(places, tries, height=height, width=width, areas=areas, ratios=ratios)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 32), (31, 7), (1, 1)])
def test_boxes_lie_inside_the_image(height, width):
    left, top, box_width, box_height = boxes_of(height=height, width=width).T
    assert min(left.min(), top.min()) >= 0
    assert (left + box_width).max() <= width + 1e-9
    assert (top + box_height).max() <= height + 1e-9
    assert min(box_width.min(), box_height.min()) > 0


def test_areas_are_even_as_long_as_every_ratio_fits():
    _, _, box_width, box_height = boxes_of(areas=(0.05, 0.75)).T
    counts = np.histogram(box_width * box_height / 32**2, bins=10, range=(0.05, 0.75))[0]
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # 99.9 % point of 9 degrees of freedom


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 32)])
def test_areas_and_ratios_are_in_range(height, width):
    _, _, box_width, box_height = boxes_of(height=height, width=width).T
    shares = box_width * box_height / (height * width)
    assert 0.08 - 1e-9 <= shares.min() < 0.081
    assert 0.98 < shares.max() <= 1 + 1e-9
    ratios = box_width / box_height
    assert 3 / 4 - 1e-9 <= ratios.min() < 0.76
    assert 1.32 < ratios.max() <= 4 / 3 + 1e-9


def test_of_a_square_the_share_of_ratios_that_fit_an_area_thins_it_out():
    """An area a fits with ratios from a to 1/a, so its density is that of an even one times log(1/a) / log(4/3)."""
    _, _, box_width, box_height = boxes_of(200_000).T
    shares = box_width * box_height / 32**2
    edges = np.linspace(0.75, 1, 200_001)
    fitting = -np.log((edges[1:] + edges[:-1]) / 2) / np.log(4 / 3) * np.diff(edges)
    above = edges[:-1] >= 0.8
    expected = fitting[above].sum() / (0.75 - 0.08 + fitting.sum())
    assert (shares > 0.8).mean() == pytest.approx(expected, abs=0.003)


def test_without_a_fitting_try_it_is_the_largest_box_in_the_middle():
    never = np.full((3, 10, 2), 0.999)
    places = np.zeros((3, 2))
    long_boxes = crop_boxes(places, never, height=10, width=100, areas=(0.9, 1.0), ratios=(3 / 4, 4 / 3))
    np.testing.assert_allclose(long_boxes, [[50 - 20 / 3, 0, 40 / 3, 10]] * 3)
    high_boxes = crop_boxes(places, never, height=100, width=9, areas=(0.9, 1.0), ratios=(3 / 4, 4 / 3))
    np.testing.assert_allclose(high_boxes, [[0, 44, 9, 12]] * 3)


def test_boxes_are_those_of_the_first_try_that_fits():
    tries = np.array([[[0.95, 0.99], [0.5, 0.25], [0.1, 0.5]]])
    (box,) = crop_boxes(np.array([[0.25, 1.0]]), tries, height=10, width=10, areas=(0.0, 1.0), ratios=(0.5, 2.0))
    ratio = 0.5 * 4**0.25
    wide, high = np.sqrt(50 * ratio), np.sqrt(50 / ratio)
    np.testing.assert_allclose(box, [(10 - wide) / 4, 10 - high, wide, high])


def test_ratios_of_small_boxes_are_even_in_the_logarithm():
    _, _, box_width, box_height = boxes_of(areas=(0.1, 0.2)).T
    logarithms = np.log(box_width / box_height)
    counts = np.histogram(logarithms, bins=10, range=(np.log(3 / 4), np.log(4 / 3)))[0]
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9


def test_whole_area_is_the_whole_image():
    np.testing.assert_allclose(boxes_of(5, areas=(1, 1), height=24, width=32), whole_boxes(5, height=24, width=32))


def test_centres_of_the_whole_image_are_its_pixels():
    assert centres(np.zeros(1), np.array([4.0]), 4).tolist() == [[0, 1, 2, 3]]
    assert centres(np.array([1.0]), np.array([2.0]), 4).tolist() == [[0.75, 1.25, 1.75, 2.25]]


def test_triangle_weights_have_known_values():
    weights = triangle_weights(torch.tensor([[-0.25, 0.25, 2.0, 3.25]]), torch.ones(1), 4)
    expected = [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    torch.testing.assert_close(weights[0], torch.tensor(expected).float())
    halved = triangle_weights(torch.tensor([[0.5, 2.5]]), torch.tensor([2.0]), 4)
    torch.testing.assert_close(halved[0, 0], torch.tensor([3, 3, 1, 0]) / 7)
    torch.testing.assert_close(halved.sum(dim=2), torch.ones(1, 2))


def test_warp_sums_rows_and_columns():
    pixels = torch.arange(6.0).reshape(1, 2, 3, 1)
    rows, columns = torch.tensor([[[0.5, 0.5]]]), torch.tensor([[[0.0, 0.0, 1.0]]])
    assert warp(pixels, rows, columns).tolist() == [[[[3.5]]]]
