"""word2vec's binary format: a line with count and width, then for each word its bytes, a space, and float32 numbers.

The original program ends every record with a newline, gensim does not; both are read, and the newline is written.
Legend: N records of a block, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from textssl.embeddings_folder import finite
from textssl.errors import DataError
from textssl.formats.base import (
    MAX_WORD_BYTES,
    HasVectors,
    ReadOptions,
    ReadReport,
    VectorBlock,
    VectorFormat,
    check_header,
    check_size,
)
from textssl.formats.base_stream import HEAD_BYTES, ByteStream, new_file
from textssl.formats.base_text import first_lines, is_row, parse_header
from textssl.formats.base_text_writer import WRITTEN_AT_ONCE_BYTES, check_writable
from textssl.formats.base_words import check_encoding, check_words
from textssl.neighbours import row_blocks

BLOCK_BYTES = 1 << 23
MAX_HEADER_BYTES = 100
NEWLINE = 10
_FLOAT = np.dtype("<f4")


class Word2vecBinary(VectorFormat):
    """word2vec's binary format, as the original program, gensim and others write it."""

    suffixes = (".bin",)

    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether a header begins it, and then no row of text; see `VectorFormat.sniff`."""
        first, second, cut = first_lines(head)
        return parse_header(first) is not None and bool(second) and not is_row(second, cut=cut)

    def read(self, path: Path, options: ReadOptions, report: ReadReport) -> Iterator[VectorBlock]:
        """Read binary records; see `VectorFormat.read`."""
        check_encoding(options.encoding)
        with ByteStream(path) as stream:
            content = stream.read(HEAD_BYTES)
            count, dimension, rest = _header(content, path)
            available = None if stream.remaining is None else stream.remaining + len(rest)
            check_size(
                report, count=count, dimension=dimension, needed=count * (1 + 4 * dimension), available=available
            )
            records = _Records(rest, count, dimension)
            while records.num_read < count and not records.at_end:
                records.content += (piece := stream.read(BLOCK_BYTES))
                records.at_end = not piece
                yield from _checked(records, report, options)
                if options.progress:
                    options.progress(stream.position)
            _check_end(records, stream, report)

    def write(self, vectors: HasVectors, path: Path) -> None:
        """Write a header and a record for each word; see `VectorFormat.write`."""
        check_writable(vectors, path)
        width = vectors.vectors.shape[1] * _FLOAT.itemsize
        with new_file(path, expected_bytes=vectors.vectors.nbytes) as file:
            file.write(f"{len(vectors.words)} {vectors.vectors.shape[1]}\n".encode())
            for rows in row_blocks(len(vectors.vectors), width, WRITTEN_AT_ONCE_BYTES):
                numbers = finite(vectors.vectors[rows], rows.start, "vector").astype(_FLOAT).tobytes()
                words = vectors.words[rows.start : rows.stop]
                file.write(
                    b"".join(
                        word.encode() + b" " + numbers[at * width : (at + 1) * width] + b"\n"
                        for at, word in enumerate(words)
                    )
                )


@dataclass
class _Records:
    """What of the file is read but not yet handed out."""

    content: bytes
    count: int
    dimension: int
    num_read: int = 0
    at_end: bool = False


def _header(content: bytes, path: Path) -> tuple[int, int, bytes]:
    line, newline, rest = content.partition(b"\n")
    header = parse_header(line) if newline and len(line) <= MAX_HEADER_BYTES else None
    if header is None:
        raise DataError(
            f"expected a first line with the number of words and the width, got {line[:40]!r}",
            where=f"{path}, line 1",
            hint="The file is not in word2vec's binary format; leave --format out to have its format found.",
        )
    check_header(path, *header)
    second, newline, _ = rest.partition(b"\n")
    if len(second.split()) == header[1] + 1 and is_row(second, cut=not newline):
        raise DataError(
            "the first record is a line of text, expected float32 numbers",
            where=f"{path}, line 2",
            hint="It looks like word2vec's text format; read it with: --format word2vec_text",
        )
    return *header, rest


def _checked(records: _Records, report: ReadReport, options: ReadOptions) -> Iterator[VectorBlock]:
    """Hand out the whole records of what was read, without the bad ones."""
    first = records.num_read
    words, numbers = _split(records, report)
    if not words:
        return
    vectors = np.frombuffer(numbers, dtype=_FLOAT).reshape(len(words), records.dimension)
    raw = np.frombuffer(b"".join(words), dtype=np.uint8)
    newline = [place for place, word in enumerate(words) if b"\n" in word]
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    if newline:
        raise DataError(
            f"a word holds a newline: {words[newline[0]][:40]!r}",
            where=f"{report.path}, record {first + newline[0] + 1}",
            hint="The file is damaged before this record, or its header gives a wrong width.",
        )
    utf8, lengths, bad = check_words(raw, lengths, options.encoding)
    for place in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist():
        column = int(np.argmin(np.isfinite(vectors[place])))
        message = f"number {column + 1} is {vectors[place, column]}, numbers must be finite"
        bad.setdefault(place, ("NaN or inf", message, None))
    for place, (kind, message, hint) in sorted(bad.items()):
        report.bad(kind, message, at=f"record {first + place + 1}", hint=hint)
    if bad:
        kept = np.ones(len(words), dtype=np.bool_)
        kept[list(bad)] = False
        bounds = np.repeat(kept, lengths)
        utf8, lengths, vectors = utf8[bounds], lengths[kept], vectors[kept]
    if len(lengths):
        yield VectorBlock(utf8, lengths, vectors)


def _split(records: _Records, report: ReadReport) -> tuple[list[bytes], bytes]:
    """Words and numbers of the records that are there whole; what follows them stays."""
    content, width = records.content, records.dimension * _FLOAT.itemsize
    words: list[bytes] = []
    numbers: list[memoryview] = []
    view, position = memoryview(content), 0
    while records.num_read < records.count:
        space = content.find(b" ", position, position + MAX_WORD_BYTES + 1)
        if space < 0 and len(content) - position > MAX_WORD_BYTES:
            raise DataError(
                f"no space within {MAX_WORD_BYTES:,} bytes, expected a word and a space",
                where=f"{report.path}, record {records.num_read + 1}",
                hint="The file is damaged before this record, or its header gives a wrong width.",
            )
        end = space + 1 + width
        # The newline after a record belongs to it: a record is whole when one more byte is there, or nothing follows.
        if space < 0 or end > len(content) or (end == len(content) and not records.at_end):
            break
        words.append(content[position:space])
        numbers.append(view[space + 1 : end])
        position = end + (content[end : end + 1] == b"\n")
        records.num_read += 1
    joined = b"".join(numbers)
    records.content = content[position:]
    return words, joined


def _check_end(records: _Records, stream: ByteStream, report: ReadReport) -> None:
    """What is missing, and what follows the last record."""
    if records.num_read < records.count:
        report.bad(
            "announced by the header, but missing",
            f"the file ends inside this record: {len(records.content):,} bytes of it are there; "
            f"the header announces {records.count:,} vectors",
            at=f"record {records.num_read + 1}",
            hint="The file is cut short; download or write it again, or read what is there with: --on-bad skip",
            count=records.count - records.num_read,
        )
        return
    surplus = len(records.content)
    while piece := stream.read(BLOCK_BYTES):
        surplus += len(piece)
    if surplus:
        report.bad(
            "bytes after the last record",
            f"{surplus:,} bytes follow the last of the {records.count:,} vectors that the header announces",
            at=f"record {records.count}",
            count=surplus,
        )
