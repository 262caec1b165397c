"""Random numbers as a pure function of integers, so that a step can be repeated, split or resumed exactly.

    key  = stream_key(seed, purpose, epoch)
    bits = mix64(key + (index + 1) * 0x9E3779B97F4A7C15)        modulo 2**64

This is SplitMix64 started at `key` and read at position `index`. The same formula stands in the fused kernels; the test
vectors in tests/test_randomness.py hold for every one of them.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 14 (mix64variant13).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MULTIPLIER_1 = 0xBF58476D1CE4E5B9
MULTIPLIER_2 = 0x94D049BB133111EB
MASK_64 = 0xFFFFFFFFFFFFFFFF


class Purpose(IntEnum):
    """What a stream of random numbers is for; two purposes never share a stream. Numbers are never reused."""

    ORDER = 1
    SUBSAMPLE = 2
    WINDOW = 3
    NEGATIVES = 4
    INITIALISE = 5
    GENERATE = 6
    SPLIT = 7
    SAMPLE = 8
    DROPOUT = 9
    MASKING = 10
    VIEWS = 11


def stream_key(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """The start of one stream: three rounds of mix64, one for each integer.

    Args:
        seed: 0 to 2**64 - 1.
        purpose: what the numbers are for.
        epoch: 0 or more.

    Returns:
        The key, 0 to 2**64 - 1.

    Raises:
        UsageError: the seed or the epoch is out of range.
    """
    if not 0 <= seed <= MASK_64:
        raise UsageError(f"seed must be at least 0 and at most {MASK_64}, got {seed}")
    if epoch < 0:
        raise UsageError(f"epoch must be at least 0, got {epoch}")
    key = _mix64_of_int(int(seed) + GOLDEN_GAMMA)
    key = _mix64_of_int((key ^ int(purpose)) + GOLDEN_GAMMA)
    return _mix64_of_int((key ^ int(epoch)) + GOLDEN_GAMMA)


def random_bits(key: int, index: NDArray[np.integer] | int) -> NDArray[np.uint64]:
    """64 random bits for every index of a stream.

    Args:
        key: from `stream_key`.
        index: positions in the stream, any shape, 0 or more.

    Returns:
        uint64 array of the shape of `index`.
    """
    position = np.asarray(index).astype(np.uint64)
    with np.errstate(over="ignore"):
        bits = np.uint64(key & MASK_64) + (position + np.uint64(1)) * np.uint64(GOLDEN_GAMMA)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(MULTIPLIER_1)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(MULTIPLIER_2)
    return np.asarray(bits ^ (bits >> np.uint64(31)), dtype=np.uint64)


def uniform(key: int, index: NDArray[np.integer] | int) -> NDArray[np.float64]:
    """Random numbers in [0, 1): the top 53 bits times 2**-53, float64 of the shape of `index`."""
    return np.asarray((random_bits(key, index) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def permutation(key: int, size: int) -> NDArray[np.int64]:
    """The numbers 0 to size - 1 in random order, int64 (size,): the stable order of `random_bits(key, i)`."""
    if size < 0:
        raise UsageError(f"size must be at least 0, got {size}")
    return np.argsort(random_bits(key, np.arange(size, dtype=np.uint64)), kind="stable").astype(np.int64, copy=False)


def first_in_proportion(order_N: NDArray[np.int64], labels_N: NDArray[Any], size: int) -> NDArray[np.int64]:
    """The first rows of an order, labels in their proportions, at least one row of each where `size` allows it.

    Args:
        order_N: int64 (N,), a permutation of the rows.
        labels_N: (N,), of any type that sorts.
        size: 0 to N; a larger one adds to a smaller one, the first of each label apart.

    Returns:
        int64 (size,).
    """
    _, kinds_N = np.unique(labels_N[order_N], return_inverse=True)
    totals = np.bincount(kinds_N)
    # The k-th row of n with a label stands at (k + 1/2) / n: the first `size` of all hold each label in proportion.
    ranks_N = np.zeros(len(order_N))
    for kind, total in enumerate(totals):
        places = np.flatnonzero(kinds_N == kind)
        ranks_N[places] = (np.arange(total) + 0.5) / total
        if size >= len(totals):
            ranks_N[places[0]] = -1.0
    return order_N[np.argsort(ranks_N, kind="stable")[:size]]


def _mix64_of_int(bits: int) -> int:
    bits &= MASK_64
    bits = ((bits ^ (bits >> 30)) * MULTIPLIER_1) & MASK_64
    bits = ((bits ^ (bits >> 27)) * MULTIPLIER_2) & MASK_64
    return bits ^ (bits >> 31)
