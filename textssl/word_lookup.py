"""Words that are asked for: the dictionary view of a word list, and the error for a word without a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textssl.errors import DataError
from textssl.words import Words


class UnknownWordError(DataError, KeyError):
    """A word that has no vector; also a KeyError, as a dictionary would raise."""


def unknown_word(word: object, words: Words) -> UnknownWordError:
    """The error for a word without a vector, with the nearest words that have one."""
    if not isinstance(word, str):
        return UnknownWordError(f"there is no word number {word}, the vectors have {len(words):,} words, from 0")
    near = [repr(known) for known in words.nearest(word)]
    hint = f"Did you mean {', '.join(near[:-1])}{' or ' if len(near) > 1 else ''}{near[-1]}?" if near else None
    return UnknownWordError(f"{word!r} is not among the {len(words):,} words", hint=hint)


class KeyToIndex(Mapping[str, int]):
    """The words as a dictionary from word to place, without building one."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def __getitem__(self, word: str) -> int:
        place = self._words.find(word)
        if place < 0:
            raise unknown_word(word, self._words)
        return place

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._words
