"""`textssl evaluate`."""

import json
import math

import pytest

import textssl
from tests.small_language_models import sentences, trained
from textssl.commands.base import jsonable
from textssl.commands.evaluate import evaluate
from textssl.errors import DataError, UsageError
from textssl.evaluators.analogy import Analogy
from textssl.evaluators.similarity import Similarity

QUESTIONS = (
    ": capitals\nfrance paris italy rome\nspain madrid japan tokyo\nfrance paris atlantis x\n: gram1-none\na b c d\n"
)
PAIRS = "word,other,score\nparis,rome,9\nparis,france,5\nso-called-1,tokyo,1\nparis,atlantis,3\n"


@pytest.fixture
def questions(tmp_path):
    (tmp_path / "q.txt").write_text(QUESTIONS)
    return tmp_path / "q.txt"


@pytest.fixture
def pairs(tmp_path):
    (tmp_path / "p.csv").write_text(PAIRS)
    return tmp_path / "p.csv"


def test_evaluate_prints_protocol_coverage_and_sections(run, vectors, questions):
    done = run("evaluate", vectors, "--analogies", questions, "--restrict-vocab", "10")
    assert done.code == 0
    assert "3CosAdd" in done.out
    assert "restricted (10 words)" in done.out
    assert "full (30 words)" in done.out
    assert "capitals" in done.out
    assert "2 of 2  100.0" in done.out
    assert "restricted: 50.0% of 4 questions could be asked" in done.out


def test_small_vocabulary_makes_both_protocols_one(vectors, questions):
    found = evaluate(vectors, analogies=[questions]).results
    assert [result.settings["protocol"] for result in found] == ["full"]


def test_evaluate_equals_the_evaluators(vectors, questions, pairs):
    table = textssl.Embeddings.load(vectors)
    found = evaluate(vectors, analogies=[questions], similarity=[pairs], method="3cosmul").results
    expected = [
        Analogy().evaluate(table, questions, protocol="full", method="3CosMul"),
        Similarity().evaluate(table, pairs),
    ]
    assert jsonable([result.as_dict() for result in found]) == jsonable([result.as_dict() for result in expected])


def test_evaluate_as_json_names_every_measurement(run, vectors, questions, pairs):
    done = run("evaluate", vectors, "--analogies", questions, "--similarity", pairs, pairs, "--json")
    results = json.loads(done.out)["results"]
    assert [result["name"] for result in results] == ["analogy", "similarity", "similarity"]
    assert results[0]["metrics"]["coverage"] == 0.5
    assert results[0]["rows"][1]["accuracy"] is None, "nothing was asked in this section"


def test_evaluate_shows_similarity_with_its_coverage(run, vectors, pairs):
    out = run("evaluate", vectors, "--similarity", pairs).out
    assert "Spearman" in out
    assert "on 3 of 4 pairs" in out


def test_classification_with_a_test_file_names_shared_texts(run, vectors, tmp_path):
    rows = [f"{country} here,{number % 2}\n" for number, country in enumerate(["paris", "so-called-1"] * 10)]
    (tmp_path / "train.csv").write_text("review,stars\n" + "".join(rows))
    (tmp_path / "test.csv").write_text("review,stars\nparis here,0\nrome,0\nso-called-2,1\n")
    done = run(
        *("evaluate", vectors, "--classification", "train.csv", "--test", "test.csv"),
        *("--text", "review", "--label", "stars"),
    )
    assert done.code == 0, done.err
    for word in ("vectors", "tfidf", "majority", "1 texts of the test set stand in the training set too"):
        assert word in done.out


def test_classification_without_a_test_file_keeps_a_fifth_back(vectors, tmp_path):
    rows = [f"{word} {number},{label}\n" for number in range(20) for word, label in (("paris", "a"), ("spain", "b"))]
    (tmp_path / "c.csv").write_text("text,label\n" + "".join(rows))
    (result,) = evaluate(vectors, classification=tmp_path / "c.csv").results
    assert result.rows[0][1] == 32
    assert math.isfinite(result.metrics["accuracy"])


def test_evaluate_takes_a_single_path_from_python(vectors, questions):
    assert len(evaluate(vectors, analogies=questions).results) == 1
    assert len(evaluate(vectors, analogies=str(questions)).results) == 1


def test_evaluate_nothing_is_refused(vectors):
    with pytest.raises(UsageError, match="nothing to measure"):
        evaluate(vectors)


def test_evaluate_restrict_vocab_below_one_is_refused(vectors, questions):
    with pytest.raises(UsageError, match="restrict_vocab must be at least 1, got 0"):
        evaluate(vectors, analogies=[questions], restrict_vocab=0)


def test_missing_questions_name_the_nearest(vectors, questions):
    with pytest.raises(DataError, match="no file of analogy questions at") as caught:
        evaluate(vectors, analogies=[questions.with_name("qq.txt")])
    assert caught.value.hint == "Did you mean 'q.txt'?"


def test_evaluate_predicts_a_corpus_with_a_transformer(run, tmp_path):
    (tmp_path / "other.txt").write_text("\n".join(sentences(2)))
    done = run("evaluate", trained("next_token"), "--corpus", "other.txt", "--max-rows", "4")
    assert done.code == 0, done.err
    assert "predicts other.txt: 96 tokens in 4 of " in done.out
    for name in ("loss ", "perplexity ", "accuracy ", "bits per byte "):
        assert name in done.out
    done = run("evaluate", trained("masked_lm"), "--corpus", "other.txt")
    assert "hidden tokens (15 %, the same every time)" in done.out


def test_evaluate_measures_a_transformer_or_word_vectors_not_both(run, tmp_path):
    done = run("evaluate", "runs/lm", "--corpus", "a.txt", "--analogies", "b.txt")
    assert done.code == 2
    assert "corpus measures a transformer, analogies, similarity and classification measure word vectors" in done.err
