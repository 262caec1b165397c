"""word2vec's text format, also fastText's .vec: a line with count and width, then a word and its numbers a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textssl.formats.base import HasVectors, ReadOptions, ReadReport, VectorBlock, VectorFormat
from textssl.formats.base_stream import new_file
from textssl.formats.base_text import first_lines, is_row, parse_header, read_text
from textssl.formats.base_text_writer import check_writable, write_rows


class Word2vecText(VectorFormat):
    """word2vec's text format; a missing first line is accepted, and then every line is a word."""

    suffixes = (".txt", ".vec", ".w2v")

    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether a header and a row of text begin it; see `VectorFormat.sniff`."""
        first, second, cut = first_lines(head)
        header = parse_header(first)
        return header is not None and (not second.strip() or is_row(second, cut=cut))

    def read(self, path: Path, options: ReadOptions, report: ReadReport) -> Iterator[VectorBlock]:
        """Read text, with or without a header; see `VectorFormat.read`."""
        return read_text(path, options, report, header=True)

    def write(self, vectors: HasVectors, path: Path) -> None:
        """Write a header and a line for each word; see `VectorFormat.write`."""
        check_writable(vectors, path)
        with new_file(path, expected_bytes=vectors.vectors.nbytes) as file:
            file.write(f"{len(vectors.words)} {vectors.vectors.shape[1]}\n".encode())
            write_rows(vectors, file)
