"""To gensim and back without a difference, and a clear word where gensim is not installed."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from textssl.embeddings import Embeddings
from textssl.errors import UsageError
from textssl.interop.gensim import from_gensim, to_gensim


def embeddings() -> Embeddings:
    table = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    return Embeddings([f"w{at}" for at in range(30)], table, counts=np.arange(30, 0, -1))


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")  # gensim's own call, in most_similar_cosmul
def test_gensim_gets_the_same_vectors_and_answers() -> None:
    pytest.importorskip("gensim")
    ours, theirs = embeddings(), to_gensim(embeddings())
    assert theirs.index_to_key == list(ours.words)
    np.testing.assert_array_equal(theirs.vectors, ours.vectors)
    assert theirs.get_vecattr("w3", "count") == 27
    for name in ("most_similar", "most_similar_cosmul"):
        query = {"positive": ["w1", "w2"], "negative": ["w3"]}
        expected, found = getattr(theirs, name)(**query), getattr(ours, name)(**query)
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-5)
    assert ours.doesnt_match(["w1", "w2", "w3"]) == theirs.doesnt_match(["w1", "w2", "w3"])
    assert ours.rank("w1", "w2") == theirs.rank("w1", "w2")
    assert ours.closer_than("w1", "w2") == theirs.closer_than("w1", "w2")
    assert ours.n_similarity(["w1", "w2"], ["w3"]) == pytest.approx(theirs.n_similarity(["w1", "w2"], ["w3"]), abs=1e-5)
    back = from_gensim(theirs)
    assert back.words == ours.words
    np.testing.assert_array_equal(back.vectors, ours.vectors)
    np.testing.assert_array_equal(back.counts, ours.counts)


def test_from_gensim_reads_words_vectors_and_counts() -> None:
    theirs = SimpleNamespace(index_to_key=["a", "b"], vectors=np.eye(2), expandos={"count": [5, 3]})
    found = from_gensim(theirs)
    assert list(found.words) == ["a", "b"]
    assert found.counts is not None
    assert found.counts.tolist() == [5, 3]


def test_from_gensim_refuses_a_whole_model() -> None:
    with pytest.raises(UsageError, match=r"expected gensim's KeyedVectors, got Word2Vec\nOf a model, pass model.wv."):
        from_gensim(type("Word2Vec", (), {})())


def test_missing_gensim_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(UsageError, match="gensim is not installed\nInstall it with: pip install gensim"):
        to_gensim(embeddings())
