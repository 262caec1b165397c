"""The simple methods: fitted on training rows alone, for every task, for one text and for two."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from textssl.embeddings import Embeddings
from textssl.finetuning.baselines import baselines, pair_features
from textssl.finetuning.examples import Examples
from textssl.finetuning.labels import Task, labels_of

FRUIT, METALS = ["apple", "pear", "plum", "fig"], ["iron", "zinc", "lead", "tin"]
SCORES = {"single_label": "accuracy", "multi_label": "micro_f1", "regression": "spearman"}


def vectors() -> Embeddings:
    centres = np.repeat([[3.0, 0, 0], [0, 3.0, 0]], 4, axis=0)
    noise = np.random.default_rng(0).normal(size=(8, 3)) * 0.3
    return Embeddings([*FRUIT, *METALS], (centres + noise).astype(np.float32))


def examples(number: int, words: int, *, pairs: bool = False) -> Examples:
    """Texts of fruit, of metals and of both, from the first or the last words of each."""
    chosen = slice(0, 2) if words == 0 else slice(2, 4)
    generator = np.random.default_rng(number)
    kinds = [("fruit",), ("metal",), ("fruit", "metal")]
    texts, labels = [], []
    for at in range(number):
        kind = kinds[at % 3]
        pools = [{"fruit": FRUIT, "metal": METALS}[name][chosen] for name in kind]
        texts.append(" ".join(str(generator.choice(pool)) for pool in pools for _ in range(2)))
        labels.append(list(kind))
    return Examples("t", texts, texts[::-1] if pairs else None, labels, range(number))


def labelled(task: Task, each: Examples) -> Examples:
    made = {
        "single_label": "+".join,
        "multi_label": list,
        "regression": lambda kind: 2.0 * kind.count("fruit") / len(kind),
    }
    return Examples(each.source, each.texts, each.pairs, [made[task](label) for label in each.labels], each.places)


@pytest.mark.parametrize("task", ["single_label", "multi_label", "regression"])
@pytest.mark.parametrize("pairs", [False, True])
def test_word_vectors_know_words_that_training_never_showed(task, pairs):
    train, test = (labelled(task, examples(60, words, pairs=pairs)) for words in (0, 1))
    labels = labels_of(train, task=task)
    found = baselines(labels, train, labels.encode(train), test, labels.encode(test), vectors=vectors())
    assert [each.name.split(" ")[0] for each in found] == ["mean" if task == "regression" else "majority", "TF-IDF",
                                                           "averaged"]  # fmt: skip
    constant, tfidf, averaged = (each.scores[SCORES[task]] for each in found)
    assert averaged > 0.85
    assert max(constant, tfidf) < averaged - 0.1  # no word of the test stands in the training set


def test_tfidf_of_texts_without_words_looks_at_their_characters():
    texts, labels = ["a", "b", "+", "-"] * 5, ["x", "y", "x", "y"] * 5
    rows = Examples("t", texts, None, labels, range(20))
    found = labels_of(rows, task="single_label", name="label")
    _, tfidf = baselines(found, rows, found.encode(rows), rows, found.encode(rows))
    assert tfidf.scores["accuracy"] == 1.0


def test_tfidf_learns_from_words_that_it_saw():
    train, test = labelled("single_label", examples(60, 0)), labelled("single_label", examples(33, 0))
    labels = labels_of(train, task="auto")
    found = baselines(labels, train, labels.encode(train), test, labels.encode(test))
    assert [each.name for each in found] == ["majority", "TF-IDF + logistic regression"]
    assert found[0].scores["accuracy"] == pytest.approx(1 / 3)
    assert found[1].scores["accuracy"] == 1


def test_classes_that_training_lacks_or_always_has_are_no_obstacle():
    train, test = labelled("multi_label", examples(30, 0)), labelled("multi_label", examples(9, 0))
    labels = labels_of(train, task="multi_label")
    targets = labels.encode(train)
    targets[:, 0] = 1
    found = baselines(labels, train, targets, test, labels.encode(test))
    assert found[1].scores["micro_f1"] > 0.8


def test_pair_features_are_the_same_dense_and_sparse():
    first, second = np.random.default_rng(1).normal(size=(2, 4, 3))
    dense = pair_features(first, second)
    assert dense.shape == (4, 12)
    np.testing.assert_allclose(dense[:, 6:9], np.abs(first - second))
    both = pair_features(sparse.csr_matrix(first), sparse.csr_matrix(second))
    np.testing.assert_allclose(both.toarray(), dense)
