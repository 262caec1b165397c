"""Character n-grams of words and the buckets they hash to, exactly as in fastText.

A word stands between < and >; its n-grams are its pieces of min_n to max_n characters. A single bracket is none.

    h = 2166136261; for each byte b, read as a signed number: h = ((h ^ b) * 16777619) mod 2^32
    bucket = h mod buckets

Legend: V words; E n-grams of all words together; R different buckets in use.
Source: Bojanowski et al. 2017 (arXiv 1607.04606), section 3.2; fastText (dictionary.cc).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.text.vocabulary import Vocabulary

MAX_BUCKETS = 100_000_000
_FNV_START, _FNV_PRIME = 2_166_136_261, 16_777_619
_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class NgramRows:
    """The n-grams of a vocabulary as rows of a table that has no unused row.

    The rows of word w are rows[offsets[w]:offsets[w + 1]], repeated n-grams repeated. Rows are numbered by falling use
    (occurrences in the corpus), so that the hot ones lie together.

    Args:
        rows: int32 (E,).
        offsets: int64 (V + 1,).
        buckets_in_use: rising, int64 (R,).
        row_of_bucket: the row of each of them, int32 (R,).
        min_n, max_n: shortest and longest n-gram, in characters.
        buckets: over how many buckets n-grams are hashed.
    """

    rows: NDArray[np.int32]
    offsets: NDArray[np.int64]
    buckets_in_use: NDArray[np.int64]
    row_of_bucket: NDArray[np.int32]
    min_n: int
    max_n: int
    buckets: int

    @property
    def num_rows(self) -> int:
        """R, how many rows the table has."""
        return len(self.buckets_in_use)

    def bucket_of_row(self) -> NDArray[np.int64]:
        """The bucket of each row, int64 (R,)."""
        buckets = np.empty(self.num_rows, dtype=np.int64)
        buckets[self.row_of_bucket] = self.buckets_in_use
        return buckets

    def rows_of_word(self, word: str) -> NDArray[np.int32]:
        """The rows of any word's n-grams, int32 (any,); buckets that no word of the vocabulary uses have none."""
        buckets = np.array(word_buckets(word, self.min_n, self.max_n, self.buckets), dtype=np.int64)
        places = np.searchsorted(self.buckets_in_use, buckets)
        known = places < self.num_rows
        known[known] = self.buckets_in_use[places[known]] == buckets[known]
        return self.row_of_bucket[places[known]]


def word_ngrams(word: str, min_n: int, max_n: int) -> list[str]:
    """The n-grams of a word in fastText's order: by place, then by length."""
    bracketed = f"<{word}>"
    last = len(bracketed)
    return [
        bracketed[begin:end]
        for begin in range(last)
        for end in range(begin + min_n, min(begin + max_n, last) + 1)
        if not (end - begin == 1 and (begin == 0 or end == last))
    ]


def ngram_hash(ngram: str) -> int:
    """fastText's 32-bit hash of an n-gram."""
    state = _FNV_START
    for byte in ngram.encode("utf-8", "surrogatepass"):
        signed = byte if byte < 0x80 else byte | 0xFFFFFF00  # fastText reads bytes as signed characters
        state = ((state ^ signed) * _FNV_PRIME) & _MASK
    return state


def word_buckets(word: str, min_n: int, max_n: int, buckets: int) -> list[int]:
    """The buckets of a word's n-grams, in fastText's order, repeated n-grams repeated.

    Args:
        word: any word.
        min_n: shortest n-gram in characters, at least 1.
        max_n: longest n-gram, at least min_n.
        buckets: 1 to 100,000,000.

    Raises:
        UsageError: a number is out of its range.
    """
    _check(min_n, max_n, buckets)
    return [ngram_hash(ngram) % buckets for ngram in word_ngrams(word, min_n, max_n)]


def ngram_rows(vocabulary: Vocabulary, *, min_n: int = 3, max_n: int = 6, buckets: int = 2_000_000) -> NgramRows:
    """The n-grams of all words of a vocabulary.

    Args:
        vocabulary: V words with counts.
        min_n: shortest n-gram in characters, at least 1.
        max_n: longest n-gram, at least min_n.
        buckets: 1 to 100,000,000; 2,000,000 in fastText.

    Returns:
        The rows of every word.

    Raises:
        UsageError: a number is out of its range.
    """
    from textssl.text.ngram_kernels import count_ngrams, write_buckets

    _check(min_n, max_n, buckets)
    arrays = vocabulary.words.arrays()
    utf8, starts = np.asarray(arrays["utf8"]), np.asarray(arrays["offsets"])
    counts = np.asarray(vocabulary.counts)
    offsets = np.zeros(len(vocabulary) + 1, dtype=np.int64)
    count_ngrams(utf8, starts, min_n, max_n, offsets)
    np.cumsum(offsets, out=offsets)
    rows = np.empty(int(offsets[-1]), dtype=np.int32)
    uses = np.zeros(buckets, dtype=np.int64)
    write_buckets(utf8, starts, counts, min_n, max_n, offsets, rows, uses)
    in_use = np.flatnonzero(uses)
    falling = np.argsort(-uses[in_use], kind="stable")
    row_of_bucket = np.empty(len(in_use), dtype=np.int32)
    row_of_bucket[falling] = np.arange(len(in_use), dtype=np.int32)
    row_of_any = np.full(buckets, -1, dtype=np.int32)
    row_of_any[in_use] = row_of_bucket
    return NgramRows(row_of_any[rows], offsets, in_use, row_of_bucket, min_n, max_n, buckets)


def _check(min_n: int, max_n: int, buckets: int) -> None:
    if not 1 <= min_n <= max_n:
        raise UsageError(f"n-gram lengths must be 1 <= min_n <= max_n, got min_n {min_n} and max_n {max_n}")
    if not 1 <= buckets <= MAX_BUCKETS:
        raise UsageError(f"buckets must be 1 to {MAX_BUCKETS:,}, got {buckets:,}")
