"""Embeddings by hand-made vectors with known answers, and against definitions."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.embeddings import Embeddings
from textssl.errors import DataError, UsageError
from textssl.ngram_table import NgramTable
from textssl.text.ngrams import word_buckets
from textssl.word_lookup import UnknownWordError

#           royal, female, fruit
TABLE = {
    "king": (3, -1, 0),
    "queen": (3, 1, 0),
    "man": (0, -1, 0),
    "woman": (0, 1, 0),
    "apple": (0, 0, 2),
    "pear": (0, 0.1, 2),
    "nothing": (0, 0, 0),
}


@pytest.fixture
def vectors() -> Embeddings:
    return Embeddings(list(TABLE), np.array(list(TABLE.values()), dtype=np.float32), counts=np.arange(7, 0, -1))


def random_embeddings(num_words: int = 200, dimension: int = 12) -> Embeddings:
    table = np.random.default_rng(0).normal(size=(num_words, dimension)).astype(np.float32)
    return Embeddings([f"w{at}" for at in range(num_words)], table)


def words_of(found: object) -> list[str]:
    assert isinstance(found, list)
    return [word for word, _ in found]


def test_most_similar_answers_an_analogy(vectors: Embeddings) -> None:
    assert words_of(vectors.most_similar(positive=["king", "woman"], negative=["man"], topn=1)) == ["queen"]
    assert words_of(vectors.most_similar_cosmul(positive=["king", "woman"], negative=["man"], topn=1)) == ["queen"]


def test_most_similar_leaves_out_the_query(vectors: Embeddings) -> None:
    found = words_of(vectors.most_similar(positive=["king", "woman"], negative=["man"], topn=100))
    assert sorted(found) == sorted(set(TABLE) - {"king", "woman", "man"})


def test_most_similar_equals_its_formula() -> None:
    embeddings = random_embeddings()
    unit = embeddings.vectors / np.linalg.norm(embeddings.vectors, axis=1, keepdims=True)
    target = unit[1] + 0.5 * unit[2] - unit[3]
    expected = unit @ (target / np.linalg.norm(target))
    scores = embeddings.most_similar(positive=["w1", ("w2", 0.5)], negative="w3", topn=None)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_most_similar_cosmul_equals_its_formula() -> None:
    embeddings = random_embeddings()
    unit = embeddings.vectors / np.linalg.norm(embeddings.vectors, axis=1, keepdims=True)
    shifted = (1 + unit @ unit[:4].T) / 2
    expected = shifted[:, 1] * shifted[:, 2] / (shifted[:, 3] + 1e-6)
    scores = embeddings.most_similar_cosmul(positive=["w1", "w2"], negative=["w3"], topn=None)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_most_similar_takes_words_numbers_and_vectors_alike() -> None:
    embeddings = random_embeddings()
    by_word = embeddings.most_similar("w5", topn=None)
    np.testing.assert_array_equal(by_word, embeddings.most_similar(5, topn=None))
    np.testing.assert_allclose(by_word, embeddings.similar_by_vector(embeddings.vectors[5], topn=None), atol=1e-6)
    assert words_of(embeddings.similar_by_vector(embeddings.vectors[5], topn=1)) == ["w5"]
    assert embeddings.similar_by_word("w5") == embeddings.most_similar("w5")


def test_most_similar_restricted_sees_the_first_words_only() -> None:
    found = words_of(random_embeddings().most_similar("w150", topn=500, restrict_vocab=20))
    assert sorted(found) == sorted(f"w{at}" for at in range(20))


def test_most_similar_of_none_is_empty() -> None:
    assert random_embeddings().most_similar("w1", topn=0) == []


def test_neighbours_equal_most_similar() -> None:
    embeddings = random_embeddings()
    for word, found in zip(["w3", "w77"], embeddings.neighbours(["w3", "w77"], topn=8), strict=True):
        single = embeddings.most_similar(word, topn=8)
        assert words_of(found) == words_of(single)
        np.testing.assert_allclose([score for _, score in found], [score for _, score in single], atol=1e-6)  # type: ignore[union-attr]


def test_neighbours_of_nothing_and_of_too_many() -> None:
    embeddings = random_embeddings(5)
    assert embeddings.neighbours([]) == []
    assert sorted(words_of(embeddings.neighbours(["w1"], topn=99)[0])) == ["w0", "w2", "w3", "w4"]


def test_cosines_with_a_vector_of_zeros_are_zero(vectors: Embeddings) -> None:
    assert vectors.similarity("king", "nothing") == 0
    assert dict(vectors.most_similar("king", topn=9))["nothing"] == 0  # type: ignore[arg-type]
    assert {score for _, score in vectors.most_similar("nothing")} == {0.0}  # type: ignore[union-attr]


def test_similarity_distance_and_rank(vectors: Embeddings) -> None:
    assert vectors.similarity("king", "queen") == pytest.approx(0.8)
    assert vectors.distance("king", "queen") == pytest.approx(0.2)
    assert vectors.distances("king", ["queen", "apple"]) == pytest.approx([0.2, 1.0])
    assert vectors.distances(vectors["king"])[1] == pytest.approx(0.2)
    assert vectors.n_similarity(["king", "queen"], ["man", "woman"]) == pytest.approx(0)
    assert vectors.n_similarity(["apple"], ["pear"]) == pytest.approx(vectors.similarity("apple", "pear"))
    assert vectors.rank("king", "queen") == 1
    assert vectors.rank("king", "man") == 2
    assert vectors.closer_than("king", "woman") == ["queen", "man", "apple", "pear", "nothing"]


def test_doesnt_match_finds_the_odd_one(vectors: Embeddings) -> None:
    assert vectors.doesnt_match(["king", "queen", "apple"]) == "apple"


def test_mean_vector_equals_its_formula(vectors: Embeddings) -> None:
    mean = vectors.get_mean_vector(["apple", "king", "unknown"], [1, -3, 5], pre_normalize=False)
    np.testing.assert_allclose(mean, (vectors["apple"] - 3 * vectors["king"]) / 4)


def test_lookups_have_gensims_names(vectors: Embeddings) -> None:
    assert vectors["king"].tolist() == [3, -1, 0]
    assert vectors[["king", "man"]].shape == (2, 3)
    assert np.linalg.norm(vectors.get_vector("king", norm=True)) == pytest.approx(1)
    assert vectors[[]].shape == (0, 3)
    assert "king" in vectors
    assert "kong" not in vectors
    assert 3 not in vectors
    assert len(vectors) == 7
    assert vectors.vector_size == 3
    assert list(vectors.index_to_key) == list(TABLE)
    assert dict(vectors.key_to_index) == {word: place for place, word in enumerate(TABLE)}
    assert "king" in vectors.key_to_index
    assert vectors.get_index("queen") == 1
    assert repr(vectors) == "Embeddings(7 words, 3 dimensions)"


def test_unknown_word_is_a_key_error_with_suggestions(vectors: Embeddings) -> None:
    for ask in (vectors.get_vector, vectors.get_index, vectors.key_to_index.__getitem__, vectors.most_similar):
        with pytest.raises(UnknownWordError, match="'queeen' is not among the 7 words\nDid you mean 'queen'") as caught:
            ask("queeen")
        assert isinstance(caught.value, KeyError)
        assert isinstance(caught.value, DataError)
        assert caught.value.exit_code == 3


def test_mean_of_unknown_words_alone_is_refused(vectors: Embeddings) -> None:
    with pytest.raises(UnknownWordError, match="'kong' is not among the 7 words"):
        vectors.n_similarity(["kong"], ["king"])
    assert vectors.n_similarity(["kong", "king"], ["king"]) == pytest.approx(1)


def test_unknown_number_is_named(vectors: Embeddings) -> None:
    with pytest.raises(UnknownWordError, match="there is no word number 7, the vectors have 7 words, from 0"):
        vectors[7]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((3, 2)), r"vectors must be float32 \(2, D\), one row for each word, got float64 \(3, 2\)"),
        (np.zeros((3, 2), dtype=np.float32), r"got float32 \(3, 2\)"),
        (np.zeros(2, dtype=np.float32), r"got float32 \(2,\)"),
    ],
)
def test_embeddings_refuse_arrays_that_do_not_fit(table: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Embeddings(["a", "b"], table)


def test_queries_refuse_what_makes_no_sense(vectors: Embeddings) -> None:
    with pytest.raises(UsageError, match="a search needs at least one word or vector, got none"):
        vectors.most_similar()
    with pytest.raises(UsageError, match="restrict_vocab must be at least 1, got 0"):
        vectors.most_similar("king", restrict_vocab=0)
    with pytest.raises(UsageError, match=r"a vector must have 3 numbers, got shape \(2,\)"):
        vectors.similar_by_vector([1.0, 2.0])
    with pytest.raises(UsageError, match="a vector must be finite, got NaN or inf"):
        vectors.similar_by_vector([1.0, 2.0, np.nan])
    with pytest.raises(UsageError, match="a mean needs one weight for each key, got 0 keys and 0 weights"):
        vectors.n_similarity([], ["king"])


def test_unseen_word_gets_the_mean_of_its_ngrams() -> None:
    buckets = word_buckets("kings", 3, 4, 1000)
    in_use = np.unique(buckets[:4])
    table = NgramTable(np.random.default_rng(0).normal(size=(len(in_use), 2)).astype(np.float32), in_use, 3, 4, 1000)
    embeddings = Embeddings(["a"], np.ones((1, 2), dtype=np.float32), ngrams=table)
    expected = np.mean([table.vectors[list(in_use).index(at)] for at in buckets if at in in_use], axis=0)
    np.testing.assert_allclose(embeddings["kings"], expected, rtol=1e-6)
    assert "kings" in embeddings
    assert embeddings.most_similar("kings", topn=1)[0][0] == "a"  # type: ignore[index]
    with pytest.raises(UnknownWordError, match="'xyz' is not among the 1 words"):
        embeddings["xyz"]
