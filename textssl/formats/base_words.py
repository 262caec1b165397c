"""The words of a block of records: brought to UTF-8 and checked, all at once where all are good."""

from __future__ import annotations

import codecs
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError, did_you_mean
from textssl.formats.base import MAX_WORD_BYTES
from textssl.word_bytes import offsets_of

Bad = tuple[str, str, str | None]  # kind, message, hint

ENCODINGS = ("utf-8", "latin-1", "cp1252", "cp1251", "koi8-r", "gbk", "big5", "shift_jis", "euc-jp", "euc-kr")
NEWLINE = 10


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that does not exist, or in which a space is not the byte 32.

    Raises:
        UsageError: with the nearest name.
    """
    try:
        plain = codecs.lookup(encoding).name == "utf-8" or "a \n".encode(encoding) == b"a \n"
    except (LookupError, UnicodeError) as error:
        raise UsageError(
            f"encoding {encoding!r} is unknown, expected one such as utf-8 or latin-1",
            hint=did_you_mean(encoding, ENCODINGS) or None,
        ) from error
    if not plain:
        raise UsageError(f"encoding {encoding!r} does not contain ASCII; convert the file to utf-8 first")


def check_words(
    raw: NDArray[np.uint8], lengths: NDArray[np.int64], encoding: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64], dict[int, Bad]]:
    """Bring words to UTF-8 and find the bad ones.

    Args:
        raw: the words end to end in their encoding, without newlines, uint8.
        lengths: bytes of each, int64 (N,).
        encoding: of the file.

    Returns:
        The words in UTF-8 end to end, a bad one as an empty word; their lengths; what is wrong with each bad one.
    """
    text = _with_newlines(raw, lengths).tobytes()
    try:
        decoded = text.decode(encoding)
        clean = b"\0" not in text and int(lengths.max(initial=0)) <= MAX_WORD_BYTES and int(lengths.min(initial=1)) > 0
    except UnicodeDecodeError:
        clean = False
    if clean and codecs.lookup(encoding).name == "utf-8":
        return raw, lengths, {}
    if clean:
        encoded = decoded.encode()
        pieces = encoded.split(b"\n")[:-1]
        return _end_to_end(pieces), np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)), {}
    return _one_by_one(raw, lengths, encoding)


def _one_by_one(
    raw: NDArray[np.uint8], lengths: NDArray[np.int64], encoding: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64], dict[int, Bad]]:
    bounds = offsets_of(lengths).tolist()
    content = raw.tobytes()
    pieces: list[bytes] = []
    bad: dict[int, Bad] = {}
    for place, (start, end) in enumerate(pairwise(bounds)):
        word = content[start:end]
        fault = _fault(word, encoding)
        if fault:
            bad[place] = fault
        pieces.append(b"" if fault else word.decode(encoding).encode())
    return _end_to_end(pieces), np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)), bad


def _fault(word: bytes, encoding: str) -> Bad | None:
    if not word:
        return "the word is empty", "the word is empty, expected at least one character before the numbers", None
    if len(word) > MAX_WORD_BYTES:
        return "the word is too long", f"the word has {len(word):,} bytes, expected at most {MAX_WORD_BYTES:,}", None
    if b"\0" in word:
        return "the word holds a NUL byte", f"the word {word[:40]!r} holds a NUL byte", None
    try:
        word.decode(encoding)
    except UnicodeDecodeError as error:
        return (
            f"the word is not {encoding}",
            f"the word {word[:40]!r} is not {encoding} (byte {error.start + 1} of the word)",
            "If the file has another encoding, name it: --encoding latin-1; or leave such words out: --on-bad skip",
        )
    return None


def _with_newlines(raw: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The words with a newline after each: end to end, half a character of one could join half of the next."""
    text = np.full(len(raw) + len(lengths), NEWLINE, dtype=np.uint8)
    text[np.arange(len(raw)) + np.repeat(np.arange(len(lengths)), lengths)] = raw
    return text


def _end_to_end(pieces: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(pieces), dtype=np.uint8)
