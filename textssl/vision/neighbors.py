"""The nearest vectors of a bank by cosine, in blocks of bounded memory, and the vote of the nearest labelled images.

    score of a label = sum over the k nearest images with it of exp(cosine / temperature)

Source: Wu et al. 2018 (arXiv 1805.01978), section 3.4; k 20 and temperature 0.07: Caron et al. 2021 (DINO, arXiv
2104.14294), section 4.1. Legend: N vectors of the bank, M that are asked about, K neighbours, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS, TEMPERATURE = 20, 0.07
QUERIES_AT_ONCE, BANK_AT_ONCE = 256, 1 << 16


def unit_rows(vectors_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors at length 1; zeros stay zeros."""
    norms = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return np.asarray(vectors_ND / np.where(norms > 0, norms, 1.0), dtype=np.float32)


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
    import torch

    bank = torch.from_numpy(unit_rows(bank_ND)).to(device)
    queries = torch.from_numpy(unit_rows(queries_MD)).to(device)
    found = [_nearest(bank, part, k) for part in queries.split(QUERIES_AT_ONCE)]
    cosines, numbers = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    return cosines, numbers


def vote(
    cosines_MK: NDArray[np.floating], labels_MK: NDArray[np.int64], num_labels: int, temperature: float
) -> NDArray[np.int64]:
    """The label that neighbours vote for, int64 (M,).

    Args:
        cosines_MK: of the neighbours.
        labels_MK: theirs, 0 to num_labels - 1.
        num_labels: how many there are.
        temperature: above 0.
    """
    # Cosines are at most 1: less 1 the exponential stays in range, and the winner is the same.
    weights_MK = np.exp((cosines_MK.astype(np.float64) - 1) / temperature)
    rows_MK = np.arange(len(labels_MK))[:, None] * num_labels + labels_MK
    scores = np.bincount(rows_MK.ravel(), weights_MK.ravel(), minlength=len(labels_MK) * num_labels)
    winners_M: NDArray[np.int64] = scores.reshape(-1, num_labels).argmax(axis=1)
    return winners_M


def accuracy_among_others(
    vectors_ND: NDArray[np.float32],
    labels_N: NDArray[np.int64],
    *,
    k: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> float:
    """How often the k nearest other vectors vote for a vector's own label, 0 to 1.

    Args:
        vectors_ND: N at least 2; they need no unit length.
        labels_N: from 0 on.
        k: all others vote where there are fewer.
        temperature: above 0.
    """
    num = len(vectors_ND)
    cosines, numbers = nearest(vectors_ND, vectors_ND, min(k + 1, num))
    is_other = numbers != np.arange(num)[:, None]
    is_other[is_other.all(axis=1), -1] = False  # as many equal vectors come before the own one
    cosines_NK, numbers_NK = cosines[is_other].reshape(num, -1), numbers[is_other].reshape(num, -1)
    voted_N = vote(cosines_NK, labels_N[numbers_NK], int(labels_N.max()) + 1, temperature)
    return float((voted_N == labels_N).mean())


def _nearest(bank_ND: Tensor, queries_BD: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Block for block of the bank, keeping the best K of all blocks before."""
    import torch

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
