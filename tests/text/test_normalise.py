"""The tokenizers against plain Python."""

from __future__ import annotations

import lzma
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.errors import DataError, UsageError
from textssl.text.characters import ALONE, DIGIT, JOINER, LETTER, MARK, OTHER, POINT, SEPARATOR, character_classes
from textssl.text.normalise import lower_words, normaliser

INTERESTING = "aZ9_.,'\u2019\u200d \n\t-!é\u0301ÀßİΣ日本あアー々한²Ⅷ٣\u0e01\U00020000😀\u2028\u00a0\u3099"


def reference_class(character: str) -> int:
    code, category = ord(character), unicodedata.category(character)
    if character in "'\u2019\u200c\u200d":
        return JOINER
    if character in ".,":
        return POINT
    if 0x20000 <= code <= 0x3FFFD:
        return ALONE
    is_alone = (
        0x3400 <= code <= 0x4DBF
        or 0x4E00 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0x3041 <= code <= 0x309F
        or 0x3005 <= code <= 0x3007
        or 0x1B001 <= code <= 0x1B11F
    )
    if category[0] == "M":
        return MARK
    if category[0] == "L" or category in ("Nl", "No"):
        return ALONE if is_alone else LETTER if category[0] == "L" else OTHER
    if category == "Nd":
        return DIGIT
    return OTHER if character == "_" else SEPARATOR


def reference_words(text: str) -> list[str]:
    """The rules of the docstring, one character at a time."""
    words, word, inside = [], "", SEPARATOR
    kinds = [reference_class(character) for character in text] + [SEPARATOR]
    for place, character in enumerate(text):
        kind = kinds[place]
        if kind in (JOINER, POINT):
            wanted = LETTER if kind == JOINER else DIGIT
            kind = wanted if inside == wanted and kinds[place + 1] == wanted else SEPARATOR
        if kind == SEPARATOR or (ALONE in (kind, inside) and kind != MARK):
            words.append(word)
            word, inside = "", SEPARATOR
        if kind != SEPARATOR:
            word += "'" if character == "\u2019" else character
            inside = kind if kind != MARK else (OTHER if inside == SEPARATOR else inside)
    return [word for word in [*words, word] if word]


def words_of(text: str, *, lowercase: bool) -> list[str]:
    normalise = normaliser("words", lowercase=lowercase)
    return normalise(np.frombuffer(text.encode(), dtype=np.uint8)).tobytes().decode().split()


def test_words_of_known_sentences():
    text = (
        "Don\u2019t STOP! 3,000.5 naïve (rock'n'roll) 'tis dogs' x.y a_b 日本語です カタカナ 2nd 1,a U.S. co-op 한국어"
    )
    assert " ".join(words_of(text, lowercase=True)) == (
        "don't stop 3,000.5 naïve rock'n'roll tis dogs x y a_b 日 本 語 で す カタカナ 2nd 1 a u s co op 한국어"
    )


@settings(max_examples=400, deadline=None)
@given(st.text(st.one_of(st.sampled_from(INTERESTING), st.characters(exclude_categories=["Cs"]))))
def test_words_equal_reference(text):
    assert words_of(text, lowercase=False) == reference_words(text)


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_words_read_any_bytes_without_harm(text):
    for tokenizer in ("words", "whitespace"):
        out = normaliser(tokenizer, lowercase=True)(np.frombuffer(text, dtype=np.uint8))
        assert len(out) <= len(text) * 3 // 2 + 16


def test_words_equal_reference_on_an_encyclopedia(real_data):
    with lzma.open(real_data / "wiki_en" / "wiki_train.txt.xz", "rt", encoding="utf-8") as file:
        text = file.read(300_000)
    assert words_of(text, lowercase=False) == reference_words(text)


def test_words_keep_newlines():
    out = normaliser("words", lowercase=True)(np.frombuffer(b"A.\n\nb\n", dtype=np.uint8))
    assert out.tobytes().count(b"\n") == 3


def test_words_fill_no_more_than_their_buffer():
    text = "日a" * 1000 + "あ" * 1000
    assert words_of(text, lowercase=False) == list(text)


def test_character_classes_equal_unicodedata_everywhere():
    table = character_classes()
    classes = table.pages[table.page_of].reshape(-1)
    sample = [*range(0x3200), *range(0x3200, 0x110000, 7), *range(0xE0000, 0xE0200)]
    wrong = [hex(code) for code in sample if classes[code] != reference_class(chr(code)) and code != 0x1F200]
    assert wrong == []


def test_whitespace_folds_ascii_only_when_asked():
    text = np.frombuffer("A Éb\n".encode(), dtype=np.uint8)
    assert normaliser("whitespace", lowercase=False)(text) is text
    assert normaliser("whitespace", lowercase=True)(text).tobytes() == "a Éb\n".encode()


def test_lower_words_follow_python():
    assert lower_words(["ÀÉ".encode(), "ΑΣ".encode()]) == ["àé".encode(), "ας".encode()]
    with pytest.raises(DataError, match=r"no UTF-8: b'a\\xff'\n.*--encoding latin-1"):
        lower_words([b"a\xff"])


def test_unknown_tokenizer_is_refused():
    with pytest.raises(UsageError, match="tokenizer must be whitespace or words, got 'word'\nDid you mean 'words'"):
        normaliser("word", lowercase=True)
