"""Colour of views: brightness, contrast, saturation, hue and gray as one matrix a view; blur and solarising.

With luma l (weights that sum to 1), P0 = 1 l' (every channel becomes the luma), P1 = I - P0 (what is left) and P2 the
quarter turn of that in the plane of I and Q:

    M = brightness * contrast * (P0 + saturation * (cos(hue) P1 + sin(hue) P2))
    out = M x + brightness * (1 - contrast) * m

since luma and the plane of colours do not mix; m is the mean luma of the view and gray is saturation 0. Other than in
the usual chain the order is fixed, hue turns in YIQ instead of HSV, and values are cut to 0..1 once, at the end.

Legend: B views, C channels, S size of the views, K colours that a matrix mixes (3, or 1 where C is not 3).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.errors import UsageError
from textssl.vision.draws import draws

LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""
_YIQ = np.array([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])
_LUMA_PART = np.array([LUMA] * 3)
_COLOUR_PART = np.eye(3) - _LUMA_PART
_QUARTER_TURN = np.linalg.inv(_YIQ) @ np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ _YIQ


def colour_matrices(
    gains_B: NDArray[np.float64], saturations_B: NDArray[np.float64], hues_B: NDArray[np.float64], channels: int
) -> NDArray[np.float32]:
    """M of the file's head; for other than 3 channels the gain alone, since they have no colour to turn.

    Args:
        gains_B: float64 (B,), brightness times contrast.
        saturations_B: float64 (B,), 1 leaves the colours, 0 makes gray.
        hues_B: float64 (B,), a share of the full circle.
        channels: C.

    Returns:
        float32 (B, K, K).
    """
    if channels != len(LUMA):
        return gains_B.astype(np.float32).reshape(-1, 1, 1)
    angles_B = 2 * math.pi * hues_B
    along_B = saturations_B * np.cos(angles_B)
    across_B = saturations_B * np.sin(angles_B)
    parts_3X = np.stack([_LUMA_PART, _COLOUR_PART, _QUARTER_TURN]).reshape(3, 9)
    matrices_BX = np.stack([gains_B, gains_B * along_B, gains_B * across_B], axis=1) @ parts_3X
    return np.asarray(matrices_BX, dtype=np.float32).reshape(-1, 3, 3)


def recolour(views_BCSS: Tensor, matrices_BKK: Tensor, shifts_B: Tensor) -> Tensor:
    """Mix the channels of each view, add the shift times its mean, and cut to 0..1.

    Args:
        views_BCSS: float32 (B, C, S, S), 0..1.
        matrices_BKK: float32 (B, K, K), from `colour_matrices`.
        shifts_B: float32 (B,), brightness * (1 - contrast).

    Returns:
        float32 (B, C, S, S). With 3 channels the mean is that of the luma; else each channel has its own.
    """
    means_BC = views_BCSS.mean(dim=(2, 3))
    if matrices_BKK.shape[1] == 1:
        mixed_BCSS = views_BCSS * matrices_BKK[:, :, :, None]
    else:
        mixed_BCSS = torch.einsum("bkc,bcyx->bkyx", matrices_BKK, views_BCSS)
        means_BC = (means_BC @ means_BC.new_tensor(LUMA))[:, None]
    return (mixed_BCSS + (shifts_B[:, None] * means_BC)[:, :, None, None]).clamp(0, 1)


def blur_radius(size: int) -> int:
    """How many pixels a blur reaches to each side: the size / 20, at least 1, so that it spans a tenth of the view.

    Source: Chen and others, "A simple framework for contrastive learning" (arXiv 2002.05709), appendix A.
    """
    return max(1, round(size / 20))


def blur(views_BCSS: Tensor, sigmas_B: Tensor) -> Tensor:
    """Blur each view with a Gaussian of its own; at the border the weights of pixels that exist are scaled to sum to 1.

    Args:
        views_BCSS: float32 (B, C, S, S).
        sigmas_B: float32 (B,), standard deviations in pixels, above 0.

    Returns:
        float32 (B, C, S, S).
    """
    size = views_BCSS.shape[-1]
    places_S = torch.arange(size, device=views_BCSS.device)
    distances_SS = (places_S[:, None] - places_S).abs()
    near_SS = distances_SS <= blur_radius(size)
    weights_BSS = torch.exp(-0.5 * (distances_SS / sigmas_B[:, None, None]) ** 2) * near_SS
    weights_BSS = weights_BSS / weights_BSS.sum(dim=2, keepdim=True)
    weights_B1SS = weights_BSS[:, None]
    return weights_B1SS @ views_BCSS @ weights_B1SS.transpose(2, 3)


def solarise(views: Tensor) -> Tensor:
    """Turn bright values around, any shape: x from 1/2 on becomes 1 - x."""
    return torch.where(views >= 0.5, 1 - views, views)


def one_channel(images_BCHW: Tensor, keys_B: NDArray[np.uint64]) -> Tensor:
    """Show one channel of each image in all channels, so that colour fringes give nothing away.

    Args:
        images_BCHW: (B, C, H, W), any type.
        keys_B: uint64 (B,); equal keys choose the same channel.

    Returns:
        The same shape.

    Raises:
        UsageError: the number of keys is not that of the images.

    Source: "channel splitting", Lee and others, "Unsupervised representation learning by sorting sequences"
    (arXiv 1708.01246), section 3.
    """
    num_images, channels = images_BCHW.shape[:2]
    if len(keys_B) != num_images:
        raise UsageError(f"each image needs a key, got {len(keys_B)} keys for {num_images} images")
    chosen_B = torch.from_numpy((draws(keys_B, 1)[:, 0] * channels).astype(np.int64)).to(images_BCHW.device)
    everything_B = torch.arange(num_images, device=images_BCHW.device)
    return images_BCHW[everything_B, chosen_B][:, None].expand_as(images_BCHW)
