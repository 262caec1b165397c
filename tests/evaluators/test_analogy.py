"""Analogies against a question-by-question definition, the protocols, capitals, layouts, and Google's file at speed."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from textssl.embeddings import Embeddings
from textssl.errors import DataError, UsageError
from textssl.evaluators import analogy
from textssl.evaluators.analogy import Analogy, read_questions


def grid() -> Embeddings:
    """Pairs x = e_i and y = e_i + r, and words orthogonal to all: y_j has the largest score for x_i y_i x_j by hand."""
    axes = np.eye(20, dtype=np.float32)
    words = [f"x{at}" for at in range(6)] + [f"y{at}" for at in range(6)] + [f"other{at}" for at in range(13)]
    return Embeddings(words, np.concatenate([axes[:6], axes[:6] + axes[6], axes[7:]]))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


QUESTIONS = """: capitals
x0 y0 x1 y1
x2 y2 x3 y3
: gram1-plural
x0 y0 x2 y2
x0 y0 missing y1
"""


@pytest.mark.parametrize("method", ["3CosAdd", "3CosMul"])
def test_analogies_are_answered_per_section(method: analogy.Method, tmp_path: Path) -> None:
    result = Analogy().evaluate(grid(), write(tmp_path / "q", QUESTIONS), protocol="full", method=method)
    assert result.rows == [
        ("capitals", "semantic", 2, 2, 2, 1.0),
        ("gram1-plural", "syntactic", 1, 1, 2, 1.0),
        ("semantic", "semantic", 2, 2, 2, 1.0),
        ("syntactic", "syntactic", 1, 1, 2, 1.0),
        ("total", "total", 3, 3, 4, 1.0),
    ]
    assert result.metrics == {
        "accuracy": 1, "semantic": 1, "syntactic": 1, "coverage": 0.75, "correct": 3, "asked": 3
    }  # fmt: skip
    assert result.settings == {"protocol": "full", "words": 25, "method": method, "case": "ignore"}
    assert json.loads(json.dumps(result.as_dict()))["rows"][0]["section"] == "capitals"


def answer_by_definition(embeddings: Embeddings, a: str, b: str, c: str, method: str, size: int) -> str:
    ask = embeddings.most_similar if method == "3CosAdd" else embeddings.most_similar_cosmul
    found = ask(positive=[b, c], negative=[a], topn=1, restrict_vocab=size)
    assert isinstance(found, list)
    return found[0][0]


@pytest.mark.parametrize("method", ["3CosAdd", "3CosMul"])
@pytest.mark.parametrize(("block", "threads"), [(7, 1), (40, 1), (64, 2), (8192, 3)])
@pytest.mark.parametrize("size", [60, 200])
def test_analogies_equal_one_search_per_question(
    method: analogy.Method, block: int, threads: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analogy, "BLOCK_WORDS", block)
    generator = np.random.default_rng(1)
    embeddings = Embeddings([f"w{at}" for at in range(200)], generator.normal(size=(200, 4)).astype(np.float32))
    quadruples = [tuple(f"w{at}" for at in generator.choice(60, 4, replace=False)) for _ in range(50)]
    # Half of the questions get the right answer, so that both outcomes are met.
    quadruples[::2] = [
        (a, b, c, answer_by_definition(embeddings, a, b, c, method, size)) for a, b, c, _ in quadruples[::2]
    ]
    path = write(tmp_path / "q", ": s\n" + "\n".join(map(" ".join, quadruples)) + "\n")
    result = Analogy().evaluate(embeddings, path, restrict_vocab=size, method=method, threads=threads)
    expected = [answer_by_definition(embeddings, a, b, c, method, size) == d for a, b, c, d in quadruples]
    assert result.metrics["correct"] == sum(expected)
    assert result.metrics["asked"] == 50


def test_restricted_protocol_asks_frequent_words_only(tmp_path: Path) -> None:
    path = write(tmp_path / "q", QUESTIONS)
    assert Analogy().evaluate(grid(), path, restrict_vocab=9).metrics["asked"] == 2
    assert Analogy().evaluate(grid(), path, protocol="full", restrict_vocab=9).metrics["asked"] == 3


def test_capitals_are_ignored_unless_asked(tmp_path: Path) -> None:
    base = grid()
    path = write(tmp_path / "q", ": s\nX0 y0 x1 Y1\n")
    assert Analogy().evaluate(base, path).metrics == pytest.approx(
        {"accuracy": 1, "semantic": 1, "syntactic": math.nan, "coverage": 1, "correct": 1, "asked": 1}, nan_ok=True
    )
    with pytest.raises(DataError, match="none of the 1 questions can be asked"):
        Analogy().evaluate(base, path, case="exact")


def test_other_capitals_of_the_question_are_no_answer(tmp_path: Path) -> None:
    base = grid()
    table = np.concatenate([base.vectors, base.vectors[6:8]])  # Y0 and Y1 stand where y0 and y1 do
    embeddings = Embeddings([*base.words, "Y0", "Y1"], table)
    path = write(tmp_path / "q", ": s\nx1 y1 x0 y0\nx0 y0 x1 y1\n")
    assert Analogy().evaluate(embeddings, path).metrics["accuracy"] == 1


def test_most_frequent_capitals_give_the_vector(tmp_path: Path) -> None:
    base = grid()
    embeddings = Embeddings([*base.words, "X0", "Y0"], np.concatenate([base.vectors, -base.vectors[:2] * 9]))
    assert Analogy().evaluate(embeddings, write(tmp_path / "q", ": s\nX0 Y0 X1 Y1\n")).metrics["accuracy"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": s\na b c\n", "line 2: expected four words, got 3: 'a b c'\nEach line must hold four words, a b c d, after"),
        (": s\na b c d\n\na b c d e\n", "line 4: expected four words, got 5"),
        ("a b c d\n", "line 1: expected a section ': name' before the first question, got 'a b c d'"),
        ("", "the file is empty"),
        (": s\na b c d\n", "none of the 1 questions can be asked: in each a word is not among the 25 words"),
        (": s\n", "none of the 0 questions can be asked"),
    ],
)
def test_wrong_layout_names_line_and_expectation(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Analogy().evaluate(grid(), write(tmp_path / "q", text))
    assert caught.value.exit_code == 3


def test_other_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(b": s\na b c \xe9\n")
    with pytest.raises(DataError, match=r"line 2: is not UTF-8 \(byte 11 of the file\)\nConvert the file to"):
        read_questions(tmp_path / "q")


@pytest.mark.parametrize(("name", "value"), [("restrict_vocab", 0), ("threads", 0)])
def test_numbers_out_of_range_are_refused(name: str, value: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{name} must be at least 1, got 0"):
        Analogy().evaluate(grid(), write(tmp_path / "q", QUESTIONS), **{name: value})


def test_all_of_googles_questions_take_seconds(real_data: Path) -> None:
    path = real_data / "analogy" / "questions-words.txt"
    sections = read_questions(path)
    words = list(dict.fromkeys(word.lower() for section in sections for q in section.questions for word in q))
    words += [f"other{at}" for at in range(30_000 - len(words))]
    table = np.random.default_rng(0).normal(size=(30_000, 50)).astype(np.float32)
    start = time.perf_counter()
    result = Analogy().evaluate(Embeddings(words, table), path)
    assert time.perf_counter() - start < 20  # about 0.6 s; the limit is wide for a busy machine
    assert result.metrics["asked"] == 19_544
    assert len(sections) == 14
    assert [section.kind for section in sections] == ["semantic"] * 5 + ["syntactic"] * 9
