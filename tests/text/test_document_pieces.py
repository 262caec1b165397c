"""Documents as pieces: the same whatever the blocks, cut at spaces, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textssl.errors import DataError
from textssl.text.document_pieces import document_pieces


class Blocks:
    size_bytes = None
    name = "blocks"

    def __init__(self, text: bytes, size: int = 1 << 20) -> None:
        self.text, self.size = text, size

    def blocks(self) -> Iterator[bytes]:
        for begin in range(0, len(self.text), self.size):
            yield self.text[begin : begin + self.size]

    def fingerprint(self) -> None:
        return None


LINES = st.lists(st.text(alphabet="ab é中 ", max_size=40), max_size=8)


@given(LINES, st.integers(1, 50), st.integers(4, 30))
def test_pieces_are_the_documents_whatever_the_blocks(lines, block_bytes, piece_bytes):
    text = "\n".join(lines).encode()
    whole = list(document_pieces(Blocks(text), piece_bytes=piece_bytes))
    assert whole == list(document_pieces(Blocks(text, block_bytes), piece_bytes=piece_bytes))
    assert all(piece.num_bytes == len(piece.text.encode()) <= piece_bytes for piece in whole)
    documents, begun = [], ""
    for piece in whole:
        begun += piece.text
        if piece.ends_document:
            documents.append(begun)
            begun = ""
    assert begun == ""
    expected = lines if lines and lines[-1] else lines[:-1]
    assert [document.replace(" ", "") for document in documents] == [line.replace(" ", "") for line in expected]
    if all(len(line.encode()) <= piece_bytes for line in lines):
        assert documents == [line if line.strip() else "" for line in expected]


def test_cut_is_before_a_space():
    pieces = document_pieces(Blocks(b"aaa bbb ccc ddd\n"), piece_bytes=9)
    assert [piece.text for piece in pieces] == ["aaa bbb", " ccc ddd"]


def test_text_without_spaces_is_cut_between_characters():
    pieces = document_pieces(Blocks("中中中中".encode()), piece_bytes=7)
    assert [piece.text for piece in pieces] == ["中中", "中中"]


def test_bytes_that_are_no_text_are_named():
    with pytest.raises(DataError, match=r"blocks: holds bytes that are no UTF-8: b'\\xff b'\nName the encoding"):
        list(document_pieces(Blocks(b"a \xff b")))
