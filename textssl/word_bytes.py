"""Arithmetic on many words at once that lie end to end as bytes: hashes, equality and edit distances, with NumPy alone.

Word i of a list is utf8[starts[i]:ends[i]]; eight of its bytes are handled as one integer. Legend: N or V words.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 8
# Longer words are rare, and one pass over all words per 8 bytes of the longest would make them expensive.
MAX_HASHED_IN_CHUNKS = 64
GOLDEN = 0x9E3779B97F4A7C15
MIX_1, MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MASK = 2**64 - 1


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of N pieces that lie end to end begins, and where the last one ends, int64 (N + 1,)."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def hash_words(utf8: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A 64-bit hash of every word, the same on every machine.

    h = length; for each 8 bytes c (little-endian, zeros after the end): h = mix64((h ^ c) * m). Words of more than
    64 bytes: the first 8 bytes of BLAKE2b.

    Args:
        utf8: the words end to end, uint8.
        offsets: where they begin, and where the last one ends, int64 (V + 1,).

    Returns:
        uint64 (V,).

    Source: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    """
    starts, ends = offsets[:-1], offsets[1:]
    lengths = ends - starts
    hashes = lengths.astype(np.uint64)
    active = np.flatnonzero((lengths > 0) & (lengths <= MAX_HASHED_IN_CHUNKS))
    chunks = _chunks(utf8)
    for done in range(0, MAX_HASHED_IN_CHUNKS, CHUNK_BYTES):
        active = active[lengths[active] > done]
        if not len(active):
            break
        mixed = hashes[active] ^ _read_chunks(chunks, starts[active] + done, ends[active])
        hashes[active] = _mix64(mixed * np.uint64(GOLDEN))
    for place in np.flatnonzero(lengths > MAX_HASHED_IN_CHUNKS):
        hashes[place] = hash_word(utf8[starts[place] : ends[place]].tobytes())
    return hashes


def hash_word(word: bytes) -> int:
    """The hash of one word; equals `hash_words`, without the cost of setting up arrays."""
    if len(word) > MAX_HASHED_IN_CHUNKS:
        return int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little")
    value = len(word)
    for done in range(0, len(word), CHUNK_BYTES):
        value = ((value ^ int.from_bytes(word[done : done + CHUNK_BYTES], "little")) * GOLDEN) & MASK
        value = ((value ^ (value >> 30)) * MIX_1) & MASK
        value = ((value ^ (value >> 27)) * MIX_2) & MASK
        value ^= value >> 31
    return value


def equal_words(
    left: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    right: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.bool_]:
    """Whether word i of one list is, byte for byte, word i of another.

    Args:
        left: bytes of the words, uint8, and where each begins and ends, int64 (N,) each.
        right: likewise.

    Returns:
        bool (N,).
    """
    (left_utf8, left_starts, left_ends), (right_utf8, right_starts, right_ends) = left, right
    lengths = left_ends - left_starts
    equal: NDArray[np.bool_] = lengths == right_ends - right_starts
    left_chunks, right_chunks = _chunks(left_utf8), _chunks(right_utf8)
    active = np.flatnonzero(equal)
    done = 0
    while done < MAX_HASHED_IN_CHUNKS and len(active := active[lengths[active] > done]):
        same = _read_chunks(left_chunks, left_starts[active] + done, left_ends[active]) == _read_chunks(
            right_chunks, right_starts[active] + done, right_ends[active]
        )
        equal[active[~same]] = False
        active = active[same]
        done += CHUNK_BYTES
    for place in active:
        left_rest = left_utf8[left_starts[place] + done : left_ends[place]]
        right_rest = right_utf8[right_starts[place] + done : right_ends[place]]
        equal[place] = np.array_equal(left_rest, right_rest)
    return equal


def edit_distances(
    pattern: bytes, utf8: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The edit distances (insert, delete, replace one byte) of one word to many, 64 rows of the table in one integer.

    Args:
        pattern: 1 to 64 bytes.
        utf8: where the words lie, uint8.
        starts, lengths: the words, int64 (N,) each.

    Returns:
        int64 (N,).

    Source: Myers 1999, "A fast bit-vector algorithm", in the form of Hyyrö 2003, for whole words.
    """
    one = np.uint64(1)
    occurrences = np.zeros(256, dtype=np.uint64)
    for row, byte in enumerate(pattern):
        occurrences[byte] |= one << np.uint64(row)
    last_row = one << np.uint64(len(pattern) - 1)
    up = np.full(len(starts), ~np.uint64(0))
    down = np.zeros(len(starts), dtype=np.uint64)
    distances = np.full(len(starts), len(pattern), dtype=np.int64)
    for column in range(int(lengths.max(initial=0))):
        inside = column < lengths
        matches = occurrences[utf8[np.where(inside, starts + column, 0)]]
        diagonal = (((matches & up) + up) ^ up) | matches | down
        right_up = down | ~(diagonal | up)
        right_down = up & diagonal
        distances += inside & ((right_up & last_row) != 0)
        distances -= inside & ((right_down & last_row) != 0)
        right_up = (right_up << one) | one
        right_down = right_down << one
        up = right_down | ~(diagonal | right_up)
        down = right_up & diagonal
    return distances


def _chunks(utf8: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """The bytes, and every 8 neighbouring bytes of them as one integer, as a view that copies nothing."""
    raw = np.asarray(utf8)
    count = max(0, len(raw) - CHUNK_BYTES + 1)
    if not count:
        return raw, np.zeros(0, dtype="<u8")
    return raw, np.ndarray(shape=(count,), dtype="<u8", buffer=raw, strides=(1,))


def _read_chunks(
    chunks: tuple[NDArray[np.uint8], NDArray[np.uint64]], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The 8 bytes at each start, with zeros for what lies at or after the end of its word."""
    raw, whole = chunks
    values = np.empty(len(starts), dtype=np.uint64)
    inside = starts < len(whole)
    values[inside] = whole[starts[inside]]
    for place in np.flatnonzero(~inside):
        values[place] = int.from_bytes(raw[starts[place] : starts[place] + CHUNK_BYTES].tobytes(), "little")
    missing_bits = (np.clip(CHUNK_BYTES - (ends - starts), 0, CHUNK_BYTES) * 8).astype(np.uint64)
    values &= ~np.uint64(0) >> missing_bits
    return values


def _mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(MIX_1)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(MIX_2)
    values ^= values >> np.uint64(31)
    return values
