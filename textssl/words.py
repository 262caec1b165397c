"""An immutable list of unique words over flat arrays, so that millions of words open memory-mapped in no time.

The words lie end to end as UTF-8; word i is utf8[offsets[i]:offsets[i + 1]]. Their 64-bit hashes lie sorted, `order`
leads from a sorted hash back to its word, and a word is found by binary search and verified byte by byte: nothing is
built at opening.
Legend: V words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.word_bytes import edit_distances, equal_words, hash_word, hash_words, offsets_of

ARRAY_DTYPES = {"utf8": np.uint8, "offsets": np.int64, "hashes": np.uint64, "order": np.int32}
MAX_WORDS = 2**31 - 1

DECODED_AT_ONCE = 65_536
# Words stand by falling frequency in practice, so what a person means is almost surely among the first ones.
NEAREST_SCANNED = 200_000
MAX_NEAREST_BYTES = 64
DAMAGED_HINT = "Look at the whole folder with: textssl check FOLDER"


class Words(Sequence[str]):
    """An immutable list of unique words that finds a word's place without a dictionary in memory.

    Make one with `from_list`, `from_utf8` or `from_arrays`; `arrays()` is all there is to store.
    """

    def __init__(self, utf8: NDArray[Any], offsets: NDArray[Any], hashes: NDArray[Any], order: NDArray[Any]) -> None:
        self._utf8 = utf8
        self._offsets = offsets
        self._hashes = hashes
        self._order = order

    @classmethod
    def from_list(cls, words: Iterable[str]) -> Words:
        """Words in the order given.

        Raises:
            DataError: a word stands twice, is empty, or holds a lone surrogate, which UTF-8 cannot write.
        """
        encoded = [_encode(word, position) for position, word in enumerate(words)]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        return cls.from_utf8(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets_of(lengths))

    @classmethod
    def from_utf8(cls, utf8: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Words:
        """Words that already lie end to end.

        Args:
            utf8: all words as UTF-8, uint8.
            offsets: where each word begins and the last one ends, int64 (V + 1,).

        Raises:
            DataError: a word stands twice or is empty.
        """
        words = cls._sorted(utf8, offsets)
        repeated = np.flatnonzero(words.repeats())
        if len(repeated):
            position = int(repeated[0])
            raise DataError(
                f"word {position + 1}, {words[position]!r}, stands in the list before, words must be unique"
            )
        return words

    @classmethod
    def first_of_each(
        cls, utf8: NDArray[np.uint8], offsets: NDArray[np.int64]
    ) -> tuple[Words, NDArray[np.int64] | None]:
        """Words that lie end to end, where of equal ones only the first is kept.

        Args:
            utf8, offsets: as `from_utf8`.

        Returns:
            The words, and the places of those kept, rising, int64; None when no word stands twice.
        """
        words = cls._sorted(utf8, offsets)
        repeated = words.repeats()
        if not repeated.any():
            return words, None
        first, lengths = ~repeated, np.diff(offsets)
        return cls._sorted(utf8[np.repeat(first, lengths)], offsets_of(lengths[first])), np.flatnonzero(first)

    @classmethod
    def _sorted(cls, utf8: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Words:
        if len(offsets) - 1 > MAX_WORDS:
            raise DataError(f"{len(offsets) - 1:,} words are more than a word list can hold, which is {MAX_WORDS:,}")
        if len(offsets) > 1 and int(np.diff(offsets).min()) < 1:
            position = int(np.diff(offsets).argmin())
            raise DataError(f"word {position + 1} is empty, words must have at least one character")
        hashes = hash_words(utf8, offsets)
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        return cls(utf8, offsets, hashes[order], order)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Words:
        """Words over the arrays of `arrays()`, which may be memory-mapped; only types and sizes are looked at.

        Raises:
            DataError: an array is missing, or types or sizes do not fit together.
        """
        for name, dtype in ARRAY_DTYPES.items():
            if name not in arrays:
                raise DataError(f"the word list has no array {name!r}, it needs {', '.join(ARRAY_DTYPES)}")
            if arrays[name].dtype != dtype or arrays[name].ndim != 1:
                raise DataError(
                    f"array {name!r} of the word list must be one-dimensional {np.dtype(dtype).name}, "
                    f"got {arrays[name].dtype.name} {arrays[name].shape}"
                )
        utf8, offsets, hashes, order = (arrays[name] for name in ARRAY_DTYPES)
        fits = len(offsets) == len(hashes) + 1 == len(order) + 1
        if not fits or offsets[0] != 0 or offsets[-1] != len(utf8):
            raise DataError(
                f"the arrays of the word list do not fit together: {len(utf8)} bytes, {len(offsets)} offsets, "
                f"{len(hashes)} hashes, {len(order)} places"
            )
        return cls(utf8, offsets, hashes, order)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What there is to store: utf8 uint8, offsets int64 (V + 1,), hashes uint64 (V,) sorted, order int32 (V,)."""
        return {"utf8": self._utf8, "offsets": self._offsets, "hashes": self._hashes, "order": self._order}

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self._decode(start, max(start, stop)) if step == 1 else [self[at] for at in range(start, stop, step)]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"word {index} is asked for, there are {len(self)} words")
        return self._decode(place, place + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), DECODED_AT_ONCE):
            yield from self._decode(start, min(start + DECODED_AT_ONCE, len(self)))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) >= 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Words):
            return NotImplemented
        return np.array_equal(self._offsets, other._offsets) and np.array_equal(self._utf8, other._utf8)

    __hash__ = None  # type: ignore[assignment]  # equal lists would have to be read whole

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self[:3]))
        return f"Words({len(self):,}: {first}{', ...' if len(self) > 3 else ''})"

    def find(self, word: str) -> int:
        """The place of a word, or -1."""
        encoded = word.encode("utf-8", "surrogatepass")
        wanted = np.uint64(hash_word(encoded))
        slot = int(np.searchsorted(self._hashes, wanted))
        while slot < len(self) and self._hashes[slot] == wanted:
            place = int(self._order[slot])
            self._check_places(place, place)
            if self._utf8[self._offsets[place] : self._offsets[place + 1]].tobytes() == encoded:
                return place
            slot += 1
        return -1

    def find_many(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The places of many words at once.

        Returns:
            int64 (len(words),), -1 where a word is absent.
        """
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        utf8 = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        offsets = offsets_of(lengths)
        return self._find_hashed(utf8, offsets, hash_words(utf8, offsets))

    def _find_hashed(
        self, utf8: NDArray[np.uint8], offsets: NDArray[np.int64], hashes: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        found = np.full(len(hashes), -1, dtype=np.int64)
        slots = np.searchsorted(self._hashes, hashes)
        open_queries = np.arange(len(hashes))
        # Words of equal hash stand side by side: one round per collision, so one round in practice.
        while True:
            inside = slots < len(self)
            open_queries, slots = open_queries[inside], slots[inside]
            same_hash = self._hashes[slots] == hashes[open_queries]
            open_queries, slots = open_queries[same_hash], slots[same_hash]
            if not len(open_queries):
                return found
            places = self._order[slots].astype(np.int64)
            self._check_places(int(places.min()), int(places.max()))
            equal = equal_words(
                (utf8, offsets[open_queries], offsets[open_queries + 1]),
                (self._utf8, self._offsets[places], self._offsets[places + 1]),
            )
            found[open_queries[equal]] = places[equal]
            open_queries, slots = open_queries[~equal], slots[~equal] + 1

    def _check_places(self, lowest: int, highest: int) -> None:
        if lowest < 0 or highest >= len(self):
            raise DataError("the word list is damaged: its order leads outside the list", hint=DAMAGED_HINT)

    def repeats(self) -> NDArray[np.bool_]:
        """Which words stand in the list before: all False, unless the arrays were put together elsewhere, bool (V,)."""
        repeated = np.zeros(len(self), dtype=np.bool_)
        same_hash = np.flatnonzero(self._hashes[1:] == self._hashes[:-1]) + 1
        if len(same_hash):
            places = self._order[same_hash]
            first = self._find_hashed(*self._select(places), self._hashes[same_hash])
            repeated[places] = first != places
        return repeated

    def _select(self, places: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        pieces = [self._utf8[self._offsets[place] : self._offsets[place + 1]] for place in places]
        lengths = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        return np.concatenate(pieces), offsets_of(lengths)

    def _decode(self, start: int, stop: int) -> list[str]:
        bounds = self._offsets[start : stop + 1].tolist()
        piece = self._utf8[bounds[0] : bounds[-1]].tobytes()
        try:
            if piece.isascii():  # then a slice of the text is much faster than many texts
                text = piece.decode("ascii")
                return [text[a - bounds[0] : b - bounds[0]] for a, b in pairwise(bounds)]
            return [piece[a - bounds[0] : b - bounds[0]].decode() for a, b in pairwise(bounds)]
        except UnicodeDecodeError as error:
            raise DataError(
                f"the word list is damaged: words {start + 1} to {stop} are not UTF-8", hint=DAMAGED_HINT
            ) from error

    def nearest(self, word: str, limit: int = 3) -> list[str]:
        """The words that are spelt most like `word`, best first, the earlier one at equal distance.

        Other capitals of the same word come first, then the nearest by edit distance in bytes, at most a third of the
        word away. Only the first 200,000 words are looked at, and nothing is near a word of more than 64 bytes.
        """
        capitals = dict.fromkeys((word.lower(), word.capitalize(), word.upper()))
        close = [variant for variant in capitals if variant != word and variant in self]
        pattern = word.encode("utf-8", "surrogatepass")
        if 0 < len(pattern) <= MAX_NEAREST_BYTES:
            near = self._nearest_places(pattern, max(1, len(pattern) // 3), limit + len(close) + 1)
            close += [spelt for spelt in map(self.__getitem__, near) if spelt != word and spelt not in close]
        return close[:limit]

    def _nearest_places(self, pattern: bytes, radius: int, limit: int) -> list[int]:
        offsets = np.asarray(self._offsets[: NEAREST_SCANNED + 1])
        lengths = np.diff(offsets)
        places = np.flatnonzero(np.abs(lengths - len(pattern)) <= radius)
        if not len(places):
            return []
        distances = edit_distances(pattern, self._utf8, offsets[places], lengths[places])
        best = np.argsort(distances, kind="stable")[:limit]
        near: list[int] = places[best[distances[best] <= radius]].tolist()
        return near


def _encode(word: str, position: int) -> bytes:
    try:
        return word.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"word {position + 1}, {word!r}, holds half a character (a lone surrogate) and cannot be written as UTF-8"
        ) from error
