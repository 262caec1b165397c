"""Cuts a stream of UTF-8 into pieces that can be scanned alone, whatever the blocks in which it comes.

A piece ends after white space. At the first white space from every multiple of `SPAN_BYTES` on, a span ends: only there
is anything decided that depends on all the text before (counting.py), so neither blocks nor threads change the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PIECE_BYTES = 4 << 20  # larger pieces take more memory and are not faster
SPAN_BYTES = 1 << 28
MAX_RUN_BYTES = 16 << 20
"""A run of text without white space is cut after so many bytes, to bound the memory."""

_WHITE_SPACE = re.compile(rb"[ \t-\r]")
_WHITE_SPACE_BYTES = (b" ", b"\n", b"\t", b"\r", b"\v", b"\f")


@dataclass(frozen=True)
class Piece:
    """Bytes that end after white space (or where the text ends), and whether a span ends with them."""

    text: memoryview
    ends_span: bool


def cut(
    blocks: Iterable[bytes],
    *,
    piece_bytes: int = PIECE_BYTES,
    span_bytes: int = SPAN_BYTES,
    max_run_bytes: int = MAX_RUN_BYTES,
) -> Iterator[Piece]:
    """Cut blocks of text into pieces, and keep together what a block border has torn apart.

    Args:
        blocks: UTF-8 in order; they may end anywhere.
        piece_bytes: how long pieces should be, in bytes, 4 to max_run_bytes.
        span_bytes: how long spans should be, in bytes, at least 1.
        max_run_bytes: where a run without white space is cut, in bytes.

    Returns:
        The pieces in order; together they are the stream.
    """
    cutter = _Cutter(piece_bytes, span_bytes, max_run_bytes)
    for block in blocks:
        yield from cutter.feed(block)
    yield from cutter.finish()


class _Cutter:
    """Holds the bytes after the last cut: `rest`, which begin at `position` of the stream."""

    def __init__(self, piece_bytes: int, span_bytes: int, max_run_bytes: int) -> None:
        assert 4 <= piece_bytes <= max_run_bytes, "a piece must not hide a run that is too long"
        self.piece_bytes, self.span_bytes, self.max_run_bytes = piece_bytes, span_bytes, max_run_bytes
        self.rest = b""
        self.position = 0
        self.next_span = span_bytes

    def feed(self, block: bytes) -> Iterator[Piece]:
        data = self.rest + block if self.rest else block
        begin = 0
        while begin < len(data):
            end = self._next_cut(data, begin)
            if end == begin:
                break
            yield self._piece(data, begin, end)
            begin = end
        self.rest = data[begin:]

    def finish(self) -> Iterator[Piece]:
        if self.rest:
            yield self._piece(self.rest, 0, len(self.rest))
            self.rest = b""

    def _piece(self, data: bytes, begin: int, end: int) -> Piece:
        self.position += end - begin
        ends_span = self.position > self.next_span and data[end - 1] in b" \n\t\r\v\f"
        if ends_span:
            self.next_span = (self.position // self.span_bytes + 1) * self.span_bytes
        return Piece(memoryview(data)[begin:end], ends_span)

    def _next_cut(self, data: bytes, begin: int) -> int:
        """Where the next piece ends; `begin` when more bytes are needed to know."""
        wanted = begin + min(self.piece_bytes, max(0, self.next_span - self.position))
        if wanted < len(data):
            found = _WHITE_SPACE.search(data, wanted)
            last = _last_white_space(data, begin, wanted)
            end = found.end() if found else len(data)
            if end - max(last, begin) > self.max_run_bytes:
                return self._inside_run(data, last, begin)
            if found:
                return end
        last = _last_white_space(data, begin, len(data))
        if last > begin:
            return last
        return self._inside_run(data, begin, begin) if len(data) - begin > self.max_run_bytes else begin

    def _inside_run(self, data: bytes, last: int, begin: int) -> int:
        """The end of what comes before a run that is too long, or a place between two characters of the run."""
        if last > begin:
            return last
        end = begin + self.max_run_bytes
        for _ in range(3):
            end -= (data[end] & 0xC0) == 0x80
        return end


def _last_white_space(data: bytes, begin: int, end: int) -> int:
    """The index after the last white space of data[begin:end], `begin` when there is none."""
    for start in (max(begin, end - 4096), begin):
        last = max(data.rfind(space, start, end) for space in _WHITE_SPACE_BYTES)
        if last >= 0:
            return last + 1
    return begin
