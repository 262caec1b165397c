"""Hashes, equality and edit distances of many words at once, against definitions for one word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.word_bytes import edit_distances, equal_words, hash_word, hash_words, offsets_of

WORDS = st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=30)


def flat(words: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(b"".join(words), dtype=np.uint8), offsets_of(np.array([len(word) for word in words]))


@given(WORDS)
@settings(max_examples=100, deadline=None)
def test_hash_words_equals_hash_word(words: list[bytes]) -> None:
    assert hash_words(*flat(words)).tolist() == [hash_word(word) for word in words]


def test_hash_words_is_the_same_on_every_machine() -> None:
    words = [b"a", b"paris", b"12345678", b"123456789", b"x" * 65]
    assert [f"{value:016x}" for value in hash_words(*flat(words)).tolist()] == [
        "12f6436ac376cc66", "95775361b69e06a7", "06e922b82e74d8df", "9aa396e463cdc8aa", "36c9c5df1f7285c0",
    ]  # fmt: skip


def test_hash_word_depends_on_trailing_zeros() -> None:
    assert len({hash_word(b"a"), hash_word(b"a\0"), hash_word(b"a\0\0"), hash_word(b"")}) == 4


@given(WORDS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_equal_words_equals_comparison(words: list[bytes], random) -> None:  # type: ignore[no-untyped-def]
    others = [random.choice([word, word[:-1] + b"\xff", word + b"!"]) for word in words]
    (left, left_offsets), (right, right_offsets) = flat(words), flat(others)
    equal = equal_words((left, left_offsets[:-1], left_offsets[1:]), (right, right_offsets[:-1], right_offsets[1:]))
    assert equal.tolist() == [a == b for a, b in zip(words, others, strict=True)]


def edit_distance(left: bytes, right: bytes) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return row[-1]


@given(st.binary(min_size=1, max_size=64), st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=10))
@settings(max_examples=100, deadline=None)
def test_edit_distances_equal_dynamic_programming(pattern: bytes, words: list[bytes]) -> None:
    utf8, offsets = flat(words)
    found = edit_distances(pattern, utf8, offsets[:-1], np.diff(offsets))
    assert found.tolist() == [edit_distance(pattern, word) for word in words]


@pytest.mark.parametrize(("left", "right", "expected"), [("kitten", "sitting", 3), ("abc", "abc", 0), ("a", "b", 1)])
def test_edit_distances_closed_form(left: str, right: str, expected: int) -> None:
    utf8, offsets = flat([right.encode()])
    assert edit_distances(left.encode(), utf8, offsets[:-1], np.diff(offsets)).tolist() == [expected]
