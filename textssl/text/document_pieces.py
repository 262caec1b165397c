"""Documents as texts of bounded length: a document that is longer than a piece is cut at a space.

Where a document is cut depends on the document alone, not on the blocks in which its bytes came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from textssl.errors import DataError
from textssl.text.sources import Source

PIECE_BYTES = 1 << 16


class DocumentPiece(NamedTuple):
    """A document, or a part of a long one.

    Args:
        text: the text without the newline that ends a document.
        num_bytes: its length as UTF-8.
        ends_document: whether the next piece begins another document.
    """

    text: str
    num_bytes: int
    ends_document: bool


def document_pieces(source: Source, *, piece_bytes: int = PIECE_BYTES) -> Iterator[DocumentPiece]:
    """Read a source as texts of at most `piece_bytes` bytes; a piece of nothing but white space is empty.

    Args:
        source: the text.
        piece_bytes: where a long document is cut, at least 4: in front of a space if there is one.

    Returns:
        The pieces in order; together they are the documents.

    Raises:
        DataError: the source yields bytes that are no UTF-8.
    """
    begun = b""
    for block in source.blocks():
        *ended, rest = block.split(b"\n")
        for line in ended:
            for piece, is_last in _cut(begun + line, piece_bytes):
                yield _piece(piece, is_last, source.name)
            begun = b""
        *parts, (begun, _) = _cut(begun + rest, piece_bytes)
        for piece, _ in parts:
            yield _piece(piece, False, source.name)
    if begun:
        yield _piece(begun, True, source.name)


def _cut(document: bytes, piece_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """The parts of a document, each with whether it is the last one."""
    begin = 0
    while len(document) - begin > piece_bytes:
        end = document.rfind(b" ", begin + 1, begin + piece_bytes)
        if end <= begin:
            end = begin + piece_bytes
            while document[end] & 0xC0 == 0x80:
                end -= 1
        yield document[begin:end], False
        begin = end
    yield document[begin:], True


def _piece(piece: bytes, ends_document: bool, name: str) -> DocumentPiece:
    try:
        text = piece.decode()
    except UnicodeDecodeError as error:
        bad = piece[error.start : error.start + 8]
        raise DataError(
            f"holds bytes that are no UTF-8: {bad!r}", where=name, hint="Name the encoding, such as --encoding latin-1."
        ) from error
    if not text or text.isspace():
        return DocumentPiece("", 0, ends_document)
    return DocumentPiece(text, len(piece), ends_document)
