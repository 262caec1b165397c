"""Pieces of text: whole, cut after white space, and independent of the blocks they come from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.text.pieces import cut

TEXT = st.lists(st.sampled_from([b"a", b"bcd", b" ", b"\n", b"x" * 9, "é日".encode()]), max_size=60).map(b"".join)


def blocks_of(text: bytes, size: int) -> list[bytes]:
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


def spans_of(text: bytes, size: int) -> list[bytes]:
    """The text between the ends of spans."""
    spans, current = [], b""
    for piece in cut(blocks_of(text, size), piece_bytes=6, span_bytes=10, max_run_bytes=8):
        current += bytes(piece.text)
        if piece.ends_span:
            spans.append(current)
            current = b""
    return [*spans, current]


def tokens_of(text: bytes, size: int) -> list[bytes]:
    pieces = cut(blocks_of(text, size), piece_bytes=6, span_bytes=10, max_run_bytes=8)
    return [token for piece in pieces for token in bytes(piece.text).split()]


@settings(max_examples=300, deadline=None)
@given(TEXT, st.integers(1, 40))
def test_pieces_do_not_depend_on_blocks(text, size):
    assert spans_of(text, size) == spans_of(text, max(len(text), 1))
    assert tokens_of(text, size) == tokens_of(text, max(len(text), 1))
    assert b"".join(spans_of(text, size)) == text


@settings(max_examples=200, deadline=None)
@given(TEXT, st.integers(1, 40))
def test_pieces_cut_no_token_and_no_character(text, size):
    short = text.replace(b"x" * 9, b"x")
    pieces = [bytes(piece.text) for piece in cut(blocks_of(short, size), piece_bytes=8, max_run_bytes=1000)]
    assert [token for piece in pieces for token in piece.split()] == short.split()
    for piece in cut(blocks_of(text, size), piece_bytes=6, max_run_bytes=8):
        bytes(piece.text).decode()


def test_pieces_of_a_run_without_white_space_stay_bounded():
    pieces = [bytes(piece.text) for piece in cut([b"z" * 1000] * 10, piece_bytes=100, max_run_bytes=300)]
    assert b"".join(pieces) == b"z" * 10_000
    assert max(map(len, pieces)) == 300


def test_pieces_refuse_to_hide_long_runs():
    with pytest.raises(AssertionError, match="hide a run"):
        list(cut([b"a"], piece_bytes=100, max_run_bytes=50))
