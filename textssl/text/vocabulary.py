"""The words of a corpus with their counts, and the probabilities that training draws from them.

Legend: V words; f = count / sum of the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.disk import reading
from textssl.errors import DataError, UsageError
from textssl.words import Words

_COUNTS = "counts"


@dataclass(frozen=True)
class Vocabulary:
    """Words by falling count, ties by their UTF-8 bytes.

    Args:
        words: the words.
        counts: how often each comes, int64 (V,), falling.
    """

    words: Words
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Vocabulary:
        """A vocabulary from words and counts in any order.

        Args:
            counts: how often each word comes, at least 1.

        Raises:
            UsageError: there is no word, or a count is below 1.
        """
        if not counts:
            raise UsageError("a vocabulary needs at least one word, got none")
        word, lowest = min(counts.items(), key=lambda entry: entry[1])
        if lowest < 1:
            raise UsageError(f"the count of {word!r} must be at least 1, got {lowest}")
        ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0].encode("utf-8", "surrogatepass")))
        return cls(
            Words.from_list(word for word, _ in ordered), np.array([count for _, count in ordered], dtype=np.int64)
        )

    def keep_probabilities(self, threshold: float) -> NDArray[np.float64]:
        """How likely an occurrence of each word is to be kept by subsampling: min(1, sqrt(t / f) + t / f).

        Args:
            threshold: t, above 0, typically 1e-3 to 1e-5; 0 keeps everything.

        Returns:
            float64 (V,).

        Raises:
            UsageError: the threshold is below 0.

        Source: word2vec.c; Mikolov et al. 2013 (arXiv 1310.4546), section 2.3, has sqrt(t / f) alone.
        """
        if threshold < 0:
            raise UsageError(f"the subsampling threshold must be at least 0, got {threshold}")
        if threshold == 0:
            return np.ones(len(self), dtype=np.float64)
        ratio = threshold * self.counts.sum() / self.counts
        return np.asarray(np.minimum(1.0, np.sqrt(ratio) + ratio), dtype=np.float64)

    def noise_probabilities(self, exponent: float = 0.75) -> NDArray[np.float64]:
        """How likely each word is to be drawn as a negative: count^exponent / sum of the same.

        Args:
            exponent: 0.75 in word2vec.c; 0 draws evenly.

        Returns:
            float64 (V,), sums to 1.

        Source: Mikolov et al. 2013 (arXiv 1310.4546), section 2.2.
        """
        # Relative to the largest count, so that no exponent overflows.
        weights = (self.counts / self.counts[0]) ** exponent
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the vocabulary as vocabulary-*.npy into an existing folder."""
        for name, array in self._arrays().items():
            np.save(_file(folder, name), array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Open a saved vocabulary; the words stay on disk until they are read.

        Raises:
            DataError: a file is missing or damaged.
        """
        arrays = {name: _load(_file(folder, name)) for name in ("utf8", "offsets", "hashes", "order", _COUNTS)}
        counts = arrays.pop(_COUNTS)
        words = Words.from_arrays(arrays)
        if counts.dtype != np.int64 or counts.shape != (len(words),):
            raise DataError(
                f"holds {counts.dtype.name} {counts.shape}, expected one int64 for each of {len(words):,} words",
                where=str(_file(folder, _COUNTS)),
            )
        return cls(words, counts)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**self.words.arrays(), _COUNTS: self.counts}


def _file(folder: Path, name: str) -> Path:
    return folder / f"vocabulary-{name}.npy"


def _load(path: Path) -> NDArray[Any]:
    with reading(path):
        try:
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DataError(f"is damaged: {error}", where=str(path)) from error
    return array
