"""Where sentences end: by punctuation, with an eye on abbreviations, initials and numbers; also without spaces.

sentence_ends("Dr. No came. He left.") == [12, 21]
"""

from __future__ import annotations

import re

_CLOSING = "\"'”’»)\\]」』）》〉】"
_BORDER = re.compile(rf"[.!?…]+[{_CLOSING}]*(?=\s)|[。！？｡؟۔।॥]+[{_CLOSING}]*|\n+")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*$")
_INITIAL = re.compile(r"(?:\w\.)*\w")
_ABBREVIATION_WORDS = """
    adm al approx apr art aug ave bd bros bzw ca cap capt cf ch co col corp dec dept dr ed eds eg esp est etc evtl
    feb fig figs fl ft gen gov hon ibid ie inc inkl jan jr jul jun lt ltd maj mar max min mlle mme mr mrs ms mt
    nat nos nov nr op oct pp pres prof pt rep rev sc sen sep sept sgt sr st str usw univ vgl vol vols vs
"""
_ABBREVIATIONS = frozenset(_ABBREVIATION_WORDS.split())
_MAY_END = frozenset({"etc", "inc", "ltd", "corp", "co", "jr", "sr", "usw"})


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of a text end, the white space after them left to the next one.

    A full stop ends no sentence after an abbreviation or initials, nor before a small letter; "。" and its like end one
    in any case.

    Args:
        text: a document.

    Returns:
        Rising positions, the last one is the length of the text; empty for an empty text.
    """
    ends = [match.end() for match in _BORDER.finditer(text) if _ends_sentence(text, match)]
    if text and (not ends or ends[-1] < len(text)):
        if ends and text[ends[-1] :].isspace():
            ends[-1] = len(text)
        else:
            ends.append(len(text))
    return ends


def split_sentences(text: str) -> list[str]:
    """The sentences of a text; joined they are the text."""
    ends = sentence_ends(text)
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _ends_sentence(text: str, border: re.Match[str]) -> bool:
    mark = border[0]
    if mark[0] not in ".!?…":
        return True
    following = text[border.end() : border.end() + 8].lstrip()[:1]
    if following.islower():
        return False
    if mark != ".":
        return True
    begin = max(0, border.start() - 24)
    found = _LAST_WORD.search(text, begin, border.start())
    word = found[0] if found else ""
    if _INITIAL.fullmatch(word) and not word.isdigit():
        return False
    folded = word.lower().replace(".", "")
    return folded not in _ABBREVIATIONS or (folded in _MAY_END and following.isupper())
