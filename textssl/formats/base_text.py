"""Vectors as text, one word and its numbers a line, parsed in blocks by array operations and Arrow's number parser.

Fields are parted by spaces or tabs, lines end with LF or CR LF, and blank lines may stand at the end only.
Legend: N lines of a block, D width.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.formats.base import ReadOptions, ReadReport, VectorBlock, check_header, check_size
from textssl.formats.base_stream import ByteStream
from textssl.formats.base_words import Bad, check_encoding, check_words
from textssl.neighbours import Floats
from textssl.word_bytes import offsets_of

BLOCK_BYTES = 1 << 21
MAX_LINE_BYTES = 1 << 22
THREADS = 2
# So many blocks are parsed ahead of the one that is handed out; more would only take memory.
BLOCKS_AHEAD = 4
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WHITE = b" \t\r\n"
NEWLINE = 10
_HEADER = re.compile(rb"[+-]?\d{1,19}[ \t]+[+-]?\d{1,19}")
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
BINARY_HINT = "It looks like word2vec's binary format; read it with: --format word2vec_binary"


def parse_header(line: bytes) -> tuple[int, int] | None:
    """Number of vectors and width, when a line holds just two whole numbers."""
    line = line.removeprefix(BYTE_ORDER_MARK).strip(WHITE)
    if not _HEADER.fullmatch(line):
        return None
    count, dimension = map(int, line.split())
    return count, dimension


def is_row(line: bytes, *, cut: bool) -> bool:
    """Whether a line holds a word and numbers.

    Args:
        line: without its end.
        cut: its last field may be incomplete.
    """
    fields = line.removeprefix(BYTE_ORDER_MARK).split()
    numbers = fields[1:-1] if cut else fields[1:]
    return bool(numbers) and all(NUMBER.fullmatch(field) for field in numbers)


def first_lines(head: bytes) -> tuple[bytes, bytes, bool]:
    """The first two lines of a file, and whether the second one is cut."""
    first, _, rest = head.partition(b"\n")
    second, newline, _ = rest.partition(b"\n")
    return first, second, not newline


def read_text(path: Path, options: ReadOptions, report: ReadReport, *, header: bool) -> Iterator[VectorBlock]:
    """Read a text file of vectors in blocks.

    Args:
        path: the file.
        options: how.
        report: takes the bad lines.
        header: whether the first line, when it holds two whole numbers, announces count and width.

    Raises:
        DataError: the file is damaged or something else.
    """
    check_encoding(options.encoding)
    with ByteStream(path) as stream:
        first = _first_line(stream, path)
        announced = parse_header(first.line) if header else None
        if announced is None:
            dimension, rest, number = _width(first.line, path), first.line + b"\n" + first.rest, 1
        else:
            check_header(path, *announced)
            count, dimension = announced
            available = None if stream.remaining is None else stream.remaining + len(first.rest)
            check_size(
                report, count=count, dimension=dimension, needed=count * (1 + 2 * dimension), available=available
            )
            rest, number = first.rest, 2
        blocks = _line_blocks(stream, rest, path)
        found = yield from _checked_blocks(blocks, dimension, number, options, report, stream, announced)
    if announced is not None and found < announced[0]:
        missing = announced[0] - found
        report.bad(
            "announced by the header, but missing",
            f"the file ends after {found:,} vectors, the header announces {announced[0]:,}",
            at=f"line {number + found}",
            hint="The file is cut short; download or write it again, or read what is there with: --on-bad skip",
            count=missing,
        )


@dataclass(frozen=True)
class _First:
    line: bytes
    rest: bytes


def _first_line(stream: ByteStream, path: Path) -> _First:
    content = stream.read(BLOCK_BYTES)
    while b"\n" not in content and len(content) <= MAX_LINE_BYTES and (more := stream.read(BLOCK_BYTES)):
        content += more
    line, _, rest = content.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    if not content.strip(WHITE):
        raise DataError("the file is empty", where=str(path))
    _check_line_length(line, path)
    return _First(line, rest)


def _width(line: bytes, path: Path) -> int:
    dimension = len(line.split()) - 1
    if not is_row(line, cut=False):
        raise DataError(
            f"expected a word and its numbers, or a header of two whole numbers, got {shown(line)}",
            where=f"{path}, line 1",
            hint=BINARY_HINT if b"\0" in line else "Give a file in word2vec or GloVe format.",
        )
    check_header(path, 1, dimension)
    return dimension


def _line_blocks(stream: ByteStream, rest: bytes, path: Path) -> Iterator[bytes]:
    """The rest of the file in pieces that end with a line; blank lines at the very end are dropped."""
    while piece := stream.read(BLOCK_BYTES):
        content = rest + piece
        whole, newline, rest = content.rpartition(b"\n")
        kept = whole.rstrip(WHITE)
        blank = (whole[len(kept) :] + newline).partition(b"\n")[2]
        rest = blank + rest  # blank lines wait, to see whether anything follows
        _check_line_length(rest, path)
        if kept:
            yield kept + b"\n"
    if last := rest.rstrip(WHITE):
        yield last + b"\n"


def _check_line_length(line: bytes, path: Path) -> None:
    if len(line) > MAX_LINE_BYTES:
        raise DataError(
            f"a line is longer than {MAX_LINE_BYTES:,} bytes, expected one word and its numbers a line: "
            f"{shown(line[:40])}",
            where=str(path),
            hint=BINARY_HINT if b"\0" in line else "Give a file in word2vec or GloVe format.",
        )


def _checked_blocks(
    blocks: Iterable[bytes],
    dimension: int,
    number: int,
    options: ReadOptions,
    report: ReadReport,
    stream: ByteStream,
    announced: tuple[int, int] | None,
) -> Generator[VectorBlock, None, int]:
    """Parse blocks in threads, hand them out in order, report what is bad; returns the number of lines."""
    found = 0
    for parsed in _in_threads(blocks, dimension, options.encoding):
        for line, (kind, message, hint) in sorted(parsed.bad.items()):
            report.bad(kind, message, at=f"line {number + found + line}", hint=hint)
        found += parsed.num_lines
        block = parsed.block
        if announced is not None and found > announced[0]:
            surplus = found - announced[0]
            report.bad(
                "more than the header announces",
                f"the header announces {announced[0]:,} vectors, but more lines follow",
                at=f"line {number + announced[0]}",
                count=surplus,
            )
        if len(block.lengths):
            yield block
        if options.progress:
            options.progress(stream.position)
    return found


@dataclass(frozen=True)
class _Parsed:
    block: VectorBlock
    num_lines: int
    bad: dict[int, Bad]


def _in_threads(blocks: Iterable[bytes], dimension: int, encoding: str) -> Iterator[_Parsed]:
    waiting: list[Future[_Parsed]] = []
    remaining = iter(blocks)
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            while True:
                ahead = islice(remaining, BLOCKS_AHEAD - len(waiting))
                waiting.extend(pool.submit(parse_block, block, dimension, encoding) for block in ahead)
                if not waiting:
                    return
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def parse_block(content: bytes, dimension: int, encoding: str) -> _Parsed:
    """Parse whole lines.

    Args:
        content: lines that all end with LF.
        dimension: D.
        encoding: of the words.
    """
    fields = _fields(content)
    bad = _ragged(content, fields, dimension)
    good = np.ones(len(fields.line_starts), dtype=np.bool_)
    good[list(bad)] = False
    lines = np.flatnonzero(good)

    word_starts = fields.line_starts[lines]
    words, lengths = _gather(fields.text, word_starts, fields.ends[fields.first[lines]])
    words, lengths, faults = check_words(words, lengths, encoding)
    vectors, bad_numbers = _numbers(fields, good, dimension)
    faults = {**bad_numbers, **faults}
    if faults:
        kept = np.ones(len(lines), dtype=np.bool_)
        kept[list(faults)] = False
        bad.update({int(lines[place]): fault for place, fault in faults.items()})
        words, lengths, vectors = words[np.repeat(kept, lengths)], lengths[kept], vectors[kept]
    return _Parsed(VectorBlock(words, lengths, vectors), len(fields.line_starts), bad)


@dataclass(frozen=True)
class _Fields:
    """Where lines and fields lie in a text; for each line the number of its first field, and how many it has."""

    text: NDArray[np.uint8]
    white: NDArray[np.bool_]
    line_starts: NDArray[np.int64]
    line_ends: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: NDArray[np.int64]
    counts: NDArray[np.int64]


def _fields(content: bytes) -> _Fields:
    text = np.frombuffer(content, dtype=np.uint8)
    newline = text == NEWLINE
    white = newline | (text == 32) | (text == 9) | (text == 13)
    line_ends = np.flatnonzero(newline)
    line_starts = np.concatenate([[0], line_ends[:-1] + 1])
    # Between the white space before the text and the newline at its end, fields begin and end by turns.
    edges = np.flatnonzero(np.concatenate([~white[:1], white[1:] != white[:-1]]))
    starts, ends = edges[0::2], edges[1::2]
    first = np.searchsorted(starts, line_starts)
    return _Fields(text, white, line_starts, line_ends, starts, ends, first, np.diff(np.append(first, len(starts))))


def _ragged(content: bytes, fields: _Fields, dimension: int) -> dict[int, Bad]:
    """What is wrong with lines that do not hold one word and D numbers."""
    bad: dict[int, Bad] = {}
    wordless = fields.white[fields.line_starts]
    for place in np.flatnonzero((fields.counts != dimension + 1) | wordless).tolist():
        line = content[fields.line_starts[place] : fields.line_ends[place]]
        hint = BINARY_HINT if b"\0" in line else None
        found = int(fields.counts[place]) - 1
        if found < 0:
            bad[place] = ("the line is empty", "the line is empty, expected a word and its numbers", hint)
        elif wordless[place]:
            message = f"the line begins with white space, so its word is missing: {shown(line)}"
            bad[place] = ("the word is missing", message, hint)
        else:
            message = f"expected a word and {dimension} numbers, got {found} numbers: {shown(line)}"
            bad[place] = ("another count of numbers", message, hint)
    return bad


def _numbers(fields: _Fields, good: NDArray[np.bool_], dimension: int) -> tuple[Floats, dict[int, Bad]]:
    """The numbers of good lines, float32 (N, D), and what is wrong with those that hold something else."""
    from textssl.formats.base_numbers import to_floats

    wanted = np.repeat(good, fields.counts)
    wanted[fields.first[good]] = False
    digits = ~fields.white
    words = _places(fields.line_starts[good], fields.ends[fields.first[good]])
    digits[words] = False
    for line in np.flatnonzero(~good):
        digits[fields.line_starts[line] : fields.line_ends[line]] = False
    lengths = (fields.ends - fields.starts)[wanted]
    flat, unreadable = to_floats(fields.text[digits], lengths)
    vectors = flat.reshape(-1, dimension)
    bad: dict[int, Bad] = {}
    for at, field in unreadable:
        message = f"number {at % dimension + 1} is {shown(field)}"
        bad.setdefault(at // dimension, ("not a number", message, BINARY_HINT if b"\0" in field else None))
    for place in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist():
        column = int(np.argmin(np.isfinite(vectors[place])))
        message = f"number {column + 1} is {vectors[place, column]}, numbers must be finite"
        bad.setdefault(place, ("NaN or inf", message, None))
    return vectors, bad


def _gather(
    text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pieces of a text end to end, and their lengths."""
    return text[_places(starts, ends)], ends - starts


def _places(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """All places from each start to before its end."""
    lengths = ends - starts
    offsets = offsets_of(lengths)
    return np.asarray(np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths))


def shown(field: bytes) -> str:
    """The beginning of a field or line, for a message."""
    text = field[:60].decode("utf-8", "backslashreplace")
    return repr(text + ("..." if len(field) > 60 else ""))
