"""What training draws with: alias tables for noise words, Huffman codes for hierarchical softmax.

Legend: V words; L length of all codes together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textssl.errors import UsageError
from textssl.text.bits import kernel

_ONE = float(1 << 32)


@dataclass(frozen=True)
class HuffmanCodes:
    """The way from the root of a Huffman tree to every word.

    Word w has the steps offsets[w] to offsets[w + 1]; step s decides codes[s] (0 or 1) at inner node points[s].
    Inner nodes are numbered from 0 to V - 2, the root is V - 2, as in word2vec.c.

    Args:
        codes: uint8 (L,).
        points: int32 (L,).
        offsets: int64 (V + 1,).
    """

    codes: NDArray[np.uint8]
    points: NDArray[np.int32]
    offsets: NDArray[np.int64]


def alias_table(probabilities: ArrayLike) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """Two small tables from which one word is drawn in constant time.

        draw i evenly from 0 to V - 1 and u evenly from 0 to 2^32 - 1; the result is i if u < accept[i], else alias[i]

    Args:
        probabilities: float (V,), at least 0, with a sum of 1 (it is normalised).

    Returns:
        accept uint32 (V,) and alias int32 (V,). They draw with the given probabilities to 1e-9.

    Raises:
        UsageError: there is none, one is negative or not a number, or all are 0.

    Source: Walker 1977; in the form of Vose 1991.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    total = float(given.sum()) if len(given) else 0.0
    if not (total > 0 and np.isfinite(total) and given.min() >= 0):
        raise UsageError(
            f"probabilities must be at least 0 with a sum above 0, got {len(given)} of them with sum {total:g}"
            + (f" and smallest {given.min():g}" if len(given) else "")
        )
    shares = given * (len(given) / total)
    alias = np.arange(len(given), dtype=np.int32)
    _fill_alias(shares, alias, np.empty(len(given), dtype=np.int32))
    accept = np.minimum(np.rint(shares * _ONE), _ONE - 1).astype(np.uint32)
    return accept, alias


@kernel
def _fill_alias(shares, alias, waiting):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give what columns lack to columns that have too much, until none has more than 1.

    `waiting` holds the columns below 1 from its front on and the others from its back on.
    """
    num_below, first_above = 0, len(shares)
    for column in range(len(shares)):
        if shares[column] < 1.0:
            waiting[num_below] = column
            num_below += 1
        else:
            first_above -= 1
            waiting[first_above] = column
    while num_below > 0 and first_above < len(shares):
        num_below -= 1
        below = waiting[num_below]
        above = waiting[first_above]
        alias[below] = above
        shares[above] -= 1.0 - shares[below]
        if shares[above] < 1.0:
            first_above += 1
            waiting[num_below] = above
            num_below += 1
    while num_below > 0:  # 1 but for rounding
        num_below -= 1
        shares[waiting[num_below]] = 1.0
    for above in range(first_above, len(shares)):
        shares[waiting[above]] = 1.0


def huffman(counts: NDArray[np.int64]) -> HuffmanCodes:
    """The Huffman tree of a vocabulary: frequent words get short codes.

    Args:
        counts: int64 (V,), falling, at least 2 of them.

    Returns:
        The codes; no other binary prefix code has a smaller sum of count times length.

    Raises:
        UsageError: there are fewer than two counts, or they do not fall.

    Source: word2vec.c (CreateBinaryTree), ties broken as there; Huffman 1952; two queues: van Leeuwen 1976.
    """
    size = len(counts)
    if size < 2:
        raise UsageError(f"a Huffman tree needs at least two words, got {size}")
    if bool((np.diff(counts) > 0).any()):
        raise UsageError("the counts of a Huffman tree must fall, got a larger one after a smaller one")
    weights = np.full(2 * size - 1, np.iinfo(np.int64).max, dtype=np.int64)
    weights[:size] = counts
    parents = np.zeros(2 * size - 1, dtype=np.int32)
    bits = np.zeros(2 * size - 1, dtype=np.uint8)
    depths = np.zeros(2 * size - 1, dtype=np.int64)
    _join_nodes(weights, parents, bits, depths)
    offsets = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(depths[:size], out=offsets[1:])
    codes = np.empty(int(offsets[-1]), dtype=np.uint8)
    points = np.empty(int(offsets[-1]), dtype=np.int32)
    _write_codes(parents, bits, offsets, codes, points)
    return HuffmanCodes(codes, points, offsets)


@kernel
def _join_nodes(weights, parents, bits, depths):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Join the two lightest nodes again and again; words wait from the rarest on, inner nodes as they are made."""
    size = (len(weights) + 1) // 2
    word = size - 1
    inner = size
    for made in range(size, 2 * size - 1):
        total = 0
        for bit in range(2):
            if word >= 0 and weights[word] < weights[inner]:
                lightest = word
                word -= 1
            else:
                lightest = inner
                inner += 1
            parents[lightest] = made
            bits[lightest] = bit
            total += weights[lightest]
        weights[made] = total
    for node in range(2 * size - 3, -1, -1):
        depths[node] = depths[parents[node]] + 1


@kernel
def _write_codes(parents, bits, offsets, codes, points):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write every word's steps, from its end up to the root."""
    size = len(offsets) - 1
    for word in range(size):
        node = word
        for step in range(offsets[word + 1] - 1, offsets[word] - 1, -1):
            codes[step] = bits[node]
            node = parents[node]
            points[step] = node - size
