"""Tables become examples with nothing lost uncounted; tables of predictions are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from corpora import CorpusError
from textssl.commands._images import refuse_images
from textssl.commands._tables import TableSettings, read_examples, read_texts, table_bytes
from textssl.errors import DataError, UsageError

SETTINGS = TableSettings(("title", "body"), label="topic")
CSV = "topic,title,body\nx,One,two\ny,Three,\n"


def test_columns_of_text_are_joined(tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    content = read_examples(tmp_path / "a.csv", SETTINGS)
    assert (content.examples.texts, content.examples.labels) == (["One two", "Three"], ["x", "y"])
    assert (content.names, content.skipped, list(content.examples.places)) == (("topic", "title", "body"), 0, [2, 3])


def test_pairs_and_files_without_header_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("x,One,two\n")
    settings = TableSettings(("title",), text_pair="body", label="topic")
    content = read_examples(tmp_path / "a.csv", settings, header=False, names=("topic", "title", "body"))
    assert (content.examples.texts, content.examples.pairs, content.examples.labels) == (["One"], ["two"], ["x"])


def test_rows_without_text_or_label_are_named_or_counted(tmp_path):
    (tmp_path / "a.csv").write_text("topic,title,body\nx,One,two\ny,,\n,Three,\n,,\n")
    with pytest.raises(DataError, match="lines 3, 5 have no text"):
        read_examples(tmp_path / "a.csv", SETTINGS)
    content = read_examples(tmp_path / "a.csv", TableSettings(("title", "body"), label="topic", on_bad="skip"))
    assert (content.examples.texts, content.skipped) == (["One two"], 3)
    unlabelled = read_examples(tmp_path / "a.csv", TableSettings(("title", "body"), on_bad="skip"))
    assert (unlabelled.examples.texts, unlabelled.skipped) == (["One two", "Three"], 2)
    (tmp_path / "b.csv").write_text("topic,title,body\n,One,two\n")
    with pytest.raises(DataError, match="no row has both a text and a label"):
        read_examples(tmp_path / "b.csv", TableSettings(("title", "body"), label="topic", on_bad="skip"))


def test_a_table_without_any_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,title\n1,\n")
    with pytest.raises(DataError, match="no row has a text"):
        read_texts(tmp_path / "a.csv", TableSettings(("title",), blanks="left_out"))


def test_rows_without_a_second_text_are_named_or_counted(tmp_path):
    (tmp_path / "a.csv").write_text("topic,title,body\nx,One,two\ny,Three, \nx,,four\n")
    settings = TableSettings(("title",), text_pair="body", label="topic")
    with pytest.raises(DataError, match="line 4 has no text"):
        read_examples(tmp_path / "a.csv", settings)
    (tmp_path / "b.csv").write_text("topic,title,body\nx,One,two\ny,Three, \n")
    with pytest.raises(DataError, match=r"line 3 has no second text \(body\)"):
        read_examples(tmp_path / "b.csv", settings)
    content = read_examples(tmp_path / "a.csv", dataclasses.replace(settings, on_bad="skip"))
    assert (content.examples.texts, content.examples.pairs, content.skipped) == (["One"], ["two"], 2)


@pytest.mark.parametrize("text", ["the cat " * 40, "столица " * 30, "a/" * 3000 + " b"])
def test_a_long_text_is_no_path(text):
    assert read_texts(text, TableSettings(("title",))).examples.texts == [text]
    refuse_images(text, run="runs/lm", command="textssl predict runs/classes {source}")


def test_numbers_are_not_taken_for_formulas():
    rows = [["-1", "+1", "-1,5", "=1+1", "-a", "+1+1"]]
    assert table_bytes(Path("a.csv"), list("abcdef"), rows) == b"a,b,c,d,e,f\n-1,+1,\"-1,5\",'=1+1,'-a,'+1+1\n"


def test_texts_come_from_a_table_a_text_file_or_the_command_itself(tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "a.txt").write_text("one\n\nthree\n")
    settings = TableSettings(("title",))
    assert read_texts(tmp_path / "a.csv", settings).examples.texts == ["One", "Three"]
    assert read_texts(str(tmp_path / "a.txt"), settings).examples.texts == ["one", "", "three"]
    assert read_texts("a fine film.", settings).examples.texts == ["a fine film."]
    assert read_texts("fine", settings).examples.texts == ["fine"]
    with pytest.raises(DataError, match="no file of texts at .*/b.txt"):
        read_texts(str(tmp_path / "b.txt"), settings)
    with pytest.raises(CorpusError, match="no column 'titel'"):
        read_texts(tmp_path / "a.csv", TableSettings(("titel",)))


HOSTILE = ["=cmd", "-1+2", "+A1", "@x", "\t=1", "'quoted", 'plain, "text"\nline', "a=b"]


def test_csv_keeps_spreadsheets_from_running_texts():
    content = table_bytes(io_path("a.csv"), ["line", "text", "p"], [[n, text, -0.5] for n, text in enumerate(HOSTILE)])
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert rows[0] == ["line", "text", "p"]
    for row, text in zip(rows[1:], HOSTILE, strict=True):
        assert row[1][:1] not in "=+-@\t"
        assert (row[1].removeprefix("'")) == text  # and back again
        assert row[2] == "-0.5"


def io_path(name: str):
    from pathlib import Path

    return Path(name)


def test_other_tables_hold_texts_as_they_are(tmp_path):
    columns, rows = ["line", "text", "p"], [[1, "=cmd", 0.25], [2, "tab\tand\nline", 0.5]]
    objects = [json.loads(line) for line in table_bytes(io_path("a.jsonl"), columns, rows).splitlines()]
    assert objects == [dict(zip(columns, row, strict=True)) for row in rows]
    (tmp_path / "a.parquet").write_bytes(table_bytes(io_path("a.parquet"), columns, rows))
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == objects
    assert table_bytes(io_path("a.tsv"), columns, rows) == b"line\ttext\tp\n1\t=cmd\t0.25\n2\ttab and line\t0.5\n"
    with pytest.raises(UsageError, match=r"out must end with .csv, .tsv, .jsonl, .parquet, got 'a.xls'"):
        table_bytes(io_path("a.xls"), columns, rows)
