"""Where sentences end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textssl.text.sentences import sentence_ends, split_sentences


@given(st.text(alphabet='aB. !?。\n"1)'))
def test_sentences_joined_are_the_text(text):
    assert "".join(split_sentences(text)) == text
    assert all(split_sentences(text))
    assert sentence_ends(text) == sorted(set(sentence_ends(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. No came. He left.", ["Dr. No came.", " He left."]),
        ("J. R. R. Tolkien wrote. We read!", ["J. R. R. Tolkien wrote.", " We read!"]),
        ("It is 3.14 or so. Yes? No!", ["It is 3.14 or so.", " Yes?", " No!"]),
        ("In 1999. Then more.", ["In 1999.", " Then more."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', " Then he left."]),
        (
            "Cats, dogs, etc. are animals. Cats, etc. The end.",
            ["Cats, dogs, etc. are animals.", " Cats, etc.", " The end."],
        ),
        ("e.g. this, i.e. that. Fine.", ["e.g. this, i.e. that.", " Fine."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("no end", ["no end"]),
        ("One. ", ["One. "]),
        ("title\nText goes on.", ["title\n", "Text goes on."]),
        ("Wait... what? Really…  Yes.", ["Wait... what?", " Really…", "  Yes."]),
        ("", []),
    ],
)
def test_sentences_of_a_text(text, expected):
    assert split_sentences(text) == expected
