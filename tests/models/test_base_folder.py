"""models/base_folder.py: round trips, foreign forms of folders, and folders that lie."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.models.small_models import DECODER, ENCODER, ids_and_documents, logits, settings, small_tokenizer
from textssl.errors import DataError, UsageError
from textssl.models.base_folder import is_model_folder, load_model, save_model, write_model
from textssl.models.base_hub_config import from_json, to_json
from textssl.models.heads import Labels, classifier_over
from textssl.storage import verify_folder
from textssl.tensor_file import open_tensors, save_tensors

ENCODER_FOLDER = to_json(ENCODER)
DECODER_FOLDER = to_json(DECODER)


@pytest.fixture
def folder(tmp_path):
    """The encoder's folder, to be damaged."""
    write_model(tmp_path, settings()["encoder"], small_tokenizer())
    return tmp_path


def change_config(folder, **values):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def change_weights(folder, change):
    arrays = {name: np.array(array) for name, array in open_tensors(folder / "model.safetensors").tensors.items()}
    change(arrays)
    save_tensors(folder / "model.safetensors", arrays)


@pytest.mark.parametrize("name", settings())
def test_saved_model_is_loaded_as_it_was(name, tmp_path):
    model = settings()[name]
    save_model(tmp_path / "model", model, small_tokenizer(), metadata={"steps": 3})
    assert verify_folder(tmp_path / "model", hashes=True) == {"kind": type(model).__name__, "steps": 3}
    assert is_model_folder(tmp_path / "model")
    loaded, tokenizer = load_model(tmp_path / "model")
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert getattr(loaded, "labels", None) == getattr(model, "labels", None)
    assert tokenizer.identity() == small_tokenizer().identity()
    assert torch.equal(logits(loaded.eval(), *ids_and_documents()), logits(model, *ids_and_documents()))


def test_saved_decoder_says_when_to_stop(tmp_path):
    write_model(tmp_path, settings()["decoder"], small_tokenizer())
    written = json.loads((tmp_path / "generation_config.json").read_text())
    assert (written["eos_token_id"], written["pad_token_id"]) == (3, 0)


def test_problem_and_names_of_labels_are_kept():
    for problem in ("single_label", "multi_label", "regression"):
        labels = Labels(("sport", "news") if problem != "regression" else ("stars",), problem)
        assert from_json(to_json(ENCODER, labels), where="config.json").labels == labels


def test_weights_in_bfloat16_in_parts_and_with_copies_are_read(folder):
    from safetensors.torch import save_file

    expected, _ = load_model(folder)
    state = {name: values.bfloat16() for name, values in expected.state_dict().items()}
    state["decoder.weight"] = state["model.embeddings.tok_embeddings.weight"].clone()
    names = sorted(state)
    places = {name: f"model-0000{1 + (n > 5)}-of-00002.safetensors" for n, name in enumerate(names)}
    (folder / "model.safetensors").unlink()
    for file in set(places.values()):
        save_file({name: state[name] for name in names if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    loaded, _ = load_model(folder)
    for name, values in loaded.state_dict().items():
        assert values.dtype == torch.float32
        assert torch.equal(values, state[name].float()), name


def test_body_without_head_gets_a_new_head_only_when_asked(folder):
    def cut(arrays):
        for name in list(arrays):
            values = arrays.pop(name)
            if name.startswith("model."):
                arrays[name.removeprefix("model.")] = values

    change_weights(folder, cut)
    with pytest.raises(DataError, match=r"lacks the weights decoder.bias, head.dense.weight, head.norm.weight\n"):
        load_model(folder)
    loaded, _ = load_model(folder, new_head_seed=1)
    same = settings()["encoder"].model.state_dict()
    assert all(torch.equal(values, same[name]) for name, values in loaded.model.state_dict().items())
    assert 0.005 < float(loaded.head.dense.weight.detach().std()) < 0.04


def test_half_a_head_is_refused(folder):
    change_weights(folder, lambda arrays: arrays.pop("head.dense.weight"))
    with pytest.raises(DataError, match=r"lacks the weights head.dense.weight\n"):
        load_model(folder, new_head_seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("model.final_norm.weight"), r"lacks the weights model.final_norm.weight\n"),
        (lambda a: [a.pop(n) for n in list(a) if "mlp" in n], "and 4 more"),
        (lambda a: a.update({"decoder.bias": np.zeros(3, "f4")}), r"'decoder.bias' of shape \(3,\), expected \(17,\)"),
        (
            lambda a: a.update({"decoder.bias": np.zeros(17, "i4")}),
            "'decoder.bias' of type torch.int32, expected float",
        ),
        (lambda a: a["decoder.bias"].fill(np.nan), "NaN or inf in 'decoder.bias'"),
        (lambda a: a.update({"adapter": np.zeros(3, "f4")}), "holds 'adapter', which the model has not"),
        (lambda a: a.update({"decoder.weight": np.zeros((17, 16), "f4")}), "expected one table for both"),
    ],
)
def test_weights_that_do_not_fit_are_refused(folder, change, message):
    change_weights(folder, change)
    with pytest.raises(DataError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "bert"}, "model_type must be modernbert or llama, got 'bert'"),
        ({"hidden_size": "16"}, "hidden_size must be a whole number, got '16'"),
        ({"norm_eps": "small"}, "norm_eps must be a number, got 'small'"),
        ({"hidden_activation": 3}, "hidden_activation must be a text, got 3"),
        ({"attention_bias": 1}, "attention_bias must be true or false, got 1"),
        ({"attention_bias": True}, "attention_bias must be false, our models have no other form"),
        ({"norm_bias": True}, "norm_bias must be false"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings must be true"),
        ({"decoder_bias": False}, "decoder_bias must be true"),
        ({"hidden_activation": "relu"}, "activation must be one of gelu, silu, got 'relu'"),
        ({"classifier_activation": "silu"}, "classifier_activation must be gelu, got 'silu'"),
        ({"classifier_pooling": "max"}, "classifier_pooling must be cls or mean, got 'max'"),
        ({"layer_types": ["full_attention"]}, "layer_types must be 3 times one of full_attention, sliding_attention"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_type must be default, got 'yarn'"),
        ({"rope_parameters": 3}, "rope_parameters must be an object, got 3"),
        ({"num_attention_heads": 3}, r"width must be a multiple of 2 \* heads, got 16 and 6"),
        ({"num_hidden_layers": 0, "layer_types": []}, "layers must be at least 1, got 0"),
        ({"vocab_size": 16}, "the tokenizer has 17 ids, the model has 16 rows"),
        ({"vocab_size": 10**12}, "too little for the model that config.json describes"),
    ],
)
def test_configurations_that_we_have_no_model_for_are_refused(folder, values, message):
    change_config(folder, **values)
    with pytest.raises(DataError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"eos_token_id": "3"}, "eos_token_id must be an id, got '3'"),
        ({"rope_scaling": {"rope_type": "llama3"}, "rope_parameters": None}, "rope_type must be default, got 'llama3'"),
        ({"problem_type": "ranking"}, "problem_type must be one of single_label_classification"),
        ({"id2label": {"1": "a"}}, "id2label must name the labels 0, 1, ..., got {'1': 'a'}"),
    ],
)
def test_configurations_of_decoders_are_checked(values, message):
    classifier = {**DECODER_FOLDER, "architectures": ["LlamaForSequenceClassification"]}
    with pytest.raises(DataError, match=message):
        from_json({**classifier, **values}, where="config.json")


def test_older_names_of_keys_are_read():
    older = {**DECODER_FOLDER, "rope_theta": 5_000, "rope_parameters": None, "eos_token_id": [3, 9]}
    config = from_json(older, where="config.json").config
    assert (config.rope_theta, config.separator_id) == (5_000.0, 3)
    every = {**ENCODER_FOLDER, "layer_types": None, "rope_parameters": None, "global_attn_every_n_layers": 2}
    config = from_json({**every, "local_rope_theta": 7.0, "global_rope_theta": 9}, where="config.json").config
    assert (config.window_layers, config.window, config.rope_theta, config.window_rope_theta) == ((1,), 128, 9.0, 7.0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "config.json: is damaged"),
        ("config.json", b"[]", "config.json: holds a list, expected a JSON object"),
        ("config.json", None, "config.json: is missing"),
        ("config.json", b" " * ((1 << 24) + 1), "config.json: has 16.* expected 16.* at most"),
        ("model.safetensors", b"x" * 9000, "is damaged or no safetensors file"),
        ("model.safetensors", b"x", "has 1 bytes?, too little for the model"),
        ("model.safetensors", None, "holds no model.safetensors"),
        ("tokenizer.json", b"{}", "tokenizer.json: is no tokenizer"),
    ],
)
def test_damaged_files_are_refused(folder, name, content, message):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_model(folder)


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="holds its weights as a pickle"):
        load_model(folder)


def test_parts_outside_the_folder_are_refused(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../a.safetensors"}}')
    with pytest.raises(DataError, match="names no files of this folder as weight_map"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model_type": "bert"}', b" " * ((1 << 24) + 1)])
def test_folders_of_other_things_are_no_model_folders(tmp_path, content):
    assert not is_model_folder(tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    assert not is_model_folder(tmp_path)


def test_classifier_over_a_model_shares_its_weights_and_adds_a_layer():
    labels = Labels(("no", "yes"))
    for name in ("encoder", "decoder"):
        model = settings()[name]
        made = classifier_over(model, labels, seed=1)
        assert made.model is model.model
        assert made.logits(ids_and_documents()[0]).shape == (3, 2)
        again = logits(classifier_over(model, labels, seed=1).eval(), *ids_and_documents())
        assert torch.equal(logits(made.eval(), *ids_and_documents()), again)


def test_labels_are_checked():
    with pytest.raises(UsageError, match="labels must be at least one name, got none"):
        Labels(())
    with pytest.raises(UsageError, match="labels must be different names, got a, a"):
        Labels(("a", "a"))


def test_tokenizer_that_is_too_large_is_refused_when_saving(tmp_path):
    with pytest.raises(DataError, match="the tokenizer has 20 ids, the model has 17 rows"):
        save_model(tmp_path / "model", settings()["encoder"], small_tokenizer(20))
    assert not (tmp_path / "model").exists()


def test_padded_vocabulary_is_fine(tmp_path):
    from textssl.models.encoder import Encoder

    save_model(tmp_path / "model", Encoder(replace(ENCODER, vocabulary_size=64)), small_tokenizer())
    assert load_model(tmp_path / "model")[0].config.vocabulary_size == 64
