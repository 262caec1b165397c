"""Many decimal numbers at once, by Arrow's parser; each is rounded to the nearest float32."""

from __future__ import annotations

import re

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from textssl.neighbours import Floats
from textssl.word_bytes import offsets_of

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)


def to_floats(digits: NDArray[np.uint8], lengths: NDArray[np.int64]) -> tuple[Floats, list[tuple[int, bytes]]]:
    """Parse numbers that lie end to end.

    Args:
        digits: their bytes, uint8.
        lengths: bytes of each, int64 (N,).

    Returns:
        float32 (N,), NaN for what is no number; place and bytes of each of these.
    """
    offsets = offsets_of(lengths).astype(np.int32)
    strings = pyarrow.StringArray.from_buffers(len(lengths), pyarrow.py_buffer(offsets), pyarrow.py_buffer(digits))
    try:
        return np.asarray(pyarrow.compute.cast(strings, pyarrow.float32())), []
    except pyarrow.ArrowInvalid:
        return _one_by_one(digits.tobytes(), offsets.tolist())


def _one_by_one(content: bytes, bounds: list[int]) -> tuple[Floats, list[tuple[int, bytes]]]:
    """The same for what Arrow's parser stops at."""
    values = np.full(len(bounds) - 1, np.nan, dtype=np.float32)
    unreadable: list[tuple[int, bytes]] = []
    for at in range(len(values)):
        field = content[bounds[at] : bounds[at + 1]]
        if NUMBER.fullmatch(field):
            with np.errstate(over="ignore"):
                values[at] = np.float32(float(field))
        else:
            unreadable.append((at, field))
    return values, unreadable
