"""Vector files that are not what they should be: each with the class of its error and the message people see."""

from __future__ import annotations

import gzip
import pickle
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from textssl.errors import DataError, UsageError
from textssl.formats import base_stream
from textssl.formats.base import ReadOptions
from textssl.vector_files import convert, read_vectors

NAN, INF = float("nan"), float("inf")


def record(word: bytes, *numbers: float, end: bytes = b"\n") -> bytes:
    return word + b" " + struct.pack(f"<{len(numbers)}f", *numbers) + end


TWO = record(b"a", 1, 2) + record(b"b", 3, 4)

TEXT = {
    "ragged_short": (b"2 2\na 1 2\nb 3\n", "line 3: expected a word and 2 numbers, got 1 numbers: 'b 3'"),
    "ragged_long": (b"2 2\na 1 2 9\nb 3 4\n", "line 2: expected a word and 2 numbers, got 3 numbers"),
    "truncated_in_line": (b"2 2\na 1.25 2\nb 3", "line 3: expected a word and 2 numbers, got 1 numbers"),
    "truncated_between_lines": (b"3 2\na 1 2\nb 3 4444444444\n", "line 4: the file ends after 2 vectors, the header"),
    "surplus_line": (b"1 2\na 1 2\nb 3 4\n", "line 3: the header announces 1 vectors, but more lines follow"),
    "nan": (b"2 2\na 1 nan\nb 3 4\n", "line 2: number 2 is nan, numbers must be finite"),
    "inf": (b"2 2\na 1 2\nb -inf 4\n", "line 3: number 1 is -inf, numbers must be finite"),
    "overflow": (b"2 2\na 1 1e39\nb 3 4\n", "line 2: number 2 is inf, numbers must be finite"),
    "no_number": (b"2 2\na 1 2\nb 3 x4\n", "line 3: number 2 is 'x4'"),
    "hexadecimal": (b"2 2\na 1 0x10\nb 3 4\n", "line 2: number 2 is '0x10'"),
    "underscore": (b"2 2\na 1 1_0\nb 3 4\n", "line 2: number 2 is '1_0'"),
    "comma_decimals": (b"2 2\na 1 2,5\nb 3 4\n", "line 2: number 2 is '2,5'"),
    "zero_length_word": (b"2 2\n 1 2\nb 3 4\n", "line 2: the line begins with white space, so its word is missing"),
    "blank_line": (b"2 2\na 1 2\n\nb 3 4\n", "line 3: the line is empty, expected a word and its numbers"),
    "blank_line_after_header": (b"2 2\n\na 1 2\nb 3 4\n", "line 2: the line is empty"),
    "bad_utf8": (b"2 2\na 1 2\nb\xff 3 4\n", "line 3: the word b'b\\\\xff' is not utf-8 \\(byte 2 of the word\\)"),
    "half_character_at_the_end": (b"2 2\n\xc3 1 2\n\xa9 3 4\n", "line 2: the word b'\\\\xc3' is not utf-8"),
    "nul_in_word": (b"2 2\na\0b 1 2\nb 3 4\n", "line 2: the word b'a\\\\x00b' holds a NUL byte"),
    "long_word": (b"2 2\n" + b"w" * 200_000 + b" 1 2\nb 3 4\n", "line 2: the word has 200,000 bytes, expected at most"),
    "huge_count": (b"10000000000 300\na 1 2\n", "line 1: the header announces 10,000,000,000 vectors of 300 numbers"),
    "zero_width": (b"2 0\na\nb\n", "line 1: the header announces 2 vectors of 0 numbers, expected 0 or more vectors"),
    "huge_width": (b"2 65537\na 1\n", "line 1: the header announces 2 vectors of 65,537 numbers, expected"),
    "negative_count": (b"-2 2\na 1 2\n", "line 1: the header announces -2 vectors of 2 numbers, expected"),
    "header_alone": (b"0 2\n", "holds no vectors"),
    "count_without_rows": (b"5 2\n", "line 1: the header announces 5 vectors of 2 numbers, which take at least 25 b"),
    "binary_as_text": (b"2 2\n" + TWO, "looks like word2vec's binary format; read it with: --format word2vec_binary"),
    "endless_line": (b"2 2\n" + b"x" * 5_000_000, "a line is longer than 4,194,304 bytes"),
    "empty": (b"", "the file is empty"),
    "white_space": (b"\n\n  \n", "the file is empty"),
    "prose": (b"It was a dark\nand stormy night\n", "line 1: expected a word and its numbers, or a header of two wh"),
    "one_field": (b"word\n", "line 1: expected a word and its numbers, or a header of two whole numbers"),
}  # fmt: skip

BINARY = {
    "huge_count": (b"10000000000 300\n" + TWO, "line 1: the header announces 10,000,000,000 vectors of 300 numbers,"),
    "huge_width": (b"1 65537\n" + TWO, "line 1: the header announces 1 vectors of 65,537 numbers, expected 0 or more"),
    "zero_width": (b"2 0\na b ", "line 1: the header announces 2 vectors of 0 numbers"),
    "negative_count": (b"-1 2\n" + TWO, "line 1: the header announces -1 vectors of 2 numbers"),
    "no_header": (TWO, "line 1: expected a first line with the number of words and the width, got"),
    "header_without_end": (b"2 2", "line 1: expected a first line with the number of words and the width"),
    "endless_header": (b"1" * 5000 + b"\n", "line 1: expected a first line with the number of words and the width"),
    "truncated_in_record": (b"2 2\n" + TWO[:-4], "record 2: the file ends inside this record: 7 bytes of it are there"),
    "truncated_after_record": (b"2 2\n" + record(b"abcdefghij", 1, 2), "record 2: the file ends inside this record: 0"),
    "trailing_bytes": (b"2 2\n" + TWO + b"junk", "record 2: 4 bytes follow the last of the 2 vectors"),
    "second_newline": (b"2 2\n" + TWO + b"\n", "record 2: 1 bytes follow the last of the 2 vectors"),
    "trailing_record": (b"1 2\n" + TWO, "record 1: 11 bytes follow the last of the 1 vectors"),
    "nan": (b"2 2\n" + record(b"a", 1, NAN) + record(b"b", 3, 4), "record 1: number 2 is nan, numbers must be finite"),
    "inf": (b"2 2\n" + record(b"a", 1, 2) + record(b"b", INF, 4), "record 2: number 1 is inf, numbers must be finite"),
    "zero_length_word": (b"2 2\n" + record(b"", 1, 2) + record(b"b", 3, 4), "record 1: the word is empty, expected"),
    "bad_utf8": (b"2 2\n" + record(b"a", 1, 2) + record(b"\xff", 3, 4), "record 2: the word b'\\\\xff' is not utf-8"),
    "nul_in_word": (b"2 2\n" + record(b"a\0", 1, 2) + record(b"b", 3, 4), "record 1: the word b'a\\\\x00' holds a NUL"),
    "newline_in_word": (b"2 2\n" + record(b"a\nb", 1, 2) + record(b"c", 3, 4), "record 1: a word holds a newline"),
    "no_space": (b"1 2\n" + b"w" * 70_000 + b" 12345678", "record 1: no space within 65,536 bytes, expected a word"),
    "text_as_binary": (b"2 2\na 1.5 2\nb 3 4\n", "line 2: the first record is a line of text, expected float32 numb"),
    "empty": (b"", "the file is empty"),
}  # fmt: skip

OTHER = {
    "pickle": (pickle.dumps({"vectors": [1.0]}), "is a Python pickle, such as gensim's save\\(\\) writes\nA pickle"),
    "npy": (b"\x93NUMPY\x01\x00", "is a NumPy array \\(.npy\\), no vector file\nIt holds numbers without words"),
    "npz": (b"PK\x03\x04rest", "is a zip or npz archive, no vector file\nUnpack it first"),
    "fasttext": (struct.pack("<i", 793712314) + b"\x0c\0\0\0", "is a fastText model \\(.bin\\), no vector file\ntex"),
    "safetensors": (struct.pack("<Q", 50) + b'{"a": {}}', "is a single safetensors file, expected its folder\nGive"),
    "lfs_pointer": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not the file itself"),
    "web_page": (b"<!DOCTYPE html>\n<html>", "is a web page, perhaps the error page of a download, no vector file"),
    "json": (b'{"vectors": [1, 2]}', "is JSON, no vector file"),
    "utf16": ("a 1 2\n".encode("utf-16"), "is text in UTF-16, no vector file\nConvert it to UTF-8 first"),
    "tar": (b"name".ljust(257, b"\0") + b"ustar", "is a tar archive, no vector file"),
    "bzip2": (b"BZh91AY&SY", "is a bzip2 file\nUnpack it first with: bunzip2"),
    "truncated_gzip": (gzip.compress(b"2 2\n" + bytes(range(200)))[:-12], "the compressed data are damaged or cut s"),
    "damaged_gzip": (gzip.compress(b"2 2\na 1 2\n")[:10] + b"\xff" * 20, "the compressed data are damaged or cut sh"),
    "gzip_of_nothing": (gzip.compress(b""), "the file is empty"),
    "gzip_bomb_header": (gzip.compress(b"9999999999 300\nabcdefg 1 2\n"), "the header announces 9,999,999,999 vecto"),
    "prose": (b"It was a dark\nand stormy night\n", "is no vector file that textssl knows \\(glove_text, word2vec_b"),
}  # fmt: skip

CASES = [
    *(pytest.param("word2vec_text", *case, id=f"text-{name}") for name, case in TEXT.items()),
    *(pytest.param("word2vec_binary", *case, id=f"binary-{name}") for name, case in BINARY.items()),
    *(pytest.param(None, *case, id=f"any-{name}") for name, case in OTHER.items()),
]


@pytest.mark.parametrize(("format", "content", "message"), CASES)
def test_hostile_file_is_refused_with_the_reason(
    format: str | None, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_vectors(path, format=format)
    assert caught.value.exit_code == 3
    assert str(path) in str(caught.value)
    with pytest.raises(DataError, match=message):
        convert(path, tmp_path / "folder", format=format)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["vectors"]


def test_hostile_set_is_large() -> None:
    assert len(CASES) >= 60


SKIPPED = {
    "ragged": (b"3 2\na 1 2\nb 3\nc 5 6\n", "word2vec_text", ["a", "c"], {"another count of numbers": 1}),
    "many": (
        b"4 2\na 1 nan\n 1 2\nc 5 x\nd 7 8\n", "word2vec_text", ["d"],
        {"NaN or inf": 1, "not a number": 1, "the word is missing": 1},
    ),
    "bad_utf8": (b"2 2\n\xff 1 2\nb 3 4\n", "word2vec_text", ["b"], {"the word is not utf-8": 1}),
    "missing": (b"9 2\na 1 2\nb 3 4\n", "word2vec_text", ["a", "b"], {"announced by the header, but missing": 7}),
    "surplus": (b"1 2\na 1 2\nb 3 4\n", "word2vec_text", ["a", "b"], {"more than the header announces": 1}),
    "blank": (b"a 1 2\n\nb 3 4\n", "glove_text", ["a", "b"], {"the line is empty": 1}),
    "binary_nan": (b"2 2\n" + record(b"a", NAN, 2) + record(b"b", 3, 4), "word2vec_binary", ["b"], {"NaN or inf": 1}),
    "binary_empty_word": (
        b"2 2\n" + record(b"", 1, 2) + record(b"b", 3, 4), "word2vec_binary", ["b"], {"the word is empty": 1}
    ),
    "binary_cut": (b"2 2\n" + TWO[:-3], "word2vec_binary", ["a"], {"announced by the header, but missing": 1}),
    "binary_trailing": (b"2 2\n" + TWO + b"junk", "word2vec_binary", ["a", "b"], {"bytes after the last record": 4}),
}  # fmt: skip


@pytest.mark.parametrize(("content", "format", "words", "skipped"), SKIPPED.values(), ids=SKIPPED)
def test_bad_records_can_be_left_out_and_are_counted(
    content: bytes, format: str, words: list[str], skipped: dict[str, int], tmp_path: Path
) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    found, report = read_vectors(path, ReadOptions(on_bad="skip"), format=format)
    assert list(found.words) == words
    assert report.skipped == skipped
    assert np.isfinite(found.vectors).all()
    for kind, number in skipped.items():
        assert f"{number:,} records left out: {kind}" in report.lines()


@pytest.mark.parametrize("name", ["huge_count", "huge_width", "count_without_rows"])
def test_header_bomb_allocates_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    for format, content in (("word2vec_text", TEXT[name][0]), ("word2vec_binary", BINARY.get(name, TEXT[name])[0])):
        path.write_bytes(content)
        for on_bad in ("error", "skip"):
            tracemalloc.start()
            with pytest.raises(DataError):
                read_vectors(path, ReadOptions(on_bad=on_bad), format=format)  # type: ignore[arg-type]
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 2 * len(content) + 20_000_000  # two blocks of what is read at once


def test_gzip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_stream, "RATIO_CHECKED_FROM_BYTES", 1 << 20)
    path = tmp_path / "vectors.gz"
    line = b"a " + b"1 " * 2000 + b"\n"
    compressor = zlib.compressobj(wbits=31)
    path.write_bytes(b"".join(compressor.compress(line * 256) for _ in range(10)) + compressor.flush())
    with pytest.raises(DataError, match="unpacks to more than 100 times its .* bytes, which vectors never do"):
        read_vectors(path, format="glove_text")


def test_unknown_encoding_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"a 1\n")
    with pytest.raises(UsageError, match="encoding 'latn-1' is unknown, expected one such as utf-8 or latin-1\nDid"):
        read_vectors(path, ReadOptions(encoding="latn-1"))
    with pytest.raises(UsageError, match="encoding 'utf-16' does not contain ASCII; convert the file to utf-8 first"):
        read_vectors(path, ReadOptions(encoding="utf-16"))


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: is missing"):
        read_vectors(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_vectors(tmp_path)
