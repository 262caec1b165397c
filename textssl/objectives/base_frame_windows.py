"""Which windows of clips are learnt from and which are held back: whole stretches, never a frame of both.

Neighbouring frames look alike, so single frames held back would say little about others. A clip is cut into stretches
of some windows' length, and a share of the stretches is held back; no window reaches across the border of the two.
Legend: N images in the order of their clips, W windows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.objectives.base_images import SPLIT_SEED
from textssl.text.packing import split_documents
from textssl.vision.frames import Clips, weighted_windows, window_motion, window_starts

WINDOWS_OF_A_STRETCH = 10


@dataclass(frozen=True)
class FrameWindows:
    """Where windows begin, as places in the order of the clips, int64 rising.

    Args:
        clips: all images in their order.
        training: of the windows that are learnt from.
        held_back: of the others.
        moved: how much each window of `training` moves; None where all are asked about alike.
    """

    clips: Clips
    training: NDArray[np.int64]
    held_back: NDArray[np.int64]
    moved: NDArray[np.float64] | None = None

    def images(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The images that windows begin with, which name them."""
        return self.clips.rows[starts]

    def asked(self, images: NDArray[np.int64], keys_B: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where the windows begin that are asked about for some images.

        They are those that begin with these images; or, of `training` where there is motion, drawn by it.

        Args:
            images: int64 (B,), from `images`.
            keys_B: uint64 (B,), from `view_keys`.
        """
        places_N = np.empty_like(self.clips.rows)
        places_N[self.clips.rows] = np.arange(len(places_N))
        starts_B = places_N[images]
        if self.moved is None:
            return starts_B
        drawn_B = self.training[weighted_windows(self.moved, keys_B)]
        return np.where(np.isin(starts_B, self.held_back), starts_B, drawn_B)

    def by_motion(self, span: int, stride: int, pixels: NDArray[Any]) -> FrameWindows:
        """The same windows, those to learn from asked about as often as they move; arguments as of `window_motion`."""
        return replace(self, moved=window_motion(self.clips, self.training, span, stride, pixels))


def split_windows(clips: Clips, span: int, *, stride: int, max_gap: int | None, share: float) -> FrameWindows:
    """All windows of clips, a share of the stretches held back.

    Args:
        clips: from `frames.order_clips`.
        span: frames that a question chooses from, at least 1.
        stride: places from one to the next, at least 1.
        max_gap: neighbours differ by at most this in their frame numbers; None for any difference.
        share: of the stretches, 0 to below 1; where there is one stretch alone, nothing is held back.

    Raises:
        UsageError: span or stride is below 1.
        DataError: no clip is long enough.
    """
    starts_W = window_starts(clips, span, stride=stride, max_gap=max_gap)
    reach = (span - 1) * stride + 1
    stretches_N = _stretches(clips, starts_W, reach, share)
    found = np.unique(stretches_N[starts_W])
    if share == 0 or len(found) < 2:
        return FrameWindows(clips, starts_W, starts_W[:0])
    _, held_back = split_documents(len(found), seed=SPLIT_SEED, share=share)
    held_N = np.isin(stretches_N, found[held_back])
    whole_W = held_N[starts_W[:, None] + np.arange(reach)].sum(axis=1)
    return FrameWindows(clips, starts_W[whole_W == 0], starts_W[whole_W == reach])


def _stretches(clips: Clips, starts_W: NDArray[np.int64], reach: int, share: float) -> NDArray[np.int64]:
    """The stretch of each place, int64 (N,): each clip in as many equal ones as are not too short."""
    length = max(reach, min(WINDOWS_OF_A_STRETCH * reach, int(share * len(starts_W))))
    _, first_C, clip_N, counts_C = np.unique(
        clips.sequence, return_index=True, return_inverse=True, return_counts=True
    )
    pieces_C = np.maximum(1, counts_C // length)
    within_N = (np.arange(len(clip_N)) - first_C[clip_N]) * pieces_C[clip_N] // counts_C[clip_N]
    return np.asarray((np.cumsum(pieces_C) - pieces_C)[clip_N] + within_N, dtype=np.int64)
