"""The one pass over the text: every word gets a provisional number, distinct words are counted.

Threads number words in tables of their own. At the end, or where a span of text ends with more distinct words than are
allowed, the tables are merged; `Counted.numbers` leads from every provisional number to the merged one. Rare words are
pruned only at the ends of spans, from counts that do not depend on threads, and so the result does not either.
"""

from __future__ import annotations

import itertools
import queue
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from textssl.disk import translated
from textssl.text.normalise import Normaliser, lower_words
from textssl.text.ordered import ordered_map
from textssl.text.pieces import SPAN_BYTES, Piece, cut
from textssl.text.scan import scan
from textssl.text.word_table import MAX_WORD_BYTES, WordTable

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much is done and how much there is: ("reading", bytes, bytes or None)."""


@dataclass(frozen=True)
class Segment:
    """A part of the provisional ids: where it lies, and by whose numbers it was written."""

    begin: int
    end: int
    generation: int
    table: int


@dataclass(frozen=True)
class Counted:
    """What the pass over the text found.

    Attributes:
        table: all distinct words that were kept, with counts; words with count 0 were folded into others.
        provisional: the words of the text in order, DOCUMENT_END where a document ends, int32, on disk.
        segments: the parts of `provisional`.
        numbers: for each generation and table, the ordinal in `table` of each provisional number, -1 for pruned words.
        num_over_long: tokens over 1,000 bytes, left out.
        num_pruned: occurrences of words that were pruned, left out.
        num_bytes: bytes read.
    """

    table: WordTable
    provisional: NDArray[np.int32]
    segments: list[Segment]
    numbers: list[list[NDArray[np.int32]]]
    num_over_long: int
    num_pruned: int
    num_bytes: int


def count_words(
    blocks: Iterable[bytes],
    *,
    normalise: Normaliser,
    lowercase: bool,
    max_distinct: int,
    folder: Path,
    threads: int,
    size_bytes: int | None = None,
    progress: Progress | None = None,
    span_bytes: int = SPAN_BYTES,
) -> Counted:
    """Number and count the words of a text.

    Args:
        blocks: UTF-8; newlines end documents.
        normalise: makes words stand between white space.
        lowercase: fold words beyond ASCII too; ASCII ones are folded by `normalise`.
        max_distinct: more distinct words than this are pruned, as word2vec.c does: all that came once, then all that
            came up to twice, and so on.
        folder: where temporary files lie; they have no names and vanish with the process.
        threads: 1 or more.
        size_bytes: the size of the text, for the progress.
        progress: called now and then.
        span_bytes: how much text is read between two looks at `max_distinct`.

    Returns:
        What was found.

    Raises:
        ResourceError: the disk is full.
    """
    with translated(folder / "text store", 0):
        scratch = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed by the next statement)
    with scratch as file:
        counting = _Counting(file, folder, normalise, lowercase=lowercase, max_distinct=max_distinct, threads=threads)
        pieces = cut(blocks, span_bytes=span_bytes)
        with ThreadPoolExecutor(threads) as executor:
            while (first := next(pieces, None)) is not None:
                for scanned in ordered_map(counting.scan, _span(first, pieces), threads=threads, executor=executor):
                    counting.append(*scanned)
                    if progress:
                        progress("reading", counting.num_bytes, size_bytes)
                counting.end_span()
        return counting.finish()


def _span(first: Piece, following: Iterator[Piece]) -> Iterator[Piece]:
    for piece in itertools.chain([first], following):
        yield piece
        if piece.ends_span:
            return


class _Counting:
    """The state of the pass."""

    def __init__(
        self,
        file: BinaryIO | Any,
        folder: Path,
        normalise: Normaliser,
        *,
        lowercase: bool,
        max_distinct: int,
        threads: int,
    ) -> None:
        self.file, self.folder = file, folder
        self.normalise, self.lowercase, self.max_distinct = normalise, lowercase, max_distinct
        self.tables = [WordTable() for _ in range(threads)]
        self.free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(threads):
            self.free.put(number)
        self.segments: list[Segment] = []
        self.steps: list[list[NDArray[np.int32]]] = []
        self.largest_pruned = 0
        self.num_written = self.num_over_long = self.num_pruned = self.num_bytes = 0

    def scan(self, piece: Piece) -> tuple[int, NDArray[np.int32], int, int]:
        """On a thread of the pool: the table used, the ordinals, how many tokens were too long, how many bytes."""
        number = self.free.get()
        try:
            text = self.normalise(np.frombuffer(piece.text, dtype=np.uint8))
            scanned = scan(text, self.tables[number])
        finally:
            self.free.put(number)
        return number, scanned.ordinals, scanned.num_over_long, len(piece.text)

    def append(self, table: int, ordinals: NDArray[np.int32], num_over_long: int, num_bytes: int) -> None:
        with translated(self.folder / "text store", 4 * len(ordinals)):
            self.file.write(ordinals.data)
        end = self.num_written + len(ordinals)
        self.segments.append(Segment(self.num_written, end, len(self.steps), table))
        self.num_written = end
        self.num_over_long += num_over_long
        self.num_bytes += num_bytes

    def end_span(self) -> None:
        if sum(table.size for table in self.tables) > self.max_distinct:
            self._merge()

    def finish(self) -> Counted:
        if len(self.tables) > 1 or self.lowercase:
            self._merge(prune=False)
        merged = self.tables[0]
        numbers = _composed(self.steps, merged.size)
        with translated(self.folder / "text store", 0):
            self.file.flush()
        provisional = np.zeros(0, dtype=np.int32)
        if self.num_written:
            provisional = np.memmap(self.file, dtype=np.int32, mode="r", shape=(self.num_written,))
        return Counted(merged, provisional, self.segments, numbers, self.num_over_long, self.num_pruned, self.num_bytes)

    def _merge(self, *, prune: bool = True) -> None:
        """Begin a new generation, whose first table holds all words so far."""
        merged, others = self.tables[0], self.tables[1:]
        step = [np.arange(merged.size, dtype=np.int32)]
        step += [merged.absorb(other, np.ones(other.size, dtype=np.bool_)) for other in others]
        if self.lowercase:
            folded = _fold(merged)
            step = [folded[ordinals] for ordinals in step]
        if prune and int(np.count_nonzero(merged.counts)) > self.max_distinct:
            merged, kept = self._prune(merged)
            step = [kept[ordinals] for ordinals in step]
        self.steps.append([_on_disk(ordinals, self.folder) for ordinals in step])
        self.tables = [merged, *(WordTable() for _ in others)]

    def _prune(self, table: WordTable) -> tuple[WordTable, NDArray[np.int32]]:
        counts = table.counts
        while int(np.count_nonzero(counts > self.largest_pruned)) > self.max_distinct:
            self.largest_pruned += 1
        keep = counts > self.largest_pruned
        self.num_pruned += int(counts[~keep].sum())
        smaller = WordTable()
        return smaller, smaller.absorb(table, keep)


def _fold(table: WordTable) -> NDArray[np.int32]:
    """Move the counts of words with capitals beyond ASCII to the same words in small letters.

    Returns:
        The ordinal of every word in small letters, int32 (words before,).
    """
    folded = np.arange(table.size, dtype=np.int32)
    beyond = (
        np.flatnonzero(np.bitwise_or.reduceat(table.arena, table.starts[:-1]) >= 0x80).tolist() if table.size else []
    )
    words = [table.word(ordinal) for ordinal in beyond]
    changed = [
        (ordinal, small)
        for ordinal, word, small in zip(beyond, words, lower_words(words), strict=True)
        if small != word and len(small) <= MAX_WORD_BYTES
    ]
    if changed:
        capitals = np.array([ordinal for ordinal, _ in changed])
        small_ordinals = scan(np.frombuffer(b" ".join(word for _, word in changed), dtype=np.uint8), table).ordinals
        folded[capitals] = small_ordinals
        moved = table.counts[capitals] - 1  # the scan counted every small word once more
        table.counts[capitals] = 0
        np.add.at(table.counts, small_ordinals, moved)
    return folded


def _composed(steps: list[list[NDArray[np.int32]]], size: int) -> list[list[NDArray[np.int32]]]:
    """Follow the steps of all later generations; the arrays of `steps` are rewritten.

    Args:
        steps: for each generation and table, the ordinal in the first table of the next generation.
        size: the number of words in the last table.

    Returns:
        For each generation and table, the ordinal in the last table, or -1; the last generation's own come last.
    """
    numbers = [[np.arange(size, dtype=np.int32)]]
    for step in reversed(steps):
        last = np.append(numbers[0][0], np.int32(-1))  # -1, pruned, leads to the last place: -1 again
        for ordinals in step:
            ordinals[:] = last[ordinals]
        numbers.insert(0, step)
    return numbers


def _on_disk(array: NDArray[np.int32], folder: Path) -> NDArray[np.int32]:
    """The same array in a file without a name, so that it takes no memory."""
    if not len(array):
        return array
    with tempfile.TemporaryFile(dir=folder) as file, translated(folder / "text store", array.nbytes):
        file.write(array.data)
        file.flush()
        return np.memmap(file, dtype=np.int32, mode="r+", shape=array.shape)
