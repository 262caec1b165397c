"""The part of a text from which a tokenizer learns: of bounded size, and spread over all of it.

Documents (pieces of 16 kB of long ones) are chosen by a hash of seed and number: the same text, the same sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.randomness import Purpose, stream_key, uniform
from textssl.text.document_pieces import document_pieces
from textssl.text.sources import Source

PIECE_BYTES = 1 << 14
LONG_RUN_BYTES = 60
LONG_RUN_COST = 10
"""Learning keeps every distinct run of text without white space in memory. Runs longer than words (of Chinese, Japanese
or Thai, say) are nearly all distinct and took 70 bytes for each byte of text, so such a byte counts as ten."""

_HASHES_AT_ONCE = 1 << 12
_SPACE = 0x20
_NUM_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class Sample:
    """Pieces of a source. Made by `Sample.of`.

    Args:
        source: the text.
        num_bytes: of all its documents.
        share: of the pieces that are taken, up to 1.
        seed: chooses them.
    """

    source: Source
    num_bytes: int
    share: float
    seed: int

    @classmethod
    def of(cls, source: Source, *, max_bytes: int, seed: int) -> Sample:
        """Measure a source and choose how much to take; everything is read once.

        Args:
            source: the text.
            max_bytes: about how many bytes to take; fewer of text with long runs without white space.
            seed: chooses the pieces.
        """
        num_bytes = num_long = open_run = 0
        for block in source.blocks():
            num_bytes += len(block) - block.count(b"\n")
            long_bytes, open_run = _bytes_in_long_runs(block, open_run)
            num_long += long_bytes
        num_long += open_run if open_run > LONG_RUN_BYTES else 0
        cost = num_bytes + (LONG_RUN_COST - 1) * num_long
        return cls(source, num_bytes, min(1.0, max_bytes / max(1, cost)), seed)

    def texts(self) -> Iterator[str]:
        """The chosen pieces in order."""
        key = stream_key(self.seed, Purpose.SAMPLE)
        chosen: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        for number, piece in enumerate(document_pieces(self.source, piece_bytes=PIECE_BYTES)):
            place = number % _HASHES_AT_ONCE
            if place == 0:
                chosen = uniform(key, np.arange(number, number + _HASHES_AT_ONCE)) < self.share
            if chosen[place] and piece.text:
                yield piece.text

    def count_letters(self) -> dict[str, int]:
        """How often each character comes in the sample."""
        counts = np.zeros(_NUM_CODE_POINTS, dtype=np.int64)
        for text in self.texts():
            codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
            found, times = np.unique(codes, return_counts=True)
            counts[found] += times
        return {chr(code): int(counts[code]) for code in np.flatnonzero(counts)}


def _bytes_in_long_runs(block: bytes, open_run: int) -> tuple[int, int]:
    """The bytes of runs without white space of more than LONG_RUN_BYTES, and the length of the run that is not ended.

    Args:
        block: text.
        open_run: the length of the run at the end of the block before; it counts where it ends.
    """
    spaces = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) <= _SPACE)
    if not len(spaces):
        return 0, open_run + len(block)
    runs = np.diff(spaces, prepend=-1 - open_run) - 1
    rest = len(block) - 1 - int(spaces[-1])
    return int(runs[runs > LONG_RUN_BYTES].sum()), rest
