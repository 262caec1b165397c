"""Views in one pass over each image, compiled with Numba: the fused form of `views.defined_views` for the CPU.

The weights of an output pixel are 0 but for a few neighbours, its taps. Columns come first, for those source rows that
the view shows; rows then go along whole lines of the result, which the compiler turns into vector instructions.

Legend: B views, C channels, H and W height and width of the images, S size of the views, T taps of an output pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

import textssl.numba_cache  # noqa: F401  (before Numba reads the place of its cache)
from textssl.vision.colour import LUMA, blur_radius
from textssl.vision.view_plan import ViewPlan

# Without its reference counts (_nrt=False) Numba's arrays cost nothing in a loop; such code cannot allocate. Products
# and sums may be fused, nothing else of fast arithmetic is allowed.
_kernel = nb.njit(nogil=True, cache=True, _nrt=False, fastmath={"contract"})
_RED, _GREEN, _BLUE = (np.float32(weight) for weight in LUMA)
_1, _2, _3, _4, _5 = (np.uint64(number) for number in range(1, 6))  # unsigned, so that no index counts from the end
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


class _Scratch(NamedTuple):
    """Room for one view at a time.

    Args:
        columns_CHS: float32, the source rows with their columns resized.
        view_CSS: float32, the view before it is normalised.
        line_X: float32 (W * C,), one row of the image.
        line_S: float32, one number for each column.
        offsets_2S: uint64 (2, S), the first tap of each column (times C) and of each row.
        x_TS: float32, weights of the columns' taps.
        y_TS: float32, weights of the rows' taps.
        gauss_T: float32, weights of the blur.
    """

    columns_CHS: NDArray[np.float32]
    view_CSS: NDArray[np.float32]
    line_X: NDArray[np.float32]
    line_S: NDArray[np.float32]
    offsets_2S: NDArray[np.uint64]
    x_TS: NDArray[np.float32]
    y_TS: NDArray[np.float32]
    gauss_T: NDArray[np.float32]


def fused_views(
    pixels_BHWC: NDArray[np.integer],
    plan: ViewPlan,
    mean_C: NDArray[np.float32],
    std_C: NDArray[np.float32],
    scale: float,
) -> NDArray[np.float32]:
    """Carry a plan out.

    Args:
        pixels_BHWC: uint8, uint16 or int32 (B, H, W, C).
        plan: from `view_plan`.
        mean_C: float32 (C,).
        std_C: float32 (C,), above 0.
        scale: the value of white.

    Returns:
        float32 (B, C, S, S), equal to `views.defined_views` to float32 rounding.
    """
    num_images, height, width, channels = pixels_BHWC.shape
    size = plan.x_BS.shape[1]
    views_BCSS = np.empty((num_images, channels, size, size), dtype=np.float32)
    if not num_images:
        return views_BCSS
    scratch = _Scratch(
        columns_CHS=np.empty((channels, height, size), dtype=np.float32),
        view_CSS=np.empty((channels, size, size), dtype=np.float32),
        line_X=np.empty(width * channels, dtype=np.float32),
        line_S=np.empty(size, dtype=np.float32),
        offsets_2S=np.empty((2, size), dtype=np.uint64),
        x_TS=np.empty((int(np.ceil(2 * plan.reach_x_B.max())), size), dtype=np.float32),
        y_TS=np.empty((int(np.ceil(2 * plan.reach_y_B.max())), size), dtype=np.float32),
        gauss_T=np.empty(2 * blur_radius(size) + 1, dtype=np.float32),
    )
    lines_BHX = np.ascontiguousarray(pixels_BHWC).reshape(num_images, height, width * channels)
    gain_C = np.float32(1) / std_C
    _make(lines_BHX, plan, gain_C, -mean_C * gain_C, np.float32(1 / scale), scratch, views_BCSS)
    return views_BCSS


@_kernel
def _make(lines_BHX, plan, gain_C, bias_C, unit, scratch, views_BCSS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Make every view of a batch."""
    num_images, channels = views_BCSS.shape[:2]
    height, width = lines_BHX.shape[1], lines_BHX.shape[2] // channels
    x_S, y_S = scratch.offsets_2S[0], scratch.offsets_2S[1]
    for image in range(num_images):
        num_x = _taps(plan.x_BS[image], plan.reach_x_B[image], width, channels, _ONE, x_S, scratch.x_TS)
        num_y = _taps(plan.y_BS[image], plan.reach_y_B[image], height, 1, unit, y_S, scratch.y_TS)
        first, last = np.int64(y_S[0]), np.int64(y_S[-1]) + num_y  # rows never run backwards
        if num_x == 2 and channels == 1:
            _gray_columns(lines_BHX[image], x_S, scratch.x_TS, first, last, scratch.line_X, scratch.columns_CHS)
        elif num_x == 2 and channels == 3:
            _colour_columns(lines_BHX[image], x_S, scratch.x_TS, first, last, scratch.line_X, scratch.columns_CHS)
        else:
            _columns(lines_BHX[image], x_S, scratch.x_TS[:num_x], first, last, scratch.line_X, scratch.columns_CHS)
        _rows(scratch.columns_CHS, y_S, scratch.y_TS[:num_y], scratch.view_CSS)
        view_CSS, target_CSS = scratch.view_CSS, views_BCSS[image]
        _recolour(view_CSS, plan.matrices_BKK[image], plan.shifts_B[image], scratch.line_S, target_CSS)
        if plan.sigmas_B[image] > _ZERO:
            _blur(target_CSS, plan.sigmas_B[image], scratch.gauss_T, scratch.line_S, view_CSS)
        if plan.solarised_B[image]:
            _solarise(target_CSS)
        _normalise(target_CSS, gain_C, bias_C)


@_kernel
def _taps(centres_S, reach, num_pixels, step, unit, offsets_S, weights_TS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write where the taps of each output pixel begin (times `step`) and their weights, which sum to `unit`.

    Returns:
        The number of taps, the same for all.
    """
    num_taps = min(int(np.ceil(np.float32(2) * reach)), num_pixels)
    for place in range(len(centres_S)):
        centre = centres_S[place]
        first = min(max(int(np.floor(centre - reach)) + 1, 0), num_pixels - num_taps)
        total = _ZERO
        for tap in range(num_taps):
            weight = max(_ONE - abs(np.float32(first + tap) - centre) / reach, _ZERO)
            weights_TS[tap, place] = weight
            total += weight
        for tap in range(num_taps):
            weights_TS[tap, place] *= unit / total
        offsets_S[place] = first * step
    return num_taps


@_kernel
def _gray_columns(lines_HX, offsets_S, weights_TS, first, last, line_X, columns_CHS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`_columns` for two taps and one channel."""
    for row in range(first, last):
        _convert(lines_HX[row], line_X)
        target_S = columns_CHS[0, row]
        for place in range(len(offsets_S)):
            offset = offsets_S[place]
            target_S[place] = weights_TS[0, place] * line_X[offset] + weights_TS[1, place] * line_X[offset + _1]


@_kernel
def _colour_columns(lines_HX, offsets_S, weights_TS, first, last, line_X, columns_CHS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`_columns` for two taps and three channels."""
    for row in range(first, last):
        _convert(lines_HX[row], line_X)
        red_S, green_S, blue_S = columns_CHS[0, row], columns_CHS[1, row], columns_CHS[2, row]
        for place in range(len(offsets_S)):
            offset, left, right = offsets_S[place], weights_TS[0, place], weights_TS[1, place]
            red_S[place] = left * line_X[offset] + right * line_X[offset + _3]
            green_S[place] = left * line_X[offset + _1] + right * line_X[offset + _4]
            blue_S[place] = left * line_X[offset + _2] + right * line_X[offset + _5]


@_kernel
def _columns(lines_HX, offsets_S, weights_TS, first, last, line_X, columns_CHS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Resize source rows first to last - 1 to S columns."""
    channels = len(columns_CHS)
    for row in range(first, last):
        _convert(lines_HX[row], line_X)
        for channel in range(channels):
            target_S = columns_CHS[channel, row]
            for place in range(len(offsets_S)):
                offset = offsets_S[place] + np.uint64(channel)
                total = _ZERO
                for tap in range(len(weights_TS)):
                    total += weights_TS[tap, place] * line_X[offset]
                    offset += np.uint64(channels)
                target_S[place] = total


@_kernel
def _convert(numbers_X, line_X):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whole numbers to float32."""
    for place in range(len(numbers_X)):
        line_X[place] = np.float32(numbers_X[place])


@_kernel
def _rows(columns_CHS, offsets_S, weights_TS, view_CSS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Resize the rows."""
    channels, size = view_CSS.shape[:2]
    for channel in range(channels):
        for row in range(size):
            target, offset = view_CSS[channel, row], np.int64(offsets_S[row])
            source, weight = columns_CHS[channel, offset], weights_TS[0, row]
            for place in range(size):
                target[place] = weight * source[place]
            for tap in range(1, len(weights_TS)):
                source, weight = columns_CHS[channel, offset + tap], weights_TS[tap, row]
                for place in range(size):
                    target[place] += weight * source[place]


@_kernel
def _mean(plane_SS, line_S):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The mean of a plane; by columns first, since such sums need no order of their own."""
    size = len(line_S)
    line_S[:] = _ZERO
    for row in range(size):
        for place in range(size):
            line_S[place] += plane_SS[row, place]
    total = 0.0
    for place in range(size):
        total += line_S[place]
    return np.float32(total / (size * size))


@_kernel
def _recolour(view_CSS, matrix_KK, shift, line_S, target_CSS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`colour.recolour` of one view."""
    size = len(line_S)
    if len(matrix_KK) == 1:
        gain = matrix_KK[0, 0]
        for channel in range(len(view_CSS)):
            offset = shift * _mean(view_CSS[channel], line_S) if shift != _ZERO else _ZERO
            for row in range(size):
                for place in range(size):
                    target_CSS[channel, row, place] = _cut(gain * view_CSS[channel, row, place] + offset)
        return
    offset = _ZERO
    if shift != _ZERO:
        for channel, weight in enumerate((_RED, _GREEN, _BLUE)):
            offset += shift * weight * _mean(view_CSS[channel], line_S)
    for channel in range(3):
        of_red, of_green, of_blue = matrix_KK[channel, 0], matrix_KK[channel, 1], matrix_KK[channel, 2]
        for row in range(size):
            red_S, green_S, blue_S = view_CSS[0, row], view_CSS[1, row], view_CSS[2, row]
            target_S = target_CSS[channel, row]
            for place in range(size):
                mixed = of_red * red_S[place] + of_green * green_S[place] + of_blue * blue_S[place]
                target_S[place] = _cut(mixed + offset)


@_kernel
def _cut(number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return min(max(number, _ZERO), _ONE)


@_kernel
def _blur(view_CSS, sigma, weights_T, scale_S, between_CSS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`colour.blur` of one view, in its place: down the columns into `between_CSS`, then along the rows."""
    channels, size = view_CSS.shape[:2]
    radius = len(weights_T) // 2
    for tap in range(len(weights_T)):
        weights_T[tap] = np.exp(-_HALF * (np.float32(tap - radius) / sigma) ** 2)
    for place in range(size):
        scale_S[place] = _ONE / weights_T[max(radius - place, 0) : min(radius + size - place, len(weights_T))].sum()
    for channel in range(channels):
        for row in range(size):
            target_S = between_CSS[channel, row]
            target_S[:] = _ZERO
            for near in range(max(row - radius, 0), min(row + radius + 1, size)):
                source_S, weight = view_CSS[channel, near], scale_S[row] * weights_T[near - row + radius]
                for place in range(size):
                    target_S[place] += weight * source_S[place]
        for row in range(size):
            source_S, target_S = between_CSS[channel, row], view_CSS[channel, row]
            target_S[:] = _ZERO
            for distance in range(max(-radius, 1 - size), min(radius, size - 1) + 1):
                weight = weights_T[distance + radius]
                low, count = max(-distance, 0), size - abs(distance)
                to_S, from_S = target_S[low : low + count], source_S[low + distance : low + distance + count]
                for place in range(count):
                    to_S[place] += weight * from_S[place]
            for place in range(size):
                target_S[place] *= scale_S[place]


@_kernel
def _solarise(view_CSS):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`colour.solarise` of one view, in its place."""
    for channel in range(len(view_CSS)):
        for row in range(view_CSS.shape[1]):
            for place in range(view_CSS.shape[2]):
                value = view_CSS[channel, row, place]
                view_CSS[channel, row, place] = _ONE - value if value >= _HALF else value


@_kernel
def _normalise(view_CSS, gain_C, bias_C):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Subtract the mean and divide by the deviation of each channel, in its place."""
    for channel in range(len(view_CSS)):
        gain, bias = gain_C[channel], bias_C[channel]
        for row in range(view_CSS.shape[1]):
            for place in range(view_CSS.shape[2]):
                view_CSS[channel, row, place] = gain * view_CSS[channel, row, place] + bias
