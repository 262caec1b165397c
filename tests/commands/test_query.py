"""`textssl query`."""

import io
import json
import sys

import numpy as np
import pytest

import textssl
from textssl.commands.base import parse_expression
from textssl.commands.query import query
from textssl.errors import DataError, UsageError


def test_query_answers_an_analogy(run, vectors):
    done = run("query", vectors, "paris - france + italy")
    assert done.code == 0
    assert done.out.splitlines()[0].split()[0] == "rome"
    assert len(done.out.splitlines()) == 10
    assert done.err == ""


def test_query_without_quotes_is_the_same(run, vectors):
    assert (
        run("query", vectors, "paris", "-", "france", "+", "italy").out
        == run("query", vectors, "paris - france + italy").out
    )


def test_query_of_several_words_answers_each(run, vectors):
    answers = json.loads(run("query", vectors, "paris", "rome", "--topn", "2", "--json").out)["answers"]
    assert [answer["query"] for answer in answers] == ["paris", "rome"]
    assert [len(answer["neighbours"]) for answer in answers] == [2, 2]


def test_batch_of_words_equals_one_by_one(vectors):
    together = query(vectors, "paris", "rome").answers
    assert [answer.neighbours[0].word for answer in together] == [
        query(vectors, word).answers[0].neighbours[0].word for word in ("paris", "rome")
    ]


def test_query_equals_the_embeddings_own_answer(vectors):
    expected = textssl.Embeddings.load(vectors).most_similar(["paris", "italy"], ["france"], topn=3)
    found = query(vectors, "paris - france + italy", topn=3).answers[0].neighbours
    assert [(near.word, pytest.approx(near.score)) for near in found] == expected


def test_query_by_cosmul_and_with_a_restricted_vocabulary(vectors):
    found = query(vectors, "paris - france + italy", method="3cosmul", restrict_vocab=10).answers[0].neighbours
    assert found[0].word == "rome"
    assert len(found) == 7


def test_query_similarity_and_odd_one_out(run, vectors):
    done = run(
        "query", vectors, "--similarity", "paris", "rome", "--odd-one-out", "paris", "rome", "madrid", "so-called-3"
    )
    assert done.code == 0
    similarity, odd = done.out.split()
    table = textssl.Embeddings.load(vectors)
    assert float(similarity) == pytest.approx(float(table.similarity("paris", "rome")), abs=1e-4)
    assert odd == table.doesnt_match(["paris", "rome", "madrid", "so-called-3"])


def test_queries_from_a_file_and_from_standard_input(run, vectors, tmp_path, monkeypatch):
    (tmp_path / "q.txt").write_text("\ufeffparis\n\nparis - france + italy\n")
    from_file = run("query", vectors, "--file", "q.txt")
    monkeypatch.setattr(sys, "stdin", io.StringIO("paris\nparis - france + italy\n"))
    from_stdin = run("query", vectors, "--file", "-")
    assert from_file.code == from_stdin.code == 0
    assert from_file.out == from_stdin.out
    assert "\n\nparis - france + italy\n" in from_file.out


def test_an_expression_without_spaces_is_shown_with_them(vectors):
    with pytest.raises(
        DataError, match="'paris-france\\+italy' is not in the vocabulary of .* stand between spaces"
    ) as caught:
        query(vectors, "paris-france+italy")
    assert caught.value.hint == 'Write: "paris - france + italy"'
    with pytest.raises(DataError, match="'paris-france' is not in the vocabulary") as caught:
        query(vectors, "paris-france + italy")
    assert caught.value.hint == 'Write: "paris - france"'


def test_an_unknown_word_with_a_hyphen_is_no_expression(vectors):
    with pytest.raises(DataError, match="'paris-zzzz' is not in the vocabulary of [0-9,]+ words") as caught:
        query(vectors, "paris-zzzz")
    assert "spaces" not in caught.value.message


def test_query_takes_a_vector_file_of_another_program(run, tmp_path):
    (tmp_path / "v.txt").write_text("3 2\na 1 0\nb 0.9 0.1\nc 0 1\n")
    assert run("query", "v.txt", "a", "--topn", "1").out.split()[0] == "b"


def test_query_escapes_words_that_would_drive_a_terminal(run, tmp_path):
    rows = np.eye(2, dtype="<f4") + 0.5
    (tmp_path / "v.bin").write_bytes(b"2 2\na " + rows[0].tobytes() + b"\n\x1b[2J[red] " + rows[1].tobytes() + b"\n")
    assert run("query", "v.bin", "a").out.startswith("\\x1b[2J[red]")


def test_unknown_words_are_all_named_with_the_nearest(run, vectors):
    done = run("query", vectors, "pariss - frence + italy")
    assert done.code == 3
    assert "'pariss', 'frence' are not in the vocabulary of 30 words" in done.err
    assert "pariss: paris" in done.err
    assert "frence: france" in done.err


def test_unknown_word_without_neighbours_says_how_words_are_written(vectors):
    with pytest.raises(DataError, match="'xxxxxxxxxxxx' is not in the vocabulary") as caught:
        query(vectors, "xxxxxxxxxxxx")
    assert caught.value.hint == "Words are asked for exactly as the corpus wrote them."


def test_many_unknown_words_are_counted(vectors):
    with pytest.raises(DataError, match="and 2 more are not in the vocabulary"):
        query(vectors, *(f"unknown{number}" for number in range(7)))


@pytest.mark.parametrize(
    ("text", "positive", "negative"),
    [
        ("paris", ("paris",), ()),
        ("paris - france + italy", ("paris", "italy"), ("france",)),
        ("so-called + well-known", ("so-called", "well-known"), ()),
        ("- france + italy", ("italy",), ("france",)),
        ("king \u2212 man + woman", ("king", "woman"), ("man",)),
        ("new york", ("new", "york"), ()),
        ("c++ - c", ("c++",), ("c",)),
    ],
)
def test_parse_reads_operators_that_stand_apart(text, positive, negative):
    expression = parse_expression(text)
    assert (expression.positive, expression.negative) == (positive, negative)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a + - b", "has two operators in a row"),
        ("a -", "ends with -"),
        ("- a", "has no word to add"),
        ("", "has no word to add"),
    ],
)
def test_parse_refuses_malformed_expressions(text, message):
    with pytest.raises(UsageError, match=message):
        parse_expression(text)


def test_query_refuses_to_ask_nothing(run, vectors):
    done = run("query", vectors)
    assert done.code == 2
    assert "nothing is asked" in done.err


def test_odd_one_out_of_two_is_refused(vectors):
    with pytest.raises(UsageError, match="odd_one_out needs at least 3 words, got 2"):
        query(vectors, odd_one_out=["paris", "rome"])


def test_file_of_queries_in_another_encoding_names_the_byte(vectors, tmp_path):
    (tmp_path / "q.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="is not UTF-8 at byte 3"):
        query(vectors, file=tmp_path / "q.txt")
