"""The word list: finding, order, nearest words, and arrays that do not fit."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import textssl.words
from textssl.errors import DataError
from textssl.words import Words

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), unique=True, max_size=40)


@given(TEXTS, TEXTS)
@settings(max_examples=100, deadline=None)
def test_words_behave_like_a_list_and_a_dictionary(words: list[str], others: list[str]) -> None:
    built = Words.from_list(words)
    places = {word: place for place, word in enumerate(words)}
    assert list(built) == words
    assert len(built) == len(words)
    assert [built.find(word) for word in words + others] == [places.get(word, -1) for word in words + others]
    assert built.find_many(words + others).tolist() == [places.get(word, -1) for word in words + others]
    assert [built[place] for place in range(len(words))] == words
    assert built[1:] == words[1:]
    assert built[::-1] == words[::-1]


@given(TEXTS)
@settings(max_examples=30, deadline=None)
def test_words_survive_their_arrays(words: list[str]) -> None:
    built = Words.from_list(words)
    assert Words.from_arrays(built.arrays()) == built


def test_words_find_equal_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textssl.words, "hash_words", lambda utf8, offsets: np.zeros(len(offsets) - 1, dtype=np.uint64))
    monkeypatch.setattr(textssl.words, "hash_word", lambda word: 0)
    words = Words.from_list(["a", "b", "c"])
    assert [words.find(word) for word in "cabz"] == [2, 0, 1, -1]
    assert words.find_many(list("cabz")).tolist() == [2, 0, 1, -1]


def test_words_negative_index_counts_from_the_end() -> None:
    assert Words.from_list(["a", "b"])[-1] == "b"


def test_words_contain_only_text() -> None:
    words = Words.from_list(["a"])
    assert "a" in words
    assert 0 not in words


def test_words_show_their_beginning() -> None:
    assert repr(Words.from_list("abcd")) == "Words(4: 'a', 'b', 'c', ...)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b", "a"], "word 3, 'a', stands in the list before, words must be unique"),
        (["a", ""], "word 2 is empty, words must have at least one character"),
        (["a", "\ud800"], "word 2, '\\\\ud800', holds half a character"),
    ],
)
def test_words_refuse_what_is_no_list_of_words(words: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Words.from_list(words)


def test_words_index_outside_is_an_index_error() -> None:
    with pytest.raises(IndexError, match="word 2 is asked for, there are 2 words"):
        Words.from_list(["a", "b"])[2]


def test_words_keep_the_first_of_each() -> None:
    pieces = [b"a", b"bb", b"a", b"bb", b"c"]
    utf8 = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    words, kept = Words.first_of_each(utf8, np.array([0, 1, 3, 4, 6, 7]))
    assert list(words) == ["a", "bb", "c"]
    assert kept is not None
    assert kept.tolist() == [0, 1, 4]


def test_words_refuse_missing_array() -> None:
    arrays = Words.from_list(["a"]).arrays()
    del arrays["order"]
    with pytest.raises(DataError, match="the word list has no array 'order', it needs utf8, offsets, hashes, order"):
        Words.from_arrays(arrays)


def test_words_refuse_wrong_type() -> None:
    arrays = Words.from_list(["a"]).arrays() | {"order": np.zeros(1)}
    with pytest.raises(DataError, match="array 'order' of the word list must be one-dimensional int32, got float64"):
        Words.from_arrays(arrays)


def test_words_refuse_sizes_that_do_not_fit() -> None:
    arrays = Words.from_list(["a"]).arrays() | {"utf8": np.zeros(9, dtype=np.uint8)}
    with pytest.raises(DataError, match="the arrays of the word list do not fit together: 9 bytes, 2 offsets"):
        Words.from_arrays(arrays)


def test_words_notice_damaged_order() -> None:
    words = Words.from_arrays(Words.from_list(["a"]).arrays() | {"order": np.array([7], dtype=np.int32)})
    with pytest.raises(DataError, match=r"its order leads outside the list\nLook at the whole folder with"):
        words.find("a")


def test_words_notice_damaged_text() -> None:
    words = Words.from_arrays(Words.from_list(["a"]).arrays() | {"utf8": np.array([255], dtype=np.uint8)})
    with pytest.raises(DataError, match="the word list is damaged: words 1 to 1 are not UTF-8"):
        words[0]


def test_words_refuse_more_than_their_order_can_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textssl.words, "MAX_WORDS", 1)
    with pytest.raises(DataError, match="2 words are more than a word list can hold, which is 1"):
        Words.from_list(["a", "b"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("pariss", ["paris"]),
        ("Paris", ["paris"]),
        ("germny", ["germany"]),
        ("zzzzzzzz", []),
        ("", []),
        ("x" * 65, []),
        ("москва", ["Москва", "москвы"]),
    ],
)
def test_words_nearest_is_the_word_that_was_meant(given: str, expected: list[str]) -> None:
    assert Words.from_list(["the", "paris", "germany", "italy", "Москва", "москвы"]).nearest(given) == expected


def test_words_nearest_prefers_frequent_words_at_equal_distance() -> None:
    assert Words.from_list(["cat", "bat", "hat", "rat"]).nearest("mat", limit=2) == ["cat", "bat"]


def test_words_nearest_looks_at_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textssl.words, "NEAREST_SCANNED", 2)
    assert Words.from_list(["cat", "dog", "bat"]).nearest("mat") == ["cat"]


def test_words_build_and_find_fast() -> None:
    generator = np.random.default_rng(0)
    words = [f"{value:x}" for value in generator.choice(2**40, 100_000, replace=False)]
    start = time.perf_counter()
    built = Words.from_list(words)
    built.nearest("123456789")
    assert built.find_many(words[:1000]).tolist() == list(range(1000))
    assert time.perf_counter() - start < 5  # about 0.2 s; the limit is wide for a busy machine
