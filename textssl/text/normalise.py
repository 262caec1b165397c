"""Rewrites raw text so that its words stand between white space: the tokenizers as functions from bytes to bytes.

"whitespace"  the text as it is: tokens are what stands between ASCII white space, the convention of word2vec.
"words"       Unicode word rules: letters, digits, combining marks and underscore form words; an apostrophe (' or
              U+2019, written ') or zero-width joiner between letters and a point or comma between digits stay inside;
              ideographs and hiragana stand alone; everything else separates.

Small letters: ASCII is folded here, in passing. Words with other characters are folded by str.lower() once per distinct
word (counting.py), which is exact and costs nothing per token. Newlines, the ends of documents, stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError, did_you_mean
from textssl.text.bits import inlined, kernel
from textssl.text.characters import ALONE, DIGIT, JOINER, LETTER, MARK, OTHER, POINT, SEPARATOR, character_classes

Tokenizer = Literal["whitespace", "words"]
Normaliser = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

_NEWLINE, _SPACE, _APOSTROPHE, _CURLED = 0x0A, 0x20, 0x27, 0x2019
_AS_IT_IS = np.arange(256, dtype=np.uint8)
_SMALL = _AS_IT_IS.copy()
_SMALL[ord("A") : ord("Z") + 1] += 32


def normaliser(tokenizer: str, *, lowercase: bool) -> Normaliser:
    """The function that prepares text for the scanner.

    Args:
        tokenizer: "whitespace" or "words".
        lowercase: whether A to Z become small letters.

    Returns:
        A function from UTF-8 bytes to UTF-8 bytes, uint8 (any,), safe to call from several threads.

    Raises:
        UsageError: there is no such tokenizer.
    """
    small = _SMALL if lowercase else _AS_IT_IS
    if tokenizer == "whitespace":
        return (lambda text: _fold(text, small)) if lowercase else (lambda text: text)
    if tokenizer == "words":
        classes = character_classes()
        return lambda text: _words(text, small, classes.page_of, classes.pages)
    names = get_args(Tokenizer)
    raise UsageError(
        f"tokenizer must be {' or '.join(names)}, got {tokenizer!r}", hint=did_you_mean(tokenizer, names) or None
    )


def lower_words(words: list[bytes]) -> list[bytes]:
    """The words in small letters, by Python's Unicode rules."""
    try:
        return [word.decode().lower().encode() for word in words]
    except UnicodeDecodeError as error:
        raise DataError(
            f"the corpus holds a word that is no UTF-8: {error.object[:40]!r}",
            hint="Give its encoding, for instance: --encoding latin-1",
        ) from error


def _fold(text: NDArray[np.uint8], small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    out = np.empty(len(text), dtype=np.uint8)
    _fold_bytes(text, small, out)
    return out


def _words(
    text: NDArray[np.uint8], small: NDArray[np.uint8], page_of: NDArray[np.uint8], pages: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    # The longest result: an ideograph of 3 bytes and a letter of 1 byte in turn, with a space after each.
    out = np.empty(len(text) + len(text) // 2 + 16, dtype=np.uint8)
    return out[: _separate(text, small, page_of, pages, out)]


@kernel
def _fold_bytes(text, small, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for position in range(len(text)):
        out[position] = small[text[position]]


@inlined
def _size_at(text, position):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The number of bytes of the character at `position`; 1 where the text is no UTF-8."""
    lead = text[position]
    size = 1 + np.int64(lead >= 0xC0) + np.int64(lead >= 0xE0) + np.int64(lead >= 0xF0)
    return size if position + size <= len(text) else 1


@inlined
def _code_point(text, position, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    code = np.int64(text[position])
    if size > 1:
        code &= 0xFF >> (size + 1)
        for following in range(position + 1, position + size):
            code = (code << 6) | (np.int64(text[following]) & 0x3F)
    return code


@inlined
def _class_at(text, position, page_of, pages):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if position >= len(text):
        return np.int64(SEPARATOR)
    code = _code_point(text, position, _size_at(text, position))
    return np.int64(pages[page_of[code >> 8], code & 255]) if code < 0x110000 else np.int64(SEPARATOR)


@kernel
def _separate(text, small, page_of, pages, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the words of `text` with one space after each, newlines kept; the number of bytes written."""
    ascii_kinds = pages[page_of[0]]
    position = 0
    written = 0
    inside = np.int64(SEPARATOR)  # the class of the last character that is no mark, SEPARATOR outside of words
    while position < len(text):
        lead = text[position]
        if lead < 0x80:
            while lead < 0x80 and ascii_kinds[lead] == LETTER and inside != ALONE:  # most of most texts
                out[written] = small[lead]
                written += 1
                inside = np.int64(LETTER)
                position += 1
                if position == len(text):
                    return written
                lead = text[position]
        if lead < 0x80:
            size = 1
            kind = np.int64(ascii_kinds[lead])
        else:
            size = _size_at(text, position)
            kind = _class_at(text, position, page_of, pages)
        if kind in (JOINER, POINT):
            wanted = LETTER if kind == JOINER else DIGIT
            joins = inside == wanted and _class_at(text, position + size, page_of, pages) == wanted
            kind = np.int64(wanted if joins else SEPARATOR)
        if kind == SEPARATOR:
            if inside != SEPARATOR:
                out[written] = _SPACE
                written += 1
                inside = np.int64(SEPARATOR)
            if lead == _NEWLINE:
                out[written] = _NEWLINE
                written += 1
            position += size
            continue
        if inside != SEPARATOR and (kind == ALONE or inside == ALONE) and kind != MARK:
            out[written] = _SPACE
            written += 1
        if kind != MARK:
            inside = kind
        elif inside == SEPARATOR:
            inside = np.int64(OTHER)
        if size == 1:
            out[written] = small[lead]
            written += 1
        elif size == 3 and _code_point(text, position, size) == _CURLED:
            out[written] = _APOSTROPHE
            written += 1
        else:
            for offset in range(size):
                out[written + offset] = text[position + offset]
            written += size
        position += size
    return written
