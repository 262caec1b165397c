"""Random views of batches of images, for any number of channels: crop, flip, colours, blur, solarising, normalising.

Everything random is drawn from the images' keys (`view_plan`), so a view is the same in every batch and on every
device. The definition is in torch and runs anywhere; on the CPU one fused pass (`view_kernel`) makes the same views
several times as fast, without the GIL, so that a thread can make the next batch meanwhile.

Legend: B views, C channels, H and W height and width of the images, S size of the views.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from textssl.errors import UsageError
from textssl.vision.colour import blur, recolour, solarise
from textssl.vision.draws import view_keys as view_keys
from textssl.vision.view_kernel import fused_views
from textssl.vision.view_plan import ViewPlan, draw_plan, plain_plan
from textssl.vision.view_plan import ViewSettings as ViewSettings
from textssl.vision.view_plan import left_out as left_out
from textssl.vision.warp import triangle_weights, warp

PIXEL_TYPES = (torch.uint8, torch.uint16, torch.int32)


def make_views(
    pixels: Tensor,
    keys: NDArray[np.uint64],
    settings: ViewSettings,
    *,
    mean_C: ArrayLike,
    std_C: ArrayLike,
    scale: float,
) -> Tensor:
    """A random view of each image.

    Args:
        pixels: uint8, uint16 or int32 (B, H, W, C), 0 to scale, on any device.
        keys: uint64 (B,), from `view_keys`.
        settings: how views are drawn. Saturation, hue and gray are for 3 channels, and left out for other numbers
            (`left_out` names them for a message).
        mean_C: (C,), subtracted from each channel in units of 0..1.
        std_C: (C,), what each channel is divided by then, above 0.
        scale: the value of white, 255 or 65,535.

    Returns:
        float32 (B, C, S, S) on the device of the pixels.

    Raises:
        UsageError: a shape or type that does not fit.
    """
    _check_pixels(pixels)
    if len(keys) != len(pixels):
        raise UsageError(f"each image needs a key, got {len(keys)} keys for {len(pixels)} images")
    _, height, width, channels = pixels.shape
    plan = draw_plan(keys, settings, height=height, width=width, channels=channels)
    return _carried_out(pixels, plan, mean_C, std_C, scale)


def plain_views(pixels: Tensor, *, size: int, mean_C: ArrayLike, std_C: ArrayLike, scale: float) -> Tensor:
    """Each image as it is: resized where it has another size, and normalised; for evaluation.

    Args:
        pixels: uint8, uint16 or int32 (B, H, W, C), 0 to scale, on any device.
        size: S; other proportions than 1 : 1 are not kept.
        mean_C: (C,), subtracted from each channel in units of 0..1.
        std_C: (C,), what each channel is divided by then, above 0.
        scale: the value of white.

    Returns:
        float32 (B, C, S, S) on the device of the pixels.

    Raises:
        UsageError: a shape or type that does not fit, or a size below 1.
    """
    _check_pixels(pixels)
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}")
    num_images, height, width, channels = pixels.shape
    plan = plain_plan(num_images, size, height=height, width=width, channels=channels)
    return _carried_out(pixels, plan, mean_C, std_C, scale)


def defined_views(
    pixels: Tensor, plan: ViewPlan, mean_C: NDArray[np.float32], std_C: NDArray[np.float32], scale: float
) -> Tensor:
    """Carry a plan out step by step in torch, on the device of the pixels; arguments as those of `make_views`.

    See also: `view_kernel.fused_views` equals it to float32 rounding.
    """
    # Views keep their precision under autocast: in bfloat16 an image of 16 bits would lose half of them.
    with torch.autocast(pixels.device.type, enabled=False):
        height, width = pixels.shape[1:3]
        on_device = [torch.from_numpy(array).to(pixels.device) for array in (*plan, mean_C, std_C)]
        x_BS, y_BS, reach_x_B, reach_y_B, matrices_BKK, shifts_B, sigmas_B, solarised_B, mean_C_, std_C_ = on_device
        rows_BSH = triangle_weights(y_BS, reach_y_B, height)
        columns_BSW = triangle_weights(x_BS, reach_x_B, width)
        views_BCSS = recolour(warp(pixels.float() / scale, rows_BSH, columns_BSW), matrices_BKK, shifts_B)
        if plan.sigmas_B.any():
            blurred_B = sigmas_B > 0
            views_BCSS[blurred_B] = blur(views_BCSS[blurred_B], sigmas_B[blurred_B])
        if plan.solarised_B.any():
            views_BCSS = torch.where(solarised_B[:, None, None, None], solarise(views_BCSS), views_BCSS)
        return (views_BCSS - mean_C_[:, None, None]) / std_C_[:, None, None]


def _carried_out(pixels: Tensor, plan: ViewPlan, mean: ArrayLike, std: ArrayLike, scale: float) -> Tensor:
    channels = pixels.shape[3]
    mean_C, std_C = (np.array(numbers, dtype=np.float32, ndmin=1) for numbers in (mean, std))
    for name, numbers_C in (("mean_C", mean_C), ("std_C", std_C)):
        if numbers_C.shape != (channels,):
            raise UsageError(f"{name} must have one number for each of {channels} channels, got {numbers_C.tolist()}")
    if not (std_C > 0).all():
        raise UsageError(
            f"std_C must be above 0, got {std_C.tolist()}", hint="Give 1 for a channel whose pixels are all equal."
        )
    if pixels.device.type != "cpu":
        return defined_views(pixels, plan, mean_C, std_C, scale)
    return torch.from_numpy(fused_views(pixels.numpy(), plan, mean_C, std_C, scale))


def _check_pixels(pixels: Tensor) -> None:
    if pixels.ndim != 4 or 0 in pixels.shape[1:]:
        raise UsageError(f"pixels must have the shape (images, height, width, channels), got {tuple(pixels.shape)}")
    if pixels.dtype not in PIXEL_TYPES:
        raise UsageError(
            f"pixels must be whole numbers (uint8, uint16 or int32), got {pixels.dtype}",
            hint="Give the pixels of the images as they were read; views scale and normalise them.",
        )
