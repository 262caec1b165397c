"""Rows with labels: chosen columns of a CSV, TSV, JSONL or Parquet file, each row with the place where it stands.

Packed files (gz, xz, zst) are read as they are. A CSV cell may hold commas and line ends between quotes; in a TSV a
quote is a letter. "first_word" is a file without a header whose lines begin with their label: `LABEL text`.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from corpora.corpus import Tally
from corpora.errors import CorpusError, did_you_mean, listed
from corpora.readers.options import OnBad, ReadOptions, check_choice, check_encoding
from corpora.readers.unpack import RawFile

RowFormat = Literal["csv", "tsv", "jsonl", "parquet", "first_word"]
Cell = str | int | float | bool | list[str] | None
FIRST_WORD_COLUMNS = ("label", "text")
MAX_CELL_BYTES = 16 << 20
MAX_NAME_SHOWN = 40
_HEADERLESS_HINT = "if the file has no header, its columns are named by numbers from 1 on"
_SKIP_HINT = "to leave such rows out: --on-bad skip"


@dataclass(frozen=True)
class TableOptions:
    """How a table is read.

    Args:
        format: the kind of the file; None finds it out by its name and first bytes.
        header: whether the first row of a CSV or TSV file names the columns.
        names: of the columns of a file without a header; empty: they are named "1", "2" and so on.
        encoding: of text files.
        on_bad: "error" stops at the first faulty row, "skip" leaves faulty rows out and counts them.
        others: whether rows hold the columns too that were not asked for: "left_out" or "kept".
    """

    format: RowFormat | None = None
    header: bool = True
    names: tuple[str, ...] = ()
    encoding: str = "utf-8"
    on_bad: OnBad = "error"
    others: Literal["left_out", "kept"] = "left_out"

    def __post_init__(self) -> None:
        check_choice("format", self.format, (None, *get_args(RowFormat)), shown=get_args(RowFormat))
        check_choice("on_bad", self.on_bad, get_args(OnBad), shown=get_args(OnBad))
        check_encoding(self.encoding)


@dataclass(frozen=True)
class Row:
    """The chosen cells of one row.

    Args:
        place: where it stands: its first line in a text file, its number from 1 in a Parquet file.
        cells: in the order of the columns asked for.
        record: every name with its cell, in the order of the file, where the other columns are kept; else empty. The
            other cells are of any type that the file has.
    """

    place: int
    cells: tuple[Cell, ...]
    record: tuple[tuple[str, object], ...] = ()


class Rows:
    """A restartable sequence of rows.

    Attributes:
        path: the file.
        columns: what was asked for.
        names: all columns of the file, in its order (the fields of the first object of a JSONL file).
        place_name: what `Row.place` counts: "line" or "row".
    """

    def __init__(self, raw: RawFile, kind: RowFormat, columns: Sequence[str], options: TableOptions) -> None:
        self.path = raw.path
        self.columns = tuple(columns)
        self.place_name = "row" if kind == "parquet" else "line"
        self._raw = raw
        self._options = options
        self._open = _READERS[kind]
        self._tally = Tally()
        self.names = _names_of(raw, kind, options)
        for column in dict.fromkeys(columns):
            _check_column(column, self.names, raw, kind, options)

    def __iter__(self) -> Iterator[Row]:
        """Yields the rows from the beginning.

        Raises:
            CorpusError: A row is faulty, or the file holds none.
        """
        self._tally = tally = Tally()
        count = 0
        for row in self._open(Reading(self._raw, self.columns, self.names, self._options, tally)):
            count += 1
            yield row
        if count == 0:
            raise CorpusError("the file has no rows with data", where=str(self.path), hint="look at the file")

    def report(self) -> dict[str, int]:
        """Returns what the last reading skipped or mended, by kind."""
        return dict(self._tally.counts)


@dataclass(frozen=True)
class Reading:
    """What one reading of a table needs.

    Args:
        raw: the file.
        columns: asked for.
        names: all columns of a file whose rows have no names of their own.
        options: how to read.
        tally: counts what is skipped.
    """

    raw: RawFile
    columns: tuple[str, ...]
    names: list[str]
    options: TableOptions
    tally: Tally

    def record(self, names: Iterable[str], cells: Iterable[object]) -> tuple[tuple[str, object], ...]:
        """A whole row, or nothing where the other columns are left out."""
        return tuple(zip(names, cells, strict=True)) if self.options.others == "kept" else ()


Reader = Callable[[Reading], Iterator[Row]]


def load_rows(path: str | Path, *, columns: Sequence[str], options: TableOptions | None = None) -> Rows:
    """Opens a table; its rows are read when they are iterated over.

    Args:
        path: the file.
        columns: names of the columns wanted; numbers from 1 on where the file has no header.
        options: how to read it.

    Returns:
        The rows; they can be read any number of times.

    Raises:
        CorpusError: The file is missing, binary or empty, its kind is not known, or it has no such column (the nearest
            is named).
    """
    from corpora.readers.files import text_file
    from corpora.readers.sniff import inner_suffix

    options = options or TableOptions()
    path = Path(path).expanduser()
    known = None if options.format == "first_word" else options.format
    file = text_file(path, ReadOptions(format=known, encoding=options.encoding, on_bad=options.on_bad))
    kind = options.format or file.format
    if kind not in get_args(RowFormat):
        raise CorpusError(
            f"the kind of table is not known by the name {inner_suffix(path) or path.name!r}",
            where=str(path),
            hint=f"name it: --format {' | '.join(get_args(RowFormat))}",
        )
    return Rows(file.raw, kind, columns, options)  # type: ignore[arg-type]  # the check above narrows it


def _names_of(raw: RawFile, kind: RowFormat, options: TableOptions) -> list[str]:
    """All columns of the file."""
    if kind == "parquet":
        return _parquet_names(raw)
    if kind == "first_word":
        return list(FIRST_WORD_COLUMNS)
    if kind == "jsonl":
        return next((list(record) for _, record in _objects(raw, options, Tally())), [])
    first = next((cells for _, cells in _text_rows(raw, kind, options, Tally())), [])
    if options.header:
        return [cell.strip() for cell in first]
    if options.names and len(options.names) != len(first):
        raise CorpusError(
            f"the first row has {len(first)} cells, {len(options.names)} columns are expected: {listed(options.names)}",
            where=str(raw.path),
            hint="give a file with these columns in this order",
        )
    return list(options.names) or [str(number) for number in range(1, len(first) + 1)]


def _check_column(column: str, names: Sequence[str], raw: RawFile, kind: RowFormat, options: TableOptions) -> None:
    what = "field" if kind == "jsonl" else "column"
    where = raw.where
    if column not in names:
        advice = did_you_mean(column, names) or f"name another {what}"
        if kind in ("csv", "tsv") and options.header:
            advice = f"{advice}; {_HEADERLESS_HINT} (--headerless)"
        shown = listed(name if len(name) <= MAX_NAME_SHOWN else f"{name[:MAX_NAME_SHOWN]}..." for name in names)
        raise CorpusError(f"no {what} {column!r}; the {what}s are: {shown}", where=where, hint=advice)
    if list(names).count(column) > 1:
        raise CorpusError(
            f"column {column!r} stands {list(names).count(column)} times in the header",
            where=where,
            hint="give the columns different names",
        )


def _delimited(kind: RowFormat) -> Reader:
    def read(reading: Reading) -> Iterator[Row]:
        raw, options = reading.raw, reading.options
        wanted = [reading.names.index(column) for column in reading.columns]
        needed = len(reading.names) if options.header or options.names else max(wanted) + 1
        rows = _text_rows(raw, kind, options, reading.tally)
        if options.header:
            next(rows, None)
        for place, cells in rows:
            # Without a header nobody said how many cells a row has; more than are needed do no harm.
            if len(cells) == needed or (len(cells) > needed and not options.header and not options.names):
                record = reading.record(_names_for(reading.names, cells), cells)
                yield Row(place, tuple(cells[at] for at in wanted), record)
                continue
            _fault(
                f"the row has {len(cells)} cells, expected {needed}: {' | '.join(cells)[:60]!r}",
                f"{raw.where}, line {place:,}",
                "quote cells that hold the delimiter; " + _SKIP_HINT,
                options,
                reading.tally,
            )

    return read


def _names_for(names: Sequence[str], cells: Sequence[str]) -> Iterator[str]:
    """A name for each cell; those beyond the last column of a file without a header have numbers."""
    return (names[at] if at < len(names) else str(at + 1) for at in range(len(cells)))


def _text_rows(raw: RawFile, kind: RowFormat, options: TableOptions, tally: Tally) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV or TSV file with the number of their first line; blank lines are left out."""
    from corpora.readers.text import read_lines

    read = ReadOptions(encoding=options.encoding, on_bad=options.on_bad)
    lines = (line.decode() + "\n" for _, line in read_lines(raw, read, tally))
    if kind == "tsv":
        for number, line in enumerate(lines, 1):
            if line.strip(" \n"):
                yield number, line[:-1].split("\t")
        return
    csv.field_size_limit(MAX_CELL_BYTES)
    reader = csv.reader(lines, strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(
            f"the row cannot be read: {error}", where=f"{raw.where}, line {begin:,}", hint="close or double the quote"
        ) from error


def _first_words(reading: Reading) -> Iterator[Row]:
    from corpora.readers.text import read_lines

    read = ReadOptions(encoding=reading.options.encoding, on_bad=reading.options.on_bad)
    for place, line in read_lines(reading.raw, read, reading.tally):
        label, _, text = line.decode().strip().partition(" ")
        cells = dict(zip(FIRST_WORD_COLUMNS, (label.removeprefix("__label__"), text.strip()), strict=True))
        if label:
            yield Row(place, tuple(cells[column] for column in reading.columns), reading.record(cells, cells.values()))


def _json_rows(reading: Reading) -> Iterator[Row]:
    for place, record in _objects(reading.raw, reading.options, reading.tally):
        where = f"{reading.raw.where}, line {place:,}"
        missing = next((column for column in reading.columns if column not in record), None)
        cells = [record.get(column) for column in reading.columns]
        odd = next((column for column, cell in zip(reading.columns, cells, strict=True) if not _is_cell(cell)), None)
        if missing is not None:
            hint = did_you_mean(missing, record) or _SKIP_HINT
            _fault(
                f"no field {missing!r}; the fields are: {listed(record)}", where, hint, reading.options, reading.tally
            )
        elif odd is not None:
            _fault(
                f"field {odd!r} holds neither text, a number nor a list of texts",
                where,
                _SKIP_HINT,
                reading.options,
                reading.tally,
            )
        else:
            yield Row(place, tuple(cells), reading.record(record, record.values()))  # type: ignore[arg-type]  # _is_cell


def _objects(raw: RawFile, options: TableOptions, tally: Tally) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a JSONL file with their line numbers."""
    from corpora.readers.jsonl import FieldError, object_of
    from corpora.readers.text import read_lines

    read = ReadOptions(encoding=options.encoding, on_bad=options.on_bad)
    for place, line in read_lines(raw, read, tally):
        if not line or line.isspace():
            continue
        try:
            record = object_of(line)
        except FieldError as error:
            _fault(error.message, f"{raw.where}, line {place:,}", error.hint or _SKIP_HINT, options, tally)
        else:
            yield place, record


def _is_cell(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str | int) for item in value)
    return value is None or isinstance(value, str | int | float)


def _parquet_names(raw: RawFile) -> list[str]:
    from corpora.readers.parquet import opened

    with opened(raw) as file:
        return list(file.schema_arrow.names)


def _parquet_rows(reading: Reading) -> Iterator[Row]:
    from corpora.readers.parquet import ROWS_AT_A_TIME, opened

    place = 0
    with opened(reading.raw) as file:
        kept = None if reading.options.others == "kept" else list(dict.fromkeys(reading.columns))
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=kept):
            names = batch.schema.names
            wanted = [names.index(column) for column in reading.columns]
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                place += 1
                cells = tuple(row[at] for at in wanted)
                odd = next(
                    (name for name, cell in zip(reading.columns, cells, strict=True) if not _is_cell(cell)), None
                )
                if odd is None:
                    yield Row(place, cells, reading.record(names, row))
                    continue
                message = f"column {odd!r} holds neither text, a number nor a list of texts"
                _fault(message, f"{reading.raw.where}, row {place:,}", _SKIP_HINT, reading.options, reading.tally)


def _fault(message: str, where: str, hint: str, options: TableOptions, tally: Tally) -> None:
    if options.on_bad == "error":
        raise CorpusError(message, where=where, hint=hint)
    tally.add("rows skipped")


_READERS: dict[RowFormat, Reader] = {
    "csv": _delimited("csv"),
    "tsv": _delimited("tsv"),
    "jsonl": _json_rows,
    "parquet": _parquet_rows,
    "first_word": _first_words,
}
