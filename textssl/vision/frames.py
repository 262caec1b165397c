"""Tuples of video frames whose order is the question: Shuffle and Learn's triples, and sorting a few frames (OPN).

Legend: N images, W windows, B tuples, L frames of a tuple.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError
from textssl.vision.draws import draws

TRIPLE_SPAN = 5
"""Frames a < b < c < d < e, of which a triple shows three."""
MAX_LENGTH = 7


@dataclass(frozen=True)
class Clips:
    """Images in the order of their clips and frames.

    Args:
        rows: int64 (N,), numbers of the images.
        sequence: int64 (N,), the clip of each of them, rising.
        frame: int64 (N,), the place in the clip of each, rising within a clip.
    """

    rows: NDArray[np.int64]
    sequence: NDArray[np.int64]
    frame: NDArray[np.int64]


def order_clips(sequence: NDArray[np.integer] | None, frame: NDArray[np.integer] | None) -> Clips:
    """Sort images by clip and frame.

    Args:
        sequence: (N,) the clip of each image, or None where the images are no video.
        frame: (N,) its place in the clip, or None.

    Returns:
        The clips.

    Raises:
        DataError: there is no order, or two images have the same place in a clip.
    """
    if sequence is None or frame is None:
        raise DataError(
            "these images have no order: each needs the clip that it comes from and its place there",
            hint="Give a folder with one folder of frames a clip, with --format clips, or an npz with `sequence` and "
            "`frame`.",
        )
    order_N = np.lexsort((frame, sequence)).astype(np.int64)
    clips = Clips(order_N, np.asarray(sequence, dtype=np.int64)[order_N], np.asarray(frame, dtype=np.int64)[order_N])
    twice = np.flatnonzero((np.diff(clips.sequence) == 0) & (np.diff(clips.frame) == 0))
    if len(twice):
        at = twice[0]
        raise DataError(
            f"images {clips.rows[at]} and {clips.rows[at + 1]} are both frame {clips.frame[at]} of clip "
            f"{clips.sequence[at]}",
            hint="Number the frames of a clip so that they rise.",
        )
    return clips


def window_starts(clips: Clips, span: int, *, stride: int = 1, max_gap: int | None = None) -> NDArray[np.int64]:
    """Where tuples can begin: places in `clips.rows` from which `span` frames, `stride` apart, lie in one clip.

    Args:
        clips: from `order_clips`.
        span: frames that a tuple chooses from, at least 1.
        stride: places from one to the next, at least 1.
        max_gap: neighbours in the clip differ by at most this in their frame numbers; None for any difference.

    Returns:
        int64 (W,), rising, at least one.

    Raises:
        UsageError: span or stride is below 1.
        DataError: no clip is long enough.
    """
    for name, number in (("span", span), ("stride", stride)):
        if number < 1:
            raise UsageError(f"{name} must be at least 1, got {number}")
    broken_N = np.diff(clips.sequence, prepend=clips.sequence[:1]) != 0
    if max_gap is not None:
        broken_N |= np.diff(clips.frame, prepend=clips.frame[:1]) > max_gap
    run_N = np.cumsum(broken_N)
    reach = (span - 1) * stride
    starts_W = np.flatnonzero(run_N[reach:] == run_N[: len(run_N) - reach]) if reach < len(run_N) else np.empty(0, int)
    if not len(starts_W):
        longest = int(np.bincount(run_N).max()) if len(run_N) else 0
        raise DataError(
            f"a tuple needs {reach + 1} frames of one clip in order, the longest clip has {longest}",
            hint="Give longer clips, or a smaller stride.",
        )
    return starts_W.astype(np.int64)


def weighted_windows(weights_W: NDArray[np.floating], keys_B: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Draw windows by weight, such as the motion that they show.

    Args:
        weights_W: float (W,), at least 0 with a sum above 0.
        keys_B: uint64 (B,), from `view_keys`.

    Returns:
        int64 (B,), numbers of windows.

    Raises:
        UsageError: a weight is negative or no number, or all are 0.
    """
    sums_W = np.cumsum(weights_W, dtype=np.float64)
    if not (len(sums_W) and np.isfinite(sums_W[-1]) and sums_W[-1] > 0 and np.min(weights_W) >= 0):
        raise UsageError("weights of windows must be at least 0 with a sum above 0")
    chosen_B = np.searchsorted(sums_W, draws(keys_B, 1)[:, 0] * sums_W[-1], side="right")
    return np.asarray(np.minimum(chosen_B, np.flatnonzero(weights_W)[-1]), dtype=np.int64)


def window_motion(clips: Clips, starts_W: NDArray[np.int64], span: int, stride: int, pixels: NDArray) -> NDArray:
    """How much each window moves: the mean difference of pixels from frame to frame, over the window.

    Args:
        clips: from `order_clips`.
        starts_W: int64 (W,), from `window_starts` with the same span and stride.
        span: frames of a window, at least 2.
        stride: places from one to the next.
        pixels: (N, H, W, C), whole numbers, as the images came.

    Returns:
        float64 (W,), at least 0. It stands for the optical flow of Misra and others, and costs one look at each frame.
    """
    moved_N = np.zeros(len(clips.rows))
    for place in range(stride, len(clips.rows)):
        before, after = (pixels[clips.rows[at]].astype(np.float32) for at in (place - stride, place))
        moved_N[place] = np.abs(after - before).mean()
    steps = np.arange(1, span) * stride
    return np.asarray(moved_N[starts_W[:, None] + steps].mean(axis=1), dtype=np.float64)


def triples(
    clips: Clips, starts_B: NDArray[np.int64], keys_B: NDArray[np.uint64], *, stride: int = 1, right: float = 0.25
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Three frames that are in order, or whose middle one comes from before or after the other two.

    Of frames a < b < c < d < e: (b, c, d) is in order; (b, a, d) and (b, e, d) are not.

    Args:
        clips: from `order_clips`.
        starts_B: int64 (B,), where the windows of 5 frames begin, from `window_starts(clips, 5)`.
        keys_B: uint64 (B,), from `view_keys`.
        stride: places from one frame to the next, as given to `window_starts`.
        right: share of the triples in order.

    Returns:
        int64 (B, 3) numbers of images, and int64 (B,) labels, 1 for a triple in order.

    Raises:
        UsageError: another number of keys, or a share that is none.

    Source: Misra, Zitnick and Hebert, "Shuffle and learn" (arXiv 1603.08561), section 3.
    """
    _check_keys(starts_B, keys_B)
    if not 0 <= right <= 1:
        raise UsageError(f"right must be at least 0 and at most 1, got {right}")
    draws_B2 = draws(keys_B, 2)
    labels_B = (draws_B2[:, 0] < right).astype(np.int64)
    wrong_B = np.where(draws_B2[:, 1] < 0.5, 0, TRIPLE_SPAN - 1)
    middle_B = np.where(labels_B == 1, 2, wrong_B)
    places_B3 = np.stack([np.ones_like(middle_B), middle_B, np.full_like(middle_B, 3)], axis=1)
    return clips.rows[starts_B[:, None] + stride * places_B3], labels_B


def order_classes(length: int = 4) -> NDArray[np.int64]:
    """The orders of some frames that can be told apart, since a film runs backwards as well: length! / 2 of them.

    Args:
        length: L, 2 to 7.

    Returns:
        int64 (L! / 2, L), the permutations whose first number is below the last, in lexicographic order.

    Raises:
        UsageError: a length out of range.
    """
    if not 2 <= length <= MAX_LENGTH:
        raise UsageError(f"length must be at least 2 and at most {MAX_LENGTH}, got {length}")
    orders = [order for order in itertools.permutations(range(length)) if order[0] < order[-1]]
    assert len(orders) == math.factorial(length) // 2
    return np.array(orders, dtype=np.int64)


def shuffled_frames(
    clips: Clips, starts_B: NDArray[np.int64], keys_B: NDArray[np.uint64], *, length: int = 4, stride: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames of a clip in one of the orders of `order_classes`, each as often as any other, half of them backwards.

    Args:
        clips: from `order_clips`.
        starts_B: int64 (B,), where the windows begin, from `window_starts(clips, length)`.
        keys_B: uint64 (B,), from `view_keys`.
        length: L, 2 to 7.
        stride: places from one frame to the next, as given to `window_starts`.

    Returns:
        int64 (B, L) numbers of images, and int64 (B,) labels, 0 to length! / 2 - 1.

    Raises:
        UsageError: another number of keys, or a length out of range.

    Source: Lee and others, "Unsupervised representation learning by sorting sequences" (arXiv 1708.01246), section 3.
    """
    _check_keys(starts_B, keys_B)
    classes_KL = order_classes(length)
    draws_B2 = draws(keys_B, 2)
    labels_B = (draws_B2[:, 0] * len(classes_KL)).astype(np.int64)
    orders_BL = classes_KL[labels_B]
    orders_BL = np.where(draws_B2[:, 1:] < 0.5, orders_BL[:, ::-1], orders_BL)
    return clips.rows[starts_B[:, None] + stride * orders_BL], labels_B


def _check_keys(starts_B: NDArray[np.int64], keys_B: NDArray[np.uint64]) -> None:
    if len(starts_B) != len(keys_B):
        raise UsageError(f"each window needs a key, got {len(keys_B)} keys for {len(starts_B)} windows")
