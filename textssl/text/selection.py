"""Which of the counted words become the vocabulary, and in which order: by falling count, ties by their UTF-8 bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.text.bits import first_bytes, kernel, load_chunk
from textssl.text.vocabulary import Vocabulary
from textssl.text.word_table import WordTable
from textssl.words import Words

_BY_HINT = "Look at what the corpus holds with: textssl check CORPUS"


@dataclass(frozen=True)
class Selection:
    """A vocabulary, and the way from the counted words to it.

    Attributes:
        vocabulary: the chosen words.
        ids: the id of each counted word, -1 for those left out, int32 (words counted,).
        num_distinct: distinct words counted.
        num_rare: distinct words below min_count.
        num_beyond: distinct words beyond max_vocabulary.
    """

    vocabulary: Vocabulary
    ids: NDArray[np.int32]
    num_distinct: int
    num_rare: int
    num_beyond: int


def select(table: WordTable, *, min_count: int, max_vocabulary: int | None, name: str, num_bytes: int) -> Selection:
    """Choose the vocabulary.

    Args:
        table: counted words; those with count 0 are not there.
        min_count: words that come less often are left out.
        max_vocabulary: so many of the most frequent words at most.
        name: the corpus, for messages.
        num_bytes: its size in bytes, for messages.

    Raises:
        DataError: fewer than two words would be chosen.
    """
    counts = table.counts
    num_distinct = int(np.count_nonzero(counts))
    frequent = np.flatnonzero(counts >= min_count)
    if len(frequent) < 2:
        raise _too_few_words(table, min_count, name, num_bytes)
    ordered = _by_count_and_bytes(table, frequent)
    chosen = ordered[:max_vocabulary]
    ids = np.full(table.size, -1, dtype=np.int32)
    ids[chosen] = np.arange(len(chosen), dtype=np.int32)
    return Selection(
        vocabulary=Vocabulary(_words(table, chosen, name), counts[chosen]),
        ids=ids,
        num_distinct=num_distinct,
        num_rare=num_distinct - len(frequent),
        num_beyond=len(frequent) - len(chosen),
    )


def _too_few_words(table: WordTable, min_count: int, name: str, num_bytes: int) -> DataError:
    counts = np.sort(table.counts[table.counts > 0])[::-1]
    if len(counts) == 0:
        return DataError(
            f"holds no words: {num_bytes:,} bytes were read, all white space or separators", where=name, hint=_BY_HINT
        )
    if len(counts) == 1:
        word = table.word(int(np.argmax(table.counts))).decode(errors="replace")
        return DataError(
            f"holds only one distinct word, {word[:40]!r}, {int(counts[0]):,} times; at least two are needed",
            where=name,
            hint=_BY_HINT,
        )
    fewer = "no word comes" if counts[0] < min_count else "only one word comes"
    return DataError(
        f"{fewer} at least min_count = {min_count} times: {int(counts.sum()):,} words were read, {len(counts):,} "
        f"of them distinct, and the most frequent one comes {int(counts[0]):,} times; at least two are needed",
        where=name,
        hint=f"Use more text, or a smaller minimum, at most: --min-count {int(counts[1])}",
    )


def _by_count_and_bytes(table: WordTable, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    starts, counts = table.starts, table.counts[chosen]
    prefixes = np.empty(len(chosen), dtype=np.uint64)
    _prefixes(table.arena, starts, chosen, prefixes)
    prefixes = prefixes.byteswap()  # numbers in the order of the bytes
    order = np.lexsort((prefixes, -counts))
    chosen, counts, prefixes = chosen[order], counts[order], prefixes[order]
    equal = (counts[1:] == counts[:-1]) & (prefixes[1:] == prefixes[:-1])
    tied = np.flatnonzero(np.append(equal, False) | np.insert(equal, 0, False))
    if len(tied):
        groups = np.cumsum(np.insert(~equal, 0, True))[tied].tolist()
        words = [table.word(int(ordinal)) for ordinal in chosen[tied]]
        chosen[tied] = chosen[tied[sorted(range(len(tied)), key=lambda place: (groups[place], words[place]))]]
    return chosen


def _words(table: WordTable, chosen: NDArray[np.int64], name: str) -> Words:
    lengths = np.diff(table.starts)[chosen]
    offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    utf8 = np.empty(int(offsets[-1]), dtype=np.uint8)
    _gather(table.arena, table.starts, chosen, utf8)
    try:
        utf8.tobytes().decode()
    except UnicodeDecodeError as error:
        place = int(np.searchsorted(offsets, error.start, side="right")) - 1
        word = utf8[offsets[place] : offsets[place + 1]].tobytes()
        raise DataError(
            f"holds a word that is no UTF-8: {word[:40]!r}",
            where=name,
            hint="Give its encoding, for instance: --encoding latin-1",
        ) from error
    return Words.from_utf8(utf8, offsets)


@kernel
def _prefixes(arena, starts, chosen, prefixes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The first 8 bytes of each chosen word, zeros after its end."""
    for place in range(len(chosen)):
        start = starts[chosen[place]]
        length = starts[chosen[place] + 1] - start
        chunk = load_chunk(arena, start, len(arena))
        prefixes[place] = chunk if length >= 8 else first_bytes(chunk, length)


@kernel
def _gather(arena, starts, chosen, utf8):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    written = 0
    for place in range(len(chosen)):
        for position in range(starts[chosen[place]], starts[chosen[place] + 1]):
            utf8[written] = arena[position]
            written += 1
