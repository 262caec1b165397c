"""The scanner and its table against bytes.split() and a dictionary."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.text.scan import DOCUMENT_END, scan
from textssl.text.word_table import WordTable

BYTES = st.lists(
    st.sampled_from([b"a", b"bc", b" ", b"\n", b"\t", b"\r", b"\v", b"\f", b"\0", b"\x1f", b"\x85", b"longer_word"])
)


def array(text: bytes) -> np.ndarray:
    return np.frombuffer(text, dtype=np.uint8)


def words_of(text: bytes, table: WordTable) -> list[bytes]:
    return [b"\n" if number == DOCUMENT_END else table.word(number) for number in scan(array(text), table).ordinals]


@settings(max_examples=300, deadline=None)
@given(BYTES)
def test_scan_equals_split(parts):
    text = b"".join(parts)
    table = WordTable()
    found = words_of(text, table)
    assert [word for word in found if word != b"\n"] == text.split()
    assert Counter({table.word(n): int(c) for n, c in enumerate(table.counts)}) == Counter(text.split())


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_scan_equals_split_on_any_bytes(text):
    table = WordTable()
    assert [word for word in words_of(text, table) if word != b"\n"] == text.split()


def test_scan_keeps_documents():
    table = WordTable()
    assert words_of(b"\n\na b\n \n\nc", table) == [b"\n", b"a", b"b", b"\n", b"c"]


def test_scan_grows_the_table():
    words = [b"w%d" % number for number in range(40_000)] + [b"x" * length for length in range(1, 1001)]
    table = WordTable()
    text = b" ".join(words + words)
    assert words_of(text, table) == words + words
    assert table.size == len(words)
    assert set(table.counts) == {2}


@pytest.mark.parametrize(("length", "kept"), [(999, 1), (1000, 1), (1001, 0), (5000, 0)])
def test_scan_leaves_out_and_counts_tokens_over_1000_bytes(length, kept):
    found = scan(array(b"a " + b"x" * length + b" b"), WordTable())
    assert len(found.ordinals) == 2 + kept
    assert found.num_over_long == 1 - kept


def test_scan_tells_words_of_equal_beginning_apart():
    words = [b"12345678" + bytes([65 + n]) * m for n in range(20) for m in range(20)]
    words += [b"ab", b"ab\0", b"ab\0\0", b"1234567", b"12345678", b"12345678\0"]
    table = WordTable()
    assert words_of(b" ".join(words), table) == words
    assert table.size == len(set(words))


def test_table_absorbs_another():
    left, right = WordTable(), WordTable()
    scan(array(b"a b b"), left)
    scan(array(b"c b a_long_word_here a_long_word_here dropped"), right)
    ordinals = left.absorb(right, np.array([True, True, True, False]))
    assert ordinals.tolist() == [2, 1, 3, -1]
    assert {left.word(n): int(c) for n, c in enumerate(left.counts)} == {
        b"a": 1,
        b"b": 3,
        b"c": 1,
        b"a_long_word_here": 2,
    }
