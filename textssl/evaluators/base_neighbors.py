"""The nearest vectors of a bank by cosine, in blocks of bounded memory.

Legend: N vectors of the bank, M vectors that are asked about, D width, K neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.image_features import unit_rows

QUERIES_AT_ONCE, BANK_AT_ONCE = 256, 1 << 16


def nearest(
    bank_ND: NDArray[np.float32], queries_MD: NDArray[np.float32], k: int, *, device: str = "cpu"
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The K nearest vectors of the bank for each query, the nearest first.

    Args:
        bank_ND: of any length above 0.
        queries_MD: likewise.
        k: 1 to N.
        device: where the products are made.

    Returns:
        cosines: float32 (M, K); numbers: int64 (M, K), into the bank.
    """
    bank = torch.from_numpy(unit_rows(bank_ND)).to(device)
    queries = torch.from_numpy(unit_rows(queries_MD)).to(device)
    found = [_nearest(bank, part, k) for part in queries.split(QUERIES_AT_ONCE)]
    cosines, numbers = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    return cosines, numbers


def _nearest(bank_ND: Tensor, queries_BD: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Block for block of the bank, keeping the best K of all blocks before."""
    best_BK, numbers_BK = None, None
    for start in range(0, len(bank_ND), BANK_AT_ONCE):
        scores = queries_BD @ bank_ND[start : start + BANK_AT_ONCE].T
        top, at = scores.topk(min(k, scores.shape[1]), dim=1)
        at = at + start
        if best_BK is not None:
            top, at = torch.cat([best_BK, top], dim=1), torch.cat([numbers_BK, at], dim=1)
            top, order = top.topk(min(k, top.shape[1]), dim=1)
            at = at.gather(1, order)
        best_BK, numbers_BK = top, at
    assert best_BK is not None
    return best_BK, numbers_BK
