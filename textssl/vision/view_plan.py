"""What is drawn for a view: settings, and the plan of a batch that the definition and the fused form both carry out.

Legend: B views, S size of the views, K colours that a matrix mixes (3, or 1 where C is not 3).
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textssl.config import option, validate
from textssl.errors import UsageError
from textssl.vision.colour import LUMA, colour_matrices
from textssl.vision.draws import draws
from textssl.vision.warp import HEIGHT, LEFT, TOP, WIDTH, centres, crop_boxes, whole_boxes

CROP_TRIES = 10
_NUM_DRAWS = 12
"""Random numbers of a view beside those of the tries."""


@dataclass(frozen=True)
class ViewSettings:
    """How views are drawn; the defaults are SimCLR's without blur, as its authors train on small images.

    Source: Chen and others, "A simple framework for contrastive learning" (arXiv 2002.05709), appendix A and B.9.
    """

    size: int = option(MISSING, "Height and width of a view, in pixels.", minimum=1)
    crop_min: float = option(0.08, "Smallest share of the image that a view shows.", above=0, maximum=1)
    crop_max: float = option(1.0, "Largest share of the image that a view shows.", above=0, maximum=1)
    ratio_min: float = option(3 / 4, "Smallest width / height of the part that a view shows.", above=0)
    ratio_max: float = option(4 / 3, "Largest width / height of the part that a view shows.", above=0)
    flip: float = option(0.5, "Share of the views that are mirrored left to right.", minimum=0, maximum=1)
    jitter: float = option(0.8, "Share of the views whose colours change.", minimum=0, maximum=1)
    brightness: float = option(0.4, "Brightness is multiplied by 1 - this to 1 + this.", minimum=0)
    contrast: float = option(0.4, "Contrast is multiplied by 1 - this to 1 + this.", minimum=0)
    saturation: float = option(0.4, "Saturation is multiplied by 1 - this to 1 + this.", minimum=0)
    hue: float = option(0.1, "Hue turns by up to this share of the circle.", minimum=0, maximum=0.5)
    gray: float = option(0.2, "Share of the views that lose their colour.", minimum=0, maximum=1)
    blur: float = option(0.0, "Share of the views that are blurred.", minimum=0, maximum=1)
    blur_min: float = option(0.1, "Smallest standard deviation of the blur, in pixels.", above=0)
    blur_max: float = option(2.0, "Largest standard deviation of the blur, in pixels.", above=0)
    solarise: float = option(0.0, "Share of the views whose bright values are turned around.", minimum=0, maximum=1)

    def __post_init__(self) -> None:
        validate(self)
        for smaller, larger in (("crop_min", "crop_max"), ("ratio_min", "ratio_max"), ("blur_min", "blur_max")):
            low, high = getattr(self, smaller), getattr(self, larger)
            if low > high:
                raise UsageError(f"{smaller} must be at most {larger}, got {low} and {high}")


class ViewPlan(NamedTuple):
    """A batch of views, drawn but not made.

    Args:
        x_BS: float32 (B, S), where in the image each column of the view lies.
        y_BS: float32 (B, S), where each row lies.
        reach_x_B: float32 (B,), how far the columns' weights reach, in pixels.
        reach_y_B: float32 (B,), how far the rows' weights reach.
        matrices_BKK: float32 (B, K, K), the change of colours.
        shifts_B: float32 (B,), what of the mean is added.
        sigmas_B: float32 (B,), the blur's standard deviation in pixels, 0 for none.
        solarised_B: bool (B,).
    """

    x_BS: NDArray[np.float32]
    y_BS: NDArray[np.float32]
    reach_x_B: NDArray[np.float32]
    reach_y_B: NDArray[np.float32]
    matrices_BKK: NDArray[np.float32]
    shifts_B: NDArray[np.float32]
    sigmas_B: NDArray[np.float32]
    solarised_B: NDArray[np.bool_]


def draw_plan(
    keys_B: NDArray[np.uint64], settings: ViewSettings, *, height: int, width: int, channels: int
) -> ViewPlan:
    """Draw everything random of a batch; row b depends on keys_B[b] alone.

    The numbers of a stream: 0 and 1 where the box lies, 2 whether to flip, 3 whether colours change, 4 to 7 brightness,
    contrast, saturation and hue, 8 gray, 9 whether to blur, 10 how much, 11 solarising, then area and ratio of each try
    of a box.

    Args:
        keys_B: uint64 (B,), from `view_keys`.
        settings: how views are drawn.
        height: of the images, in pixels.
        width: of the images.
        channels: C; saturation, hue and gray are left out where it is not 3 (`left_out` names them).

    Returns:
        The plan.
    """
    draws_BD = draws(keys_B, _NUM_DRAWS + 2 * CROP_TRIES)
    boxes_B4 = crop_boxes(
        draws_BD[:, :2],
        draws_BD[:, _NUM_DRAWS:].reshape(-1, CROP_TRIES, 2),
        height=height,
        width=width,
        areas=(settings.crop_min, settings.crop_max),
        ratios=(settings.ratio_min, settings.ratio_max),
    )
    changed_B = draws_BD[:, 3] < settings.jitter
    strengths_3 = np.array([settings.brightness, settings.contrast, settings.saturation])
    lowest_3 = np.maximum(0.0, 1 - strengths_3)
    factors_B3 = np.where(changed_B[:, None], lowest_3 + (1 + strengths_3 - lowest_3) * draws_BD[:, 4:7], 1.0)
    hues_B = np.where(changed_B, settings.hue * (2 * draws_BD[:, 7] - 1), 0.0)
    saturations_B = np.where(draws_BD[:, 8] < settings.gray, 0.0, factors_B3[:, 2])
    sigmas_B = settings.blur_min + (settings.blur_max - settings.blur_min) * draws_BD[:, 10]
    return _plan(
        boxes_B4,
        settings.size,
        flips_B=draws_BD[:, 2] < settings.flip,
        matrices_BKK=colour_matrices(factors_B3[:, 0] * factors_B3[:, 1], saturations_B, hues_B, channels),
        shifts_B=factors_B3[:, 0] * (1 - factors_B3[:, 1]),
        sigmas_B=np.where(draws_BD[:, 9] < settings.blur, sigmas_B, 0.0),
        solarised_B=draws_BD[:, 11] < settings.solarise,
    )


def plain_plan(num_images: int, size: int, *, height: int, width: int, channels: int) -> ViewPlan:
    """The plan that only resizes the whole image; other proportions than 1 : 1 are not kept."""
    ones_B, zeros_B = np.ones(num_images), np.zeros(num_images)
    return _plan(
        whole_boxes(num_images, height=height, width=width),
        size,
        flips_B=np.zeros(num_images, dtype=np.bool_),
        matrices_BKK=colour_matrices(ones_B, ones_B, zeros_B, channels),
        shifts_B=zeros_B,
        sigmas_B=zeros_B,
        solarised_B=np.zeros(num_images, dtype=np.bool_),
    )


def left_out(settings: ViewSettings, channels: int) -> tuple[str, ...]:
    """The options that change nothing, since images of other than 3 channels have no hue."""
    if channels == len(LUMA):
        return ()
    return tuple(name for name in ("saturation", "hue", "gray") if getattr(settings, name) > 0)


def _plan(
    boxes_B4: NDArray[np.float64],
    size: int,
    *,
    flips_B: NDArray[np.bool_],
    matrices_BKK: NDArray[np.float32],
    shifts_B: NDArray[np.float64],
    sigmas_B: NDArray[np.float64],
    solarised_B: NDArray[np.bool_],
) -> ViewPlan:
    x_BS = centres(boxes_B4[:, LEFT], boxes_B4[:, WIDTH], size)
    reaches_B2 = np.maximum(1.0, boxes_B4[:, [WIDTH, HEIGHT]] / size).astype(np.float32)
    return ViewPlan(
        x_BS=np.where(flips_B[:, None], x_BS[:, ::-1], x_BS),
        y_BS=centres(boxes_B4[:, TOP], boxes_B4[:, HEIGHT], size),
        reach_x_B=np.ascontiguousarray(reaches_B2[:, 0]),
        reach_y_B=np.ascontiguousarray(reaches_B2[:, 1]),
        matrices_BKK=matrices_BKK,
        shifts_B=shifts_B.astype(np.float32),
        sigmas_B=sigmas_B.astype(np.float32),
        solarised_B=solarised_B,
    )
