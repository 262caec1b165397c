"""What `check` finds out about a corpus: faults of the text, its size, its vocabulary, what training will take."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.commands.base import train_command
from textssl.text.scan import scan
from textssl.text.word_table import WordTable

if TYPE_CHECKING:
    from corpora.corpus import Corpus

MIN_COUNTS = (1, 2, 5, 10, 20, 50, 100)
MAX_SAMPLED_LINES = 200_000
TYPICAL = {"dim": 100, "epochs": 5, "threads": 2, "min_count": 5}
"""The settings that the estimates are for."""
TRAINED_WORDS_PER_SECOND = 2_000_000
"""Per thread, skip-gram at TYPICAL, on the slower of the machines it was measured on."""
READ_BYTES_PER_SECOND = 80_000_000
WORD_TABLE_BYTES = 120
"""Memory of one distinct word while it is counted."""
BASE_BYTES = 200_000_000
RAW_BLOCK_BYTES = 1 << 23


@dataclass(frozen=True)
class CorpusFindings:
    """What a corpus holds.

    Args:
        name: the corpus.
        size_bytes: of its files on disk; None where there are none.
        num_documents: not counting blank ones.
        num_words: tokens between white space.
        num_distinct: different words.
        longest_document_bytes: as UTF-8.
        duplicate_rate: share of the documents that stood before, from a sample of them by hash; 0 to 1.
        num_over_long: tokens too long to be words, which training leaves out.
        vocabulary: number of words that come at least so often, by min_count.
        num_nul: NUL bytes in the files as they are; None where the files are packed or there are none.
        num_crlf: line ends as Windows writes them, likewise.
        byte_order_mark: whether a file begins with one, likewise.
        skipped: what the readers passed over, and how often.
        problem: the fault at which reading stopped, or None.
        problem_hint: what to do about it.
        memory_bytes: estimate for training at TYPICAL.
        duration_s: estimate for training at TYPICAL.
        command: that trains on it.
    """

    name: str
    size_bytes: int | None
    num_documents: int
    num_words: int
    num_distinct: int
    longest_document_bytes: int
    duplicate_rate: float
    num_over_long: int
    vocabulary: dict[int, int]
    num_nul: int | None
    num_crlf: int | None
    byte_order_mark: bool | None
    skipped: dict[str, int]
    problem: str | None
    problem_hint: str | None
    memory_bytes: int
    duration_s: float
    command: str

    @property
    def exit_code(self) -> int:
        """3 (data) when the corpus cannot be read to its end, else 0."""
        return 0 if self.problem is None else 3

    def as_dict(self) -> dict[str, Any]:
        """All findings in JSON's types."""
        return {"kind": "corpus", **asdict(self), "estimated_for": TYPICAL}


def check_corpus(corpus: "Corpus", *, given: str, options: Sequence[str] = ()) -> CorpusFindings:
    """Read a corpus through once.

    Args:
        corpus: as `corpora.load` gives it.
        given: what the person called it, for the command to type next.
        options: words about how it is read, for that command.
    """
    import corpora

    table, documents = WordTable(), _Documents()
    num_over_long = 0
    problem: corpora.CorpusError | None = None
    try:
        for block in corpus.blocks():
            num_over_long += scan(np.frombuffer(block, dtype=np.uint8), table).num_over_long
            documents.take(block)
    except corpora.CorpusError as error:
        problem = error
    documents.end()
    counts = table.counts
    num_words = int(counts.sum())
    nul, crlf, mark = _raw_faults(Path(given))
    vocabulary = {least: int(np.count_nonzero(counts >= least)) for least in MIN_COUNTS}
    return CorpusFindings(
        name=corpus.name,
        size_bytes=corpus.size_bytes,
        num_documents=documents.number,
        num_words=num_words,
        num_distinct=table.size,
        longest_document_bytes=documents.longest,
        duplicate_rate=documents.duplicate_rate(),
        num_over_long=num_over_long,
        vocabulary=vocabulary,
        num_nul=nul,
        num_crlf=crlf,
        byte_order_mark=mark,
        skipped=corpus.report(),
        problem=None
        if problem is None
        else f"{problem.where}: {problem.message}"
        if problem.where
        else problem.message,
        problem_hint=None if problem is None else problem.hint,
        memory_bytes=_memory(vocabulary[TYPICAL["min_count"]], table.size),
        duration_s=_duration(counts, corpus.size_bytes or 0),
        command=train_command("skipgram", given, options),
    )


class _Documents:
    """Counts documents, their lengths and how many of a sample of them are repeated.

    A document is in the sample when its hash is divisible by `every`: equal documents are all in it or all out of it,
    so the share of repeats is kept. `every` doubles when the sample grows too large.
    """

    def __init__(self) -> None:
        self.number = 0
        self.longest = 0
        self._begun = hashlib.blake2b(digest_size=8)
        self._begun_bytes = 0
        self._blank = True
        self._every = 1
        self._seen: dict[int, int] = {}

    def take(self, block: bytes) -> None:
        """Documents of one block; the last one may go on in the next block."""
        *ended, rest = block.split(b"\n")
        for line in ended:
            self._add(line)
            self.end()
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        if piece:
            self._begun.update(piece)
            self._begun_bytes += len(piece)
            self._blank = self._blank and piece.isspace()

    def end(self) -> None:
        """The document ends here."""
        if not self._blank:
            self.number += 1
            self.longest = max(self.longest, self._begun_bytes)
            self._sample(int.from_bytes(self._begun.digest(), "little"))
        if self._begun_bytes:
            self._begun = hashlib.blake2b(digest_size=8)
            self._begun_bytes = 0
            self._blank = True

    def _sample(self, hashed: int) -> None:
        if hashed % self._every:
            return
        self._seen[hashed] = self._seen.get(hashed, 0) + 1
        if len(self._seen) > MAX_SAMPLED_LINES:
            self._every *= 2
            self._seen = {known: times for known, times in self._seen.items() if known % self._every == 0}

    def duplicate_rate(self) -> float:
        """Share of the sampled documents that stood before."""
        total = sum(self._seen.values())
        return 1 - len(self._seen) / total if total else 0.0


def _raw_faults(path: Path) -> tuple[int | None, int | None, bool | None]:
    """NUL bytes, Windows line ends and byte order mark of a plain file as it is on disk."""
    if not path.is_file():
        return None, None, None
    nul = crlf = 0
    mark = False
    before = b""
    for number, block in enumerate(_raw_blocks(path)):
        if number == 0:
            mark = block.startswith(b"\xef\xbb\xbf")
            if block.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PAR1")):
                return None, None, None
        nul += block.count(b"\0")
        crlf += block.count(b"\r\n") + (before == b"\r" and block.startswith(b"\n"))
        before = block[-1:]
    return nul, crlf, mark


def _raw_blocks(path: Path) -> Iterator[bytes]:
    with contextlib.closing(path.open("rb", buffering=0)) as file:
        while block := file.read(RAW_BLOCK_BYTES):
            yield block


def _memory(num_words: int, num_distinct: int) -> int:
    tables = 2 * num_words * TYPICAL["dim"] * 4
    return BASE_BYTES + tables + num_distinct * WORD_TABLE_BYTES


def _duration(counts: NDArray[np.int64], size_bytes: int) -> float:
    kept_words = int(counts[counts >= TYPICAL["min_count"]].sum())
    training = TYPICAL["epochs"] * kept_words / (TRAINED_WORDS_PER_SECOND * TYPICAL["threads"])
    return size_bytes / READ_BYTES_PER_SECOND + training
