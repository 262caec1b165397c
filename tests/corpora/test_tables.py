"""JSONL, CSV, TSV, Parquet and WikiExtractor: the same documents as plain text, and every fault with its place."""

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

import corpora
from corpora.readers import delimited

DOCUMENTS = ["one two", 'with "quotes", commas', "Grüße 漢字 😀", "in\nlines \u2028 and\r\nmore", "  spaced  ", "last"]
AS_READ = ["one two", 'with "quotes", commas', "Grüße 漢字 😀", "in lines \u2028 and more", "  spaced  ", "last"]


def write_jsonl(path: Path, documents: list[str | None]) -> None:
    rows = ({"id": number, "text": document} for number, document in enumerate(documents))
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")


def write_csv(path: Path, documents: list[str]) -> None:
    cells = ('"' + document.replace('"', '""') + '"' for document in documents)
    path.write_bytes(("id,text\r\n" + "".join(f"{n},{cell}\r\n" for n, cell in enumerate(cells))).encode())


def write_tsv(path: Path, documents: list[str]) -> None:
    rows = (f"{n}\t{' '.join(document.splitlines())}\n" for n, document in enumerate(documents))
    path.write_text("id\ttext\n" + "".join(rows), encoding="utf-8")


def write_parquet(path: Path, documents: list[str | None]) -> None:
    parquet.write_table(pyarrow.table({"id": range(len(documents)), "text": documents}), path, row_group_size=2)


WRITERS = {"jsonl": write_jsonl, "csv": write_csv, "tsv": write_tsv, "parquet": write_parquet}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fails(path: Path, match: str, **options) -> corpora.CorpusError:
    with pytest.raises(corpora.CorpusError, match=match) as caught:
        list(corpora.load(path, **options))
    return caught.value


@pytest.mark.parametrize("format", WRITERS)
def test_tables_hold_the_same_documents_in_every_format(tmp_path, format):
    path = tmp_path / f"corpus.{format}"
    documents = DOCUMENTS if format != "tsv" else [d.replace("\u2028", "-") for d in DOCUMENTS]
    WRITERS[format](path, documents)
    expected = AS_READ if format != "tsv" else [d.replace("\u2028", "-") for d in AS_READ]
    corpus = corpora.load(path)
    assert list(corpus) == expected
    assert b"".join(corpus.blocks()).decode() == "".join(f"{document}\n" for document in expected)
    assert list(corpora.load(path.rename(tmp_path / "no_suffix"), format=format)) == expected
    assert list(corpora.load(tmp_path / "no_suffix", format=format, limit=2)) == expected[:2]


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_tables_null_and_blank_texts_are_left_out_and_counted(tmp_path, format):
    path = tmp_path / f"corpus.{format}"
    WRITERS[format](path, ["one", None, "", "  ", "two"])
    corpus = corpora.load(path)
    assert list(corpus) == ["one", "two"]
    assert corpus.report() == {"empty documents": 3}
    assert corpus.skipped == 0


@pytest.mark.parametrize("format", WRITERS)
def test_tables_read_another_field(tmp_path, format):
    path = tmp_path / f"corpus.{format}"
    if format == "parquet":
        parquet.write_table(pyarrow.table({"text": ["no"], "body": ["yes"]}), path)
    else:
        content = {
            "jsonl": '{"text": "no", "body": "yes"}\n',
            "csv": "text,body\nno,yes\n",
            "tsv": "text\tbody\nno\tyes\n",
        }
        path.write_text(content[format])
    assert list(corpora.load(path, text_field="body")) == ["yes"]


@pytest.mark.parametrize("format", WRITERS)
def test_tables_missing_field_is_named_with_the_nearest(tmp_path, format):
    path = tmp_path / f"corpus.{format}"
    WRITERS[format](path, ["one"])
    what = "field" if format == "jsonl" else "column"
    error = fails(path, rf"no {what} 'txet'; the {what}s are: id, text", text_field="txet")
    assert error.hint == "did you mean text? (--text-field)"
    error = fails(path, f"no {what} 'qqq'", text_field="qqq")
    assert error.hint == f"name the {what} that holds the text (--text-field)"


@pytest.mark.parametrize("format", WRITERS)
def test_tables_without_rows_hold_no_text(tmp_path, format):
    path = tmp_path / f"corpus.{format}"
    WRITERS[format](path, [""] if format != "parquet" else [None, ""])
    fails(path, r"no text is left: \d empty documents|there is only white space in it|no column")


def test_tables_large_documents_are_divided_after_white_space(tmp_path):
    path = tmp_path / "corpus.jsonl"
    write_jsonl(path, ["many words " * 2_000_000, "short"])
    blocks = list(corpora.load(path).blocks())
    assert max(map(len, blocks)) <= 9 << 20
    assert all(block.endswith((b" ", b"\n")) for block in blocks)
    assert b"".join(blocks) == b"many words " * 2_000_000 + b"\nshort\n"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("plain words", r"the line is no JSON \(Expecting value", "for plain text: --format text"),
        ('{"text": "cut', r"the line is no JSON \(Unterminated string", "one JSON object per line is expected"),
        ("[1, 2]", "the line holds an array, a JSON object is expected", "jq -c"),
        ("7", "the line holds a number, a JSON object is expected", "one JSON object per line"),
        ('{"body": "x"}', "no field 'text'; the fields are: body", "--text-field"),
        ('{"text": 7}', "field 'text' holds a number, text is expected", "--text-field names another"),
        ('{"text": true}', "field 'text' holds true or false, text is expected", "--text-field names another"),
        ('{"text": ["a"]}', "field 'text' holds an array, text is expected", "--text-field names another"),
        ('{"text": "\\ud800"}', "field 'text' holds half a surrogate pair", "--on-bad skip"),
        ("[" * 100_000, r"the line is no JSON \(nested too deeply\)", "jq -c"),
    ],
)
def test_jsonl_faulty_line_is_named_and_can_be_skipped(tmp_path, line, message, hint):
    path = write(tmp_path, "corpus.jsonl", f'{{"text": "one"}}\n\n{line}\n{{"text": "two"}}\n')
    error = fails(path, message)
    assert error.where == f"{path}, line 3"
    assert hint in error.hint
    corpus = corpora.load(path, on_bad="skip")
    assert list(corpus) == ["one", "two"]
    assert corpus.report() == {"lines skipped": 1}


def test_csv_ragged_row_is_named_and_can_be_skipped(tmp_path):
    path = write(tmp_path, "corpus.csv", "id,text\n1,one\n2,two,too many\n3,three\n4\n")
    error = fails(path, "the row has 3 cells, the header 2: '2,two,too many'")
    assert error.where == f"{path}, row 3"
    assert "--on-bad skip" in error.hint
    corpus = corpora.load(path, on_bad="skip")
    assert list(corpus) == ["one", "three"]
    assert corpus.report() == {"rows skipped": 2}


def test_csv_column_that_stands_twice_is_refused(tmp_path):
    fails(write(tmp_path, "corpus.csv", "text,text\na,b\n"), "column 'text' stands 2 times in the header")


def test_csv_quote_that_is_not_closed_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "MAX_ROW_BYTES", 1 << 20)
    path = write(tmp_path, "corpus.csv", 'text,id\n"open,1\n' + "some words,2\n" * 200_000)
    error = fails(path, "a row is longer than 1 MB: a quote is not closed, or the text is very long")
    assert "close the quote" in error.hint


def test_csv_that_cannot_be_read_says_why(tmp_path):
    raw = corpora.load(write(tmp_path, "corpus.csv", "text\na\n")).files[0].raw
    ragged = delimited.RaggedRows(corpora.readers.options.ReadOptions(), corpora.corpus.Tally())
    error = delimited.faulty_row(raw, ragged, "some reason of pyarrow")
    assert error.message == "the rows cannot be read: some reason of pyarrow"


def test_csv_with_byte_order_mark_and_other_encoding(tmp_path):
    assert list(corpora.load(write(tmp_path, "a.csv", "\ufefftext,id\nGrüße,1\n"))) == ["Grüße"]
    path = write(tmp_path, "b.csv", "text;id,text\nGrüße;1,Köln\n".encode("latin-1"))
    assert list(corpora.load(path, encoding="latin-1")) == ["Köln"]


def test_tsv_quotes_are_letters(tmp_path):
    path = write(tmp_path, "corpus.tsv", 'text\tid\n"an open quote\t1\nnext\t2\n')
    assert list(corpora.load(path)) == ['"an open quote', "next"]


def test_parquet_column_that_is_no_text_is_refused(tmp_path):
    write_parquet(tmp_path / "corpus.parquet", ["a"])
    fails(tmp_path / "corpus.parquet", "column 'id' holds int64, text is expected", text_field="id")


@pytest.mark.parametrize("type_", ["large_string", "binary", "dictionary"])
def test_parquet_reads_every_kind_of_text(tmp_path, type_):
    array = pyarrow.array(["one", "two", "one"])
    array = array.dictionary_encode() if type_ == "dictionary" else array.cast(type_)
    parquet.write_table(pyarrow.table({"text": array}), tmp_path / "corpus.parquet")
    assert list(corpora.load(tmp_path / "corpus.parquet")) == ["one", "two", "one"]


def test_parquet_bad_bytes_are_named_and_can_be_repaired(tmp_path):
    path = tmp_path / "corpus.parquet"
    parquet.write_table(pyarrow.table({"text": pyarrow.array([b"good", b"caf\xe9 x"])}), path)
    error = fails(path, "byte 0xe9 at byte 3 of the text is no valid UTF-8")
    assert error.where == f"{path}, row 2"
    corpus = corpora.load(path, on_bad="skip")
    assert list(corpus) == ["good", "caf\ufffd x"]
    assert corpus.report() == {"texts with bad bytes repaired": 1}


def test_parquet_damaged_file_is_an_error(tmp_path):
    path = tmp_path / "corpus.parquet"
    write_parquet(path, DOCUMENTS)
    path.write_bytes(path.read_bytes()[:-20])
    fails(path, "the Parquet file is damaged or of an unknown kind: ")


def test_parquet_that_is_none_is_refused(tmp_path):
    error = fails(write(tmp_path, "corpus.parquet", "plain text"), r"no Parquet file \(it does not begin with PAR1\)")
    assert "leave --format out" in error.hint


WIKI = (
    '<doc id="1" url="http://x" title="R&amp;D">\nR&amp;D\n\nFirst line.\nSecond R&amp;D line.\n</doc>\n'
    '<doc id="2" url="http://x" title="Empty">\nEmpty\n\n</doc>\n'
    '<doc id="3" url="http://x" title="Other">\nNo title here.\n\nOther\n</doc>\n'
)
ARTICLES = ["First line. Second R&amp;D line.", "No title here. Other"]


def test_wikiextractor_is_found_out_and_gives_a_document_per_article(tmp_path):
    wiki = WIKI.replace("\nR&amp;D\n", "\nR&D\n")
    for name in ("wiki.txt", "wiki_00"):
        corpus = corpora.load(write(tmp_path, name, wiki))
        assert list(corpus) == ARTICLES
        assert corpus.report() == {"empty documents": 1}
    assert len(list(corpora.load(tmp_path / "wiki.txt", format="text"))) == 12


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (WIKI + "stray words\n", 16, "text stands outside of <doc ...> and </doc>"),
        ("\n" + WIKI + "\n\nstray words\n" + WIKI, 19, "text stands outside of <doc ...> and </doc>"),
        (WIKI.replace("Second R&amp;D line.\n</doc>", "x"), 1, "the article is not closed before the next begins"),
        (WIKI + WIKI.removesuffix("</doc>\n"), 26, "the article is not closed: the file is truncated"),
    ],
)
def test_wikiextractor_fault_is_named_and_can_be_passed_over(tmp_path, content, line, message):
    path = write(tmp_path, "wiki.txt", content)
    error = fails(path, message)
    assert error.where == f"{path}, line {line}"
    assert "--format text" in error.hint
    corpus = corpora.load(path, on_bad="skip")
    assert "No title here. Other" in list(corpus)
    assert corpus.report()["faulty lines"] == 1


def test_wikiextractor_articles_reach_over_blocks(tmp_path, monkeypatch):
    from corpora.readers import text, unpack

    path = write(tmp_path, "wiki.txt", WIKI * 3)
    expected = list(corpora.load(path))
    for size in range(5, 60, 7):
        monkeypatch.setattr(text, "BLOCK_BYTES", size)
        monkeypatch.setattr(unpack, "BLOCK_BYTES", size)
        assert list(corpora.load(path, format="wikiextractor")) == expected
