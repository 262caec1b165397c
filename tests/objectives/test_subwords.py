"""Word vectors made of n-grams against loops; n-grams of earlier runs land at their buckets."""

from __future__ import annotations

import re

import numpy as np
import pytest

from textssl.errors import UsageError
from textssl.ngram_table import NgramTable
from textssl.objectives import base_subwords
from textssl.objectives.base_subwords import ngram_table, set_ngram_rows, set_subword_vectors, subword_vectors
from textssl.text.ngrams import ngram_rows
from textssl.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_counts({"a": 9, "banana": 5, "anna": 4, "x": 3, "cabbage": 2, "y": 1})
NGRAMS = ngram_rows(
    VOCABULARY, min_n=3, max_n=4, buckets=50
)  # the one-letter words have one n-gram, the others share some
NUM_WORDS = len(VOCABULARY)


def random_table(seed=0):
    return np.random.default_rng(seed).normal(size=(NUM_WORDS + NGRAMS.num_rows, 5)).astype(np.float32)


def expected_vector(table, word, combine):
    rows = NGRAMS.rows[NGRAMS.offsets[word] : NGRAMS.offsets[word + 1]]
    total = table[word] + sum(table[NUM_WORDS + row] for row in rows)
    return total if combine == "sum" else total / (1 + len(rows))


each_combine = pytest.mark.parametrize("combine", ["mean", "sum"])


@pytest.fixture(params=[1, 100, 1 << 23])
def piece_bytes(request, monkeypatch):
    monkeypatch.setattr(base_subwords, "ENTRIES_AT_ONCE_BYTES", request.param)


@each_combine
def test_vectors_combine_own_row_and_ngrams(combine, piece_bytes):
    table = random_table()
    vectors = subword_vectors(table, NGRAMS, combine)
    np.testing.assert_allclose(vectors, [expected_vector(table, word, combine) for word in range(NUM_WORDS)], atol=1e-5)


def test_words_without_ngrams_keep_their_row(piece_bytes):
    ngrams = ngram_rows(VOCABULARY, min_n=4, max_n=9, buckets=50)
    table = np.random.default_rng(0).normal(size=(NUM_WORDS + ngrams.num_rows, 5)).astype(np.float32)
    alone = np.diff(ngrams.offsets) == 0
    assert alone.tolist() == [True, False, False, True, False, True]
    np.testing.assert_array_equal(subword_vectors(table, ngrams, "mean")[alone], table[:NUM_WORDS][alone])


@each_combine
def test_own_rows_are_set_so_that_words_have_their_vectors(combine, piece_bytes):
    table, wanted = random_table(), random_table(1)[:NUM_WORDS]
    before = subword_vectors(table, NGRAMS, combine)
    chosen = np.array([True, True, False, True, False, False])
    table[:NUM_WORDS][chosen] = wanted[chosen]
    set_subword_vectors(table, NGRAMS, combine, of_words=chosen)
    np.testing.assert_allclose(
        subword_vectors(table, NGRAMS, combine), np.where(chosen[:, None], wanted, before), atol=1e-5
    )


@each_combine
def test_ngrams_are_saved_with_their_buckets(combine, tmp_path):
    table = random_table()
    ngram_table(table, NGRAMS, combine).write(tmp_path / "ngrams")
    loaded = NgramTable.open(tmp_path / "ngrams", 5)
    assert loaded.rows.tolist() == NGRAMS.buckets_in_use.tolist()
    for word in ("banana", "cabana", "ann"):
        rows = NGRAMS.rows_of_word(word)
        wanted = getattr(table[NUM_WORDS + rows], combine)(0)
        np.testing.assert_allclose(loaded.vector(word), wanted, atol=1e-6)
        np.testing.assert_allclose(ngram_table(table, NGRAMS, combine).vector(word), wanted, atol=1e-6)


def test_earlier_ngrams_land_at_their_buckets(piece_bytes):
    other = ngram_rows(Vocabulary.from_counts({"bananas": 7, "sea": 3, "a": 2}), min_n=3, max_n=4, buckets=50)
    earlier = np.random.default_rng(2).normal(size=(3 + other.num_rows, 5)).astype(np.float32)
    table, before = random_table(), random_table()
    set_ngram_rows(table, NGRAMS, "mean", ngram_table(earlier, other, "mean"), source="runs/x")
    buckets, earlier_buckets = NGRAMS.bucket_of_row(), other.bucket_of_row().tolist()
    shared = 0
    for row, bucket in enumerate(buckets):
        known = bucket in earlier_buckets
        shared += known
        wanted = earlier[3 + earlier_buckets.index(bucket)] if known else before[NUM_WORDS + row]
        np.testing.assert_array_equal(table[NUM_WORDS + row], wanted)
    assert 0 < shared < len(buckets)
    np.testing.assert_array_equal(table[:NUM_WORDS], before[:NUM_WORDS])


def test_other_ngrams_are_refused():
    earlier = NgramTable(np.zeros((1, 5), np.float32), np.array([3]), 3, 6, 2000)
    message = r"runs/x.*holds n-grams of 3 to 6 characters in 2,000 buckets, expected 3 to 4 in 50"
    with pytest.raises(UsageError, match=message) as caught:
        set_ngram_rows(random_table(), NGRAMS, "mean", earlier, source="runs/x")
    assert re.search(r"--min-n 3 --max-n 6 --buckets 2000", caught.value.hint)


def test_ngrams_that_were_combined_otherwise_are_refused():
    message = r"runs/x.*holds n-gram rows whose sum is a word's vector, expected their mean"
    with pytest.raises(UsageError, match=message) as caught:
        set_ngram_rows(random_table(), NGRAMS, "mean", ngram_table(random_table(), NGRAMS, "sum"), source="runs/x")
    assert caught.value.hint == "Give --combine sum."
