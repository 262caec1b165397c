"""Rank correlation against scipy, and files of judged pairs in their layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.embeddings import Embeddings
from textssl.errors import DataError
from textssl.evaluators.similarity import Similarity, average_ranks, pearson, read_pairs, spearman

VALUES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=30).filter(
    lambda pairs: all(len({pair[side] for pair in pairs}) > 1 for side in (0, 1))
)


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_correlations_equal_scipy(pairs: list[tuple[int, int]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    left, right = map(list, zip(*pairs, strict=True))
    assert spearman(left, right) == pytest.approx(stats.spearmanr(left, right).statistic)
    assert pearson(left, right) == pytest.approx(stats.pearsonr(left, right).statistic)


def test_equal_values_share_their_mean_rank() -> None:
    assert average_ranks([3, 1, 3, 2, 3]).tolist() == [4, 1, 4, 2, 4]


def embeddings() -> Embeddings:
    angles = np.array([0, 0.1, 0.5, 1.5, 3.0])
    return Embeddings(["a", "b", "c", "d", "e"], np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_similarity_of_ordered_pairs_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs", "a\tb\t9\na\tc\t7\na\td\t3\nA\tE\t1\nq\ta\t5\n")
    result = Similarity().evaluate(embeddings(), path)
    assert result.metrics["spearman"] == pytest.approx(1)
    assert result.metrics["coverage"] == 0.8
    assert result.metrics["pairs"] == 4
    assert result.rows[0] == ("a", "b", 9.0, pytest.approx(np.cos(0.1)))
    assert result.primary_value == result.metrics["spearman"]
    assert Similarity().evaluate(embeddings(), path, case="exact").metrics["coverage"] == 0.6


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\t1\nc\td\t2.5\n",
        "a,b,1\nc,d,2.5\n",
        '"a","b",1\n"c","d",2.5\n',
        "a;b;1\nc;d;2.5\n",
        "a b 1\nc  d   2.5\n",
        "# a comment\n# word, other, score\na\tb\t1\n\nc\td\t2.5\n",
        "word1\tword2\tPOS\tscore\tconc\na\tb\tN\t1\t9\nc\td\tV\t2.5\t9\n",
        "\ufeffWord 1,Word 2,Human (mean)\r\na,b,1\r\nc,d,2.5\r\n",
    ],
)
def test_layouts_of_pairs_are_read_alike(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs"
    path.write_bytes(text.encode())
    assert [(pair.word, pair.other, pair.score) for pair in read_pairs(path)] == [("a", "b", 1.0), ("c", "d", 2.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a b 1\nc d\n",
            "line 2: expected two words and a score, got 'c d'\nEach line must hold",
        ),
        ("a b 1\nc d x\n", "line 2: expected two words and a score, got 'c d x'"),
        ("a b 1\nc d nan\n", "line 2: expected two words and a score, got 'c d nan'"),
        ("just one\n", "line 1: expected two words and a score, got 'just one'"),
        ("word other score\n", "holds no pairs"),
        ("# nothing\n", "holds no pairs"),
        ("a b 1\nx y 2\n", "only 1 of 2 pairs have vectors for both words, at least 2 are needed"),
        ("a b 1\na c 1\n", "all 2 pairs have the same score or the same cosine, so there is no correlation"),
    ],
)
def test_wrong_pairs_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        Similarity().evaluate(embeddings(), write(tmp_path / "pairs", text))


@pytest.mark.parametrize(
    ("name", "count"), [("EN-SIMLEX-999.txt", 999), ("EN-WS-353-ALL.txt", 353), ("gensim_wordsim353.tsv", 353)]
)
def test_known_test_sets_are_read(name: str, count: int, real_data: Path) -> None:
    assert len(read_pairs(real_data / "similarity" / name)) == count
