"""Starting from a run, a folder or a file: rows land at their words, and training goes on from them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.objectives.topics import documents, topic_gap, train_small
from textssl.embeddings import Embeddings
from textssl.errors import DataError, UsageError
from textssl.training.checkpoint import load_newest

STILL = {"learning_rate": 1e-9, "epochs": 1}
"""Training that changes nothing to speak of."""
NGRAMS = {"min_n": 3, "max_n": 4}
SUMS = {**NGRAMS, "combine": "sum"}
HS = {"output": "hierarchical_softmax"}


def assert_same_vectors(first: Embeddings, second: Embeddings, atol=1e-5):
    shared = [word for word in first.words if word in second.words]
    assert shared
    np.testing.assert_allclose(first[shared], second[shared], atol=atol)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Finished runs by kind."""
    folder = tmp_path_factory.mktemp("earlier")
    kinds = {"words": {}, "n-grams": NGRAMS, "sums": SUMS, "context": {"keep_context": True}, "paths": HS}
    return {kind: train_small(folder, out=folder / kind, epochs=2, **options).run for kind, options in kinds.items()}


@pytest.mark.parametrize("before", ["words", "context", "paths"])
@pytest.mark.parametrize("now", [{}, NGRAMS, HS], ids=["words", "n-grams", "paths"])
def test_vectors_of_a_run_are_taken_over(before, now, trained, tmp_path):
    result = train_small(tmp_path, from_=trained[before], **STILL, **now)
    assert_same_vectors(Embeddings.load(trained[before]), Embeddings.load(result.run))


@pytest.mark.parametrize(
    ("before", "now"),
    [("n-grams", {}), ("n-grams", NGRAMS), ("n-grams", HS), ("words", SUMS), ("sums", {}), ("sums", SUMS)],
    ids=["mean to words", "mean", "mean to paths", "words to sum", "sum to words", "sum"],
)
def test_vectors_of_ngrams_are_taken_over(before, now, trained, tmp_path):
    result = train_small(tmp_path, from_=trained[before], **STILL, **now)
    assert_same_vectors(Embeddings.load(trained[before]), Embeddings.load(result.run))


def test_rows_land_at_their_words_in_another_corpus(trained, tmp_path):
    corpus = [["new", *document[::-1]] for document in documents(50, seed=9)]
    result = train_small(tmp_path, corpus=corpus, from_=trained["words"], **STILL)
    now = Embeddings.load(result.run)
    assert list(now.words) != list(Embeddings.load(trained["words"]).words)
    assert_same_vectors(Embeddings.load(trained["words"]), now)
    assert np.abs(now["new"]).max() <= 0.5 / 16 + 1e-6, "a new word starts at random"
    assert any("starts from" in line and "32 of 33 words, with their context vectors" in line for line in result.notes)


@pytest.mark.parametrize("kind", ["words", "n-grams", "paths"])
def test_going_on_begins_at_the_loss_that_was_reached(kind, trained, tmp_path):
    options = {"n-grams": NGRAMS, "paths": HS}.get(kind, {})
    fresh = train_small(tmp_path, out=tmp_path / "fresh", **STILL, **options).summary.loss_nats
    reached = train_small(tmp_path, out=tmp_path / "reached", from_=trained[kind], **STILL, **options).summary.loss_nats
    assert reached < fresh - 0.5
    onward = train_small(tmp_path, from_=trained[kind], learning_rate=0.02, epochs=2, **options)
    assert onward.summary.epoch_losses[0] < fresh - 0.5
    after = train_small(tmp_path, out=tmp_path / "after", from_=onward.run, **STILL, **options).summary.loss_nats
    assert after < reached + 0.005


def test_context_vectors_come_from_the_checkpoint_of_a_run(trained, tmp_path):
    result = train_small(tmp_path, from_=trained["words"], keep_context=True, **STILL)
    outputs = load_newest(trained["words"] / "checkpoints", warn=print).arrays["outputs"]
    earlier, now = Embeddings.load(trained["words"]), Embeddings.load(result.run)
    places = now.words.find_many(list(earlier.words))
    np.testing.assert_allclose(now.context[places], outputs, atol=1e-5)


def test_context_vectors_come_from_a_folder_that_has_them(trained, tmp_path):
    folder = trained["context"] / "model"
    result = train_small(tmp_path, from_=folder, keep_context=True, **STILL)
    np.testing.assert_allclose(Embeddings.load(result.run).context, Embeddings.load(folder).context, atol=1e-5)


@pytest.mark.parametrize(("before", "now"), [("words", HS), ("paths", {})], ids=["noise to paths", "paths to noise"])
def test_output_rows_of_another_meaning_start_anew(before, now, trained, tmp_path):
    result = train_small(tmp_path, from_=trained[before], **STILL, **now)
    assert any("context vectors start anew" in line for line in result.notes)
    outputs = load_newest(result.run / "checkpoints", warn=print).arrays["outputs"]
    assert np.abs(outputs).max() < 1e-3


def test_nodes_of_another_tree_start_anew(trained, tmp_path):
    result = train_small(tmp_path, corpus=documents(70), from_=trained["paths"], **STILL, **HS)
    assert any("context vectors start anew" in line for line in result.notes)


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.bin"])
def test_vector_files_of_other_programs_serve(name, trained, tmp_path):
    from textssl.commands.export import export

    export(trained["words"], tmp_path / name)
    result = train_small(tmp_path, from_=tmp_path / name, **STILL)
    assert_same_vectors(Embeddings.load(trained["words"]), Embeddings.load(result.run))


def test_unseen_words_keep_their_vectors(trained, tmp_path):
    result = train_small(tmp_path, from_=trained["n-grams"], **STILL, **NGRAMS)
    before, now = Embeddings.load(trained["n-grams"]), Embeddings.load(result.run)
    np.testing.assert_allclose(now["sea123"], before["sea123"], atol=1e-6)


def test_other_engine_goes_on(trained, tmp_path):
    pytest.importorskip("torch")
    result = train_small(tmp_path, from_=trained["words"], engine="reference", out=tmp_path / "reference", **STILL)
    assert_same_vectors(Embeddings.load(trained["words"]), Embeddings.load(result.run))
    back = train_small(tmp_path, from_=result.run, **STILL)
    assert any("with their context vectors" in line for line in back.notes)
    assert_same_vectors(Embeddings.load(trained["words"]), Embeddings.load(back.run))
    assert topic_gap(Embeddings.load(back.run)) > 0.5


def test_other_width_is_refused(trained, tmp_path):
    with pytest.raises(UsageError, match=r"words: holds vectors of 16 numbers, expected 8") as caught:
        train_small(tmp_path, from_=trained["words"], dim=8)
    assert caught.value.hint == "Give --dim 16."
    assert not (tmp_path / "run").exists()


def test_other_ngrams_are_refused(trained, tmp_path):
    with pytest.raises(UsageError, match=r"holds n-grams of 3 to 4 characters") as caught:
        train_small(tmp_path, from_=trained["n-grams"], min_n=2, max_n=4)
    assert "--min-n 3 --max-n 4" in caught.value.hint


def test_vectors_without_a_shared_word_are_refused(trained, tmp_path):
    with pytest.raises(UsageError, match=r"shares no word with the corpus") as caught:
        train_small(tmp_path, corpus=[["eins", "zwei", "drei"] * 5], from_=trained["words"])
    assert "same language" in caught.value.hint


def test_a_start_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no run folder, model folder or vector file at .*none"):
        train_small(tmp_path, from_=tmp_path / "none")
