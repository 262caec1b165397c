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
    """

    text: tuple[str, ...]
    text_pair: str | None = None
    label: str | None = None
    label_separator: str | None = None
    format: Literal["csv", "tsv", "jsonl", "parquet", "first_word"] | None = None
    encoding: str = "utf-8"
    on_bad: Literal["error", "skip"] = "error"


@dataclass(frozen=True)
class TableContent:
    """What was read.

    Args:
        examples: the rows.
        names: all columns of the file.
        skipped: rows left out.
    """

    examples: Examples
    names: tuple[str, ...]
    skipped: int


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
    options = TableOptions(settings.format, header, tuple(names), settings.encoding, settings.on_bad)
    rows = load_rows(path, columns=[*settings.text, *others], options=options)
    texts: list[str] = []
    pairs: list[str] = []
    labels: list[Any] = []
    places: list[int] = []
    for row in rows:
        texts.append(" ".join(filter(None, map(_text_of, row.cells[: len(settings.text)]))))
        rest = list(row.cells[len(settings.text) :])
        if settings.text_pair is not None:
            pairs.append(_text_of(rest.pop(0)))
        labels += rest
        places.append(row.place)
    two = pairs if settings.text_pair is not None else None
    examples = Examples(str(path), texts, two, labels, places, rows.place_name, settings.label_separator)
    kept = _without_gaps(examples, settings)
    return TableContent(kept, tuple(rows.names), sum(rows.report().values()) + len(examples) - len(kept))


def read_texts(source: str | Path, settings: TableSettings, *, header: bool = True) -> Examples:
    """Texts without labels: a table, a text file with a text on each line (blank ones too), or one text itself.

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
        return Examples("the text given", [str(source)], None, [], [1])
    path = existing(path, what="file of texts")
    if settings.format is not None or inner_suffix(path) in SUFFIXES:
        return read_examples(path, settings, header=header).examples
    return _lines_of(path, settings)


def table_bytes(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A table as the bytes of a file of the kind that its name says.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front; a number stays one.

    Args:
        path: ends with .csv, .tsv, .jsonl or .parquet.
        columns: their names.
        rows: texts, whole numbers, fractions.

    Raises:
        UsageError: another ending.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv([columns, *rows])
    if suffix == ".tsv":
        lines = ("\t".join(" ".join(_cell(value).split()) for value in row) for row in [columns, *rows])
        return "".join(f"{line}\n" for line in lines).encode()
    if suffix == ".jsonl":
        objects = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
        return "".join(f"{line}\n" for line in objects).encode()
    if suffix == ".parquet":
        return _parquet(columns, rows)
    raise UsageError(f"out must end with {', '.join(OUTPUT_SUFFIXES)}, got {path.name!r}")


def _without_gaps(examples: Examples, settings: TableSettings) -> Examples:
    """The examples that have a text (or two), and a label where one is wanted and rows may be left out."""
    import numpy as np

    blank = {at for at, text in enumerate(examples.texts) if not text.strip()}
    no_pair = {at for at, text in enumerate(examples.pairs or ()) if not text.strip()} - blank
    if settings.on_bad == "error":
        for empty, what in ((blank, "text"), (no_pair, f"second text ({settings.text_pair})")):
            if empty:
                raise DataError(
                    f"{places_text(examples, sorted(empty))} {'has' if len(empty) == 1 else 'have'} no {what}",
                    where=examples.source,
                    hint="Fill them in, or leave such rows out with --on-bad skip.",
                )
        return examples
    bad = blank | no_pair
    if settings.label is not None and settings.label_separator is None:
        bad |= {at for at, label in enumerate(examples.labels) if is_missing(label)}
    if len(bad) == len(examples):
        raise DataError("no row has both a text and a label", where=examples.source)
    if not bad:
        return examples
    kept = np.array([at for at in range(len(examples)) if at not in bad], dtype=np.int64)
    return examples.take(kept)


def _lines_of(path: Path, settings: TableSettings) -> Examples:
    from corpora.corpus import Tally
    from corpora.readers.files import text_file
    from corpora.readers.options import ReadOptions
    from corpora.readers.text import read_lines

    options = ReadOptions(format="text", encoding=settings.encoding, on_bad=settings.on_bad)
    texts = [line.decode() for _, line in read_lines(text_file(path, options).raw, options, Tally())]
    return Examples(str(path), texts, None, [], range(1, len(texts) + 1))


def _text_of(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


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


def _parquet(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    content = {name: [row[at] for row in rows] for at, name in enumerate(columns)}
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(content), file)
    return file.getvalue()
