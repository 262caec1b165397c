"""Alias tables draw what they should; Huffman codes are as short as can be."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.errors import UsageError
from textssl.text.draws import alias_table, huffman


def implied(accept: np.ndarray, alias: np.ndarray) -> np.ndarray:
    """What the table draws: each column has 1 / V, shared between itself and its alias."""
    kept = np.where(alias == np.arange(len(alias)), 1.0, accept / 2.0**32)
    drawn = np.bincount(alias, weights=1 - kept, minlength=len(alias))
    return (kept + drawn) / len(alias)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50).filter(lambda values: sum(values) > 0))
def test_alias_table_implies_the_distribution(values):
    probabilities = np.array(values) / sum(values)
    assert np.abs(implied(*alias_table(probabilities)) - probabilities).max() < 1e-9


def test_alias_table_of_zipf_words():
    probabilities = 1 / np.arange(1, 100_001) ** 0.75
    probabilities /= probabilities.sum()
    accept, alias = alias_table(probabilities)
    assert (accept.dtype, alias.dtype) == (np.uint32, np.int32)
    assert np.abs(implied(accept, alias) - probabilities).max() < 1e-9


def test_alias_table_never_draws_the_impossible():
    accept, alias = alias_table([0.0, 1.0, 0.0])
    assert accept[[0, 2]].tolist() == [0, 0]
    assert alias.tolist() == [1, 1, 1]


@pytest.mark.parametrize("wrong", [[], [0.0, 0.0], [1.0, -0.5], [np.nan, 1.0], [np.inf, 1.0]])
def test_alias_table_refuses_what_is_no_distribution(wrong):
    with pytest.raises(UsageError, match="probabilities must be at least 0 with a sum above 0, got"):
        alias_table(wrong)


def shortest_length(counts: list[int]) -> int:
    """The sum of count times code length of an optimal code: what all joins of two nodes cost together."""
    heap = list(counts)
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=60))
def test_huffman_codes_are_optimal_and_lead_to_their_words(values):
    counts = np.array(sorted(values, reverse=True), dtype=np.int64)
    tree = huffman(counts)
    lengths = np.diff(tree.offsets)
    assert int((counts * lengths).sum()) == shortest_length(values)
    paths: dict[int, dict[int, object]] = {}
    for word in range(len(counts)):
        steps = range(tree.offsets[word], tree.offsets[word + 1])
        points = tree.points[steps.start : steps.stop].tolist()
        assert points[0] == len(counts) - 2
        for step, following in zip(steps, [*points[1:], ("word", word)], strict=True):
            node = paths.setdefault(int(tree.points[step]), {})
            assert node.setdefault(int(tree.codes[step]), following) == following
    assert sorted(paths) == list(range(len(counts) - 1))
    assert all(len(children) == 2 for children in paths.values())


def test_huffman_breaks_ties_as_word2vec_does():
    tree = huffman(np.array([3, 2, 1, 1], dtype=np.int64))
    codes = [tree.codes[tree.offsets[w] : tree.offsets[w + 1]].tolist() for w in range(4)]
    points = [tree.points[tree.offsets[w] : tree.offsets[w + 1]].tolist() for w in range(4)]
    # CreateBinaryTree joins 1 + 1, then that node (bit 0: 2 is not below 2) with word 1, then word 0 with the rest.
    assert codes == [[0], [1, 1], [1, 0, 1], [1, 0, 0]]
    assert points == [[2], [2, 1], [2, 1, 0], [2, 1, 0]]


def test_huffman_survives_fibonacci_counts():
    counts = [1, 1]
    while len(counts) < 80:
        counts.append(counts[-1] + counts[-2])
    tree = huffman(np.array(counts[::-1], dtype=np.int64))
    assert int(np.diff(tree.offsets).max()) == 79


def test_huffman_refuses_too_few_or_rising_counts():
    with pytest.raises(UsageError, match="at least two words, got 1"):
        huffman(np.array([3]))
    with pytest.raises(UsageError, match="counts of a Huffman tree must fall"):
        huffman(np.array([1, 2]))
