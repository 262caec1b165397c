"""Character n-grams: known values, the compiled table against the definition, rows by use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.errors import UsageError
from textssl.text.ngrams import ngram_hash, ngram_rows, word_buckets, word_ngrams
from textssl.text.vocabulary import Vocabulary


def test_ngrams_of_known_words():
    assert word_ngrams("ab", 2, 3) == ["<a", "<ab", "ab", "ab>", "b>"]
    assert word_ngrams("é日", 1, 2) == ["<é", "é", "é日", "日", "日>"]
    assert word_ngrams("a", 1, 1) == ["a"]
    assert word_ngrams("a", 4, 6) == []
    assert word_ngrams("a", 3, 6) == ["<a>"]


def test_hash_of_ascii_is_fnv1a():
    # Test vectors of the authors of FNV (draft-eastlake-fnv, appendix C).
    assert ngram_hash("") == 0x811C9DC5
    assert ngram_hash("a") == 0xE40C292C
    assert ngram_hash("foobar") == 0xBF9CF968


def test_hash_reads_bytes_as_signed():
    state = 2166136261
    for byte in "é".encode():
        state = ((state ^ ((byte - 256) & 0xFFFFFFFF)) * 16777619) % 2**32
    assert ngram_hash("é") == state
    plain = 2166136261
    for byte in "é".encode():
        plain = ((plain ^ byte) * 16777619) % 2**32
    assert ngram_hash("é") != plain


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), st.integers(1, 99), min_size=1
    ),
    st.integers(1, 4),
    st.integers(0, 4),
    st.sampled_from([1, 7, 1000, 2_000_000]),
)
def test_rows_equal_definition(counts, min_n, extra, buckets):
    vocabulary = Vocabulary.from_counts(counts)
    table = ngram_rows(vocabulary, min_n=min_n, max_n=min_n + extra, buckets=buckets)
    bucket_of_row = table.bucket_of_row()
    uses = np.zeros(table.num_rows)
    for place, word in enumerate(vocabulary.words):
        rows = table.rows[table.offsets[place] : table.offsets[place + 1]]
        assert bucket_of_row[rows].tolist() == word_buckets(word, min_n, min_n + extra, buckets)
        assert table.rows_of_word(word).tolist() == rows.tolist()
        np.add.at(uses, rows, vocabulary.counts[place])
    assert (np.diff(uses) <= 0).all()
    assert sorted(bucket_of_row.tolist()) == table.buckets_in_use.tolist()


def test_unseen_words_share_rows():
    table = ngram_rows(Vocabulary.from_counts({"walking": 5, "talked": 3}), min_n=3, max_n=3, buckets=2_000_000)
    walked = table.rows_of_word("walked")
    shared = {ngram_hash(piece) for piece in ("<wa", "wal", "alk", "lke", "ked", "ed>")}
    assert {bucket % 2_000_000 for bucket in shared} == set(table.bucket_of_row()[walked].tolist())
    assert len(table.rows_of_word("xyz")) == 0


@pytest.mark.parametrize(("min_n", "max_n"), [(0, 3), (4, 3)])
def test_wrong_lengths_are_refused(min_n, max_n):
    with pytest.raises(UsageError, match=f"1 <= min_n <= max_n, got min_n {min_n} and max_n {max_n}"):
        word_buckets("a", min_n, max_n, 10)


@pytest.mark.parametrize("buckets", [0, 100_000_001])
def test_wrong_buckets_are_refused(buckets):
    with pytest.raises(UsageError, match=f"buckets must be 1 to 100,000,000, got {buckets:,}"):
        ngram_rows(Vocabulary.from_counts({"a": 1}), buckets=buckets)
