"""Random numbers of many images at once: each has a key of its own, and reads its own stream from position 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.randomness import Purpose, random_bits, stream_key, uniform


def view_keys(seed: int, epoch: int, indices: NDArray[np.integer], view: int = 0) -> NDArray[np.uint64]:
    """The random stream of each image's view, whatever batch it comes in.

    Args:
        seed: 0 to 2**64 - 1.
        epoch: 0 or more; another epoch has other views.
        indices: (B,) numbers of the images in the set, 0 or more.
        view: the number of the view of the same image, 0 or more.

    Returns:
        uint64 (B,).

    Raises:
        UsageError: the seed or the epoch is out of range.
    """
    keys_B: Any = random_bits(stream_key(seed, Purpose.VIEWS, epoch), indices)
    return random_bits(keys_B, view)


def draws(keys_B: NDArray[np.uint64], count: int) -> NDArray[np.float64]:
    """The first numbers of each stream.

    Args:
        keys_B: uint64 (B,), from `view_keys`.
        count: how many, D.

    Returns:
        float64 (B, D) in [0, 1); row b is `uniform(keys_B[b], arange(D))`.
    """
    keys_B1: Any = np.asarray(keys_B, dtype=np.uint64)[:, None]
    return uniform(keys_B1, np.arange(count, dtype=np.uint64))
