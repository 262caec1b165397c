"""The nearest vectors of a bank by cosine, in blocks of bounded memory, and the vote of the nearest labelled images.

    score of a label = sum over the k nearest images with it of exp(cosine / temperature)

Source: Wu et al. 2018 (arXiv 1805.01978), section 3.4; k 20 and temperature 0.07: Caron et al. 2021 (DINO, arXiv
2104.14294), section 4.1. Legend: N vectors of the bank, M that are asked about, K neighbours, D width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from textssl.neighbours import nearest_rows, row_norms, unit_rows

NEIGHBOURS, TEMPERATURE = 20, 0.07
QUERIES_AT_ONCE = 256


def nearest(
    bank_ND: NDArray[np.float32],
    queries_MD: NDArray[np.float32],
    k: int,
    *,
    own_M: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The K nearest vectors of the bank for each query, the nearest first.

    Args:
        bank_ND: of any length above 0.
        queries_MD: likewise.
        k: 1 to N, to N - 1 with `own_M`.
        own_M: where in the bank each query stands itself, which is not found; None: all may be found.

    Returns:
        cosines: float32 (M, K); numbers: int64 (M, K), into the bank.
    """
    norms_N, found = row_norms(bank_ND), []
    for begin in range(0, len(queries_MD), QUERIES_AT_ONCE):
        asked = slice(begin, begin + QUERIES_AT_ONCE)
        left_out = () if own_M is None else own_M[asked, None].tolist()
        found.append(nearest_rows(bank_ND, norms_N, unit_rows(queries_MD[asked]), topn=k, left_out=left_out))
    numbers_MK, cosines_MK = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return cosines_MK, numbers_MK


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
    cosines_NK, numbers_NK = nearest(vectors_ND, vectors_ND, min(k, num - 1), own_M=np.arange(num))
    voted_N = vote(cosines_NK, labels_N[numbers_NK], int(labels_N.max()) + 1, temperature)
    return float((voted_N == labels_N).mean())
