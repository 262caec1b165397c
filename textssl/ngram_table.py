"""Vectors of character n-grams, and through them a vector for a word that is not in the list (fastText's scheme).

Legend: R rows, one for each n-gram bucket in use, D their width.
Source: Bojanowski et al. 2017, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.neighbours import Floats, row_blocks
from textssl.tensor_file import TensorWriter, open_tensors
from textssl.text.ngrams import MAX_BUCKETS, word_buckets

SETTINGS = ("min_n", "max_n", "buckets")
Combine = Literal["mean", "sum"]
"""How rows make a vector."""


@dataclass(frozen=True)
class NgramTable:
    """The n-gram rows in use.

    Args:
        vectors: float32 (R, D).
        rows: the bucket of each row, rising, int64 (R,).
        min_n, max_n: shortest and longest n-gram, in characters.
        buckets: over how many buckets the n-grams are hashed.
        order: which of the vectors belongs to each bucket, int32 (R,); None when they stand in the order of `rows`.
        combine: how a word's rows make its vector.
    """

    vectors: Floats
    rows: NDArray[np.int64]
    min_n: int
    max_n: int
    buckets: int
    order: NDArray[np.int32] | None = None
    combine: Combine = "mean"

    @classmethod
    def open(cls, path: Path, dimension: int) -> NgramTable:
        """Map a file that `write` made.

        Args:
            path: the file.
            dimension: D, the width that the vectors must have.

        Raises:
            DataError: it is damaged or of another width.
        """
        file = open_tensors(path)
        vectors, rows = file.tensors.get("vectors"), file.tensors.get("buckets")
        if vectors is None or rows is None or vectors.dtype != np.float32 or rows.dtype != np.int64:
            raise DataError("must hold vectors as float32 and buckets as int64", where=str(path))
        if vectors.shape != (len(rows), dimension) or rows.ndim != 1:
            raise DataError(
                f"holds vectors {vectors.shape} for {len(rows)} buckets, expected {dimension} numbers for each",
                where=str(path),
            )
        try:
            min_n, max_n, buckets = (int(file.metadata[name]) for name in SETTINGS)
        except (KeyError, ValueError) as error:
            raise DataError(f"lacks one of {', '.join(SETTINGS)} in its metadata", where=str(path)) from error
        if not (1 <= min_n <= max_n and 1 <= buckets <= MAX_BUCKETS):
            raise DataError(
                f"has n-grams of {min_n} to {max_n} characters in {buckets} buckets, which cannot be", where=str(path)
            )
        combine = file.metadata.get("combine", "mean")  # files of earlier versions do not name it
        if combine not in get_args(Combine):
            raise DataError(f"combines rows by '{combine}', expected one of mean, sum", where=str(path))
        return cls(vectors, rows, min_n, max_n, buckets, combine="sum" if combine == "sum" else "mean")

    def write(self, path: Path) -> None:
        """Write vectors, buckets and settings as one safetensors file."""
        with TensorWriter(path, {name: str(getattr(self, name)) for name in (*SETTINGS, "combine")}) as writer:
            writer.append("buckets", np.asarray(self.rows, dtype=np.int64))
            for block in row_blocks(len(self.rows), self.vectors.shape[1] * 4):
                writer.append("vectors", self.rows_at(block))

    def rows_at(self, slots: NDArray[np.int64] | slice) -> Floats:
        """The vectors of some buckets, given by their places in `rows`, float32 (slots, D)."""
        return np.asarray(self.vectors[slots if self.order is None else self.order[slots]], dtype=np.float32)

    def vector(self, word: str) -> Floats | None:
        """The word's n-grams in use combined, float32 (D,), repeated ones repeated; None without any."""
        buckets = np.asarray(word_buckets(word, self.min_n, self.max_n, self.buckets), dtype=np.int64)
        slots = np.searchsorted(self.rows, buckets)
        used = slots < len(self.rows)
        used[used] = self.rows[slots[used]] == buckets[used]
        if not used.any():
            return None
        found = self.rows_at(slots[used])
        return np.asarray(found.sum(axis=0) if self.combine == "sum" else found.mean(axis=0), dtype=np.float32)
