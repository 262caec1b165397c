"""What the networks for images share: their configuration, their first weights, and their saved folder.

    config.json  model.safetensors  [projector.safetensors]

The kind of a network is the name of its file in this folder: `small_cnn`, `resnet`, `vit`.
Legend: B images, C channels, H rows, W columns, F features.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from textssl import registry, storage
from textssl.config import option, validate
from textssl.errors import DataError, UsageError, did_you_mean
from textssl.models.base import normal
from textssl.models.base_weights import MAX_JSON_BYTES, WEIGHTS, read_object
from textssl.randomness import Purpose, stream_key
from textssl.tensor_file import open_tensors, save_tensors

CONFIG = "config.json"
PROJECTOR_WEIGHTS = "projector.safetensors"
MODEL_TYPE = "textssl_image_encoder"
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


class ImageEncoder(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
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

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W), floating and standardised."""
        raise NotImplementedError

    def deviation(self, name: str, parameter: Tensor) -> float:
        """Of the normal numbers that a parameter begins with."""
        return usual_deviation(name, parameter)


def image_encoder_config(kind: str, **given: Any) -> ImageEncoderConfig:
    """The configuration of a network with what is usual for its kind where nothing is given.

    Args:
        kind: the name of a member.
        given: fields of `ImageEncoderConfig`; None as well as a missing one means the usual value, and mean 0 and
            deviation 1 for as many channels as there are.

    Raises:
        UsageError: the kind or a field is unknown, or a value is out of range.
    """
    values = {name: value for name, value in given.items() if value is not None}
    channels = values.get("channels", 3)
    plain = {"mean": (0.0,) * channels, "std": (1.0,) * channels}
    return ImageEncoderConfig(**{"kind": kind, **plain, **_member(kind).USUAL, **values})


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


def is_image_model_folder(path: Path) -> bool:
    """Whether a folder holds a network for images; reads its config.json only."""
    config = Path(path) / CONFIG
    if not config.is_file() or config.stat().st_size > MAX_JSON_BYTES:
        return False
    try:
        return bool(json.loads(config.read_bytes()).get("model_type") == MODEL_TYPE)
    except (ValueError, AttributeError, RecursionError, OSError):
        return False


def save_image_model(
    target: Path,
    encoder: nn.Module,
    *,
    projector: nn.Module | None = None,
    about: Mapping[str, Any] = {},
    replace: bool = False,
) -> Path:
    """Commit a network as a folder that appears whole or not at all.

    Args:
        target: the folder to make.
        encoder, projector, about: as of `write_image_model`.
        replace: put it in the place of a folder that textssl wrote before.

    Raises:
        UsageError, ResourceError: as `storage.commit_folder`.
    """
    parts = (encoder, projector) if projector is not None else (encoder,)
    return storage.commit_folder(
        target,
        lambda folder: write_image_model(folder, encoder, projector=projector, about=about),
        expected_bytes=sum(4 * values.numel() for part in parts for values in part.state_dict().values()),
        metadata={"kind": type(encoder).__name__},
        replace=replace,
    )


def write_image_model(
    folder: Path, encoder: nn.Module, *, projector: nn.Module | None = None, about: Mapping[str, Any] = {}
) -> None:
    """Fill a folder that is there with the files of a network, for instance inside a commit.

    Args:
        folder: has none of these files.
        encoder: a network of this folder, or any other module, which the reader must have too; written as float32.
        projector: `base_projection.Projector`, kept in a file of its own so that others read the encoder's as it is.
        about: JSON values that `load_image_model` gives back.
    """
    described = {
        "model_type": MODEL_TYPE,
        "encoder": asdict(encoder.config) if isinstance(encoder, ImageEncoder) else None,
        "projector": None if projector is None else dict(projector.options),
        "about": dict(about),
    }
    (folder / CONFIG).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    _save_state(folder / WEIGHTS, encoder)
    if projector is not None:
        _save_state(folder / PROJECTOR_WEIGHTS, projector)


def load_image_model(folder: Path, *, encoder: nn.Module | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Open a folder that `save_image_model` wrote.

    Args:
        folder: holds config.json and model.safetensors.
        encoder: a module of your own, which receives the weights; None: the network that the folder describes.

    Returns:
        The network in float32 on the CPU, in evaluation mode, and what was said about it.

    Raises:
        DataError: a file is missing or damaged, or the files do not fit each other.
        UsageError: the folder's network is one of your own and is not given.
        ResourceError: a file may not be read.
    """
    folder = Path(folder)
    described = read_object(folder / CONFIG)
    if described.get("model_type") != MODEL_TYPE:
        raise DataError(
            f"has the model_type {described.get('model_type')!r}, expected {MODEL_TYPE!r}",
            where=str(folder / CONFIG),
            hint="Give the folder of a network for images.",
        )
    values = described.get("encoder")
    if encoder is None and values is None:
        raise UsageError("holds the weights of a network of your own; give it as encoder", where=str(folder))
    if encoder is None:
        encoder = read_part(folder, values, lambda given: empty_image_encoder(ImageEncoderConfig(**given)))
    load_state(folder / WEIGHTS, encoder)
    about = described.get("about")
    return encoder.eval(), about if isinstance(about, dict) else {}


def read_part(folder: Path, values: Any, make: Callable[[dict[str, Any]], Any]) -> Any:
    """A part of a saved network as its options say, without memory for its weights: `load_state` brings them.

    Raises:
        DataError: the options describe none.
    """
    where = str(folder / CONFIG)
    try:
        if not isinstance(values, dict):
            raise TypeError("expected options by name")
        with torch.device("meta"):
            return make(values)
    except (UsageError, TypeError) as error:
        message = error.message if isinstance(error, UsageError) else str(error)
        raise DataError(f"describes no network: {message}", where=where) from error


def load_state(file: Path, module: nn.Module) -> None:
    """Give a module the weights of a safetensors file, parameters and buffers.

    Args:
        file: what `write_image_model` wrote.
        module: on a device, or on "meta" without memory of its own.

    Raises:
        DataError: a tensor is missing, unknown, of another shape or type, or not finite; or the file is damaged.
    """
    arrays, expected = open_tensors(file).tensors, module.state_dict()
    for name in sorted(arrays.keys() ^ expected.keys()):
        _refuse(file, f"holds {name!r}, which the network has not" if name in arrays else f"lacks {name!r}")
    found = {}
    for name, array in arrays.items():
        values, wanted = torch.from_numpy(np.array(array)), expected[name]
        if values.shape != wanted.shape:
            _refuse(file, f"has {name!r} of shape {tuple(values.shape)}, expected {tuple(wanted.shape)}")
        if values.is_floating_point() != wanted.is_floating_point():
            _refuse(file, f"has {name!r} of type {values.dtype}, expected {wanted.dtype}")
        if not torch.isfinite(values).all():
            _refuse(file, f"has NaN or inf in {name!r}")
        found[name] = values.to(wanted.dtype)
    module.load_state_dict(found, assign=any(values.is_meta for values in expected.values()))


def _save_state(file: Path, module: nn.Module) -> None:
    arrays = {}
    for name, values in module.state_dict().items():
        plain = values.detach().cpu().contiguous()
        arrays[name] = (plain.float() if plain.is_floating_point() else plain).numpy()
    save_tensors(file, arrays, {"format": "pt"})


def _refuse(file: Path, message: str) -> NoReturn:
    raise DataError(message, where=str(file), hint="The files of the folder do not belong together; make it again.")


def _member(kind: str) -> type[Any]:
    found = _image_encoders(kind) if kind in registry.names("models") else []
    if not found:
        known = [name for name in registry.names("models") if _image_encoders(name)]
        message = f"kind must be one of {', '.join(known)}; got {kind!r}"
        raise UsageError(message, hint=did_you_mean(kind, known) or None)
    return found[0]


def _image_encoders(name: str) -> list[type[Any]]:
    """The networks for images that a member of this folder defines: one, or none where it is for text."""
    module = registry.module("models", name)
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    return [item for item in classes if issubclass(item, ImageEncoder) and item.__module__ == module.__name__]
