"""The text classifier on classes that words tell apart, its scores against scikit-learn, and tables of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score

from textssl.embeddings import Embeddings
from textssl.errors import DataError, UsageError
from textssl.evaluators.classification import Classification, average_vectors, draw, read_labelled, scores, terms

FRUIT, METALS = ["apple", "pear", "plum", "fig"], ["iron", "zinc", "lead", "tin"]


def embeddings() -> Embeddings:
    generator = np.random.default_rng(0)
    centres = np.repeat([[3.0, 0, 0], [0, 3.0, 0]], 4, axis=0)
    return Embeddings([*FRUIT, *METALS], (centres + generator.normal(size=(8, 3))).astype(np.float32))


def texts(words: dict[str, list[str]], count: int) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(1)
    labels = [sorted(words)[at % len(words)] for at in range(count)]
    return [" ".join(generator.choice(words[label], 3)) for label in labels], labels


def test_terms_are_the_usual_words_and_the_characters_of_scripts_without_spaces():
    english = ["The cat's 2 new_hats, a B-52 and naïve été!", "one TWO", "x1 y"]
    usual = TfidfVectorizer().build_analyzer()
    assert [terms(text) for text in english] == [usual(text) for text in english]
    assert terms("我爱BERT模型") == ["我", "爱", "我爱", "bert", "模", "型", "模型"]
    assert terms("好。看") == ["好", "看"]
    assert terms("+ a ") == ["+", "a"]
    assert terms("ดี") == ["ด", "ี", "ดี"]


def test_vectors_classify_words_that_training_never_showed() -> None:
    train = texts({"fruit": FRUIT[:2], "metal": METALS[:2]}, 40)
    test = texts({"fruit": FRUIT[2:], "metal": METALS[2:]}, 21)
    result = Classification().evaluate(embeddings(), train, test, sizes=[10, 40], seeds=[1, 2])
    assert result.metrics["accuracy"] > 0.9
    assert result.metrics["tfidf_accuracy"] < 0.7  # no word of the test stands in the training set
    assert result.metrics["majority_accuracy"] == pytest.approx(11 / 21)
    assert result.metrics["coverage"] == 1
    assert [row[:3] for row in result.rows] == [
        (method, size, 2) for size in (10, 40) for method in ("vectors", "tfidf", "majority")
    ]
    assert result.as_dict()["primary_value"] == result.metrics["accuracy"]


def test_classification_is_a_function_of_its_seeds() -> None:
    train, test = texts({"fruit": FRUIT, "metal": METALS}, 30), texts({"fruit": FRUIT, "metal": METALS}, 10)
    runs = [Classification().evaluate(embeddings(), train, test, sizes=[8]).as_dict() for _ in range(2)]
    assert runs[0] == runs[1]


def test_average_is_the_mean_of_unit_vectors_of_known_words() -> None:
    known = embeddings()
    means, coverage = average_vectors(known, ["Apple, IRON unknown!", "", "other"])
    expected = (known.get_vector("apple", norm=True) + known.get_vector("iron", norm=True)) / 2
    np.testing.assert_allclose(means, [expected, np.zeros(3), np.zeros(3)], rtol=1e-6)
    assert coverage == 0.5


def test_draw_keeps_proportions_and_has_every_class() -> None:
    labels = np.array(["a"] * 80 + ["b"] * 18 + ["c"] * 2)
    drawn = draw(labels, 10, seed=3)
    assert len(set(drawn.tolist())) == 10
    assert sorted(labels[drawn].tolist()) == ["a"] * 7 + ["b"] * 2 + ["c"]
    assert sorted(draw(labels, 100, seed=3).tolist()) == list(range(100))
    assert draw(labels, 10, seed=4).tolist() != drawn.tolist()


def test_scores_equal_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    expected, predicted = generator.integers(0, 4, 50), generator.integers(0, 3, 50)
    accuracy, macro_f1 = scores(expected, predicted)
    assert accuracy == np.mean(expected == predicted)
    assert macro_f1 == pytest.approx(f1_score(expected, predicted, average="macro"))


ONE = (["apple", "iron"], ["a", "b"])


@pytest.mark.parametrize(
    ("train", "test", "options", "error", "message"),
    [
        (([], []), ONE, {}, DataError, "the training set must hold as many texts as labels, got 0 and 0"),
        (ONE, (["x"], []), {}, DataError, "the test set must hold as many texts as labels, got 1 and 0"),
        ((["x", "y"], ["a", "a"]), ONE, {}, DataError, r"the training set must hold at least two classes, got \['a'\]"),
        (ONE, ONE, {"seeds": []}, UsageError, "at least one seed is needed, got none"),
        (ONE, ONE, {"sizes": [3]}, UsageError, "a training size must be from 2, the number of classes, to 2, got 3"),
        (ONE, ONE, {"sizes": [1]}, UsageError, "a training size must be from 2, the number of classes, to 2, got 1"),
    ],
)
def test_impossible_experiments_are_refused(train, test, options, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        Classification().evaluate(embeddings(), train, test, **options)


def test_labelled_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,text,label\r\n1,"one, two\nthree",x\r\n2,four,y\r\n', encoding="utf-8-sig")
    assert read_labelled(tmp_path / "t.csv", text="text", label="label") == (["one, two\nthree", "four"], ["x", "y"])
    (tmp_path / "t.tsv").write_text("label\ttext\nx\tone, two\n")
    assert read_labelled(tmp_path / "t.tsv", text="text", label="label") == (["one, two"], ["x"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"texts,label\na,b\n", "line 1: has no column 'text', it has texts, label\nDid you mean 'texts'?"),
        (b"", "line 1: has no column 'text', it has none"),
        (b"text,label\na,b\na,b,c\n", "line 3: has 3 columns, the headings are 2"),
        (b"text,label\na,\n", "line 2: the column 'label' is empty"),
        (b"text,label\n ,x\n", "line 2: the column 'text' is empty"),
        (b"text,label\n", "holds no rows below its headings"),
        (b"text,label\n\xff,x\n", "is no CSV in UTF-8"),
    ],
)
def test_wrong_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        read_labelled(tmp_path / "t.csv", text="text", label="label")
