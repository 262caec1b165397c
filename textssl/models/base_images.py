"""What the networks for images share: their configuration and their first weights.

The kind of a network is the name of its file in this folder: `small_cnn`, `resnet`, `vit`.
Legend: B images, C channels, H rows, W columns, F features.
"""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from textssl import registry
from textssl.config import option, validate
from textssl.errors import UsageError, did_you_mean
from textssl.models.base import normal
from textssl.randomness import Purpose, stream_key

OWN = "own"
"""The kind of a network that came from Python (`base_own_encoder`)."""
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class ImageEncoderConfig:
    """What is needed to make a network for images, and to prepare images for it.

    `image_encoder_config` fills in what is usual for the kind.
    """

    kind: str = option("small_cnn", "The network: small_cnn, resnet or vit.")
    channels: int = option(3, "Channels of an image.", minimum=1, maximum=1 << 16)
    image_size: int = option(32, "Rows and columns of an image.", minimum=1, maximum=1 << 16)
    width: int = option(32, "Channels of the first stage, or width of the tokens of vit.", minimum=1, maximum=1 << 16)
    depth: int = option(3, "Layers; 18 or 50 for resnet.", minimum=1, maximum=1 << 10)
    stem: Literal["cifar", "imagenet"] = option("cifar", "First layers of resnet, for small or for large images.")
    patch: int = option(4, "Rows and columns of a patch of vit.", minimum=1, maximum=1 << 16)
    mean: tuple[float, ...] = option((0.0, 0.0, 0.0), "Mean of each channel of images scaled to 0 to 1.")
    std: tuple[float, ...] = option((1.0, 1.0, 1.0), "Standard deviation of each channel, likewise.")
    scale: float = option(255.0, "The largest value of a stored pixel.", above=0)

    def __post_init__(self) -> None:
        validate(self)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise UsageError(f"{name} must have a number for each of {self.channels} channels, got {len(values)}")
        if not all(value > 0 for value in self.std):
            raise UsageError(f"std must be above 0 for every channel, got {', '.join(map(str, self.std))}")


class ImageEncoder(nn.Module, ABC):  # type: ignore[misc]  # torch is not followed by mypy here
    """A network that makes F features of an image; a member of this folder derives from it.

    Args:
        config: kept as `config`.
        feature_width: F.
    """

    USUAL: Mapping[str, Any] = {}
    """Values of the configuration that are usual for the kind."""

    def __init__(self, config: ImageEncoderConfig, feature_width: int) -> None:
        super().__init__()
        self.config = config
        self.feature_width = feature_width

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W), floating and standardised."""

    @property
    def title(self) -> str:
        """What kind it is, for people."""
        return f"{self.config.kind}, width {self.config.width}, depth {self.config.depth}"

    @property
    def saved(self) -> nn.Module:
        """The module whose weights stand in a saved folder, by its names."""
        return self

    def deviation(self, name: str, parameter: Tensor) -> float:
        """Of the normal numbers that a parameter begins with."""
        return usual_deviation(name, parameter)


def image_encoder_config(kind: str, **given: Any) -> ImageEncoderConfig:
    """The configuration of a network with what is usual for its kind where nothing is given.

    Args:
        kind: the name of a member, or "own".
        given: fields of `ImageEncoderConfig`; None as well as a missing one means the usual value, and mean 0 and
            deviation 1 for as many channels as there are.

    Raises:
        UsageError: the kind or a field is unknown, or a value is out of range.
    """
    values = {name: value for name, value in given.items() if value is not None}
    channels = values.get("channels", 3)
    plain = {"mean": (0.0,) * channels, "std": (1.0,) * channels}
    usual = {} if kind == OWN else _member(kind).USUAL
    return ImageEncoderConfig(**{"kind": kind, **plain, **usual, **values})


def make_image_encoder(config: ImageEncoderConfig, seed: int) -> ImageEncoder:
    """The network of a configuration with its first weights.

    Args:
        config: what to make.
        seed: 0 to 2**64 - 1.

    Raises:
        UsageError: the kind is unknown, or a value does not fit it.
    """
    encoder = empty_image_encoder(config)
    initialise_network(encoder, seed=seed, deviation=encoder.deviation)
    return encoder


def empty_image_encoder(config: ImageEncoderConfig) -> ImageEncoder:
    """The network of a configuration, its weights as torch leaves them; Raises as `make_image_encoder`."""
    made: ImageEncoder = _member(config.kind)(config)
    return made


def initialise_network(
    model: nn.Module,
    *,
    seed: int,
    prefix: str = "",
    deviation: Callable[[str, Tensor], float] | None = None,
) -> None:
    """Set all parameters: matrices and filters normal, norms 1, biases 0.

    Each value is a function of the seed, the parameter's name and its place.

    Args:
        model: its parameters are changed in place.
        seed: 0 to 2**64 - 1.
        prefix: put before the names, so that two parts of an objective differ.
        deviation: of a parameter by name and value; None: `usual_deviation`.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
                continue
            scale = np.float32((deviation or usual_deviation)(name, parameter))
            key = stream_key(seed, Purpose.INITIALISE, zlib.crc32((prefix + name).encode()))
            flat = parameter.view(-1)
            for start in range(0, len(flat), _AT_ONCE):
                piece = flat[start : start + _AT_ONCE]
                piece.copy_(torch.from_numpy(normal(key, start, len(piece)) * scale))


def usual_deviation(_: str, parameter: Tensor) -> float:
    """sqrt(2 / (outputs * positions)) of a filter, as torchvision; 1 / sqrt(3 * inputs) of a matrix, as torch.

    Source: He et al. (arXiv 1502.01852), section 2.2, backward form.
    """
    if parameter.dim() == 2:
        return 1 / math.sqrt(3 * parameter.shape[1])
    return math.sqrt(2 / (parameter.shape[0] * parameter[0, 0].numel()))


def _member(kind: str) -> type[Any]:
    found = _image_encoders(kind) if kind in registry.names("models") else []
    if not found:
        known = [name for name in registry.names("models") if _image_encoders(name)]
        message = f"encoder must be one of {', '.join(known)}; got {kind!r}"
        raise UsageError(message, hint=did_you_mean(kind, known) or None)
    return found[0]


def _image_encoders(name: str) -> list[type[Any]]:
    """The networks for images that a member of this folder defines: one, or none where it is for text."""
    module = registry.module("models", name)
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    return [item for item in classes if issubclass(item, ImageEncoder) and item.__module__ == module.__name__]
