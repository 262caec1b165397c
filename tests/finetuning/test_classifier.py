"""A classifier begins with the weights of its model, is saved as a folder that says its labels, and opens again."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.finetuning.small import texts
from textssl.errors import DataError
from textssl.finetuning.classifier import last_layer, new_classifier, open_classifier, save_classifier
from textssl.finetuning.embedding import model_folder, open_source, open_text_model
from textssl.finetuning.labels import Labels
from textssl.finetuning.objective import predict

THREE = Labels("multi_label", ("a", "b", "c"))


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_classifier_has_a_copy_of_the_weights(kind, request):
    source = open_text_model(request.getfixturevalue(kind))
    model = new_classifier(source, THREE, dropout=0.3, seed=1)
    assert model.config.dropout == 0.3
    before = {name: value.clone() for name, value in source.model.model.state_dict().items()}
    for name, value in model.model.state_dict().items():
        torch.testing.assert_close(value, before[name])
        value.add_(1)
    for name, value in source.model.model.state_dict().items():
        torch.testing.assert_close(value, before[name])
    other = new_classifier(source, THREE, seed=2)
    assert not torch.equal(last_layer(other).weight, last_layer(model).weight)


def test_classifier_pooling_is_the_models_own_unless_given(encoder):
    source = open_text_model(encoder)
    assert new_classifier(source, THREE).config.pooling == source.model.config.pooling
    assert new_classifier(source, THREE, pooling="cls").config.pooling == "cls"


def test_classifier_can_start_from_a_classifier(encoder, tmp_path):
    source = open_text_model(encoder)
    save_classifier(tmp_path / "first", new_classifier(source, THREE, seed=1), source, THREE)
    first, _ = open_classifier(tmp_path / "first")
    again = new_classifier(first, Labels("single_label", ("x", "y")), seed=1)
    assert last_layer(again).weight.shape[0] == 2
    torch.testing.assert_close(again.head.state_dict()["dense.weight"], first.model.head.state_dict()["dense.weight"])


def test_classifier_folder_names_its_labels(encoder, tmp_path):
    source = open_text_model(encoder)
    model = new_classifier(source, THREE, seed=1)
    save_classifier(tmp_path / "model", model, source, THREE)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["id2label"] == {"0": "a", "1": "b", "2": "c"}
    assert config["problem_type"] == "multi_label_classification"
    assert config["architectures"] == ["ModernBertForSequenceClassification"]
    opened, labels = open_classifier(tmp_path / "model")
    assert labels == THREE
    encoded = opened.encode(texts(5)[0])
    expected = predict(model, encoded, THREE, pad_id=0, device="cpu")
    np.testing.assert_allclose(predict(opened.model, encoded, labels, pad_id=0, device="cpu"), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_classifier_folder_makes_the_same_rows_in_other_libraries(kind, request, tmp_path):
    from tokenizers import Tokenizer

    source = open_text_model(request.getfixturevalue(kind))
    save_classifier(tmp_path / "model", new_classifier(source, THREE), source, THREE)
    other = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    opened, _ = open_classifier(tmp_path / "model")
    assert other.encode("apple is good").ids == opened.encode(["apple is good"]).ids.tolist()
    assert other.encode("apple", "old iron").ids == opened.encode(["apple"], ["old iron"]).ids.tolist()
    np.testing.assert_array_equal(opened.encode(["apple"]).ids, source.encode(["apple"]).ids)


def test_classifier_of_numbers_is_saved_in_their_own_scale(encoder, tmp_path):
    source = open_text_model(encoder)
    labels = Labels("regression", ("stars",), mean=100.0, deviation=7.0)
    model = new_classifier(source, labels, seed=1)
    encoded = source.encode(texts(4)[0])
    expected = predict(model, encoded, labels, pad_id=0, device="cpu")
    assert abs(expected.mean() - 100) < 30
    weight = last_layer(model).weight.detach().clone()
    save_classifier(tmp_path / "model", model, source, labels)
    torch.testing.assert_close(last_layer(model).weight, weight)
    opened, plain = open_classifier(tmp_path / "model")
    assert plain == dataclasses.replace(labels, mean=0.0, deviation=1.0)
    np.testing.assert_allclose(predict(opened.model, encoded, plain, pad_id=0, device="cpu"), expected, rtol=1e-5)


def test_what_is_no_classifier_is_refused(encoder, tmp_path):
    with pytest.raises(DataError, match=r"is no classifier, it is a model that was only pre-trained\nMake one of it: "):
        open_classifier(encoder)
    with pytest.raises(DataError, match="holds no transformer\nMake a classifier"):
        open_classifier(tmp_path)
    with pytest.raises(DataError, match="holds no transformer\nTrain one first"):
        open_text_model(tmp_path)
    with pytest.raises(DataError, match="is missing: no run and no model folder"):
        model_folder(tmp_path / "nothing")


def test_run_without_a_model_says_its_state(tmp_path):
    from textssl.run_folder import RunFolder

    RunFolder.open(tmp_path / "run", {"seed": 1}, ["textssl"], data={}).close()
    with pytest.raises(DataError, match="has no model yet, the run is new"):
        open_text_model(tmp_path / "run")


def test_source_is_a_transformer_or_word_vectors(encoder, tmp_path):
    from textssl.embeddings import Embeddings

    Embeddings(["a"], np.ones((1, 2), dtype=np.float32)).save(tmp_path / "vectors")
    assert open_source(encoder).length == 24
    assert open_source(tmp_path / "vectors").vector_size == 2
    assert open_source(opened := open_source(encoder)) is opened
