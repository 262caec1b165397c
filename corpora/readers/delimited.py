"""CSV and TSV through pyarrow: a document per row, from one named column.

CSV follows RFC 4180: quotes may enclose commas and line ends. TSV has no quotes at all (the IANA definition, and how
the common text sets are written): a quote in it is a letter like any other.
"""

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from corpora.corpus import Tally, pack
from corpora.errors import CorpusError, did_you_mean, listed
from corpora.readers.options import ReadOptions
from corpora.readers.text import read_text
from corpora.readers.unpack import RawFile

if TYPE_CHECKING:
    from pyarrow import csv as arrow_csv

MAX_ROW_BYTES = 16 << 20


def read_csv(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the column `text_field` of a comma-separated file, as blocks."""
    return pack(documents(raw, ",", options, tally), tally)


def read_tsv(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the column `text_field` of a tab-separated file, as blocks."""
    return pack(documents(raw, "\t", options, tally), tally)


class BlockFile(io.RawIOBase):
    """Blocks of bytes as a file to read once from the beginning."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fills the buffer as far as the block under way reaches."""
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class RaggedRows:
    """Counts the rows with too many or too few cells; keeps the first for a message."""

    def __init__(self, options: ReadOptions, tally: Tally) -> None:
        self._on_bad = options.on_bad
        self._tally = tally
        self.first: arrow_csv.InvalidRow | None = None

    def __call__(self, row: "arrow_csv.InvalidRow") -> str:
        """Returns "skip" or "error", as pyarrow asks."""
        if self._on_bad == "skip":
            self._tally.add("rows skipped")
            return "skip"
        self.first = row
        return "error"


def documents(raw: RawFile, delimiter: str, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the cells of the text column as UTF-8."""
    import pyarrow

    check_columns(header_of(raw, delimiter, options), raw, options.text_field)
    ragged = RaggedRows(options, tally)
    try:
        for batch in open_rows(raw, delimiter, options, tally, ragged):
            yield from batch.column(0).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise faulty_row(raw, ragged, str(error)) from error


def open_rows(
    raw: RawFile, delimiter: str, options: ReadOptions, tally: Tally, ragged: RaggedRows
) -> "arrow_csv.CSVStreamingReader":
    """Opens the text column of a file as batches of rows."""
    import pyarrow
    from pyarrow import csv as arrow_csv

    return arrow_csv.open_csv(
        BlockFile(read_text(raw, options, tally)),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=MAX_ROW_BYTES),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if delimiter == "," else False,
            newlines_in_values=delimiter == ",",
            invalid_row_handler=ragged,
        ),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=[options.text_field], column_types={options.text_field: pyarrow.binary()}
        ),
    )


def header_of(raw: RawFile, delimiter: str, options: ReadOptions) -> list[str]:
    """Returns the names of the columns."""
    first = bytearray()
    for block in read_text(raw, options, Tally()):
        first += block
        if b"\n" in first.lstrip():
            break
    line = first.lstrip().partition(b"\n")[0].decode()
    if delimiter == "\t":
        return line.split("\t")
    return next(csv.reader([line]), [])


def check_columns(columns: list[str], raw: RawFile, field: str) -> None:
    """Raises CorpusError unless the text column stands in the header once."""
    if field not in columns:
        hint = did_you_mean(field, columns) or "name the column that holds the text"
        raise CorpusError(
            f"no column {field!r}; the columns are: {listed(columns)}",
            where=f"{raw.where}, first row",
            hint=f"{hint} (--text-field)",
        )
    if columns.count(field) > 1:
        raise CorpusError(
            f"column {field!r} stands {columns.count(field)} times in the header",
            where=f"{raw.where}, first row",
            hint="give the columns different names",
        )


def faulty_row(raw: RawFile, ragged: RaggedRows, reason: str) -> CorpusError:
    """Returns the error for a row that does not parse."""
    if row := ragged.first:
        return CorpusError(
            f"the row has {row.actual_columns} cells, the header {row.expected_columns}: {row.text[:60]!r}",
            where=f"{raw.where}, row {row.number:,}",
            hint="quote cells that hold the delimiter; to leave such rows out: --on-bad skip",
        )
    if "straddling" in reason:
        return CorpusError(
            f"a row is longer than {MAX_ROW_BYTES >> 20} MB: a quote is not closed, or the text is very long",
            where=raw.where,
            hint="close the quote; or save the text as plain text, JSONL or Parquet",
        )
    return CorpusError(f"the rows cannot be read: {reason}", where=raw.where, hint="save it as JSONL or Parquet")
