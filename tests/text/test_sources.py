"""Documents given in Python: what is taken and what is refused."""

from __future__ import annotations

import pytest

from textssl.errors import DataError, UsageError
from textssl.text import sources
from textssl.text.sources import from_iterable


def test_source_of_texts_ends_documents_with_newlines():
    source = from_iterable(["a b", "c\nd", ""])
    assert b"".join(source.blocks()) == b"a b\nc d\n\n"
    assert b"".join(source.blocks()) == b"a b\nc d\n\n"
    assert source.fingerprint() is None
    assert not source.holds_tokens()


def test_source_of_tokens():
    source = from_iterable([["a", "b"], [], ("new_york",)])
    assert b"".join(source.blocks()) == b"a b\n\nnew_york\n"
    assert source.holds_tokens()


def test_source_blocks_are_bounded(monkeypatch):
    monkeypatch.setattr(sources, "BLOCK_BYTES", 10)
    assert list(from_iterable(["1234", "5678", "9"] * 2).blocks()) == [b"1234\n5678\n", b"9\n1234\n5678\n", b"9\n"]


@pytest.mark.parametrize("documents", [iter(["a"]), (text for text in ["a"]), map(str, [1])])
def test_iterators_are_refused(documents):
    with pytest.raises(UsageError, match="can be read only once: a .* is used up by the first pass\nPass a list"):
        from_iterable(documents)


@pytest.mark.parametrize("documents", ["some text", b"bytes"])
def test_single_text_is_refused(documents):
    with pytest.raises(UsageError, match=r"got a single (str|bytes)\nFor one document pass \[text\]; for a file"):
        from_iterable(documents)


def test_what_cannot_be_iterated_is_refused():
    with pytest.raises(UsageError, match="lists of tokens, got int\nPass a list of texts"):
        from_iterable(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("tokens", [["a b"], ["a", ""], ["a\n"], ["a b", ""], ["\t"]])
def test_tokens_with_white_space_are_refused(tokens):
    with pytest.raises(UsageError, match="documents, document 2: token .* must be one word"):
        list(from_iterable([["fine"], tokens]).blocks())


@pytest.mark.parametrize("document", [5, [1, 2], None, b"bytes"])
def test_other_documents_are_refused(document):
    with pytest.raises(DataError, match="mine, document 1: a document must be a text or a list of tokens"):
        list(from_iterable([document], name="mine").blocks())


def test_mixed_documents_are_refused():
    with pytest.raises(UsageError, match="document 2: text and lists of tokens are mixed"):
        list(from_iterable(["a", ["b"]]).blocks())  # type: ignore[list-item]


def test_lone_surrogates_are_refused():
    with pytest.raises(DataError, match="document 1: character 2 is half a character"):
        list(from_iterable(["a\ud800"]).blocks())
