"""Vectors of images: in any batches, of the network, the projector, the untrained network and the pixels."""

import dataclasses

import numpy as np
import pytest

from tests.objectives.small_images import images
from tests.small_image_models import save_network, trained_run
from textssl import image_features
from textssl.errors import DataError, UsageError
from textssl.image_features import features_of, open_image_model, pixel_vectors, projected, untrained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_network(tmp_path_factory.mktemp("models") / "network", channels=3)


def test_features_equal_those_of_the_encoder_on_normalised_pixels(folder):
    import torch

    model, found = open_image_model(folder), images(7)
    config = model.encoder.config
    scaled = (found.pixels / 255 - np.array(config.mean)) / np.array(config.std)
    with torch.no_grad():
        expected = model.encoder(torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32)))
    np.testing.assert_allclose(features_of(model, found), expected.numpy(), atol=1e-5)


def test_features_do_not_depend_on_the_batches(folder, monkeypatch):
    model, found = open_image_model(folder), images(11)
    whole = features_of(model, found)
    monkeypatch.setattr(image_features, "MAX_IMAGES_AT_ONCE", 3)
    np.testing.assert_allclose(features_of(model, found), whole, atol=1e-6)
    np.testing.assert_allclose(features_of(model, found, np.array([9, 2])), whole[[9, 2]], atol=1e-6)
    assert projected(model, whole).shape == (11, 6)


def test_features_leave_the_network_in_its_mode(folder):
    model = open_image_model(folder)
    model.encoder.train()
    features_of(model, images(4))
    assert model.encoder.training


def test_projection_of_a_network_without_projector_is_refused(tmp_path):
    model = open_image_model(save_network(tmp_path / "bare", projector=False))
    with pytest.raises(DataError, match="has no projector\nLeave --projection out"):
        projected(model, np.zeros((2, 8), np.float32))


def test_untrained_network_has_the_first_weights_of_the_run():
    from tests.objectives.small_images import prepared

    model = open_image_model(trained_run())
    assert (model.seed, model.size, model.name) == (5, (8, 8), "views")
    fresh = untrained(model).encoder.state_dict()
    first = prepared("simclr", images(64, channels=1), seed=5, batch_images=32).encoder.state_dict()
    assert all((fresh[name] == values).all() for name, values in first.items() if name.startswith("conv"))
    other = untrained(model, seed=6).encoder.state_dict()
    assert any((fresh[name] != other[name]).any() for name in fresh)


def test_pixels_stand_in_rows_from_0_to_1():
    found = images(3)
    np.testing.assert_allclose(pixel_vectors(found), found.pixels.reshape(3, -1) / 255, atol=1e-7)
    np.testing.assert_allclose(pixel_vectors(found, np.array([2])), pixel_vectors(found)[2:])


def test_pixels_of_large_images_are_those_of_32_by_32():
    flat = dataclasses.replace(images(2), pixels=np.full((2, 64, 48, 3), 51, np.uint8))
    vectors = pixel_vectors(flat)
    assert vectors.shape == (2, 32 * 32 * 3)
    np.testing.assert_allclose(vectors, 0.2, atol=1e-6)


def test_images_of_another_kind_are_refused(folder):
    model = open_image_model(folder)
    with pytest.raises(UsageError, match="stripes: the images have 1 channel of 8 bits, network was trained on 3"):
        model.check(images(2, channels=1))
    with pytest.raises(UsageError, match=r"are 12 x 12, network was trained on 8 x 8\nBring.*--image-size 8"):
        model.check(images(2, size=12))
    with pytest.raises(UsageError, match="have 3 channels of 16 bits, network was trained on 3 channels of 8"):
        model.check(images(2, dtype=np.uint16))
    model.check(images(2))


def test_images_of_the_size_of_the_training_are_taken_though_the_network_sees_smaller_ones(folder):
    model = dataclasses.replace(open_image_model(folder), size=(12, 12))
    model.check(images(2, size=12))
    model.check(images(2, size=8))
    assert features_of(model, images(2, size=12)).shape == (2, 8)


def test_what_is_no_network_for_images_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no network for images\nTrain one first: textssl train simclr"):
        open_image_model(tmp_path)
    with pytest.raises(DataError, match="is missing: no run and no model folder"):
        open_image_model(tmp_path / "nothing")
