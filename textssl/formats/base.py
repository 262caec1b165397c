"""What a vector format of another program promises: to recognise its files, to read them in blocks, and to write them.

Every bad record goes through `ReadReport.bad`: an error, or left out and counted; never in silence.
Legend: N records of a block, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.neighbours import Floats
from textssl.words import Words

MAX_DIMENSION = 65_536
MAX_WORD_BYTES = 65_536
SKIP_HINT = "Leave bad records out and count them with: --on-bad skip"


@dataclass(frozen=True)
class ReadOptions:
    """How a vector file is read.

    Args:
        encoding: how the words are written.
        on_bad: "error" stops at the first bad record, "skip" leaves bad records out and counts them.
        progress: called with the number of bytes read so far, after every block.
    """

    encoding: str = "utf-8"
    on_bad: Literal["error", "skip"] = "error"
    progress: Callable[[int], None] | None = None


@dataclass
class ReadReport:
    """What was found in a vector file.

    Args:
        path: the file.
        format: the name of its format.
        on_bad: what to do about bad records.
        num_words: words kept.
        duplicates: records left out because their word stood before; the first one counts.
        zero_vectors: words kept whose vector is all zeros.
        skipped: bad records left out, counted by kind.
    """

    path: Path
    format: str
    on_bad: Literal["error", "skip"] = "error"
    num_words: int = 0
    duplicates: int = 0
    zero_vectors: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def bad(self, kind: str, message: str, *, at: str, hint: str | None = None, count: int = 1) -> None:
        """Stop at a bad record, or count it.

        Args:
            kind: what it is counted as.
            message: what is wrong with it.
            at: the line or record, such as "line 7".
            hint: what to do next.
            count: how many records it stands for.

        Raises:
            DataError: unless bad records are skipped.
        """
        if self.on_bad == "error":
            raise DataError(message, where=f"{self.path}, {at}", hint=hint or SKIP_HINT)
        self.skipped[kind] += count

    def lines(self) -> list[str]:
        """What a person should know about the reading, one line each; the first gives the number of words."""
        found = [f"{self.num_words:,} words read from {self.path}"]
        if self.duplicates:
            found.append(f"{self.duplicates:,} records left out: their word stood before")
        found += [f"{number:,} records left out: {kind}" for kind, number in sorted(self.skipped.items())]
        if self.zero_vectors:
            found.append(f"{self.zero_vectors:,} words have a vector of zeros")
        return found


@dataclass(frozen=True)
class VectorBlock:
    """Records that were read and found good.

    Args:
        utf8: their words end to end, uint8.
        lengths: bytes of each word, int64 (N,).
        vectors: float32 (N, D), finite.
    """

    utf8: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    vectors: Floats


class HasVectors(Protocol):
    """Words with vectors, such as `Embeddings`."""

    @property
    def words(self) -> Words:
        """The words."""

    @property
    def vectors(self) -> Floats:
        """The vectors, float32 (V, D)."""


class VectorFormat(ABC):
    """One vector format; a module textssl/formats/NAME.py defines one, named after the file.

    Attributes:
        suffixes: how names of files of this format end, the compression's ending left out.
    """

    suffixes: tuple[str, ...] = ()

    @abstractmethod
    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether a file that begins like this is of this format.

        Args:
            head: its first bytes, decompressed; the last line may be cut.
            path: the file.
        """

    @abstractmethod
    def read(self, path: Path, options: ReadOptions, report: ReadReport) -> Iterator[VectorBlock]:
        """Read the file in blocks, in bounded memory; every block has at least one record, and all have the same width.

        Args:
            path: the file, plain or compressed.
            options: how.
            report: takes the bad records; the caller counts words, duplicates and vectors of zeros.

        Raises:
            DataError: the file is damaged, or it is something else.
        """

    @abstractmethod
    def write(self, vectors: HasVectors, path: Path) -> None:
        """Write all words with their vectors; the file appears whole or not at all.

        Raises:
            DataError: the format cannot hold a word.
            ResourceError: the file cannot be written.
        """


def check_header(path: Path, count: int, dimension: int) -> None:
    """Refuse what no vector file can announce.

    Raises:
        DataError: a negative count, or a width outside 1 to 65,536.
    """
    if count < 0 or not 1 <= dimension <= MAX_DIMENSION:
        raise DataError(
            f"the header announces {count:,} vectors of {dimension:,} numbers, "
            f"expected 0 or more vectors of 1 to {MAX_DIMENSION:,} numbers",
            where=f"{path}, line 1",
        )


def check_size(report: ReadReport, count: int, dimension: int, *, needed: int, available: int | None) -> None:
    """Refuse a header that announces more than the file can hold, before anything is made ready for it.

    Args:
        report: of the file.
        count, dimension: what the header announces.
        needed: the fewest bytes that this takes.
        available: the most bytes that are left in the file; None when nobody can say.

    Raises:
        DataError: unless bad records are skipped; then what is there is read, and what is missing counted at the end.
    """
    if report.on_bad == "error" and available is not None and needed > available:
        raise DataError(
            f"the header announces {count:,} vectors of {dimension:,} numbers, which take at least {needed:,} bytes; "
            f"{available:,} bytes follow",
            where=f"{report.path}, line 1",
            hint=f"The file is cut short or of another format. {SKIP_HINT}",
        )
