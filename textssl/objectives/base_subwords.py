"""Word vectors that are made of n-grams: a word's vector is the mean, or sum, of its own row and its n-grams' rows.

Legend: V words, R rows of n-grams, which stand behind the V rows of the words in one table (V + R, D).
Source: Bojanowski et al. 2017 (arXiv 1607.04606), section 3.2, with the word's own row as in the released fastText.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.neighbours import Floats
from textssl.ngram_table import Combine, NgramTable
from textssl.text.ngrams import NgramRows

ENTRIES_AT_ONCE_BYTES = 1 << 20


def subword_vectors(inputs: Floats, ngrams: NgramRows, combine: Combine) -> Floats:
    """The vector of every word, float32 (V, D).

    Args:
        inputs: (V + R, D).
        ngrams: which rows belong to which word.
        combine: how they make its vector, as in training.
    """
    vectors = np.empty((len(ngrams.offsets) - 1, inputs.shape[1]), np.float32)
    for words, sums in _ngram_sums(inputs, ngrams):
        vectors[words] = (inputs[words] + sums) / _divisors(ngrams, words, combine)
    return vectors


def set_subword_vectors(inputs: Floats, ngrams: NgramRows, combine: Combine, *, of_words: NDArray[np.bool_]) -> None:
    """Turn the own rows of some words from vectors they should have into rows that give them just these vectors.

    Args:
        inputs: (V + R, D), changed in place.
        ngrams: which rows belong to which word.
        combine: how they make its vector.
        of_words: which words, bool (V,).
    """
    for words, sums in _ngram_sums(inputs, ngrams):
        wanted = inputs[words] * _divisors(ngrams, words, combine) - sums
        inputs[words] = np.where(of_words[words, None], wanted, inputs[words])


def ngram_table(inputs: Floats, ngrams: NgramRows, combine: Combine) -> NgramTable:
    """The rows of the n-grams with their buckets, for words that are not in the vocabulary; a view of `inputs`."""
    rows = inputs[len(ngrams.offsets) - 1 :]
    settings = ngrams.min_n, ngrams.max_n, ngrams.buckets
    return NgramTable(rows, ngrams.buckets_in_use, *settings, ngrams.row_of_bucket, combine)


def set_ngram_rows(inputs: Floats, ngrams: NgramRows, combine: Combine, earlier: NgramTable, *, source: str) -> None:
    """Copy the rows of n-grams of an earlier run to where they stand now; those it did not have stay as they are.

    Args:
        inputs: (V + R, D), changed in place.
        ngrams: where each bucket has its row.
        combine: how rows make a vector now.
        earlier: the rows of the earlier run.
        source: its name, for the message.

    Raises:
        UsageError: its n-grams are others, or combined in another way.
    """
    before, now = ((part.min_n, part.max_n, part.buckets) for part in (earlier, ngrams))
    if before != now:
        raise UsageError(
            "holds n-grams of {} to {} characters in {:,} buckets, expected {} to {} in {:,}".format(*before, *now),
            where=source,
            hint="Give --min-n {} --max-n {} --buckets {}.".format(*before),
        )
    if earlier.combine != combine:
        raise UsageError(
            f"holds n-gram rows whose {earlier.combine} is a word's vector, expected their {combine}",
            where=source,
            hint=f"Give --combine {earlier.combine}.",
        )
    places = np.searchsorted(earlier.rows, ngrams.buckets_in_use)
    known = places < len(earlier.rows)
    known[known] = earlier.rows[places[known]] == ngrams.buckets_in_use[known]
    table = inputs[len(ngrams.offsets) - 1 :]
    slots, targets = places[known], ngrams.row_of_bucket[known]
    step = _entries_at_once(inputs)
    for start in range(0, len(slots), step):
        piece = slice(start, start + step)
        table[targets[piece]] = earlier.rows_at(slots[piece])


def _divisors(ngrams: NgramRows, words: slice, combine: Combine) -> NDArray[np.float32]:
    """What the sums of some words' rows are divided by to be their vectors, float32 (words, 1)."""
    if combine == "sum":
        return np.ones((words.stop - words.start, 1), np.float32)
    return (1 + np.diff(ngrams.offsets[words.start : words.stop + 1])).astype(np.float32)[:, None]


def _ngram_sums(inputs: Floats, ngrams: NgramRows) -> Iterator[tuple[slice, Floats]]:
    """The words in pieces, with the sum of the rows of each one's n-grams, float32 (words, D)."""
    offsets, table = ngrams.offsets, inputs[len(ngrams.offsets) - 1 :]
    num_words, start = len(offsets) - 1, 0
    while start < num_words:
        stop = int(np.searchsorted(offsets, offsets[start] + _entries_at_once(inputs), side="right")) - 1
        stop = min(max(stop, start + 1), num_words)
        bounds = offsets[start : stop + 1] - offsets[start]
        filled = np.diff(bounds) > 0  # reduceat gives a wrong sum to a list of none
        sums = np.zeros((stop - start, inputs.shape[1]), np.float32)
        if filled.any():
            entries = table[ngrams.rows[offsets[start] : offsets[stop]]]
            sums[filled] = np.add.reduceat(entries, bounds[:-1][filled], axis=0)
        yield slice(start, stop), sums
        start = stop


def _entries_at_once(inputs: Floats) -> int:
    dim: int = inputs.shape[1]
    return max(1, ENTRIES_AT_ONCE_BYTES // (dim * 4))
