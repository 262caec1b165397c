"""Encoding of much text: a word with the space before it is encoded once and then looked up.

A text is cut in front of every run of white space. Where the tokenizer never joins what lies on both sides of such a
cut, the ids of a text are those of its units in a row, and natural text repeats its units. That this holds is read from
the tokenizer's settings and checked on the first text; otherwise every text is encoded whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.text.bits import kernel
from textssl.text.tokenizer import Tokenizer

MAX_UNITS = 1 << 19
MAX_IDS = 1 << 23
"""The table starts anew when it holds more units or ids, which bounds the memory to about 100 MB."""

_WHITE_SPACE_RUN = re.compile(r"\s\s+")


class UnitEncoder:
    """Texts as ids, with a table of units that were met before.

    Args:
        tokenizer: encodes what is new.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._by_units: bool | None = None if _breaks_at_spaces(tokenizer) else False
        self._numbers = _Numbers()
        self._ids: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._offsets: NDArray[np.int64] = np.zeros(1, dtype=np.int64)

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode texts.

        Args:
            texts: any number, any length.

        Returns:
            The ids of all texts in a row, int32 (number of tokens,), and how many each text has, int64 (texts,).
        """
        if self._by_units is None and texts:
            self._by_units = self._agrees_on(texts[0])
        if not self._by_units:
            found = self._tokenizer.encode_batch(texts)
            lengths = np.array([len(ids) for ids in found], dtype=np.int64)
            return (np.concatenate(found) if found else np.empty(0, np.int32)), lengths
        return self._encode_units(texts)

    def _encode_units(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        keys: list[str] = []
        ends = np.empty(len(texts), dtype=np.int64)
        for number, text in enumerate(texts):
            keys += _keys(text)
            ends[number] = len(keys)
        numbers = np.fromiter(map(self._numbers.__getitem__, keys), np.int64, len(keys))
        self._learn(self._numbers.take_new())
        unit_lengths = np.diff(self._offsets[: len(self._numbers) + 1])[numbers]
        id_ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(unit_lengths)])
        ids = np.empty(int(id_ends[-1]), dtype=np.int32)
        _copy_units(numbers, self._offsets, self._ids, ids)
        if len(self._numbers) > MAX_UNITS or self._offsets[len(self._numbers)] > MAX_IDS:
            self._numbers.clear()
        return ids, np.diff(id_ends[ends], prepend=0)

    def _learn(self, keys: list[str]) -> None:
        """Encode the units that were numbered last and keep their ids."""
        if not keys:
            return
        known = len(self._numbers) - len(keys)
        num_ids = int(self._offsets[known])
        found = self._tokenizer.encode_batch([_unit(key) for key in keys])
        lengths = np.array([len(ids) for ids in found], dtype=np.int64)
        needed = num_ids + int(lengths.sum())
        self._ids = _grown(self._ids, needed)
        self._offsets = _grown(self._offsets, known + len(keys) + 1)
        self._ids[num_ids:needed] = np.concatenate(found)
        self._offsets[known + 1 : known + len(keys) + 1] = num_ids + np.cumsum(lengths)

    def _agrees_on(self, text: str) -> bool:
        return np.array_equal(self._encode_units([text])[0], self._tokenizer.encode_batch([text])[0])


class _Numbers(dict[str, int]):
    """A number for every key: 0, 1, 2, ... in the order in which they are first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._new: list[str] = []

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self)
        self._new.append(key)
        return number

    def take_new(self) -> list[str]:
        """The keys numbered since the last call, in order."""
        new, self._new = self._new, []
        return new


def _breaks_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether one of the tokenizer's first steps cuts in front of every run of white space."""
    first = json.loads(tokenizer.json_text).get("pre_tokenizer") or {}
    steps = first.get("pretokenizers", [first])
    return any(_cuts(step) for step in steps)


def _cuts(step: dict[str, Any]) -> bool:
    if step.get("type") == "ByteLevel":
        return bool(step.get("use_regex", True))
    if step.get("type") == "Metaspace":
        return bool(step.get("split", True)) and step.get("prepend_scheme") != "never"
    return step.get("type") in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")


def _keys(text: str) -> list[str]:
    """The units of a text as keys: a unit of one space and a word is written as the word alone (see `_unit`).

    Cut is in front of single spaces and in front of runs of white space.
    """
    keys: list[str] = []
    begin = 0
    for run in () if text.isprintable() and "  " not in text else _WHITE_SPACE_RUN.finditer(text):
        _add_keys(text[begin : run.start()], keys)
        begin = run.start()
    _add_keys(text[begin:], keys)
    return keys


def _add_keys(text: str, keys: list[str]) -> None:
    """The same of a text with no run of white space but at its begin."""
    if not text:
        return
    end = text.find(" ", len(text) - len(text.lstrip()))
    if end < 0:
        keys.append(_key(text))
        return
    keys.append(_key(text[:end]))
    keys += text[end + 1 :].split(" ")


def _key(unit: str) -> str:
    if not unit[0].isspace():
        return f" {unit}"
    return unit[1:] if unit[0] == " " and not unit[1:2].isspace() else unit


def _unit(key: str) -> str:
    if not key[:1].isspace():
        return f" {key}"
    return key[1:] if key[0] == " " and not key[1:2].isspace() else key


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    if size <= len(array):
        return array
    larger = np.zeros(max(size, 2 * len(array)), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@kernel
def _copy_units(numbers, offsets, unit_ids, ids):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the ids of each unit one after the other."""
    written = 0
    for place in range(len(numbers)):
        number = numbers[place]
        for position in range(offsets[number], offsets[number + 1]):
            ids[written] = unit_ids[position]
            written += 1
