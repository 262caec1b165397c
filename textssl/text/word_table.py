"""A growing table of distinct words and their counts, in flat arrays that Numba works on without the GIL.

Open addressing. A slot is two uint64: the first 8 bytes of the word, and

    22 bits of its hash | its length (10 bits) | its ordinal + 1 (32 bits)          (0: the slot is empty)

so that a word of up to 8 bytes, which most tokens are, is known for certain without a look at the arena; longer words
are compared there byte by byte. Ordinals count distinct words in the order of their first appearance, which keeps the
counts of frequent words together. Kernels that find no room return and are called again once the table has grown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from textssl.text.bits import finish, first_bytes, inlined, kernel, load_chunk, mix

MAX_WORD_BYTES = 1_000  # word lengths have 10 bits in a slot
NO_ROOM = -1
_SLOTS_PER_WORD = 2
_ARENA_PADDING = 8  # words are read 8 bytes at a time
_FIRST_SLOTS = 1 << 14
_FIRST_ARENA = 1 << 17


class WordTable:
    """Distinct words with counts; `size` words so far."""

    def __init__(self) -> None:
        self.slots: NDArray[np.uint64] = np.zeros(2 * _FIRST_SLOTS, dtype=np.uint64)
        self.arena: NDArray[np.uint8] = np.zeros(_FIRST_ARENA, dtype=np.uint8)
        self._starts: NDArray[np.int64] = np.zeros(_FIRST_SLOTS // _SLOTS_PER_WORD + 1, dtype=np.int64)
        self._counts: NDArray[np.int64] = np.zeros(_FIRST_SLOTS // _SLOTS_PER_WORD, dtype=np.int64)
        self._size: NDArray[np.int64] = np.zeros(1, dtype=np.int64)

    @property
    def size(self) -> int:
        """The number of distinct words."""
        return int(self._size[0])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each word came, by ordinal; a view."""
        return self._counts[: self.size]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each word begins in the arena and the last one ends, int64 (size + 1,); a view."""
        return self._starts[: self.size + 1]

    def arrays(
        self,
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """What the kernels take: slots, arena, starts, counts, size."""
        return self.slots, self.arena, self._starts, self._counts, self._size

    def word(self, ordinal: int) -> bytes:
        """The bytes of one word."""
        return self.arena[self._starts[ordinal] : self._starts[ordinal + 1]].tobytes()

    def grow(self) -> None:
        """Make room for more words, where it is short."""
        self.make_room(
            num_words=2 * len(self._counts) if 2 * self.size > len(self._counts) else 0,
            num_bytes=2 * len(self.arena) if 2 * int(self.starts[-1]) > len(self.arena) else 0,
        )

    def make_room(self, *, num_words: int, num_bytes: int) -> None:
        """Make room for so many words with so many bytes in all."""
        if num_bytes + MAX_WORD_BYTES + _ARENA_PADDING > len(self.arena):
            grown = np.zeros(num_bytes + MAX_WORD_BYTES + _ARENA_PADDING, dtype=np.uint8)
            used = int(self.starts[-1])
            grown[:used] = self.arena[:used]
            self.arena = grown
        if num_words > len(self._counts):
            num_slots = 1 << (num_words * _SLOTS_PER_WORD - 1).bit_length()
            self._starts = _longer(self._starts, num_slots // _SLOTS_PER_WORD + 1)
            self._counts = _longer(self._counts, num_slots // _SLOTS_PER_WORD)
            self.slots = np.zeros(2 * num_slots, dtype=np.uint64)
            _place_all(self.slots, self.arena, self._starts, self.size)

    def absorb(self, other: WordTable, keep: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Add the kept words of another table, with their counts.

        Args:
            other: another table.
            keep: which of its words to take, bool (other.size,).

        Returns:
            The ordinal here of every word of the other table, -1 where it is not kept, int32 (other.size,).
        """
        lengths = np.diff(other.starts)
        self.make_room(
            num_words=self.size + int(np.count_nonzero(keep)), num_bytes=int(self.starts[-1] + lengths[keep].sum())
        )
        ordinals = np.full(other.size, -1, dtype=np.int32)
        _absorb(other.arena, other.starts, other.counts, keep, ordinals, *self.arrays())
        return ordinals


def _longer(array: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    grown = np.zeros(length, dtype=array.dtype)
    grown[: len(array)] = array
    return grown


@inlined
def slot_of(word_hash, slots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Where the search for a word begins."""
    return np.int64(word_hash >> np.uint64(24)) & (len(slots) // 2 - 1)


@inlined
def label_of(word_hash, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The second half of a slot, with ordinal + 1 = 0."""
    return ((word_hash & np.uint64(0x3FFFFF)) << np.uint64(42)) | (np.uint64(length) << np.uint64(32))


@inlined
def find_or_add(text, begin, length, first, word_hash, slots, arena, starts, counts, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The ordinal of text[begin:begin + length], which is added when it is new; NO_ROOM when there is no room for it.

    Args:
        first: its first 8 bytes, zeros after its end.
        word_hash: as `hash_word` gives it.
        slots, arena, starts, counts, size: `WordTable.arrays()`.
    """
    label = label_of(word_hash, length)
    slot = slot_of(word_hash, slots)
    while True:
        entry = slots[2 * slot + 1]
        if entry == 0:
            break
        if slots[2 * slot] == first and (entry >> np.uint64(32)) == (label >> np.uint64(32)):
            ordinal = np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
            if length <= 8 or _same_rest(text, begin, length, arena, starts[ordinal]):
                return ordinal
        slot = (slot + 1) & (len(slots) // 2 - 1)
    ordinal = size[0]
    start = starts[ordinal]
    if ordinal == len(counts) or start + length + 8 > len(arena):
        return np.int64(NO_ROOM)
    for position in range(length):
        arena[start + position] = text[begin + position]
    starts[ordinal + 1] = start + length
    slots[2 * slot] = first
    slots[2 * slot + 1] = label | np.uint64(ordinal + 1)
    size[0] = ordinal + 1
    return ordinal


@inlined
def _same_rest(text, begin, length, arena, start):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether two words of equal length agree after their first 8 bytes."""
    done = 8
    while done + 8 <= length:
        if load_chunk(text, begin + done, len(text)) != load_chunk(arena, start + done, len(arena)):
            return False
        done += 8
    if done == length:
        return True
    difference = load_chunk(text, begin + done, len(text)) ^ load_chunk(arena, start + done, len(arena))
    return first_bytes(difference, length - done) == 0


@inlined
def hash_word(text, begin, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The hash and the first 8 bytes of a word; the scanner computes the same while it looks for the end of a token."""
    state = np.uint64(0)
    done = 0
    while done + 8 <= length:
        state = mix(state, load_chunk(text, begin + done, len(text)))
        done += 8
    if done < length:
        state = mix(state, first_bytes(load_chunk(text, begin + done, len(text)), length - done))
    first = load_chunk(text, begin, len(text))
    return finish(state, length), first if length >= 8 else first_bytes(first, length)


@kernel
def _place_all(slots, arena, starts, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill empty slots with the words of the arena."""
    for ordinal in range(size):
        length = starts[ordinal + 1] - starts[ordinal]
        word_hash, first = hash_word(arena, starts[ordinal], length)
        slot = slot_of(word_hash, slots)
        while slots[2 * slot + 1] != 0:
            slot = (slot + 1) & (len(slots) // 2 - 1)
        slots[2 * slot] = first
        slots[2 * slot + 1] = label_of(word_hash, length) | np.uint64(ordinal + 1)


@kernel
def _absorb(text, text_starts, text_counts, keep, ordinals, slots, arena, starts, counts, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add words that lie in another arena; there is room for all of them."""
    for source in range(len(text_counts)):
        if keep[source]:
            begin = text_starts[source]
            length = text_starts[source + 1] - begin
            word_hash, first = hash_word(text, begin, length)
            ordinal = find_or_add(text, begin, length, first, word_hash, slots, arena, starts, counts, size)
            counts[ordinal] += text_counts[source]
            ordinals[source] = ordinal
