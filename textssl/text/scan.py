"""From text to numbers, the hot loop: tokens between ASCII white space become ordinals of a `WordTable`.

The kernel runs without the GIL; every thread has a table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.text.bits import (
    finish,
    first_bytes,
    inlined,
    kernel,
    load_chunk,
    mix,
    prefetch,
    trailing_zeros,
    white_space,
)
from textssl.text.word_table import MAX_WORD_BYTES, WordTable, find_or_add, slot_of

DOCUMENT_END = -1
_NEWLINE, _SPACE = 10, 32
_BATCH = 128
_POSITION, _WRITTEN, _NUM_OVER_LONG = range(3)


@dataclass(frozen=True)
class Scanned:
    """What one piece of text holds.

    Attributes:
        ordinals: the words in text order, DOCUMENT_END where a document ends, int32.
        num_over_long: how many tokens had more than MAX_WORD_BYTES bytes; they are left out.
    """

    ordinals: NDArray[np.int32]
    num_over_long: int


def scan(text: NDArray[np.uint8], table: WordTable) -> Scanned:
    """Find, number and count the words of a text.

    Tokens are what stands between space, tab, newline, vertical tab, form feed and carriage return, as bytes.split()
    cuts; a newline ends a document. Tokens over 1,000 bytes are left out and counted.

    Args:
        text: UTF-8, uint8; a token does not reach over its borders.
        table: takes the new words and all counts.

    Returns:
        The ordinals in text order.
    """
    text = text.view()
    text.flags.writeable = False  # one compiled form serves both what was read and what was rewritten
    ordinals = np.empty(len(text) + 1, dtype=np.int32)  # only the pages that are written take memory
    state = np.zeros(3, dtype=np.int64)
    places = np.empty((_BATCH, 2), dtype=np.int64)
    keys = np.empty((_BATCH, 2), dtype=np.uint64)
    while not _scan(text, ordinals, state, places, keys, *table.arrays()):
        table.grow()
    return Scanned(ordinals[: state[_WRITTEN]].copy(), int(state[_NUM_OVER_LONG]))


@kernel
def _scan(text, ordinals, state, places, keys, slots, arena, starts, counts, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Go on from state[_POSITION]; False when the table must grow first.

    Tokens are found and hashed a batch at a time, and looked up after that: their slots are on the way to the processor
    meanwhile, and one lookup does not wait for the other.
    """
    while state[_POSITION] < len(text):
        num_tokens = _find_tokens(text, state, places, keys, slots)
        written = state[_WRITTEN]
        for token in range(num_tokens):
            begin, length = places[token, 0], places[token, 1]
            if length == 0:
                # Documents without words are left out at the end, so one mark is enough for any number of newlines.
                if written == 0 or ordinals[written - 1] != DOCUMENT_END:
                    ordinals[written] = DOCUMENT_END
                    written += 1
                continue
            if length > MAX_WORD_BYTES:
                state[_NUM_OVER_LONG] += 1
                continue
            ordinal = find_or_add(
                text, begin, length, keys[token, 0], keys[token, 1], slots, arena, starts, counts, size
            )
            if ordinal < 0:
                state[_POSITION] = begin
                state[_WRITTEN] = written
                return False
            counts[ordinal] += 1
            ordinals[written] = ordinal
            written += 1
        state[_WRITTEN] = written
    return True


@inlined
def _find_tokens(text, state, places, keys, slots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the next tokens from state[_POSITION] on; how many.

    Args:
        places: takes where each token begins and its length, 0 for a newline.
        keys: takes its first 8 bytes (zeros after its end) and its hash.
    """
    end = len(text)
    position = state[_POSITION]
    found = 0
    while position < end and found < len(places):
        begin = position
        chunk = load_chunk(text, position, end)
        stops = white_space(chunk)
        first = chunk
        hashed = np.uint64(0)
        while stops == 0:
            hashed = mix(hashed, chunk)
            position += 8
            chunk = load_chunk(text, position, end)
            stops = white_space(chunk)
        rest = np.int64(trailing_zeros(stops) >> np.uint64(3))
        position += rest
        length = position - begin
        if length == 0:
            if text[position] == _NEWLINE:
                places[found, 1] = 0
                found += 1
            position += 1
            continue
        if rest > 0:
            hashed = mix(hashed, first_bytes(chunk, rest))
        if length < 8:
            first = first_bytes(first, length)
        word_hash = finish(hashed, length)
        prefetch(slots, 2 * slot_of(word_hash, slots))
        places[found, 0], places[found, 1] = begin, length
        keys[found, 0], keys[found, 1] = first, word_hash
        found += 1
        position += position < end and text[position] == _SPACE
    state[_POSITION] = position
    return found
