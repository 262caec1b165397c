"""What every character is to the tokenizer "words": one small number per code point, in a two-stage table.

    class_of(c) = PAGES[PAGE_OF[c >> 8], c & 255]

Made from `unicodedata` in about 20 ms, when first asked for.
"""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEPARATOR, LETTER, DIGIT, MARK, OTHER, ALONE, JOINER, POINT = range(8)
"""SEPARATOR ends words. LETTER (L*), DIGIT (Nd), MARK (M*) and OTHER (underscore, No, Nl) make words.
ALONE (ideographs and hiragana) is a word by itself. JOINER (apostrophes, zero-width joiners) stays between letters,
POINT (. and ,) between digits."""

PAGE_SIZE = 256
_NUM_PAGES = 0x110000 // PAGE_SIZE
_CLASS_OF_CATEGORY = {"L": LETTER, "M": MARK, "Nd": DIGIT, "Nl": OTHER, "No": OTHER}
_JOINERS = "'\u2019\u200c\u200d"
_ALONE = (
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3041, 0x309F),  # hiragana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x1B001, 0x1B11F),  # historic hiragana
    (0x1F200, 0x1F200),
    (0x20000, 0x3FFFD),  # two whole planes of ideographs
)
UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x2E80, 0x30FF),  # radicals, CJK signs, hiragana, katakana
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA980, 0xA9DF),  # Javanese
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xAA80, 0xAADF),  # Tai Viet
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D),  # half-width katakana
    (0x1B000, 0x1B16F),  # historic kana
    (0x20000, 0x3FFFD),
)
"""Scripts that write no spaces between words; their signs and punctuation stand in these ranges too."""
_FIRST_PLANES = 0x20000
_SELECTORS = (0xE0100, 0xE01EF)  # the only other characters of the higher planes that are no separators


@dataclass(frozen=True)
class CharacterClasses:
    """The table: page_of uint8 (4352,), pages uint8 (number of different pages, 256)."""

    page_of: NDArray[np.uint8]
    pages: NDArray[np.uint8]


@functools.cache
def character_classes() -> CharacterClasses:
    """The classes of all code points."""
    classes = np.full(0x110000, SEPARATOR, dtype=np.uint8)
    classes[:_FIRST_PLANES] = np.fromiter(
        map(_class_of_letter_or_number, range(_FIRST_PLANES)), np.uint8, _FIRST_PLANES
    )
    classes[_SELECTORS[0] : _SELECTORS[1] + 1] = MARK
    for first, last in _ALONE:
        span = classes[first : last + 1]
        span[(span == LETTER) | (span == OTHER) | (first >= _FIRST_PLANES)] = ALONE
    classes[ord("_")] = OTHER
    classes[[ord(joiner) for joiner in _JOINERS]] = JOINER
    classes[[ord("."), ord(",")]] = POINT
    different: dict[bytes, int] = {}
    page_of = [different.setdefault(page.tobytes(), len(different)) for page in classes.reshape(_NUM_PAGES, PAGE_SIZE)]
    pages = np.frombuffer(b"".join(different), dtype=np.uint8).reshape(-1, PAGE_SIZE)
    return CharacterClasses(np.array(page_of, dtype=np.uint8), pages)


def _class_of_letter_or_number(code_point: int) -> int:
    category = unicodedata.category(chr(code_point))
    return _CLASS_OF_CATEGORY.get(category, _CLASS_OF_CATEGORY.get(category[0], SEPARATOR))
