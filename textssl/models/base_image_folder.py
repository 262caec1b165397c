"""The saved folder of a network for images: what it is, its weights, and those of its projector.

config.json  model.safetensors  [projector.safetensors]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import nn

from textssl import storage
from textssl.errors import DataError, UsageError
from textssl.models.base_images import OWN, ImageEncoder, ImageEncoderConfig, empty_image_encoder
from textssl.models.base_own_encoder import OwnEncoder
from textssl.models.base_weights import MAX_JSON_BYTES, WEIGHTS, read_object
from textssl.tensor_file import open_tensors, save_tensors

CONFIG = "config.json"
PROJECTOR_WEIGHTS = "projector.safetensors"
MODEL_TYPE = "textssl_image_encoder"


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
    encoder: ImageEncoder,
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
    folder: Path, encoder: ImageEncoder, *, projector: nn.Module | None = None, about: Mapping[str, Any] = {}
) -> None:
    """Fill a folder that is there with the files of a network, for instance inside a commit.

    Args:
        folder: has none of these files.
        encoder: a network of this folder, or one of your own, which the reader must have too; written as float32.
        projector: `base_projection.Projector`, kept in a file of its own so that others read the encoder's as it is.
        about: JSON values that `load_image_model` gives back.
    """
    described = {
        "model_type": MODEL_TYPE,
        "encoder": asdict(encoder.config),
        "projector": None if projector is None else dict(projector.options),
        "about": dict(about),
    }
    (folder / CONFIG).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    _save_state(folder / WEIGHTS, encoder.saved)
    if projector is not None:
        _save_state(folder / PROJECTOR_WEIGHTS, projector)


def load_image_model(folder: Path, *, encoder: nn.Module | None = None) -> tuple[ImageEncoder, dict[str, Any]]:
    """Open a folder that `save_image_model` wrote.

    Args:
        folder: holds config.json and model.safetensors.
        encoder: a module of your own that the weights belong to, which stays as it is; None: the network that the
            folder describes.

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
    config = read_part(folder, values, lambda given: ImageEncoderConfig(**given))
    made: ImageEncoder
    if encoder is not None:
        made = OwnEncoder(encoder, config)
    elif config.kind == OWN:
        raise UsageError(
            "holds the weights of a network of your own",
            where=str(folder),
            hint="From Python, give the module that they belong to: "
            "textssl.open_image_model(path, encoder=module)",
        )
    else:
        made = read_part(folder, values, lambda _: empty_image_encoder(config))
    load_state(folder / WEIGHTS, made.saved)
    about = described.get("about")
    return made.eval(), about if isinstance(about, dict) else {}


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
