"""Tables with labels: every format gives the same rows, and every fault is named with its place."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from corpora import CorpusError
from corpora.rows import TableOptions, load_rows

TEXTS = ['one, "two"', "Grüße 漢字", "in\nlines", "last"]
LABELS = ["b", "a", "b", "a"]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_of(texts: list[str], labels: list[str]) -> str:
    rows = ('"' + text.replace('"', '""') + f'",{label}' for text, label in zip(texts, labels, strict=True))
    return "text,label\r\n" + "\r\n".join(rows) + "\r\n"


def fails(path: Path, match: str, columns: tuple[str, ...] = ("text", "label"), **options) -> CorpusError:
    with pytest.raises(CorpusError, match=match) as caught:
        list(load_rows(path, columns=columns, options=TableOptions(**options)))
    return caught.value


def test_rows_are_the_same_in_every_format(tmp_path):
    objects = "".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in zip(TEXTS, LABELS, strict=True))
    parquet.write_table(pyarrow.table({"text": TEXTS, "label": LABELS}), tmp_path / "a.parquet")
    paths = {
        write(tmp_path, "a.csv", csv_of(TEXTS, LABELS)): [2, 3, 4, 6],
        write(tmp_path, "a.csv.gz", gzip.compress(csv_of(TEXTS, LABELS).encode())): [2, 3, 4, 6],
        write(tmp_path, "a.jsonl.xz", lzma.compress(objects.encode())): [1, 2, 3, 4],
        tmp_path / "a.parquet": [1, 2, 3, 4],
    }
    for path, places in paths.items():
        rows = load_rows(path, columns=["label", "text"])
        for _ in range(2):
            assert [row.cells for row in rows] == list(zip(LABELS, TEXTS, strict=True)), path
        assert [row.place for row in rows] == places, path
        assert rows.report() == {}
    assert rows.place_name == "row"


def test_rows_of_tsv_take_quotes_as_letters_and_number_lines(tmp_path):
    path = write(tmp_path, "a.tsv", 'label\ttext\n1\t"open\n\n0\tplain\n')
    rows = load_rows(path, columns=["text", "label"])
    assert [(row.place, row.cells) for row in rows] == [(2, ('"open', "1")), (4, ("plain", "0"))]
    assert rows.place_name == "line"


def test_rows_without_header_have_numbered_or_given_columns(tmp_path):
    path = write(tmp_path, "a.csv", "3,Title,Body\n4,Other,\n")
    numbered = load_rows(path, columns=["1", "3"], options=TableOptions(header=False))
    assert [row.cells for row in numbered] == [("3", "Body"), ("4", "")]
    assert numbered.names == ["1", "2", "3"]
    named = load_rows(path, columns=["body"], options=TableOptions(header=False, names=("class", "title", "body")))
    assert [row.cells for row in named] == [("Body",), ("",)]
    error = fails(path, r"the first row has 3 cells, 2 columns are expected: class, body", header=False,
                  names=("class", "body"))  # fmt: skip
    assert error.hint == "give a file with these columns in this order"


def test_rows_without_header_may_have_more_cells_than_are_needed(tmp_path):
    path = write(tmp_path, "a.tsv", "x\tone\ny\ttwo\tmore\nz\n")
    options = TableOptions(header=False, on_bad="skip")
    rows = load_rows(path, columns=["2"], options=options)
    assert [row.cells for row in rows] == [("one",), ("two",)]
    assert rows.report() == {"rows skipped": 1}


def test_rows_whose_first_word_is_the_label(tmp_path):
    path = write(tmp_path, "a.label", "DESC What is it ?\n\n__label__NUM  How many ?\n".encode("latin-1"))
    rows = load_rows(path, columns=["text", "label"], options=TableOptions(format="first_word", encoding="latin-1"))
    assert [(row.place, row.cells) for row in rows] == [(1, ("What is it ?", "DESC")), (3, ("How many ?", "NUM"))]


def test_rows_keep_the_types_of_json_and_parquet(tmp_path):
    path = write(tmp_path, "a.jsonl", '{"text": "a", "label": ["x", "y"]}\n{"text": "b", "label": 2.5}\n'
                 '{"text": null, "label": null}\n')  # fmt: skip
    cells = [row.cells for row in load_rows(path, columns=["text", "label"])]
    assert cells == [("a", ["x", "y"]), ("b", 2.5), (None, None)]
    parquet.write_table(pyarrow.table({"label": [1, None]}), tmp_path / "a.parquet")
    assert [row.cells for row in load_rows(tmp_path / "a.parquet", columns=["label"])] == [(1,), (None,)]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_rows_name_the_nearest_column(tmp_path, name):
    content = {"a.csv": "text,label\na,b\n", "a.tsv": "text\tlabel\na\tb\n", "a.jsonl": '{"text": "a", "label": "b"}\n'}
    if name == "a.parquet":
        parquet.write_table(pyarrow.table({"text": ["a"], "label": ["b"]}), tmp_path / name)
    else:
        write(tmp_path, name, content[name])
    what = "field" if name == "a.jsonl" else "column"
    error = fails(tmp_path / name, rf"no {what} 'lable'; the {what}s are: text, label", ("text", "lable"))
    assert error.hint.startswith("did you mean label?")
    assert ("--headerless" in error.hint) == (name in ("a.csv", "a.tsv"))
    assert fails(tmp_path / name, "no", ("qqq",)).hint.startswith(f"name another {what}")


@pytest.mark.parametrize(
    ("name", "content", "message", "where"),
    [
        ("a.csv", "text,label\na,b\nc\n", r"the row has 1 cells, expected 2: 'c'", "line 3"),
        ("a.csv", "text,label\na,b,c\n", r"the row has 3 cells, expected 2: 'a \| b \| c'", "line 2"),
        ("a.csv", 'text,label\n"a,b\n', "the row cannot be read: unexpected end of data", "line 2"),
        ("a.csv", "text,text,label\na,b,c\n", "column 'text' stands 2 times in the header", ""),
        ("a.csv", "text,label\n", "the file has no rows with data", ""),
        ("a.jsonl", '{"text": "a", "label": 1}\n[1]\n', "the line holds an array, a JSON object is expected", "line 2"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b"}\n', "no field 'label'; the fields are: text", "line 2"),
        ("a.jsonl", '{"text": "a", "label": {"x": 1}}\n', "field 'label' holds neither text, a number nor", "line 1"),
        ("a.txt", "text,label\na,b\n", r"the kind of table is not known by the name '.txt'", ""),
        ("a.csv", b"text,label\n\xff,b\n", "byte 0xff at byte 11 is no valid utf-8", ""),
    ],
)
def test_rows_that_are_faulty_are_named(tmp_path, name, content, message, where):
    error = fails(write(tmp_path, name, content), message)
    assert where in error.where


def test_rows_that_are_faulty_can_be_left_out_and_are_counted(tmp_path):
    path = write(tmp_path, "a.jsonl", '{"text": "a", "label": 1}\n7\n{"text": "b"}\n{"text": [1.5], "label": 1}\n')
    rows = load_rows(path, columns=["text", "label"], options=TableOptions(on_bad="skip"))
    assert [row.cells for row in rows] == [("a", 1)]
    assert rows.report() == {"rows skipped": 3}


def test_rows_of_parquet_with_odd_cells_are_named(tmp_path):
    parquet.write_table(pyarrow.table({"text": [{"a": 1}], "label": [1]}), tmp_path / "a.parquet")
    error = fails(tmp_path / "a.parquet", "column 'text' holds neither text, a number nor a list of texts")
    assert error.where.endswith("row 1")


def test_rows_of_a_blank_row_are_kept_for_the_reader_to_name(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\na,b\n,\n\nc,d\n")
    assert [row.cells for row in load_rows(path, columns=["text", "label"])] == [("a", "b"), ("", ""), ("c", "d")]


def test_table_options_are_checked():
    with pytest.raises(CorpusError, match="format must be one of csv, tsv, jsonl, parquet, first_word, got 'xls'"):
        TableOptions(format="xls")
    with pytest.raises(CorpusError, match="unknown encoding 'utf-9'"):
        TableOptions(encoding="utf-9")


def test_rows_of_real_tables(real_data):
    train = load_rows(real_data / "agnews" / "train_subset_20k.csv.xz", columns=["title", "description", "class_index"])
    test = load_rows(real_data / "agnews" / "test.csv.xz", columns=["2"], options=TableOptions(header=False))
    assert (sum(1 for _ in train), sum(1 for _ in test)) == (20_000, 7_600)


def test_other_columns_are_kept_where_they_are_asked_for(tmp_path):
    options = TableOptions(others="kept")
    (tmp_path / "a.csv").write_text("id,text,id\n1,one,2\n")
    (tmp_path / "a.jsonl").write_text('{"text": "one", "more": {"a": 1}}\n')
    parquet.write_table(pyarrow.table({"text": ["one"], "more": [{"a": 1}]}), tmp_path / "a.parquet")
    (tmp_path / "a.tsv").write_text("x\tone\n")
    wanted = {
        "a.csv": (("id", "1"), ("text", "one"), ("id", "2")),
        "a.jsonl": (("text", "one"), ("more", {"a": 1})),
        "a.parquet": (("text", "one"), ("more", {"a": 1})),
    }
    for name, record in wanted.items():
        assert [row.record for row in load_rows(tmp_path / name, columns=["text"], options=options)] == [record], name
        assert [row.record for row in load_rows(tmp_path / name, columns=["text"])] == [()], name
    bare = TableOptions(header=False, others="kept")
    assert next(iter(load_rows(tmp_path / "a.tsv", columns=["2"], options=bare))).record == (("1", "x"), ("2", "one"))
