"""The second pass: provisional numbers become the final word ids on disk, words without an id are left out.

Files: ids.bin (uint16 where the vocabulary fits, else int32), offsets.bin (int64: where each document begins and the
last one ends; documents without words are left out).
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.text.bits import kernel
from textssl.text.ordered import ordered_map
from textssl.text.scan import DOCUMENT_END
from textssl.text.store_folder import IDS, OFFSETS

MAX_SMALL_VOCABULARY = 1 << 16
MAX_VOCABULARY = 1 << 31


@dataclass(frozen=True)
class Part:
    """Numbers in text order, and the final id of each number (-1: left out), int32 both."""

    numbers: NDArray[np.int32]
    ids: NDArray[np.int32]


@dataclass(frozen=True)
class Encoded:
    """How much was written."""

    num_tokens: int
    num_documents: int


def id_type(num_words: int) -> np.dtype[Any]:
    """The type of the ids of a vocabulary of `num_words`.

    Raises:
        DataError: there are too many words.
    """
    if num_words > MAX_VOCABULARY:
        raise DataError(
            f"the vocabulary has {num_words:,} words, at most {MAX_VOCABULARY:,} can be numbered",
            hint="Use a larger --min-count, or set --max-vocabulary.",
        )
    return np.dtype(np.uint16 if num_words <= MAX_SMALL_VOCABULARY else np.int32)


def encode(parts: Iterable[Part], folder: Path, *, num_words: int, threads: int) -> Encoded:
    """Write ids and document offsets.

    Args:
        parts: the text in order; DOCUMENT_END in the numbers ends a document, and so does the end of the text.
        folder: takes the files.
        num_words: the size of the vocabulary.
        threads: how many parts are in work at a time.

    Returns:
        How much was written.
    """
    dtype = id_type(num_words)

    def encode_part(part: Part) -> tuple[NDArray[Any], NDArray[np.int64]]:
        ids = np.empty(len(part.numbers), dtype=dtype)
        ends = np.empty(int(np.count_nonzero(part.numbers == DOCUMENT_END)), dtype=np.int64)
        num_ids = _encode(part.numbers, part.ids, ids, ends)
        return ids[:num_ids], ends

    num_tokens = num_documents = last_end = 0
    with (folder / IDS).open("wb") as ids_file, (folder / OFFSETS).open("wb") as offsets_file:
        offsets_file.write(np.zeros(1, dtype=np.int64).data)
        with ThreadPoolExecutor(threads) as executor:
            for ids, ends in ordered_map(encode_part, parts, threads=threads, executor=executor):
                ends += num_tokens
                ends = ends[np.diff(ends, prepend=last_end) > 0]
                ids_file.write(ids.data)
                offsets_file.write(ends.data)
                num_tokens += len(ids)
                num_documents += len(ends)
                last_end = int(ends[-1]) if len(ends) else last_end
        if last_end < num_tokens:
            offsets_file.write(np.array([num_tokens], dtype=np.int64).data)
            num_documents += 1
    return Encoded(num_tokens, num_documents)


@kernel
def _encode(numbers, ids_of, ids, ends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the ids of words that have one, and how many were written where each document ends."""
    written = 0
    ended = 0
    for position in range(len(numbers)):
        number = numbers[position]
        if number == DOCUMENT_END:
            ends[ended] = written
            ended += 1
        elif ids_of[number] >= 0:
            ids[written] = ids_of[number]
            written += 1
    return written
