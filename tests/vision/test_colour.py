"""Colours: what the matrix keeps and what it changes, the parts against their definitions, and the message."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textssl.errors import UsageError  # noqa: E402
from textssl.vision.colour import LUMA, blur, blur_radius, colour_matrices, one_channel, recolour, solarise  # noqa: E402

RED = np.array([1.0, 0.0, 0.0])


def matrix_of(gain=1.0, saturation=1.0, hue=0.0):
    return colour_matrices(np.array([gain]), np.array([saturation]), np.array([hue]), 3)[0]


def test_no_change_is_the_identity():
    np.testing.assert_allclose(matrix_of(), np.eye(3), atol=1e-7)


@pytest.mark.parametrize("hue", [-0.5, -0.1, 0.03, 0.25, 0.5])
def test_hue_keeps_gray_pixels_and_the_luma(hue):
    matrix = matrix_of(hue=hue)
    np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-6)
    np.testing.assert_allclose(np.array(LUMA) @ matrix, LUMA, atol=1e-6)


def test_hue_turns_add_up_and_a_third_takes_red_to_green_or_blue():
    np.testing.assert_allclose(matrix_of(hue=0.1) @ matrix_of(hue=0.2), matrix_of(hue=0.3), atol=1e-6)
    np.testing.assert_allclose(matrix_of(hue=1.0), np.eye(3), atol=1e-6)
    assert {int((matrix_of(hue=turn) @ RED).argmax()) for turn in (1 / 3, -1 / 3)} == {1, 2}


def test_saturation_mixes_with_the_luma():
    np.testing.assert_allclose(matrix_of(saturation=0.0), np.tile(LUMA, (3, 1)), atol=1e-7)
    np.testing.assert_allclose(matrix_of(saturation=0.5) @ RED, 0.5 * RED + 0.5 * LUMA[0], atol=1e-6)


def test_recolour_equals_the_steps_one_by_one():
    views = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.3
    brightness, contrast, saturation = 1.1, 0.8, 0.7
    expected = views * brightness
    luma = torch.einsum("bcyx,c->byx", expected, torch.tensor(LUMA))
    expected = contrast * expected + (1 - contrast) * luma.mean(dim=(1, 2))[:, None, None, None]
    luma = torch.einsum("bcyx,c->byx", expected, torch.tensor(LUMA))[:, None]
    expected = saturation * expected + (1 - saturation) * luma
    matrices = torch.from_numpy(np.tile(matrix_of(brightness * contrast, saturation), (4, 1, 1)))
    given = recolour(views, matrices, torch.full((4,), brightness * (1 - contrast)))
    torch.testing.assert_close(given, expected, atol=1e-6, rtol=0)


def test_recolour_of_other_channels_takes_the_mean_of_each():
    views = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    matrices = colour_matrices(np.full(2, 0.5), np.ones(2), np.zeros(2), 4)
    assert matrices.shape == (2, 1, 1)
    given = recolour(views, torch.from_numpy(matrices), torch.full((2,), 0.5))
    torch.testing.assert_close(given, 0.5 * views + 0.5 * views.mean(dim=(2, 3), keepdim=True))


def test_blur_equals_a_convolution_inside_and_keeps_constants():
    views = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([math.exp(-0.5 / 1.2**2), 1.0, math.exp(-0.5 / 1.2**2)])
    kernel = torch.outer(weights, weights) / weights.sum() ** 2
    expected = torch.nn.functional.conv2d(views.reshape(6, 1, 20, 20), kernel[None, None]).reshape(2, 3, 18, 18)
    torch.testing.assert_close(blur(views, torch.full((2,), 1.2))[:, :, 1:-1, 1:-1], expected, atol=1e-6, rtol=0)
    constant = torch.full((1, 1, 7, 7), 0.3)
    torch.testing.assert_close(blur(constant, torch.tensor([2.0])), constant)


def test_small_blur_changes_nothing():
    views = torch.rand(1, 1, 6, 6)
    torch.testing.assert_close(blur(views, torch.tensor([0.1])), views)


def test_blur_spans_a_tenth_of_the_view():
    assert [blur_radius(size) for size in (8, 28, 32, 96, 224)] == [1, 1, 2, 5, 11]


def test_solarise_turns_bright_values_around():
    given = solarise(torch.tensor([0.0, 0.49, 0.5, 0.9, 1.0]))
    torch.testing.assert_close(given, torch.tensor([0.0, 0.49, 0.5, 0.1, 0.0]))


def test_one_channel_shows_one_of_the_channels():
    images = torch.arange(3.0)[None, :, None, None].expand(300, 3, 2, 2)
    keys = np.arange(300, dtype=np.uint64) * np.uint64(12345)
    shown = one_channel(images, keys)
    assert shown.shape == images.shape
    assert (shown == shown[:, :1, :1, :1]).all()
    assert min(np.bincount(shown[:, 0, 0, 0].int().numpy(), minlength=3)) > 70
    assert torch.equal(one_channel(images[5:6], keys[5:6]), shown[5:6])


def test_one_channel_refuses_another_number_of_keys():
    with pytest.raises(UsageError, match="each image needs a key, got 2 keys for 3 images"):
        one_channel(torch.zeros(3, 3, 2, 2), np.zeros(2, dtype=np.uint64))
