"""A network of one's own: trained from Python, gone on with, saved under its own names and opened again."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.objectives.small_images import images
from textssl.commands.evaluate import evaluate
from textssl.commands.train import train
from textssl.errors import DataError, UsageError
from textssl.image_features import features_of, open_image_model, untrained
from textssl.models.base_images import image_encoder_config
from textssl.models.base_own_encoder import OwnEncoder

OPTIONS = {"epochs": 2, "batch_images": 16, "gauge_images": 24, "device": "cpu", "threads": 1}


class Own(nn.Module):
    def __init__(self, channels: int = 3, width: int = 6) -> None:
        super().__init__()
        self.filters = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.filters(images)).relu().mean((2, 3))


def own(seed: int = 5, **sizes: int) -> Own:
    torch.manual_seed(seed)
    return Own(**sizes)


def config(**given: object):
    return image_encoder_config("own", channels=3, image_size=8, **given)


@pytest.mark.parametrize("method", ["simclr", "byol", "rotation"])
def test_it_is_trained_from_its_own_weights_and_opens_as_it_is(method, tmp_path):
    pixels, first = images().pixels, own()
    before = {name: value.clone() for name, value in first.state_dict().items()}
    result = train(method, pixels, out=tmp_path / "run", encoder=first, **OPTIONS)
    assert any(line.startswith("Own of your own: ") and " 6 features" in line for line in result.notes)
    saved = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert saved.keys() == before.keys(), "under the names of the module"
    assert not torch.equal(saved["filters.weight"], before["filters.weight"])

    model = open_image_model(tmp_path / "run", encoder=own())
    features = features_of(model, images())
    plain = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(part)[:, None, None] for part in (model.encoder.config.mean, model.encoder.config.std))
    other = Own()
    other.load_state_dict(saved)
    with torch.no_grad():
        expected = other.eval()((plain - mean) / std)
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(untrained(model, seed=9).encoder.network.state_dict(), before)


def test_the_module_stays_as_it_was_so_that_untrained_means_that(tmp_path):
    module = own()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    train("simclr", images().pixels, out=tmp_path / "run", encoder=module, **OPTIONS)
    for _ in range(2):
        model = open_image_model(tmp_path / "run", encoder=module)
        torch.testing.assert_close(untrained(model).encoder.network.state_dict(), before)
        assert not torch.equal(model.encoder.network.filters.weight, before["filters.weight"])
    fresh = untrained(model)
    with torch.no_grad():
        fresh.encoder.network.filters.weight.zero_()
    torch.testing.assert_close(untrained(model).encoder.network.state_dict(), before)


def test_weights_of_a_known_network_open_in_a_module_with_its_names(tmp_path):
    train("simclr", images().pixels, out=tmp_path / "known", width=4, depth=2, **OPTIONS)
    known = open_image_model(tmp_path / "known")
    opened = open_image_model(tmp_path / "known", encoder=copy.deepcopy(known.encoder))
    np.testing.assert_array_equal(features_of(opened, images()), features_of(known, images()))


def test_a_run_that_fails_midway_is_gone_on_with_to_the_same_bits(tmp_path):
    pixels, options = images().pixels, {**OPTIONS, "checkpoint_every": "1steps"}
    train("simclr", pixels, out=tmp_path / "whole", encoder=own(), **options)
    failing = Failing()
    failing.load_state_dict(own().state_dict())
    with pytest.raises(ArithmeticError, match="midway"):
        train("simclr", pixels, out=tmp_path / "run", encoder=failing, **options)
    train("simclr", pixels, out=tmp_path / "run", encoder=own(seed=9), **options)
    whole, run = (tmp_path / name / "model" / "model.safetensors" for name in ("whole", "run"))
    assert run.read_bytes() == whole.read_bytes()


def test_another_run_starts_from_its_weights(tmp_path):
    pixels = images().pixels
    train("simclr", pixels, out=tmp_path / "first", encoder=own(), **OPTIONS)
    again = train("byol", pixels, out=tmp_path / "second", encoder=own(seed=9), from_=tmp_path / "first", **OPTIONS)
    assert any("its weights are those of" in line for line in again.notes)


class Failing(Own):
    trained = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.trained += self.training
        if self.trained > 3:
            raise ArithmeticError("midway")
        return super().forward(images)


def test_it_cannot_be_opened_without_the_module_or_with_another(tmp_path):
    train("simclr", images().pixels, out=tmp_path / "run", encoder=own(), **OPTIONS)
    message = "holds the weights of a network of your own"
    with pytest.raises(UsageError, match=message):
        open_image_model(tmp_path / "run")
    np.savez(tmp_path / "test.npz", images=images().pixels, labels=images().labels)
    with pytest.raises(UsageError, match=message):
        evaluate(tmp_path / "run", images=str(tmp_path / "test.npz"))
    with pytest.raises(DataError, match=re.escape("has 'filters.weight' of shape (6, 3, 3, 3), expected (8, 3, 3, 3)")):
        open_image_model(tmp_path / "run", encoder=own(width=8))


def test_names_and_sizes_that_do_not_fit_are_refused(tmp_path):
    pixels = images().pixels
    with pytest.raises(UsageError, match="encoder own stands for a network that is given from Python"):
        train("simclr", pixels, out=tmp_path / "run", encoder="own", **OPTIONS)
    with pytest.raises(UsageError, match="width and depth would do nothing: the encoder is your own"):
        train("simclr", pixels, out=tmp_path / "run", encoder=own(), width=8, depth=2, **OPTIONS)
    with pytest.raises(UsageError, match=r"encoder must be the name of a network, or an nn\.Module; got list"):
        train("simclr", pixels, out=tmp_path / "run", encoder=[own()], **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_a_module_that_makes_no_features_is_refused():
    with pytest.raises(UsageError, match=r"shape \(2, F\) of images \(2, 3, 8, 8\), got torch.float32 of the shape"):
        OwnEncoder(nn.Conv2d(3, 4, 3), config())
    with pytest.raises(UsageError, match=r"encoder cannot read images of the shape \(2, 3, 8, 8\)"):
        OwnEncoder(own(channels=1), config())
    with pytest.raises(UsageError, match="got tuple"):
        OwnEncoder(Pair(), config())


class Pair(nn.Module):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images, images


def test_several_processes_need_norms_over_all_of_them(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(UsageError, match="norm of the encoder would normalise the images of one process only"):
        OwnEncoder(own(), config())
