"""The vote of the nearest labelled images.

    score of a label = sum over the k nearest images with it of exp(cosine / temperature)

Source: Wu et al. 2018 (arXiv 1805.01978), section 3.4; k 20 and temperature 0.07: Caron et al. 2021 (DINO, arXiv
2104.14294), section 4.1. Legend: N labelled images, M images that are asked about, K neighbours, D width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS, TEMPERATURE = 20, 0.07
QUERIES_AT_ONCE = 256
_TINY = 1e-12


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
    units_ND = vectors_ND / np.maximum(np.linalg.norm(vectors_ND, axis=1, keepdims=True), _TINY)
    num, num_labels, right = len(units_ND), int(labels_N.max()) + 1, 0
    for begin in range(0, num, QUERIES_AT_ONCE):
        own = np.arange(begin, min(begin + QUERIES_AT_ONCE, num))
        cosines_MN = units_ND[own] @ units_ND.T
        cosines_MN[np.arange(len(own)), own] = -np.inf
        nearest_MK = np.argsort(-cosines_MN, axis=1, kind="stable")[:, : min(k, num - 1)]
        cosines_MK = np.take_along_axis(cosines_MN, nearest_MK, axis=1)
        right += int((vote(cosines_MK, labels_N[nearest_MK], num_labels, temperature) == labels_N[own]).sum())
    return right / num
