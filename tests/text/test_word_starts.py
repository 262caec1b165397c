"""Where words begin, by hand and against a slow reference over characters."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.subword_texts import foreign_llama_json, small_tokenizer
from textssl.text.token_bytes import byte_level_alphabet, token_bytes
from textssl.text.tokenizer import Tokenizer
from textssl.text.word_starts import WordStarts

KINDS = ("bpe", "wordpiece", "unigram")


def words(tokenizer, text, ids=None):
    """The words of a text as the tokenizer's tokens between two starts, decoded."""
    ids = tokenizer.encode_batch([text])[0] if ids is None else ids
    starts = WordStarts(tokenizer).of(ids)
    contents = [token.content for token in token_bytes(tokenizer)]
    found: list[bytes] = []
    for id, start in zip(ids, starts, strict=True):
        if start:
            found.append(b"")
        found[-1] += contents[id]
    return [word.decode() for word in found]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, fox", ["Hello", ",", "fox"]),
        ("the fox (jumps) quickly", ["the", "fox", "(", "jumps", ")", "quickly"]),
        ("dog's", ["dog", "'", "s"]),
        ("über Füchse", ["über", "Füchse"]),
        ("lazily-running", ["lazily", "-", "running"]),
    ],
)
def test_words_and_punctuation(kind, text, expected):
    found = [word.strip() for word in words(small_tokenizer(kind), text)]
    if kind == "bpe" and "'" in text:
        expected = ["dog", "'s"]  # one token
    assert found == expected


@pytest.mark.parametrize(("kind", "size"), [("bpe", 261), ("bpe", 400), ("wordpiece", 400), ("unigram", 400)])
@pytest.mark.parametrize("text", ["中国人在北京", "日本語のカタカナ", "สวัสดีครับ"])
def test_characters_of_scripts_without_spaces_are_words(kind, size, text):
    tokenizer = small_tokenizer(kind, size)
    found = words(tokenizer, text)
    assert "".join(found).strip() == text
    assert all(not unicodedata.category(word[0]).startswith("M") for word in found)
    if size == 261:
        assert len(found) == sum(not unicodedata.category(character).startswith("M") for character in text)


def test_byte_pieces_of_a_character_are_one_word():
    tokenizer = small_tokenizer(size=261)
    assert words(tokenizer, "naïve 中😀x 語a") == ["naïve", " 中", "😀", "x", " 語", "a"]
    assert words(tokenizer, "é́a") == ["é́a"]
    assert words(tokenizer, "a\tb") == ["a", "\t", "b"]


def byte_words(text: str) -> list[str]:
    """The rule, character by character."""
    unspaced = ("CJK", "HIRAGANA", "KATAKANA", "THAI")
    found: list[str] = []
    before = "break"
    for character in text:
        category = unicodedata.category(character)
        if category.startswith("M"):
            kind = "mark"
        elif category[0] in "LN" and not unicodedata.name(character, "").startswith(unspaced):
            kind = "letter"
        elif character == " ":
            kind = "space"
        elif character in "\t\n":
            kind = "break"
        else:
            kind = "alone"
        if not found or before == "break":
            begins = True
        elif kind == "mark":
            begins = False
        elif before == "space":
            begins = kind in ("space", "break")
        else:
            begins = kind != "letter" or before == "alone"
        if begins:
            found.append("")
        found[-1] += character
        before = before if kind == "mark" else kind
    return found


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="aZ1 .(\t\nß中のカสี́é😀“"))
def test_single_bytes_equal_the_rule_character_by_character(text):
    assert words(small_tokenizer(size=261), text) == byte_words(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["fox", " jumps", " (", "中", "国", "é", "\t", "quickly", "!", " "]), max_size=8).map(
        "".join
    )
)
def test_larger_pieces_only_join_words(text):
    def ends(found):
        return set(np.cumsum([len(word) for word in found]).tolist())

    assert ends(words(small_tokenizer(), text)) <= ends(byte_words(text))


@settings(deadline=None)
@given(st.lists(st.integers(0, 399), max_size=40))
def test_any_ids_are_accepted(ids):
    starts = WordStarts(small_tokenizer()).of(np.array(ids, dtype=np.int32))
    assert starts.shape == (len(ids),)
    assert starts[:1].all()


def test_special_tokens_are_words_and_part_words():
    tokenizer = small_tokenizer()
    (a,) = tokenizer.encode_batch(["a"])
    ids = np.array([tokenizer.cls_id, a[0], tokenizer.unknown_id, a[0], tokenizer.separator_id, a[0], a[0]])
    assert WordStarts(tokenizer).of(ids).tolist() == [True, True, True, True, True, True, False]


def test_rows_are_for_themselves():
    starts = WordStarts(small_tokenizer())
    ids = small_tokenizer().encode_batch(["Hello, quick foxes (jumping) 中国"])[0]
    both = starts.of(np.stack([ids, ids]))
    assert both.shape == (2, len(ids))
    assert np.array_equal(both[0], both[1])
    assert np.array_equal(both[0], starts.of(ids))


def test_foreign_tokenizers_write_bytes_and_marks():
    tokenizer = Tokenizer.from_json_text(foreign_llama_json())
    assert words(tokenizer, "ab 中a b") == [" ab", " 中", "a", " b"]


def test_byte_alphabet_is_a_bijection():
    alphabet = byte_level_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert alphabet["Ġ"] == 32
