"""Tiny networks for images, trained by nobody or for two epochs, and files of labelled stripes."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.objectives.small_images import images
from textssl.vision.images import ImageSet

NAMES = ("rows", "columns")


def save_network(
    folder: Path, *, channels: int = 1, size: int = 8, projector: bool = True, seed: int = 3, scale: float = 255.0
) -> Path:
    """A model folder with a network that nobody trained."""
    from textssl.models.base_image_folder import save_image_model
    from textssl.models.base_images import image_encoder_config, make_image_encoder
    from textssl.models.base_projection import Projector, initialise_parts

    shape: dict[str, Any] = {"channels": channels, "image_size": size, "width": 4, "depth": 2, "scale": scale}
    encoder = make_image_encoder(image_encoder_config("small_cnn", **shape), seed)
    part = Projector((encoder.feature_width, 8, 6)) if projector else None
    if part is not None:
        initialise_parts({"projector": part}, seed=seed)
    return save_image_model(folder, encoder, projector=part, about={"trained_on": "stripes"})


def write_npz(path: Path, num: int = 40, *, labels: Any = "own", **options: Any) -> Path:
    """Stripes as an .npz file, gray unless asked otherwise; labels are the names, those given, or None."""
    found = images(num, **{"channels": 1, **options})
    assert found.labels is not None
    names = np.array(NAMES)[found.labels] if isinstance(labels, str) else labels
    arrays = {"images": found.pixels} if names is None else {"images": found.pixels, "labels": np.asarray(names)}
    np.savez(path, **arrays)
    return path


def write_folder(path: Path, num: int = 12, **options: Any) -> Path:
    """The same as image files, a folder for each label."""
    from PIL import Image

    found: ImageSet = images(num, **{"channels": 1, **options})
    assert found.labels is not None
    for number, (pixels, label) in enumerate(zip(found.pixels, found.labels, strict=True)):
        folder = path / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(folder / f"{number:03}.png")
    return path


@functools.cache
def trained_run() -> Path:
    """A run of simclr on 64 gray stripes in an .npz file beside it."""
    import torch

    from textssl import registry

    folder = Path(tempfile.mkdtemp(prefix="textssl-images-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    threads = torch.get_num_threads()
    data = write_npz(folder / "stripes.npz", 64)
    options = {"width": 4, "depth": 2, "batch_images": 32, "epochs": 2, "seed": 5, "threads": 1, "device": "cpu"}
    registry.module("commands", "train").train("simclr", data, out=folder / "views", **options)
    torch.set_num_threads(threads)
    return folder / "views"
