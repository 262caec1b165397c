"""The n-grams of a whole vocabulary, compiled; ngrams.py has the definition in plain Python."""

from __future__ import annotations

import numpy as np

from textssl.text.bits import inlined, kernel

_FNV_START, _FNV_PRIME = np.uint32(2_166_136_261), np.uint32(16_777_619)
_OPEN, _CLOSE = np.uint8(0x3C), np.uint8(0x3E)


@inlined
def _byte(utf8, start, length, position):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The byte at `position` of <word>."""
    if position == 0:
        return _OPEN
    return _CLOSE if position == length - 1 else utf8[start + position - 1]


@inlined
def _is_inner(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether a byte is not the first of its character."""
    return (byte & 0xC0) == 0x80


@kernel
def count_ngrams(utf8, starts, min_n, max_n, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the number of n-grams of word w to offsets[w + 1]."""
    for word in range(len(starts) - 1):
        characters = 2
        for position in range(starts[word], starts[word + 1]):
            characters += not _is_inner(utf8[position])
        total = 0
        for length in range(min_n, min(max_n, characters) + 1):
            total += characters - length + 1
        offsets[word + 1] = total - 2 * (min_n == 1)


@kernel
def write_buckets(utf8, starts, counts, min_n, max_n, offsets, buckets_of, uses):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the buckets of every word's n-grams, and add the word's count to the uses of each."""
    for word in range(len(starts) - 1):
        length = starts[word + 1] - starts[word] + 2
        written = offsets[word]
        for begin in range(length):
            if _is_inner(_byte(utf8, starts[word], length, begin)):
                continue
            state = _FNV_START
            end = begin
            for size in range(1, max_n + 1):
                if end == length:
                    break
                while True:
                    byte = np.int8(_byte(utf8, starts[word], length, end))
                    state = np.uint32((state ^ np.uint32(np.int32(byte))) * _FNV_PRIME)
                    end += 1
                    if end == length or not _is_inner(_byte(utf8, starts[word], length, end)):
                        break
                is_bracket = size == 1 and (begin == 0 or end == length)
                if size >= min_n and not is_bracket:
                    bucket = np.int64(state) % len(uses)
                    buckets_of[written] = bucket
                    uses[bucket] += counts[word]
                    written += 1
