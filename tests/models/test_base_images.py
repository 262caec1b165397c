"""models/base_images.py: configurations, first weights, and saved folders, whole and damaged."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.models.small_images import SMALL, encoder, images
from textssl.errors import DataError, UsageError
from textssl.models.base_image_folder import (
    is_image_model_folder,
    load_image_model,
    save_image_model,
    write_image_model,
)
from textssl.models.base_images import ImageEncoderConfig, image_encoder_config, initialise_network, make_image_encoder
from textssl.models.base_projection import Projector, initialise_parts, load_projector
from textssl.storage import verify_folder
from textssl.tensor_file import open_tensors, save_tensors


@pytest.fixture
def folder(tmp_path):
    """A saved network with a projector, to be damaged."""
    write_image_model(tmp_path, encoder("small_cnn"), projector=Projector((16, 4)))
    return tmp_path


def change_config(folder, part, **values):
    file = folder / "config.json"
    described = json.loads(file.read_text())
    described[part] = {**described[part], **values}
    file.write_text(json.dumps(described))


def change_weights(folder, change):
    arrays = {name: np.array(array) for name, array in open_tensors(folder / "model.safetensors").tensors.items()}
    change(arrays)
    save_tensors(folder / "model.safetensors", arrays)


@pytest.mark.parametrize("name", SMALL)
def test_every_network_makes_features_of_its_width_with_a_gradient_for_each_weight(name):
    model = encoder(name)
    features = model(images(model.config))
    assert features.shape == (4, model.feature_width)
    features.square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in model.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_features_of_an_image_do_not_depend_on_its_batch_in_evaluation(name):
    model = encoder(name).eval()
    batch = images(model.config)
    torch.testing.assert_close(model(batch)[1:2], model(batch[1:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_saved_network_is_loaded_as_it_was(name, tmp_path):
    model = encoder(name)
    model(images(model.config))  # moves the running statistics
    save_image_model(tmp_path / "model", model, about={"method": "simclr"})
    assert verify_folder(tmp_path / "model", hashes=True) == {"kind": type(model).__name__}
    assert is_image_model_folder(tmp_path / "model")
    loaded, about = load_image_model(tmp_path / "model")
    assert about == {"method": "simclr"}
    assert loaded.config == model.config
    assert not loaded.training
    assert all(torch.equal(part, loaded.state_dict()[key]) for key, part in model.state_dict().items())
    assert torch.equal(loaded(images(model.config)), model.eval()(images(model.config)))
    assert load_projector(tmp_path / "model") is None
    assert all(part.requires_grad for part in loaded.parameters())


def test_saved_projector_lies_beside_the_network(tmp_path):
    projector = Projector((16, 8, 4), last_norm="plain", activation="gelu")
    initialise_parts({"projector": projector}, seed=2)
    save_image_model(tmp_path / "model", encoder("small_cnn"), projector=projector)
    loaded = load_projector(tmp_path / "model")
    assert loaded.options == projector.options
    rows = torch.randn(3, 16)
    assert torch.equal(loaded(rows), projector.eval()(rows))
    names = open_tensors(tmp_path / "model" / "model.safetensors").tensors
    assert set(names) == set(encoder("small_cnn").state_dict())


def test_first_weights_depend_on_seed_and_name_alone():
    first, second, other = encoder("resnet_18"), encoder("resnet_18"), encoder("resnet_18", seed=2)
    state = first.state_dict()
    assert all(torch.equal(part, second.state_dict()[name]) for name, part in state.items())
    assert not torch.equal(state["conv1.weight"], other.state_dict()["conv1.weight"])
    wider = make_image_encoder(replace(SMALL["resnet_18"], channels=4, mean=(0,) * 4, std=(1,) * 4), 1)
    assert torch.equal(state["layer1.0.conv1.weight"], wider.state_dict()["layer1.0.conv1.weight"])


def test_first_weights_have_the_known_deviations():
    model = make_image_encoder(image_encoder_config("small_cnn", width=64), 1)
    assert float(model.conv3.weight.detach().std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert torch.equal(model.bn1.weight, torch.ones(64))
    rows = nn.Linear(300, 400)
    initialise_network(rows, seed=1)
    assert float(rows.weight.detach().std()) == pytest.approx((3 * 300) ** -0.5, rel=0.02)
    assert not rows.bias.detach().any()
    initialise_network(rows, seed=1, deviation=lambda name, part: 0.5)
    assert float(rows.weight.detach().std()) == pytest.approx(0.5, rel=0.02)


def test_what_is_usual_for_a_kind_is_filled_in():
    assert image_encoder_config("resnet", depth=None, channels=2) == ImageEncoderConfig(
        kind="resnet", channels=2, width=64, depth=18, mean=(0, 0), std=(1, 1)
    )
    assert image_encoder_config("vit", depth=4).width == 192
    assert image_encoder_config("small_cnn").width == 32


def test_configurations_that_fit_nothing_are_refused():
    message = "encoder must be one of resnet, small_cnn, vit; got 'small_cn'\nDid you mean 'small_cnn'"
    with pytest.raises(UsageError, match=message):
        image_encoder_config("small_cn")
    with pytest.raises(UsageError, match="encoder must be one of resnet, small_cnn, vit; got 'encoder'"):
        make_image_encoder(ImageEncoderConfig(kind="encoder"), 1)
    with pytest.raises(UsageError, match="width must be at least 1"):
        image_encoder_config("small_cnn", width=0)
    with pytest.raises(UsageError, match="mean must have a number for each of 1 channels, got 3"):
        ImageEncoderConfig(channels=1)
    with pytest.raises(UsageError, match=r"std must be above 0 for every channel, got 1\.5, 0\.0"):
        image_encoder_config("small_cnn", channels=2, std=(1.5, 0.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("conv2.weight"), "lacks 'conv2.weight'"),
        (lambda arrays: arrays.update(fc=np.zeros(3, np.float32)), "holds 'fc', which the network has not"),
        (
            lambda arrays: arrays.update({"bn1.bias": np.zeros(3, np.float32)}),
            r"has 'bn1.bias' of shape \(3,\), expected \(4,\)",
        ),
        (
            lambda arrays: arrays.update({"bn1.bias": np.zeros(4, np.int64)}),
            "has 'bn1.bias' of type torch.int64, expected torch.float32",
        ),
        (lambda arrays: arrays["conv1.weight"].fill(np.nan), "has NaN or inf in 'conv1.weight'"),
    ],
)
def test_weights_that_do_not_belong_to_the_network_are_refused(folder, change, message):
    change_weights(folder, change)
    with pytest.raises(DataError, match=message):
        load_image_model(folder)


def test_configurations_of_a_folder_that_lie_are_refused_before_memory_is_taken(folder):
    change_config(folder, "encoder", width=60_000)
    with pytest.raises(DataError, match=r"expected \(60000,"):
        load_image_model(folder)
    change_config(folder, "encoder", width=-1)
    with pytest.raises(DataError, match=r"config.json: describes no network: width must be at least 1"):
        load_image_model(folder)
    change_config(folder, "encoder", heads=3)
    with pytest.raises(DataError, match="describes no network: .*unexpected keyword argument 'heads'"):
        load_image_model(folder)
    change_config(folder, "projector", widths="16")
    with pytest.raises(DataError, match="describes no network"):
        load_projector(folder)


def test_other_folders_are_no_networks_for_images(folder, tmp_path):
    (folder / "config.json").write_text('{"model_type": "llama"}')
    assert not is_image_model_folder(folder)
    with pytest.raises(DataError, match="has the model_type 'llama', expected 'textssl_image_encoder'"):
        load_image_model(folder)
    (folder / "config.json").write_text("[")
    assert not is_image_model_folder(folder)
    assert not is_image_model_folder(folder / "missing")
    (folder / "config.json").write_text('{"model_type": "textssl_image_encoder", "encoder": [1]}')
    with pytest.raises(DataError, match="describes no network: expected options by name"):
        load_image_model(folder)
