"""The estimators keep scikit-learn's promises, over word vectors and over transformers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from textssl.embeddings import Embeddings
from textssl.errors import DataError, UsageError
from textssl.finetuning.estimator import TextClassifier, TextEmbedder

FRUIT, METALS = ["apple", "pear", "plum", "fig"], ["iron", "zinc", "lead", "tin"]


@pytest.fixture(scope="module")
def vectors() -> Embeddings:
    centres = np.repeat([[3.0, 0, 0], [0, 3.0, 0]], 4, axis=0)
    noise = np.random.default_rng(0).normal(size=(8, 3)) * 0.3
    return Embeddings([*FRUIT, *METALS], (centres + noise).astype(np.float32))


def texts(number: int) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(number)
    pools = [("fruit", FRUIT), ("metal", METALS)]
    return [" ".join(generator.choice(pools[at % 2][1], 2)) for at in range(number)], [
        pools[at % 2][0] for at in range(number)
    ]


def test_embedder_works_in_a_pipeline_and_from_a_file(vectors, tmp_path):
    vectors.save(tmp_path / "vectors")
    train, labels = texts(20)
    model = make_pipeline(TextEmbedder(tmp_path / "vectors"), LogisticRegression()).fit(train, labels)
    assert model.score(*texts(9)) == 1
    with pytest.warns(UserWarning, match="1 of 2 texts holds no known word: its vector is zeros"):
        found = TextEmbedder(vectors).fit_transform(["apple iron", "unknown"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0], rtol=1e-6)
    raw = TextEmbedder(vectors, normalise=False).fit_transform(["apple iron"])
    np.testing.assert_allclose(found[0], raw[0] / np.linalg.norm(raw[0]), rtol=1e-5)


def test_classifier_predicts_labels_and_probabilities(vectors):
    train, labels = texts(20)
    model = TextClassifier(vectors).fit(train, labels)
    assert model.classes_.tolist() == ["fruit", "metal"]
    assert model.predict(["fig pear", "lead"]).tolist() == ["fruit", "metal"]
    probabilities = model.predict_proba(["fig pear", "lead"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert probabilities[0, 0] > 0.8
    assert model.transform(["fig"]).shape == (1, 3)
    assert model.score(train, labels) == 1
    with pytest.warns(UserWarning, match="2 of 3 texts hold no known word: their vectors are zeros"):
        model.predict(["fig", "unknown", ""])


def test_classifier_can_be_cloned_searched_and_cross_validated(vectors):
    model = TextClassifier(vectors, penalty=0.5)
    assert model.get_params()["penalty"] == 0.5
    copy = clone(model).set_params(penalty=2.0)
    assert (copy.penalty, model.penalty) == (2.0, 0.5)
    assert cross_val_score(model, *map(np.array, texts(20)), cv=2).mean() == 1
    search = GridSearchCV(model, {"penalty": [0.1, 1.0]}, cv=2).fit(*texts(20))
    assert search.best_score_ == 1


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"method": "all"}, (["a", "b"], [0, 1]), "method must be probe or full, got 'all'"),
        ({"method": "full"}, (["a", "b"], [0, 1]), "word vectors are not trained further, method must be probe"),
        ({"pooling": "cls"}, (["a", "b"], [0, 1]), "word vectors have no cls position, pooling must be mean"),
        ({}, (["a", "b"], [0, 0]), r"at least two classes are needed, got \[0\]"),
        ({}, (["a", "b"], [0, 1, 1]), "as many labels as texts are expected, got 3 and 2"),
        ({}, ("ab", [0, 1]), "a list of texts is expected, got one text"),
        ({}, (["a", 7], [0, 1]), "every text must be a str, number 1 is int"),
    ],
)
def test_classifier_refuses_what_it_cannot_learn(vectors, options, given, message):
    with pytest.raises(UsageError, match=message):
        TextClassifier(vectors, **options).fit(*given)


def test_classifier_that_is_not_fitted_says_so(vectors):
    with pytest.raises(NotFittedError):
        TextClassifier(vectors).predict(["a"])
    with pytest.raises(NotFittedError):
        TextEmbedder(vectors).transform(["a"])


def test_source_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="is missing: no run and no model folder"):
        TextEmbedder(tmp_path / "nothing").fit([])
