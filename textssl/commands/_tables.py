"""Tables as labelled examples, texts from whatever file holds them, and tables of predictions that are safe to open."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.commands.base import existing, is_there
from textssl.errors import DataError, UsageError
from textssl.finetuning.examples import Examples, places_text
from textssl.finetuning.labels import is_missing

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")
NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
OUTPUT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class TableSettings:
    """Which columns of a table are what, and how it is read.

    Args:
        text: columns of the text, joined by spaces.
        text_pair: column of the second text, or None.
        label: column of the labels; None where they are not wanted.
        label_separator: between the names in one cell, or None.
        format: of the file, or None to find it out.
        encoding: of text files.
        on_bad: "error" or "skip".
        blanks: "faulty" treats a blank cell as `on_bad` says and takes a blank line of a text file for a text;
            "left_out" leaves both out.
        others: whether the columns that are none of these are kept.
    """

    text: tuple[str, ...]
    text_pair: str | None = None
    label: str | None = None
    label_separator: str | None = None
    format: Literal["csv", "tsv", "jsonl", "parquet", "first_word"] | None = None
    encoding: str = "utf-8"
    on_bad: Literal["error", "skip"] = "error"
    blanks: Literal["faulty", "left_out"] = "faulty"
    others: Literal["left_out", "kept"] = "left_out"


Record = tuple[tuple[str, object], ...]
"""Every column of a row with its cell."""


@dataclass(frozen=True)
class TableContent:
    """What was read.

    Args:
        examples: the rows.
        names: all columns of the file; none of a text.
        skipped: rows left out.
        blank: how many of them had no text.
        records: of each example, where the other columns of a table are kept; else none.
    """

    examples: Examples
    names: tuple[str, ...]
    skipped: int
    blank: int = 0
    records: tuple[Record, ...] = ()


def read_examples(
    path: str | Path, settings: TableSettings, *, header: bool = True, names: Sequence[str] = ()
) -> TableContent:
    """Read a table.

    Args:
        path: the file.
        settings: its columns.
        header: whether its first row names them.
        names: of the columns where there is no header; none: numbers from 1 on.

    Raises:
        DataError: nothing is there, or rows have no text.
        corpora.CorpusError: a column is missing, or a row is faulty.
    """
    from corpora.rows import TableOptions, load_rows

    path = existing(path, what="file of labelled texts" if settings.label else "file of texts")
    others = [column for column in (settings.text_pair, settings.label) if column is not None]
    options = TableOptions(settings.format, header, tuple(names), settings.encoding, settings.on_bad, settings.others)
    rows = load_rows(path, columns=[*settings.text, *others], options=options)
    texts: list[str] = []
    pairs: list[str] = []
    labels: list[Any] = []
    places: list[int] = []
    records: list[Record] = []
    for row in rows:
        texts.append(" ".join(filter(None, map(_text_of, row.cells[: len(settings.text)]))))
        rest = list(row.cells[len(settings.text) :])
        if settings.text_pair is not None:
            pairs.append(_text_of(rest.pop(0)))
        labels += rest
        places.append(row.place)
        records += [row.record] if row.record else []
    two = pairs if settings.text_pair is not None else None
    examples = Examples(str(path), texts, two, labels, places, rows.place_name, settings.label_separator)
    kept = _without_gaps(examples, settings)
    skipped = sum(rows.report().values()) + len(examples) - len(kept)
    blank = sum(not text.strip() for text in texts) if len(kept) < len(examples) else 0
    return TableContent(
        examples.take(kept), tuple(rows.names), skipped, blank, tuple(records[at] for at in kept) if records else ()
    )


def read_texts(source: str | Path, settings: TableSettings, *, header: bool = True) -> TableContent:
    """Texts without labels: a table, a text file with a text on each line, or one text itself.

    Args:
        source: a path or a text.
        settings: columns of a table.
        header: of a table, whether its first row names the columns.

    Raises:
        DataError: nothing is there under a name that looks like one of a file.
    """
    from corpora.readers.sniff import SUFFIXES, inner_suffix

    path = Path(source)
    looks_like_text = isinstance(source, str) and (len(source.split()) != 1 or not path.suffix)
    if looks_like_text and not (source and is_there(path)):  # the empty text would be the path "."
        return TableContent(Examples("the text given", [str(source)], None, [], [1]), (), 0)
    path = existing(path, what="file of texts")
    if settings.format is not None or inner_suffix(path) in SUFFIXES:
        return read_examples(path, settings, header=header)
    return _lines_of(path, settings)


def as_columns(records: Sequence[Record]) -> tuple[list[str], list[list[Any]]]:
    """Names of columns and rows of cells; objects of JSON that lack a field of others have None there."""
    names = [name for name, _ in records[0]]
    if all([name for name, _ in record] == names for record in records):  # two columns may have the same name
        return names, [[cell for _, cell in record] for record in records]
    names = list(dict.fromkeys(name for record in records for name, _ in record))
    return names, [[dict(record).get(name) for name in names] for record in records]


def table_bytes(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, num_kept: int = 0) -> bytes:
    """A table as the bytes of a file of the kind that its name says.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front; a number stays one.

    Args:
        path: ends with .csv, .tsv, .jsonl or .parquet.
        columns: their names.
        rows: texts, whole numbers, fractions; in kept columns whatever a file has.
        num_kept: so many columns in front are those of a file, whose numbers keep all their digits.

    Raises:
        UsageError: another ending, or columns of the same name where the kind of file has no place for two.
        DataError: a kept column does not fit the kind of file.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        rows = [[*map(_as_text, row[:num_kept]), *row[num_kept:]] for row in rows]
    else:
        _refuse_same_names(columns, path)
    if suffix == ".csv":
        return _csv([columns, *rows])
    if suffix == ".tsv":
        lines = ("\t".join(" ".join(_cell(value).split()) for value in row) for row in [columns, *rows])
        return "".join(f"{line}\n" for line in lines).encode()
    if suffix == ".jsonl":
        objects = (
            json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str) for row in rows
        )
        return "".join(f"{line}\n" for line in objects).encode()
    if suffix == ".parquet":
        return _parquet(path, columns, rows)
    raise UsageError(f"out must end with {', '.join(OUTPUT_SUFFIXES)}, got {path.name!r}")


def _without_gaps(examples: Examples, settings: TableSettings) -> NDArray[np.int64]:
    """The numbers of the examples that have a text (or two), and a label where one is wanted and may be missing."""
    blank = {at for at, text in enumerate(examples.texts) if not text.strip()}
    no_pair = {at for at, text in enumerate(examples.pairs or ()) if not text.strip()} - blank
    bad = blank | no_pair
    if settings.on_bad == "error":
        faulty = set() if settings.blanks == "left_out" else blank
        for empty, what in ((faulty, "text"), (no_pair, f"second text ({settings.text_pair})")):
            if empty:
                raise DataError(
                    f"{places_text(examples, sorted(empty))} {'has' if len(empty) == 1 else 'have'} no {what}",
                    where=examples.source,
                    hint="Fill them in, or leave such rows out with --on-bad skip.",
                )
    elif settings.label is not None and settings.label_separator is None:
        bad |= {at for at, label in enumerate(examples.labels) if is_missing(label)}
    if len(bad) == len(examples):
        lacking = "a text" if settings.label is None else "both a text and a label"
        raise DataError(f"no row has {lacking}", where=examples.source)
    return np.array([at for at in range(len(examples)) if at not in bad], dtype=np.int64)


def _lines_of(path: Path, settings: TableSettings) -> TableContent:
    from corpora.corpus import Tally
    from corpora.readers.files import text_file
    from corpora.readers.options import ReadOptions
    from corpora.readers.text import read_lines

    options = ReadOptions(format="text", encoding=settings.encoding, on_bad=settings.on_bad)
    texts = [line.decode() for _, line in read_lines(text_file(path, options).raw, options, Tally())]
    examples = Examples(str(path), texts, None, [], range(1, len(texts) + 1))
    if settings.blanks == "faulty":
        return TableContent(examples, (), 0)
    kept = np.array([at for at, text in enumerate(texts) if text.strip()], dtype=np.int64)
    if not len(kept):
        raise DataError("no line has a text", where=str(path))
    num_blank = len(texts) - len(kept)
    return TableContent(examples.take(kept), (), num_blank, num_blank)


def _text_of(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _as_text(value: Any) -> str:
    """A cell of a file of another kind as text: nothing as "", lists and objects as JSON, numbers with all digits."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    for row in rows:
        writer.writerow([_safe(value) if isinstance(value, str) else _cell(value) for value in row])
    return file.getvalue().encode()


def _safe(text: str) -> str:
    """The text, with an apostrophe where a spreadsheet would run it (or where the text begins with one)."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(text) else text


def _refuse_same_names(columns: Sequence[str], path: Path) -> None:
    twice = next((name for name in columns if list(columns).count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"column {twice!r} stands twice in the table, which {path.suffix} has no place for",
            hint="Write .csv or .tsv, or give the columns different names.",
        )


def _parquet(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    content = {}
    for at, name in enumerate(columns):
        try:
            content[name] = pyarrow.array([row[at] for row in rows])
        except pyarrow.ArrowException as error:  # JSON may hold a number here and a text there
            raise DataError(
                f"column {name!r} has cells of several types, which Parquet has no place for",
                where=str(path),
                hint="Write .jsonl.",
            ) from error
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(content), file)
    return file.getvalue()
