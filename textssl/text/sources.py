"""Where text comes from: anything that can yield it again and again as blocks of UTF-8.

A corpus of the package `corpora` is a source; `from_iterable` makes one of documents in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from textssl.errors import DataError, UsageError

BLOCK_BYTES = 4 << 20


class Source(Protocol):
    """Documents as blocks of UTF-8; every call of `blocks` begins anew."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """About how many bytes there are to read, None where nobody knows."""
        ...

    def blocks(self) -> Iterator[bytes]:
        """Pieces of about 4 MB that end after white space; a newline ends a document and stands nowhere else."""
        ...

    def fingerprint(self) -> str | None:
        """A hash of the contents; None where only reading everything would tell."""
        ...


class IterableSource:
    """Documents in memory, or from any object whose `__iter__` starts anew. Made by `from_iterable`."""

    size_bytes: int | None = None

    def __init__(self, documents: Iterable[str] | Iterable[list[str]], name: str) -> None:
        self.name = name
        self._documents = documents

    def fingerprint(self) -> None:
        """Nothing: the documents are hashed while they are read."""

    def blocks(self) -> Iterator[bytes]:
        """The documents in order, as `Source.blocks` says.

        Raises:
            DataError: a document is neither text nor a list of tokens, or it cannot be written as UTF-8.
            UsageError: a token holds white space or nothing, or text and lists of tokens are mixed.
        """
        batch: list[bytes] = []
        size = 0
        kind: type | None = None
        for number, document in enumerate(self._documents, start=1):
            where = f"{self.name}, document {number}"
            found = str if isinstance(document, str) else list
            if kind not in (None, found):
                raise UsageError(
                    "text and lists of tokens are mixed; all documents must be of one kind",
                    where=where,
                    hint='Join the tokens of the lists with " ".join(tokens), or split the texts.',
                )
            kind = found
            batch.append(_encoded(document, where) if isinstance(document, str) else _joined(document, where))
            size += len(batch[-1]) + 1
            if size >= BLOCK_BYTES:
                yield b"\n".join(batch) + b"\n"
                batch.clear()
                size = 0
        if batch:
            yield b"\n".join(batch) + b"\n"

    def holds_tokens(self) -> bool:
        """Whether the first document is a list of tokens, which only the tokenizer "whitespace" leaves as they are."""
        first = next(iter(self._documents), "")
        return not isinstance(first, str)


def from_iterable(documents: Iterable[str] | Iterable[list[str]], *, name: str = "documents") -> IterableSource:
    """A source from documents in Python.

    Args:
        documents: texts, or lists of tokens; a list, or any object whose `__iter__` starts anew every time.
        name: for messages.

    Raises:
        UsageError: it is a single text, an iterator that can run only once, or nothing that can be iterated over.
    """
    if isinstance(documents, str | bytes):
        raise UsageError(
            f"documents must be an iterable of texts or of lists of tokens, got a single {type(documents).__name__}",
            hint="For one document pass [text]; for a file pass its path to corpora.load(path).",
        )
    try:
        iterator = iter(documents)
    except TypeError as error:
        raise UsageError(
            f"documents must be an iterable of texts or of lists of tokens, got {type(documents).__name__}",
            hint="Pass a list of texts.",
        ) from error
    if iterator is documents:
        raise UsageError(
            f"documents can be read only once: a {type(documents).__name__} is used up by the first pass",
            hint="Pass a list, or an object whose __iter__ starts a new pass, for instance one that opens a file anew.",
        )
    return IterableSource(documents, name)


def _encoded(text: str, where: str) -> bytes:
    try:
        return text.replace("\n", " ").encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"character {error.start + 1} is half a character (a lone surrogate), which UTF-8 cannot write",
            where=where,
            hint='Repair the text, for instance with text.encode(errors="replace").decode().',
        ) from error


def _joined(tokens: object, where: str) -> bytes:
    if not isinstance(tokens, list | tuple) or not all(isinstance(token, str) for token in tokens):
        kind = type(tokens).__name__
        raise DataError(f"a document must be a text or a list of tokens (str), got {kind}: {tokens!r:.60}", where=where)
    joined = _encoded(" ".join(tokens), where)
    if len(joined.split()) != len(tokens) or joined.count(b" ") != max(len(tokens) - 1, 0):
        wrong = next(token for token in tokens if token.encode().split() != [token.encode()])
        raise UsageError(
            f"token {wrong!r:.60} must be one word: it is empty or holds white space",
            where=where,
            hint="Split such tokens, or join their parts with another character, such as new_york.",
        )
    return joined
