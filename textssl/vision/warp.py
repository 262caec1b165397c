"""Crop, resize and flip as one linear map of the pixels: the boxes, and the map as its definition in torch.

    view[y, x] = sum_ij  rows[y, i] * columns[x, j] * image[i, j]

Rows of weights are triangles around the place that an output pixel has in the image. At the size of the box or above
it that is bilinear interpolation; below it the triangle is as wide as an output pixel, so nothing aliases. At its edges
a box sees the pixels around it, where the image has any.

Legend: B images, C channels, H and W height and width of the images, S size of the views, N H or W.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEFT, TOP, WIDTH, HEIGHT = range(4)


def crop_boxes(
    places_B2: NDArray[np.float64],
    tries_BT2: NDArray[np.float64],
    *,
    height: int,
    width: int,
    areas: tuple[float, float],
    ratios: tuple[float, float],
) -> NDArray[np.float64]:
    """Random parts of an image: an even area and a ratio even in its logarithm, drawn again until the box fits.

    So areas near the whole image, which few ratios fit, are rarer than others: of a square, with the usual ranges, a
    ninth of the boxes have above 80 %. Where no try fits, the box is the largest in the middle whose ratio is in range.

    Args:
        places_B2: float64 (B, 2) in [0, 1): where the box lies across and down, of the room that it leaves.
        tries_BT2: float64 (B, T, 2) in [0, 1): area and ratio of each try.
        height: H in pixels.
        width: W in pixels.
        areas: smallest and largest share of the image's area, above 0 and at most 1.
        ratios: smallest and largest width / height, above 0.

    Returns:
        float64 (B, 4): left, top, width, height in pixels; not rounded. Few boxes of whole pixels exist in a small
        image: with them five methods lost 1 to 7 points of nearest neighbours on 8 x 8 digits (means of 3 seeds).

    Source: Szegedy and others, "Going deeper with convolutions" (arXiv 1409.4842), section 6; tries and the box in the
    middle as in torchvision's RandomResizedCrop.
    """
    area_BT = (areas[0] + (areas[1] - areas[0]) * tries_BT2[:, :, 0]) * (height * width)
    ratio_BT = ratios[0] * (ratios[1] / ratios[0]) ** tries_BT2[:, :, 1]
    width_BT, height_BT = np.sqrt(area_BT * ratio_BT), np.sqrt(area_BT / ratio_BT)
    fits_BT = (width_BT <= width) & (height_BT <= height)
    first_B = np.arange(len(fits_BT)), fits_BT.argmax(axis=1)
    found_B = fits_BT[first_B]
    width_B = np.where(found_B, width_BT[first_B], min(width, height * ratios[1]))
    height_B = np.where(found_B, height_BT[first_B], min(height, width / ratios[0]))
    across_B, down_B = np.where(found_B, places_B2.T, 0.5)
    return np.stack([(width - width_B) * across_B, (height - height_B) * down_B, width_B, height_B], axis=1)


def whole_boxes(num_images: int, *, height: int, width: int) -> NDArray[np.float64]:
    """The box of everything, float64 (B, 4), for views that are only resized."""
    return np.tile(np.array([0.0, 0.0, width, height]), (num_images, 1))


def centres(starts_B: NDArray[np.float64], lengths_B: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Where the centres of S output pixels lie in the image, in pixels; the centre of its first pixel is 0.

        start + (s + 1/2) * length / S - 1/2

    Args:
        starts_B: float64 (B,), the left or upper edges of the boxes.
        lengths_B: float64 (B,), the widths or heights of the boxes.
        size: S.

    Returns:
        float32 (B, S).
    """
    halves_S = np.arange(size) + 0.5
    return (starts_B[:, None] + halves_S * (lengths_B[:, None] / size) - 0.5).astype(np.float32)


def triangle_weights(centres_BS: Tensor, reaches_B: Tensor, num_pixels: int) -> Tensor:
    """How much each pixel of a row of the image counts in each output pixel; each output's weights sum to 1.

        weight[s, n] = max(0, 1 - |n - centre[s]| / reach)  divided by its sum over n

    Args:
        centres_BS: float32 (B, S), from `centres`.
        reaches_B: float32 (B,), the larger of 1 and box length / S.
        num_pixels: N, of the image.

    Returns:
        float32 (B, S, N).
    """
    places_N = torch.arange(num_pixels, device=centres_BS.device, dtype=torch.float32)
    distances_BSN = (places_N - centres_BS[:, :, None]).abs()
    weights_BSN = (1 - distances_BSN / reaches_B[:, None, None]).clamp_min(0)
    return weights_BSN / weights_BSN.sum(dim=2, keepdim=True)


def warp(pixels_BHWC: Tensor, rows_BSH: Tensor, columns_BSW: Tensor) -> Tensor:
    """The two sums of the file's head.

    Args:
        pixels_BHWC: float32 (B, H, W, C).
        rows_BSH: float32 (B, S, H), from `triangle_weights`.
        columns_BSW: float32 (B, S, W), the same across.

    Returns:
        float32 (B, C, S, S).
    """
    num_images, height, width, channels = pixels_BHWC.shape
    size = rows_BSH.shape[1]
    half_BSX = torch.bmm(rows_BSH, pixels_BHWC.reshape(num_images, height, width * channels))  # (B, S, W * C)
    half_BSWC = half_BSX.reshape(num_images, size, width, channels)
    return torch.einsum("bxw,bywc->bcyx", columns_BSW, half_BSWC).contiguous()
