"""Nearest rows of a matrix by cosine, as matrix products over blocks of rows, so that mapped files stay on disk.

Legend: V rows, D their width, B queries, K results for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]

BLOCK_BYTES = 1 << 24
NORMS_BLOCK_BYTES = 1 << 18  # its float64 copy stays in the cache
SCORES_AT_ONCE = 1 << 24
RUN = 64


def row_norms(vectors: Floats) -> Floats:
    """The Euclidean length of every row, summed in float64.

    Args:
        vectors: (V, D) float32.

    Returns:
        float32 (V,); a length past the range of float32 is cut to its largest number.
    """
    norms = np.empty(len(vectors), dtype=np.float32)
    for rows in row_blocks(len(vectors), vectors.shape[1] * 4, NORMS_BLOCK_BYTES):
        block = np.asarray(vectors[rows], dtype=np.float64)
        lengths = np.sqrt(np.einsum("vd,vd->v", block, block))
        norms[rows] = np.minimum(lengths, np.finfo(np.float32).max)
    return norms


def unit(vector: ArrayLike) -> Floats:
    """The vector scaled to length 1; a vector of zeros stays what it is."""
    exact = np.asarray(vector, dtype=np.float64)
    length = np.sqrt(exact @ exact)
    return (exact / length if length > 0 else exact).astype(np.float32)


def unit_rows(vectors: Floats) -> Floats:
    """Every row scaled to length 1, float32 (V, D); rows of zeros stay what they are."""
    return np.asarray(vectors / safe(row_norms(vectors))[:, None], dtype=np.float32)


def cosines(vectors: Floats, norms: Floats, direction: Floats) -> Floats:
    """The cosine of every row with one direction; 0 for rows of zeros.

    Args:
        vectors: (V, D) float32.
        norms: their lengths, float32 (V,).
        direction: of length 1, float32 (D,).

    Returns:
        float32 (V,).
    """
    return np.asarray(np.asarray(vectors) @ direction / safe(norms), dtype=np.float32)


def nearest_rows(
    vectors: Floats, norms: Floats, directions: Floats, *, topn: int, left_out: Sequence[Sequence[int]]
) -> tuple[NDArray[np.int64], Floats]:
    """The rows of the largest cosine with each of several directions.

    Args:
        vectors: (V, D) float32.
        norms: their lengths, float32 (V,).
        directions: of length 1, float32 (B, D).
        topn: K, how many for each.
        left_out: for each direction, the rows that must not be found.

    Returns:
        Rows, int64 (B, K'), and cosines, float32 (B, K'), largest first, K' = min(K, V); a row left out has cosine -inf
        and stands last.
    """
    num_queries = len(directions)
    best = np.zeros((num_queries, 0), dtype=np.int64)
    best_cosines = np.zeros((num_queries, 0), dtype=np.float32)
    for rows in row_blocks(len(vectors), 4 * max(1, num_queries), SCORES_AT_ONCE * 4):
        scores = directions @ np.asarray(vectors[rows]).T / safe(norms[rows])
        for query, hidden in enumerate(left_out):
            inside = [place - rows.start for place in hidden if rows.start <= place < rows.stop]
            scores[query, inside] = -np.inf
        candidates = top_places(scores, topn)
        best = np.concatenate([best, candidates + rows.start], axis=1)
        best_cosines = np.concatenate([best_cosines, np.take_along_axis(scores, candidates, axis=1)], axis=1)
        kept = top_places(best_cosines, topn)
        best, best_cosines = np.take_along_axis(best, kept, axis=1), np.take_along_axis(best_cosines, kept, axis=1)
    return best, best_cosines


def top_places(scores: Floats, topn: int) -> NDArray[np.int64]:
    """The places of the largest scores of each row, largest first, the earlier place at equal score.

    Args:
        scores: (B, V).
        topn: K.

    Returns:
        int64 (B, min(K, V)).
    """
    width = scores.shape[1]
    topn = min(topn, width)
    if topn == 0:
        return np.zeros((len(scores), 0), dtype=np.int64)
    candidates = _candidates(scores, topn)
    values = np.take_along_axis(scores, candidates, axis=1)
    largest = np.argpartition(-values, topn - 1, axis=1)[:, :topn]
    largest = np.argpartition(-values, topn - 1, axis=1)[:, :topn]
    chosen = np.sort(np.take_along_axis(candidates, largest, axis=1), axis=1)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def _candidates(scores: Floats, topn: int) -> NDArray[np.int64]:
    """Places among which the largest `topn` scores of each row are: the runs with the largest maxima, and the rest.

    Finding the maximum of short runs is one fast pass; sorting then touches a small part only.
    """
    num_queries, width = scores.shape
    num_runs = width // RUN
    if num_runs <= 2 * topn:
        return np.broadcast_to(np.arange(width), scores.shape)
    runs = scores[:, : num_runs * RUN].reshape(num_queries, num_runs, RUN)
    best_runs = np.argpartition(-runs.max(axis=2), topn - 1, axis=1)[:, :topn]
    inside = (best_runs[:, :, None] * RUN + np.arange(RUN)).reshape(num_queries, -1)
    rest = np.broadcast_to(np.arange(num_runs * RUN, width), (num_queries, width - num_runs * RUN))
    return np.concatenate([inside, rest], axis=1)


def safe(norms: Floats) -> Floats:
    """Lengths to divide by: rows of zeros have cosine 0 with everything."""
    return np.where(norms > 0, norms, np.float32(1))


def row_blocks(num_rows: int, row_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[slice]:
    """Slices of rows that together hold about `block_bytes`."""
    step = max(1, block_bytes // max(1, row_bytes))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))
