"""The generator of textssl.randomness for Numba: the same formula, the same numbers."""

from __future__ import annotations

import numpy as np

from textssl.text.bits import inlined as inlined
from textssl.text.bits import kernel as kernel

U64 = np.uint64
GAMMA = U64(0x9E3779B97F4A7C15)
FIRST, SECOND = U64(0xBF58476D1CE4E5B9), U64(0x94D049BB133111EB)


@inlined
def random_bits(key, index):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """64 random bits at position `index` of the stream `key` (textssl.randomness.random_bits)."""
    bits = key + (U64(index) + U64(1)) * GAMMA
    bits = (bits ^ (bits >> U64(30))) * FIRST
    bits = (bits ^ (bits >> U64(27))) * SECOND
    return bits ^ (bits >> U64(31))


@inlined
def scaled(bits, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The upper 32 bits as a whole number below n (multiply and shift)."""
    return np.int64(((bits >> U64(32)) * U64(n)) >> U64(32))
