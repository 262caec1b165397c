"""Vectors written as text or as records: what the formats can hold, and the lines of the text formats."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from textssl.embeddings_folder import finite
from textssl.errors import DataError
from textssl.formats.base import HasVectors
from textssl.neighbours import row_blocks

WRITTEN_AT_ONCE_BYTES = 1 << 22


def check_writable(vectors: HasVectors, path: Path) -> None:
    """Refuse, before anything is written, what the format would not give back.

    Raises:
        DataError: there are no words, or a word holds white space or NUL.
    """
    if not len(vectors.words):
        raise DataError("there are no words, so there is nothing to write", where=str(path))
    for place, word in enumerate(vectors.words):
        if len(word.encode().split()) != 1 or "\0" in word or word.encode().split()[0] != word.encode():
            raise DataError(
                f"word {place + 1}, {word!r}, holds white space or NUL, which parts words and numbers in this format",
                where=str(path),
                hint="Save a vector folder instead, which holds any word: textssl export RUN FOLDER",
            )


def write_rows(vectors: HasVectors, file: BinaryIO) -> None:
    """Write a line for each word: the word and its numbers, in the fewest digits that read back to the same float32.

    Raises:
        DataError: a vector holds NaN or inf.
    """
    import pyarrow
    import pyarrow.compute

    dimension = vectors.vectors.shape[1]
    for rows in row_blocks(len(vectors.vectors), dimension * 4, WRITTEN_AT_ONCE_BYTES):
        words = vectors.words[rows.start : rows.stop]
        block = np.ascontiguousarray(finite(vectors.vectors[rows], rows.start, "vector"))
        numbers = pyarrow.array(block.reshape(-1)).cast(pyarrow.string())
        offsets = np.arange(0, len(words) * dimension + 1, dimension, dtype=np.int32)
        joined = pyarrow.compute.binary_join(pyarrow.ListArray.from_arrays(pyarrow.array(offsets), numbers), " ")
        lines = pyarrow.compute.binary_join_element_wise(pyarrow.array(words, pyarrow.string()), joined, " ")
        file.write("\n".join(lines.to_pylist()).encode() + b"\n")
