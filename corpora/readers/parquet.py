"""Parquet through pyarrow: a document per row, from one named column, row group by row group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from corpora.corpus import Tally, pack
from corpora.errors import CorpusError, did_you_mean, listed
from corpora.readers.options import ReadOptions
from corpora.readers.unpack import RawFile, open_file

if TYPE_CHECKING:
    from pyarrow import DataType
    from pyarrow.parquet import ParquetFile

ROWS_AT_A_TIME = 1024
READ_BUFFER = 1 << 20


def read_parquet(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the column `text_field` of a Parquet file, as blocks (null counts as empty).

    Raises:
        CorpusError: The file is damaged, or has no such column with text in it.
    """
    return pack(documents(raw, options, tally), tally)


def documents(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the cells of the text column; cells that are no UTF-8 raise or are repaired and counted."""
    for number, cell in enumerate(cells(raw, options.text_field), 1):
        try:
            cell.decode()
        except UnicodeDecodeError as error:
            if options.on_bad == "error":
                raise CorpusError(
                    f"byte 0x{cell[error.start]:02x} at byte {error.start} of the text is no valid UTF-8",
                    where=f"{raw.where}, row {number:,}",
                    hint="to replace bad bytes: --on-bad skip",
                ) from error
            tally.add("texts with bad bytes repaired")
            cell = cell.decode(errors="replace").encode()
        yield cell


def cells(raw: RawFile, field: str) -> Iterator[bytes]:
    """Yields the cells of the text column as they are, null as b""."""
    import pyarrow

    with opened(raw) as file:
        check_column(file.schema_arrow.names, raw, field)
        check_type(file.schema_arrow.field(field).type, raw, field)
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=[field]):
            for cell in batch.column(0).cast(pyarrow.large_binary()).to_pylist():
                yield cell or b""


@contextmanager
def opened(raw: RawFile) -> "Iterator[ParquetFile]":
    """Opens a Parquet file.

    Raises:
        CorpusError: It is damaged, which may show at any time while it is read.
    """
    import pyarrow
    from pyarrow import parquet

    with open_file(raw.path) as file:
        try:
            yield parquet.ParquetFile(file, pre_buffer=False, buffer_size=READ_BUFFER)
        except (pyarrow.ArrowException, OSError) as error:
            raise CorpusError(
                f"the Parquet file is damaged or of an unknown kind: {str(error).splitlines()[0]}",
                where=raw.where,
                hint="copy or write it again",
            ) from error


def check_column(columns: list[str], raw: RawFile, field: str) -> None:
    """Raises CorpusError when the text column is not there."""
    if field not in columns:
        hint = did_you_mean(field, columns) or "name the column that holds the text"
        raise CorpusError(
            f"no column {field!r}; the columns are: {listed(columns)}", where=raw.where, hint=f"{hint} (--text-field)"
        )


def check_type(type_: "DataType", raw: RawFile, field: str) -> None:
    """Raises CorpusError when the column does not hold text."""
    from pyarrow import types

    value_type = type_.value_type if types.is_dictionary(type_) else type_
    checks = (types.is_string, types.is_large_string, types.is_string_view, types.is_binary, types.is_large_binary)
    if not any(check(value_type) for check in checks):
        raise CorpusError(
            f"column {field!r} holds {type_}, text is expected", where=raw.where, hint="--text-field names another"
        )
