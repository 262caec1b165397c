"""JSONL: an object per line, one of its fields holds the document."""

import json
from collections.abc import Iterator

from corpora.corpus import Tally, pack
from corpora.errors import CorpusError, did_you_mean, listed
from corpora.readers.options import ReadOptions
from corpora.readers.text import read_lines
from corpora.readers.unpack import RawFile


def read_jsonl(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the field `text_field` of every line, as blocks.

    Raises:
        CorpusError: A line is no JSON object, or has no such field with text in it (null counts as empty).
    """
    return pack(documents(raw, options, tally), tally)


def documents(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the documents; faulty lines raise or are counted."""
    for number, line in read_lines(raw, options, tally):
        if not line or line.isspace():
            continue
        try:
            yield document_of(line, options.text_field)
        except FieldError as error:
            if options.on_bad == "error":
                raise CorpusError(error.message, where=f"{raw.where}, line {number:,}", hint=error.hint) from error
            tally.add("lines skipped")


class FieldError(CorpusError):
    """A line that yields no document; the reader adds where it stands."""


def object_of(line: bytes) -> dict[str, object]:
    """Returns the object in one line.

    Raises:
        FieldError: What is wrong with it.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise FieldError(f"the line is no JSON ({reason})", hint=one_per_line(line)) from error
    if not isinstance(record, dict):
        raise FieldError(f"the line holds {kind_of(record)}, a JSON object is expected", hint=one_per_line(line))
    return record


def document_of(line: bytes, field: str) -> bytes:
    """Returns the text in one line.

    Raises:
        FieldError: What is wrong with it.
    """
    record = object_of(line)
    if field not in record:
        hint = did_you_mean(field, record) or "name the field that holds the text"
        raise FieldError(f"no field {field!r}; the fields are: {listed(record)}", hint=f"{hint} (--text-field)")
    text = record[field]
    if text is None:
        return b""
    if not isinstance(text, str):
        raise FieldError(f"field {field!r} holds {kind_of(text)}, text is expected", hint="--text-field names another")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise FieldError(
            f"field {field!r} holds half a surrogate pair, which is no character", hint="to leave out: --on-bad skip"
        ) from error


def one_per_line(line: bytes) -> str:
    """Returns the advice for a line that is not one object."""
    if line.lstrip()[:1] in (b"[", b"{"):
        return "one JSON object per line is expected; to convert: jq -c '.[]' FILE (or jq -c . FILE)"
    return "one JSON object per line is expected; for plain text: --format text; to leave out: --on-bad skip"


def kind_of(value: object) -> str:
    """Returns what a JSON value is, in JSON's words."""
    names = {bool: "true or false", int: "a number", float: "a number", list: "an array", dict: "an object"}
    return "null" if value is None else names.get(type(value), "a string")
