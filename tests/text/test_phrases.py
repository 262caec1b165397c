"""Phrases against plain Python: scores, greedy joining, trigrams, connectors, pruning, every message."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textssl.errors import UsageError
from textssl.text import phrases as phrases_module
from textssl.text.phrases import derive_store, find_phrases
from textssl.text.sources import from_iterable
from textssl.text.tokens import StoreSettings, TokenStore, build_store

DOCUMENTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "of", "the", "a_b"]), max_size=14), min_size=1, max_size=20
)
CONNECTORS = ("of", "the")


def store_of(documents: list[list[str]], cache: Path, min_count: int = 1) -> TokenStore:
    return build_store(from_iterable([*documents, ["a"], ["b"]]), StoreSettings(min_count=min_count), cache=cache)


def documents_of(store: TokenStore) -> list[list[str]]:
    words = list(store.vocabulary.words)
    bounds = store.offsets.tolist()
    return [[words[id] for id in store.ids[begin:end]] for begin, end in zip(bounds, bounds[1:], strict=False)]


def chains(document: list[str], connectors: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All chains of a word, up to three connectors and a word."""
    found, chain = [], []
    for word in document:
        if word in connectors:
            chain = [*chain, word] if 0 < len(chain) <= 3 else []
        else:
            if chain:
                found.append((*chain, word))
            chain = [word]
    return found


def reference_scores(
    documents: list[list[str]], connectors: tuple[str, ...], min_count: int, scoring: str
) -> dict[str, float]:
    words = Counter(word for document in documents for word in document)
    pairs = Counter(chain for document in documents for chain in chains(document, connectors))
    total = sum(words.values())
    scores = {}
    for chain, count in pairs.items():
        first, last = words[chain[0]], words[chain[-1]]
        if min(first, last) < min_count or (scoring == "npmi" and count < min_count):
            continue
        if scoring == "default":
            scores["_".join(chain)] = (count - min_count) / first / last * total
        else:
            scores["_".join(chain)] = math.log(count * total / first / last) / -math.log(count / total)
    return scores


def reference_join(document: list[str], chosen: set[str], connectors: tuple[str, ...]) -> list[str]:
    out: list[str] = []
    chain: list[str] = []
    for word in document:
        if word in connectors:
            if 0 < len(chain) <= 3:
                chain.append(word)
            else:
                out += [*chain, word]
                chain = []
        elif chain and "_".join([*chain, word]) in chosen:
            out.append("_".join([*chain, word]))
            chain = []
        else:
            out += chain
            chain = [word]
    return out + chain


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    DOCUMENTS,
    st.sampled_from([(), CONNECTORS]),
    st.sampled_from([("default", 0.3), ("default", 1.0), ("npmi", -0.2), ("npmi", 0.3)]),
    st.integers(1, 3),
)
def test_phrases_equal_reference(tmp_path_factory, documents, connectors, scoring_and_threshold, min_count):
    scoring, threshold = scoring_and_threshold
    cache = tmp_path_factory.mktemp("cache")
    store = store_of(documents, cache)
    documents = documents_of(store)
    found = find_phrases(
        store, min_count=min_count, threshold=threshold, scoring=scoring, connector_words=connectors, threads=1
    )
    expected = {
        text: score
        for text, score in reference_scores(documents, connectors, min_count, scoring).items()
        if score > threshold + 1e-12
    }
    assert dict(zip(found.texts(store), found.scores.tolist(), strict=True)) == pytest.approx(expected, rel=1e-12)
    assert (np.diff(found.scores) <= 0).all()
    joined = derive_store(store, found, cache)
    assert documents_of(joined) == [reference_join(document, set(expected), connectors) for document in documents]
    assert joined.vocabulary.counts.sum() == joined.num_tokens


def test_phrases_find_names_and_repeat_for_trigrams(tmp_path):
    noise = [[f"w{(7 * n + k * k) % 23}" for k in range(9)] for n in range(60)]
    documents = [[*line[:4], "new", "york", "times", *line[4:]] for line in noise] + noise
    store = store_of(documents, tmp_path)
    pairs = find_phrases(store, threshold=5.0)
    assert set(pairs.texts(store)[:2]) == {"new_york", "york_times"}
    once = derive_store(store, pairs, tmp_path)
    twice = derive_store(once, find_phrases(once, threshold=5.0), tmp_path)
    assert "new_york_times" in twice.vocabulary.words
    assert twice.num_tokens < once.num_tokens < store.num_tokens
    listing = json.loads((once.path / "phrases.json").read_text())
    assert listing["phrases"][0][1:] == [60, pytest.approx(pairs.scores[0])]


def test_phrases_do_not_cross_documents(tmp_path):
    store = build_store(from_iterable(["x a", "b y"] * 20), StoreSettings(min_count=1), cache=tmp_path)
    texts = find_phrases(store, min_count=1, threshold=0.0).texts(store)
    assert sorted(texts) == ["b_y", "x_a"]


def test_derived_store_applies_min_count_again(tmp_path):
    store = build_store(from_iterable(["a b c d"] * 6 + ["a c"] * 2), StoreSettings(min_count=2), cache=tmp_path)
    found = find_phrases(store, min_count=1, threshold=1.0)
    chosen = found.select(np.flatnonzero(np.array(found.texts(store)) == "a_b"))
    joined = derive_store(store, chosen, tmp_path)
    assert list(joined.vocabulary.words) == ["c", "a_b", "d", "a"]
    assert "b" not in joined.vocabulary.words
    assert derive_store(store, chosen, tmp_path).path == joined.path


def test_phrases_without_any_phrase_keep_the_text(tmp_path):
    store = store_of([["a", "b"], ["b", "a"]], tmp_path)
    found = find_phrases(store, threshold=1e9)
    assert len(found) == 0
    assert documents_of(derive_store(store, found, tmp_path)) == documents_of(store)


def test_phrases_do_not_depend_on_threads_and_partitions(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    documents = [[f"w{n}" for n in np.minimum(generator.zipf(1.4, 40), 200)] for _ in range(200)]
    store = store_of(documents, tmp_path)
    results = []
    for per_partition, threads in ((1 << 21, 1), (256, 1), (1000, 3)):
        monkeypatch.setattr(phrases_module, "_TOKENS_PER_PARTITION", per_partition)
        found = find_phrases(store, min_count=2, threshold=0.5, threads=threads)
        results.append((found.texts(store), found.counts.tolist(), found.scores.tolist()))
    assert results[0] == results[1] == results[2]


def test_pruned_pairs_are_counted(tmp_path):
    lines = [["new", "york"]] * 200 + [[f"w{n % 40}", f"v{n % 41}"] for n in range(800)]
    store = store_of(lines, tmp_path)
    exact = find_phrases(store, threshold=3.0)
    pruned = find_phrases(store, threshold=3.0, max_pairs=64)
    assert exact.num_pruned == 0
    assert pruned.num_pruned > 0
    assert exact.texts(store) == pruned.texts(store) == ["new_york"]


def test_phrases_longer_than_a_word_may_be_are_left_out(tmp_path):
    long_words = ["x" * 700, "y" * 700]
    store = store_of([long_words] * 9, tmp_path)
    found = find_phrases(store, min_count=1, threshold=0.0)
    assert len(found) == 1
    assert documents_of(derive_store(store, found, tmp_path)) == documents_of(store)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scoring": "npm"}, "scoring must be default or npmi, got 'npm'\nDid you mean 'npmi'"),
        ({"min_count": 0}, "min_count must be at least 1, got 0"),
        ({"max_pairs": 0}, "max_pairs must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"threshold": -1.0}, "threshold must be 0 or more and below inf for scoring 'default', got -1"),
        ({"threshold": 1.5, "scoring": "npmi"}, "threshold must be -1 or more and below 1 for scoring 'npmi', got 1.5"),
        ({"delimiter": " "}, "delimiter must be one or more characters without white space, got ' '"),
        ({"delimiter": ""}, "delimiter must be one or more characters without white space, got ''"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, options, message):
    store = store_of([["a", "b"]], tmp_path)
    with pytest.raises(UsageError, match=message):
        find_phrases(store, **options)


def test_too_many_connectors_are_refused(tmp_path):
    words = [f"w{n}" for n in range(256)]
    store = store_of([words], tmp_path)
    with pytest.raises(UsageError, match="connector_words must be at most 255 words, got 256"):
        find_phrases(store, connector_words=words)
