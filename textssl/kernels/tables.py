"""Tables of float32 rows as the CPU kernels want them: every row begins on a cache line, the whole on huge pages.

Padding floats behind a row's last number are 0 and stay 0: their gradient is a multiple of zeros.
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

LINE_FLOATS = 16
"""Floats of a cache line of 64 bytes."""
HUGE_PAGE = 1 << 21


def aligned_floats(count: int) -> NDArray[np.float32]:
    """`count` zeros that begin on a cache line; memory is taken from the machine as it is touched."""
    size = max(count, 1) * 4 + HUGE_PAGE
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) if hasattr(mmap, "MAP_PRIVATE") else None
    if memory is None:  # Windows has neither the flag nor huge pages
        whole = np.zeros(count + LINE_FLOATS, np.float32)
        first = -whole.ctypes.data // 4 % LINE_FLOATS
        return whole[first : first + count]
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.float32)
    first = -whole.ctypes.data % HUGE_PAGE // 4
    return whole[first : first + count]


def row_stride(dim: int) -> int:
    """Floats from one row to the next: `dim`, filled up to whole cache lines."""
    return -(-dim // LINE_FLOATS) * LINE_FLOATS


class Table:
    """Rows of `dim` numbers, and `spare` rows behind them for the threads' intermediate results.

    Args:
        num_rows, dim, spare: at least 1, 1 and 0.
    """

    def __init__(self, num_rows: int, dim: int, *, spare: int = 0) -> None:
        self.num_rows, self.dim, self.stride = num_rows, dim, row_stride(dim)
        self.flat = aligned_floats((num_rows + spare) * self.stride)

    @property
    def rows(self) -> NDArray[np.float32]:
        """(num_rows, dim), a view."""
        return self.flat.reshape(-1, self.stride)[: self.num_rows, : self.dim]

    def spare_offset(self, index: int) -> int:
        """Where spare row `index` begins, in floats."""
        return (self.num_rows + index) * self.stride
