"""Plain text: lines as documents, blocks as the fast path, and what is wrong with a file."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corpora
from corpora.readers import text as text_reader
from corpora.readers import unpack


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 16 bytes, so that a few lines have many borders."""
    monkeypatch.setattr(text_reader, "BLOCK_BYTES", 16)
    monkeypatch.setattr(unpack, "BLOCK_BYTES", 16)


def write(folder: Path, content: bytes | str, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def joined(path: Path, **options) -> bytes:
    return b"".join(corpora.load(path, **options).blocks())


def fails(path: Path, match: str, **options) -> corpora.CorpusError:
    with pytest.raises(corpora.CorpusError, match=match) as caught:
        joined(path, **options)
    return caught.value


def test_text_documents_are_the_lines_that_are_not_blank(tmp_path):
    path = write(tmp_path, "one two\n\n  \nthree\n\u3000\nfour")
    assert list(corpora.load(path)) == ["one two", "three", "four"]


def test_text_blocks_end_with_a_newline_and_keep_the_rest(tmp_path):
    path = write(tmp_path, "a  b\tc \n\n d")
    assert joined(path) == b"a  b\tc \n\n d\n"


def test_text_corpus_can_be_read_many_times(tmp_path):
    corpus = corpora.load(write(tmp_path, "one\ntwo\n"))
    first, second = iter(corpus), iter(corpus)
    assert next(first) == "one"
    assert list(second) == ["one", "two"]
    assert list(first) == ["two"]


def test_text_byte_order_mark_is_dropped_at_the_start_only(tmp_path):
    assert joined(write(tmp_path, "\ufeffa\n\ufeffb")) == "a\n\ufeffb\n".encode()


@pytest.mark.parametrize("start", range(14))
def test_text_line_ends_become_newlines_wherever_the_border_falls(tmp_path, small_blocks, start):
    path = write(tmp_path, b"x" * start + b" a\r\nb c\r\n\rd e f\r\n" * 4 + b"g\r")
    assert joined(path) == b"x" * start + b" a\nb c\n\nd e f\n" * 4 + b"g\n"


def test_text_separators_of_unicode_stay_inside_documents(tmp_path):
    document = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    assert list(corpora.load(write(tmp_path, document + "\nh"))) == [document, "h"]


@pytest.mark.parametrize("start", range(8))
def test_text_characters_of_many_bytes_survive_block_borders(tmp_path, small_blocks, start):
    text = "x" * start + " é 漢字漢字 😀😀 x" * 9
    path = write(tmp_path, text)
    blocks = list(corpora.load(path).blocks())
    assert len(blocks) > 5
    assert all(block.decode()[-1].isspace() for block in blocks)
    assert b"".join(blocks).decode() == text + "\n"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_round_trip_of_any_text(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "corpus.txt"
    path.write_bytes(("word " + text).encode())
    expected = ("word " + text).replace("\r\n", "\n").replace("\r", "\n")
    corpus = corpora.load(path, format="text")
    assert b"".join(corpus.blocks()).decode() == expected.removesuffix("\n") + "\n"
    assert list(corpus) == [line for line in expected.split("\n") if line.strip()]


@given(st.binary(min_size=1), st.sampled_from([9, 16, 1 << 20]))
def test_text_any_bytes_give_text_or_a_corpus_error(tmp_path_factory, content, size):
    path = tmp_path_factory.mktemp("bytes") / "corpus.txt"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_reader, "BLOCK_BYTES", size)
        patch.setattr(unpack, "BLOCK_BYTES", size)
        try:
            blocks = list(corpora.load(path, on_bad="skip").blocks())
        except corpora.CorpusError:
            return
    assert b"".join(blocks).decode().endswith("\n")
    assert all(block and b"\r" not in block and b"\0" not in block for block in blocks)


def test_text_check_by_parts_finds_what_a_whole_check_finds(monkeypatch):
    monkeypatch.setattr(text_reader, "CHECK_BYTES", 5)
    good = "aé漢😀" * 6
    assert text_reader.first_bad(good.encode()) is None
    for position, bad in itertools.product(range(len(good.encode())), (b"\xff", b"\x80\x80\x80\x80\x80", b"\xe6\xbc")):
        content = good.encode()[:position] + bad + good.encode()[position:]
        try:
            content.decode()
        except UnicodeDecodeError as error:
            assert text_reader.first_bad(content) == (error.start, error.reason)
        else:
            assert text_reader.first_bad(content) is None


def test_text_one_long_line_is_read_wholly_in_bounded_memory(tmp_path):
    path = tmp_path / "long.txt"
    piece = b"some words of a very long line " * 1000
    num_pieces = 50_000_000 // len(piece)
    with path.open("wb") as file:
        for _ in range(num_pieces):
            file.write(piece)
    code = (
        "import sys, corpora\n"
        "num_bytes = num_words = largest = 0\n"
        "for block in corpora.load(sys.argv[1]).blocks():\n"
        "    num_bytes += len(block); num_words += len(block.split()); largest = max(largest, len(block))\n"
        "peak = next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(num_bytes, num_words, largest, peak)\n"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, check=True, text=True, env={**os.environ}
    )
    num_bytes, num_words, largest, peak_kb = map(int, done.stdout.split())
    assert num_bytes == num_pieces * len(piece) + 1
    assert num_words == num_pieces * 7000
    assert largest <= 9 << 20
    assert peak_kb < 140_000  # about 60 MB of it are the words of a block, which the test counts with split


def test_text_long_document_is_whole_when_iterated(tmp_path, small_blocks):
    line = "word " * 100
    assert list(corpora.load(write(tmp_path, f"{line}\nshort"))) == [line, "short"]


def test_text_word_without_end_is_an_error_and_can_be_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(text_reader, "MAX_WORD_BYTES", 1 << 20)
    monkeypatch.setattr(text_reader, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(unpack, "BLOCK_BYTES", 1 << 16)
    path = write(tmp_path, b"ab " + "é".encode() * 600_000 + b" end")
    error = fails(path, r"1 MB without a space or line end from byte 3 on; words are expected")
    assert "--on-bad skip" in error.hint
    corpus = corpora.load(path, on_bad="skip")
    text = b"".join(corpus.blocks()).decode()
    assert text.replace(" ", "") == "ab" + "é" * 600_000 + "end\n"
    assert corpus.report() == {"words cut that were too long": 1}


def test_text_other_encodings_become_utf8(tmp_path, small_blocks):
    text = "Grüße aus Köln\nça va\n" * 5
    for encoding in ("latin-1", "utf-16", "utf-16-le", "utf-32", "cp1252", "utf-8-sig"):
        path = write(tmp_path, text.encode(encoding), f"{encoding}.txt")
        assert joined(path, encoding=encoding).decode() == text, encoding
    path = write(tmp_path, "漢字 かな\n".encode("shift_jis") * 9)
    assert joined(path, encoding="shift_jis").decode() == "漢字 かな\n" * 9


def test_text_bad_byte_is_named_with_its_place(tmp_path, small_blocks):
    path = write(tmp_path, b"\xef\xbb\xbfsome good words and then caf\xe9 au lait")
    error = fails(path, r"byte 0xe9 at byte 31 is no valid utf-8 \(invalid continuation byte\)")
    assert error.where == str(path)
    assert "--encoding latin-1" in error.hint
    assert "--on-bad skip" in error.hint
    assert path.read_bytes()[31] == 0xE9


def test_text_bad_byte_of_another_encoding_is_named_with_its_place(tmp_path, small_blocks):
    path = write(tmp_path, b"some good words and then \xff more")
    fails(path, r"byte 0xff at byte 25 is no valid ascii \(ordinal not in range\(128\)\)", encoding="ascii")


def test_text_bad_bytes_are_replaced_and_counted_on_request(tmp_path):
    path = write(tmp_path, b"caf\xe9 au lait \xff \xef\xbf\xbd \0 end")
    corpus = corpora.load(path, on_bad="skip")
    assert list(corpus) == ["caf\ufffd au lait \ufffd \ufffd   end"]
    assert corpus.skipped == 3
    assert corpus.report() == {"bad bytes replaced": 3}
    list(corpus)
    assert corpus.skipped == 3, "the counts begin anew with every reading"
    good = corpora.load(write(tmp_path, "good", "good.txt"), on_bad="skip")
    assert (list(good), good.skipped, good.report()) == (["good"], 0, {})


def test_text_bad_bytes_of_another_encoding_are_replaced_and_counted(tmp_path):
    corpus = corpora.load(write(tmp_path, b"a \xff b"), on_bad="skip", encoding="ascii")
    assert list(corpus) == ["a \ufffd b"]
    assert corpus.report() == {"bad bytes replaced": 1}


def test_text_lone_surrogates_are_bad_bytes(tmp_path):
    path = write(tmp_path, rb"a \ud800 b")
    fails(path, "byte 0xed at byte 2 is no valid raw_unicode_escape", encoding="raw_unicode_escape")


def test_text_nul_byte_past_the_start_is_named(tmp_path):
    error = fails(write(tmp_path, b"some text \0 more"), r"a NUL byte at byte 10: the file is binary or damaged")
    assert "--encoding utf-16" in error.hint


def test_text_limit_ends_after_so_many_documents(tmp_path, small_blocks):
    path = write(tmp_path, "one\n\ntwo words that reach over a border\n \nthree\nfour\n")
    assert list(corpora.load(path, limit=2)) == ["one", "two words that reach over a border"]
    assert joined(path, limit=2) == b"one\n\ntwo words that reach over a border\n"
    assert list(corpora.load(path, limit=9)) == list(corpora.load(path))
    with pytest.raises(corpora.CorpusError, match="limit must be at least 1, got 0"):
        corpora.load(path, limit=0)


def test_text_fingerprint_follows_contents_and_options_but_not_path_or_time(tmp_path):
    first = write(tmp_path, "some text")
    same = write(tmp_path, "some text", "other.txt")
    os.utime(same, (1, 1))
    fingerprint = corpora.load(first).fingerprint()
    assert re.fullmatch("[0-9a-f]{64}", fingerprint)
    assert corpora.load(same).fingerprint() == fingerprint
    assert corpora.load(first, encoding="UTF8").fingerprint() == fingerprint
    assert corpora.load(first, text_field="body").fingerprint() == fingerprint, "plain text has no fields"
    others = [
        corpora.load(write(tmp_path, "some texT", "third.txt")),
        corpora.load(first, encoding="latin-1"),
        corpora.load(first, on_bad="skip"),
        corpora.load(first, limit=1),
        corpora.load(write(tmp_path, "some text", "table.csv")),
    ]
    assert len({fingerprint, *(corpus.fingerprint() for corpus in others)}) == 6


def test_text_size_is_that_of_the_file(tmp_path):
    assert corpora.load(write(tmp_path, "some text")).size_bytes == 9
