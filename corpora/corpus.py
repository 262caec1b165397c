"""What every corpus offers: documents as text, the same documents as blocks of bytes, and a fingerprint."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from corpora.errors import CorpusError

BLOCK_BYTES = 4 << 20  # larger blocks run slower: the kernel hands out their pages anew each time


class Tally:
    """Counts what one reading of a corpus skipped, replaced or left out."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, what: str, number: int = 1) -> None:
        """Counts `number` more of `what`."""
        if number:
            self.counts[what] += number


class Corpus(ABC):
    """A restartable sequence of documents.

    Attributes:
        name: A short name for messages and run folders.
        size_bytes: Bytes of the files as they lie on disk; None where there is no file.
        questions: Analogy questions that the corpus answers, in the layout of Google's questions-words.txt; None for
            a corpus that comes without.
    """

    name: str
    size_bytes: int | None = None
    questions: str | None = None

    def __init__(self, name: str, *, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise CorpusError(f"limit must be at least 1, got {limit}", hint="leave it out to read every document")
        self.name = name
        self.limit = limit
        self._tally = Tally()

    def blocks(self) -> Iterator[bytes]:
        """Yields the documents as UTF-8 in blocks of about 4 MB that end after white space.

        b"\\n" ends a document and stands nowhere else; a document may reach over many blocks, and blank ones may
        occur. Every call starts from the beginning, and the counts of `report` with it.

        Raises:
            CorpusError: A file is damaged, wrongly encoded or of another kind, or there is no text at all.
        """
        self._tally = tally = Tally()
        blocks = self._read(tally)
        has_text = False
        for block in blocks if self.limit is None else first_documents(blocks, self.limit):
            has_text = has_text or not is_blank(block)
            yield block
        if not has_text:
            raise self._no_text(tally)

    def __iter__(self) -> Iterator[str]:
        """Yields the documents that are not blank, one at a time (each is whole in memory while it is yielded)."""
        begun: list[bytes] = []
        for block in self.blocks():
            *ended, rest = block.split(b"\n")
            for line in ended:
                begun.append(line)
                document = b"".join(begun).decode()
                begun.clear()
                if not document.isspace() and document:
                    yield document
            begun.append(rest)

    @property
    def skipped(self) -> int:
        """The number of faults that the last reading passed over (0 unless on_bad is "skip")."""
        return sum(number for what, number in self._tally.counts.items() if what not in HARMLESS)

    def report(self) -> dict[str, int]:
        """Returns what the last reading skipped, replaced or left out: {"rows skipped": 3}; empty when nothing."""
        return dict(self._tally.counts)

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a sha256 in hex of the contents and of the options that change what is read."""

    @abstractmethod
    def _read(self, tally: Tally) -> Iterator[bytes]:
        """Yields the blocks, without the limit and without looking whether there is text."""

    def _no_text(self, tally: Tally) -> CorpusError:
        return CorpusError("the corpus holds no text", where=self.name, hint="give a corpus with at least one word")


HARMLESS = frozenset({"empty documents", "empty files left out", "files that are no text left out"})


class DocumentCorpus(Corpus):
    """A corpus made by a function that yields documents, each time from the beginning.

    Args:
        name: A short name for messages and run folders.
        documents: Called for every reading; newlines inside its documents become spaces.
        limit: Read this many documents at most.
        questions: Analogy questions that the corpus answers.
    """

    def __init__(
        self,
        name: str,
        documents: Callable[[], Iterable[str]],
        *,
        limit: int | None = None,
        questions: str | None = None,
    ) -> None:
        super().__init__(name, limit=limit)
        self._documents = documents
        self.questions = questions

    def fingerprint(self) -> str:
        """Returns the sha256 of the blocks (there is no file to read instead)."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    def _read(self, tally: Tally) -> Iterator[bytes]:
        return pack((document.encode() for document in self._documents()), tally, limit=self.limit)


def pack(documents: Iterable[bytes], tally: Tally, *, limit: int | None = None) -> Iterator[bytes]:
    """Joins UTF-8 documents into blocks; newlines inside become spaces, empty documents are counted and left out."""
    batch: list[bytes] = []
    size = 0
    for document in islice(not_empty(documents, tally), limit):
        batch.append(document.replace(b"\r\n", b" ").replace(b"\n", b" ").replace(b"\r", b" "))
        size += len(document)
        if size >= BLOCK_BYTES:
            yield from divide(b"\n".join(batch) + b"\n")
            batch.clear()
            size = 0
    if batch:
        yield from divide(b"\n".join(batch) + b"\n")


def not_empty(documents: Iterable[bytes], tally: Tally) -> Iterator[bytes]:
    """Yields the documents with something in them and counts the others."""
    for document in documents:
        if document and not document.isspace():
            yield document
        else:
            tally.add("empty documents")


def divide(text: bytes) -> Iterator[bytes]:
    """Yields `text` in blocks; longer ones than BLOCK_BYTES only where there is no white space to cut after."""
    begin = 0
    while len(text) - begin > 2 * BLOCK_BYTES:
        end = after_last_white_space(text, begin, begin + BLOCK_BYTES)
        if not end:
            end = begin + BLOCK_BYTES + after_first_white_space(text[begin + BLOCK_BYTES :])
        yield text[begin:end]
        begin = end
    if begin < len(text):
        yield text[begin:]


def after_last_white_space(text: bytes, begin: int, end: int) -> int:
    """Returns the index after the last space, tab or newline of text[begin:end], 0 if there is none."""
    for start in (max(begin, end - 4096), begin):
        found = max(text.rfind(space, start, end) for space in (b" ", b"\n", b"\t"))
        if found >= 0:
            return found + 1
    return 0


def after_first_white_space(text: bytes) -> int:
    """Returns the index after the first space, tab or newline of `text`, its length if there is none."""
    return min((found + 1 for space in (b" ", b"\n", b"\t") if (found := text.find(space)) >= 0), default=len(text))


def first_documents(blocks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yields blocks until `limit` documents that are not blank have ended."""
    has_text = False
    for block in blocks:
        end = 0
        for line in block.split(b"\n")[:-1]:
            end += len(line) + 1
            limit -= has_text or not is_blank(line)
            has_text = False
            if limit == 0:
                yield block[:end]
                return
        has_text = has_text or not is_blank(block[end:])
        yield block


def is_blank(text: bytes) -> bool:
    """Returns whether valid UTF-8 text holds nothing but white space."""
    return not text.strip() or (not text.isascii() and not text.decode().strip())
