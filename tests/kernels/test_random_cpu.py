"""The generator inside the kernels against the test vectors of textssl.randomness."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from tests.test_randomness import BITS, INDICES, SPLITMIX64_1234567
from textssl.kernels.random_cpu import random_bits, scaled
from textssl.randomness import Purpose, stream_key
from textssl.randomness import random_bits as numpy_bits


@numba.njit
def bits_at(key, indices, found):
    for place in range(len(indices)):
        found[place] = random_bits(key, indices[place])


@numba.njit
def scaled_all(bits, n, found):
    for place in range(len(bits)):
        found[place] = scaled(bits[place], n)


def kernel_bits(key: int, indices) -> np.ndarray:
    found = np.empty(len(indices), np.uint64)
    bits_at(np.uint64(key), np.asarray(indices, np.int64), found)
    return found


@pytest.mark.parametrize("key", BITS)
def test_kernel_bits_give_test_vectors(key):
    assert kernel_bits(key, INDICES).tolist() == BITS[key]


def test_kernel_bits_equal_published_splitmix64():
    assert kernel_bits(1234567, range(5)).tolist() == SPLITMIX64_1234567


def test_kernel_bits_equal_numpy():
    indices = np.concatenate([np.arange(1000), 2 ** np.arange(10, 62)])
    for purpose in Purpose:
        key = stream_key(2**63 + 5, purpose, 3)
        assert np.array_equal(kernel_bits(key, indices), numpy_bits(key, indices))


@pytest.mark.parametrize("n", [1, 2, 5, 1000, 68_000, 2**31 - 1])
def test_scaled_is_the_upper_half_times_n(n):
    bits = np.concatenate([numpy_bits(9, np.arange(1000)), np.array([0, 2**32 - 1, 2**64 - 1], np.uint64)])
    found = np.empty(len(bits), np.int64)
    scaled_all(bits, n, found)
    assert found.tolist() == [((int(number) >> 32) * n) >> 32 for number in bits]
    assert found.min() >= 0
    assert found.max() == n - 1
