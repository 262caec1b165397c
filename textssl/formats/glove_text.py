"""GloVe's text format: a word and its numbers a line, and no line before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textssl.formats.base import HasVectors, ReadOptions, ReadReport, VectorBlock, VectorFormat
from textssl.formats.base_stream import new_file
from textssl.formats.base_text import first_lines, is_row, parse_header, read_text
from textssl.formats.base_text_writer import check_writable, write_rows


class GloveText(VectorFormat):
    """GloVe's text format, without a header; a first line of two whole numbers is a word and its only number."""

    suffixes = (".glove",)

    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether it begins with a row of text and no header; see `VectorFormat.sniff`."""
        first, _, _ = first_lines(head)
        cut = b"\n" not in head
        return parse_header(first) is None and b"\0" not in first and is_row(first, cut=cut)

    def read(self, path: Path, options: ReadOptions, report: ReadReport) -> Iterator[VectorBlock]:
        """Read text without a header; see `VectorFormat.read`."""
        return read_text(path, options, report, header=False)

    def write(self, vectors: HasVectors, path: Path) -> None:
        """Write a line for each word; see `VectorFormat.write`."""
        check_writable(vectors, path)
        with new_file(path, expected_bytes=vectors.vectors.nbytes) as file:
            write_rows(vectors, file)
