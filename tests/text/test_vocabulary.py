"""Probabilities in closed form, and the round trip through files."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.errors import DataError, UsageError
from textssl.text.vocabulary import Vocabulary


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary.from_counts({"b": 2, "é": 2, "a": 2, "the": 90, "of": 4})


def test_vocabulary_is_ordered_by_count_then_bytes(vocabulary):
    assert list(vocabulary.words) == ["the", "of", "a", "b", "é"]
    assert vocabulary.counts.tolist() == [90, 4, 2, 2, 2]
    assert len(vocabulary) == 5


def test_keep_probabilities_follow_word2vec(vocabulary):
    frequency = np.array([0.9, 0.04, 0.02, 0.02, 0.02])
    expected = np.minimum(1, np.sqrt(0.01 / frequency) + 0.01 / frequency)
    np.testing.assert_allclose(vocabulary.keep_probabilities(0.01), expected, rtol=1e-15)
    assert vocabulary.keep_probabilities(0).tolist() == [1.0] * 5
    with pytest.raises(UsageError, match="subsampling threshold must be at least 0, got -1"):
        vocabulary.keep_probabilities(-1)


@pytest.mark.parametrize("exponent", [0.75, 0.0, 1.0, -0.5, 300.0])
def test_noise_probabilities(vocabulary, exponent):
    noise = vocabulary.noise_probabilities(exponent)
    assert noise.dtype == np.float64
    assert noise.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(noise[1] / noise[0], (4 / 90) ** exponent, rtol=1e-12)


def test_vocabulary_survives_files(vocabulary, tmp_path):
    vocabulary.save(tmp_path)
    again = Vocabulary.load(tmp_path)
    assert again.words == vocabulary.words
    assert again.counts.tolist() == vocabulary.counts.tolist()
    assert again.words.find("é") == 4


def test_vocabulary_names_the_damaged_file(vocabulary, tmp_path):
    vocabulary.save(tmp_path)
    np.save(tmp_path / "vocabulary-counts.npy", np.array([1, 2]))
    with pytest.raises(DataError, match=r"vocabulary-counts.npy: holds int64 \(2,\), expected one int64 for each of 5"):
        Vocabulary.load(tmp_path)
    (tmp_path / "vocabulary-counts.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match="vocabulary-counts.npy: is damaged"):
        Vocabulary.load(tmp_path)
    (tmp_path / "vocabulary-utf8.npy").unlink()
    with pytest.raises(DataError, match="vocabulary-utf8.npy: is missing"):
        Vocabulary.load(tmp_path)


def test_vocabulary_refuses_wrong_counts():
    with pytest.raises(UsageError, match="needs at least one word, got none"):
        Vocabulary.from_counts({})
    with pytest.raises(UsageError, match="count of 'b' must be at least 1, got 0"):
        Vocabulary.from_counts({"a": 1, "b": 0})
