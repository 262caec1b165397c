"""Where words begin in a row of subword ids, whatever the tokenizer: for masking whole words.

A token begins a word when its text begins with a space (or the tokenizer's mark for one), with punctuation, or with a
character of a script without spaces; or when what stands before it is one of these. Pieces of one character (byte-level
BPE writes rare ones byte by byte) and combining marks never begin a word.

    " (", "jump", "s", "),"                 words: " (" | "jump" "s" | "),"
    " don", "'t"                            as in BERT, an apostrophe is punctuation
    "中", "\\xe5", "\\x9b\\xbd"                two words: the second is one character in two pieces
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.text.bits import kernel
from textssl.text.characters import UNSPACED
from textssl.text.token_bytes import TokenBytes, token_bytes
from textssl.text.tokenizer import Tokenizer

LETTER, ALONE, MARK, SPACE, BREAK, PARTIAL, INSIDE, SPECIAL = range(8)
"""LETTER (letters and digits) makes words with its like. ALONE (punctuation, signs, scripts without spaces) is a word.
MARK belongs to what stands before it. SPACE begins the word that follows. BREAK (tab, newline) is a word. Tokens only:
PARTIAL is the beginning of a character, INSIDE the middle or end of one, SPECIAL a special token."""

_PAGE_BITS = 8
_BREAKS = "\t\n\r\v\f\x85\u2028\u2029"


class WordStarts:
    """Tells where words begin in ids of one tokenizer.

    Args:
        tokenizer: its vocabulary is read once.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokens = _classified(token_bytes(tokenizer), tokenizer.special_ids)

    def of(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Where words begin.

        Args:
            ids: int (number of tokens,) or (B, T); each row is for itself, and its first id begins a word.

        Returns:
            bool, the shape of `ids`: True where a token begins a word; special tokens are words of their own.
        """
        ids = np.ascontiguousarray(ids)
        starts = np.empty(ids.shape, dtype=np.bool_)
        rows = ids.reshape(1, -1) if ids.ndim == 1 else ids
        tokens, (page_of, pages) = self._tokens, _character_table()
        _find_starts(
            rows, tokens.heads, tokens.tails, tokens.always, tokens.lead, tokens.lead_missing, tokens.follow,
            tokens.follow_count, page_of, pages, starts.reshape(rows.shape),
        )  # fmt: skip
        return starts


@dataclass(frozen=True)
class _Tokens:
    """What the kernel needs of each token, all (V,).

    Args:
        heads: the class of its first character.
        tails: the class of its last character; INSIDE where it has only bytes of one begun before.
        always: it begins a word by the tokenizer's own mark.
        lead: the code point begun by its last bytes (PARTIAL tails), without the bits of the bytes missing.
        lead_missing: how many bytes are missing.
        follow: the bits of the bytes at its begin that go on with a character (INSIDE heads).
        follow_count: how many such bytes.
    """

    heads: NDArray[np.uint8]
    tails: NDArray[np.uint8]
    always: NDArray[np.bool_]
    lead: NDArray[np.int32]
    lead_missing: NDArray[np.uint8]
    follow: NDArray[np.int32]
    follow_count: NDArray[np.uint8]


def _classified(vocabulary: list[TokenBytes], special_ids: tuple[int, ...]) -> _Tokens:
    size = len(vocabulary)
    tokens = _Tokens(
        heads=np.full(size, ALONE, np.uint8),
        tails=np.full(size, ALONE, np.uint8),
        always=np.zeros(size, np.bool_),
        lead=np.zeros(size, np.int32),
        lead_missing=np.zeros(size, np.uint8),
        follow=np.zeros(size, np.int32),
        follow_count=np.zeros(size, np.uint8),
    )
    special = set(special_ids)
    for id, token in enumerate(vocabulary):
        if id in special:
            tokens.heads[id] = tokens.tails[id] = SPECIAL
        else:
            tokens.always[id] = token.begins_word
            _classify(tokens, id, token.content)
    return tokens


def _classify(tokens: _Tokens, id: int, content: bytes) -> None:
    """Fill in one token's row from its bytes."""
    following = len(content) - len(content.lstrip(bytes(range(0x80, 0xC0))))
    if following:
        tokens.follow_count[id] = min(following, 3)
        for byte in content[:3][:following]:
            tokens.follow[id] = tokens.follow[id] << 6 | byte & 0x3F
    rest = content[following:]
    begun, missing = _begun_character(rest)
    text = rest[: len(rest) - len(begun)].decode(errors="replace")
    tokens.tails[id] = _last_class(text) if text else INSIDE
    tokens.heads[id] = INSIDE if following or not content else _class_of(text[0]) if text else PARTIAL
    if begun:
        tokens.tails[id] = PARTIAL
        bits = begun[0] & (0x3F >> (len(begun) + missing - 1))
        for byte in begun[1:]:
            bits = bits << 6 | byte & 0x3F
        tokens.lead[id], tokens.lead_missing[id] = bits, missing


def _begun_character(content: bytes) -> tuple[bytes, int]:
    """The bytes at the end that begin a character without ending it, and how many are missing."""
    for back in range(1, min(4, len(content) + 1)):
        byte = content[-back]
        if byte & 0xC0 != 0x80:
            needed = 2 if 0xC2 <= byte < 0xE0 else 3 if 0xE0 <= byte < 0xF0 else 4 if 0xF0 <= byte < 0xF5 else 1
            return (content[-back:], needed - back) if needed > back else (b"", 0)
    return b"", 0


def _last_class(text: str) -> int:
    """The class of the last character, combining marks left out."""
    return next((found for character in reversed(text) if (found := _class_of(character)) != MARK), MARK)


def _class_of(character: str) -> int:
    page_of, pages = _character_table()
    return int(pages[page_of[ord(character) >> _PAGE_BITS], ord(character) & 0xFF])


@functools.cache
def _character_table() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The class of every code point in two stages: pages[page_of[c >> 8], c & 255]."""
    by_category = {"L": LETTER, "N": LETTER, "M": MARK, "Z": SPACE, "Cf": MARK}
    categories = (unicodedata.category(chr(code)) for code in range(0x110000))
    classes = np.fromiter(
        (by_category.get(category, by_category.get(category[0], ALONE)) for category in categories), np.uint8, 0x110000
    )
    for first, last in UNSPACED:
        span = classes[first : last + 1]
        span[span == LETTER] = ALONE
    classes[[ord(character) for character in _BREAKS]] = BREAK
    different: dict[bytes, int] = {}
    page_of = [different.setdefault(page.tobytes(), len(different)) for page in classes.reshape(-1, 1 << _PAGE_BITS)]
    pages = np.frombuffer(b"".join(different), dtype=np.uint8).reshape(-1, 1 << _PAGE_BITS)
    return np.array(page_of, dtype=np.uint8), pages


@kernel
def _find_starts(  # type: ignore[no-untyped-def]  # noqa: ANN202
    ids_BT, heads, tails, always, lead, lead_missing, follow, follow_count, page_of, pages, starts_BT,  # noqa: ANN001
):  # fmt: skip
    """Go through each row with the class of the character before.

    A character in several tokens is put together when its first one is met: the bits that follow are looked up ahead.
    """
    num_rows, length = ids_BT.shape
    for row in range(num_rows):
        before = BREAK
        for position in range(length):
            token = ids_BT[row, position]
            head, tail = heads[token], tails[token]
            last = tail
            if tail == PARTIAL:
                last = ALONE
                code, still = np.int64(lead[token]), np.int64(lead_missing[token])
                ahead = position + 1
                while still > 0 and ahead < length:
                    other = ids_BT[row, ahead]
                    count = np.int64(follow_count[other])
                    if heads[other] != INSIDE or count == 0:
                        break
                    used = min(count, still)
                    code = (code << (6 * used)) | (np.int64(follow[other]) >> (6 * (count - used)))
                    still -= used
                    ahead += 1
                if still == 0 and code < 0x110000:
                    last = pages[page_of[code >> 8], code & 255]
            if head == PARTIAL:
                head = last
            if head == INSIDE:
                starts_BT[row, position] = position == 0
            elif head == SPECIAL or position == 0 or always[token] or before in (BREAK, SPECIAL):
                starts_BT[row, position] = True
            elif head == MARK:
                starts_BT[row, position] = False
            elif before == SPACE:
                starts_BT[row, position] = head in (SPACE, BREAK)
            else:
                starts_BT[row, position] = head != LETTER or before == ALONE
            if tail != INSIDE and last != MARK:
                before = last
    return 0
