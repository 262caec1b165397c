"""Vectors of images: of a trained network, of its projector, of the same network untrained, and of the plain pixels.

Legend: N images, B a batch, F features, D width of the projector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError
from textssl.finetuning.embedding import model_folder
from textssl.run_folder import RunFolder
from textssl.vision.images import kind_of_pixels

if TYPE_CHECKING:
    from textssl.vision.images import ImageSet

MAX_IMAGES_AT_ONCE = 256
MAX_PIXELS_AT_ONCE = 1 << 22
"""Of a batch through a network: more run no faster on a CPU, and large images need the memory."""
PIXEL_SIDE = 32
"""Larger images are brought to this side before their pixels are taken as a vector."""


@dataclass(frozen=True)
class ImageModel:
    """A network for images, as it was saved.

    Args:
        encoder: makes the features.
        projector: what stood behind it in training, or None.
        about: what was noted with it.
        path: the folder of the model.
        size: height and width of the images of its training, or None where nobody knows.
        seed: of its run, 0 where nobody knows.
        first: of a network of one's own, the module as it was given: what "untrained" means for it.
    """

    encoder: Any
    projector: Any | None
    about: Mapping[str, Any]
    path: Path
    size: tuple[int, int] | None = None
    seed: int = 0
    first: Any | None = None

    @property
    def name(self) -> str:
        """Of the run, or of the folder."""
        return self.path.parent.name if self.path.name == "model" else self.path.name

    def check(self, images: ImageSet) -> None:
        """Refuse images that are not of the kind that the network was trained on.

        Raises:
            UsageError: channels, size or bits differ.
        """
        config = self.encoder.config
        own = kind_of_pixels(config.channels, config.scale)
        if images.kind != own:
            raise UsageError(
                f"the images have {images.kind}, {self.name} was trained on {own}",
                where=images.name,
                hint="Give images of the same kind, or train on these: textssl train simclr IMAGES --out runs/views",
            )
        side = config.image_size
        if (images.height, images.width) not in {(side, side), self.size}:
            height, width = self.size or (side, side)
            raise UsageError(
                f"the images are {images.width} x {images.height}, {self.name} was trained on {width} x {height}",
                where=images.name,
                hint=f"Bring them to its size: --image-size {side}",
            )


def open_image_model(path: str | Path, *, encoder: Any | None = None) -> ImageModel:
    """Open the network for images of a run or of a model folder.

    Args:
        path: the folder.
        encoder: the module that training began with, where it is one of your own; it stays as it is, and what
            "untrained" means is what it is now.

    Raises:
        DataError: nothing is there, or no network for images; a damaged one.
        UsageError: the network is one of your own and is not given.
    """
    from textssl.models.base_image_folder import is_image_model_folder, load_image_model
    from textssl.models.base_projection import load_projector

    folder = model_folder(path)
    if not is_image_model_folder(folder):
        raise DataError(
            "holds no network for images",
            where=str(path),
            hint="Train one first: textssl train simclr images/ --out runs/views",
        )
    opened, about = load_image_model(folder, encoder=encoder)
    size, seed = None, 0
    if RunFolder.is_run(Path(path)):
        run = RunFolder.view(Path(path))
        data = run.data()
        size = (data["height"], data["width"]) if {"height", "width"} <= data.keys() else None
        seed = int(run.config().get("seed", 0))
    return ImageModel(opened, load_projector(folder), about, folder, size, seed, encoder)


def untrained(model: ImageModel, *, seed: int | None = None) -> ImageModel:
    """The same network with the first weights of a seed, by default that of its run; without a projector.

    A network of one's own is as it was when it was given, whatever the seed.
    """
    from textssl.models.base_images import make_image_encoder
    from textssl.models.base_own_encoder import OwnEncoder

    number = model.seed if seed is None else seed
    config = model.encoder.config
    encoder = make_image_encoder(config, number) if model.first is None else OwnEncoder(model.first, config)
    return ImageModel(encoder.eval(), None, {}, model.path, model.size, number)


def features_of(
    model: ImageModel, images: ImageSet, places: NDArray[np.int64] | None = None, *, device: str = "cpu"
) -> NDArray[np.float32]:
    """The features of images, one pass each, without random views.

    Args:
        model: its encoder is moved to the device.
        images: of the kind that it was trained on (`ImageModel.check`).
        places: int64 (N,), which images; None for all.
        device: where to compute.

    Returns:
        float32 (N, F).
    """
    import torch

    from textssl.vision.views import plain_views

    encoder, config = model.encoder.to(device), model.encoder.config
    was_training = encoder.training
    encoder.eval()
    places = np.arange(images.num_images, dtype=np.int64) if places is None else places
    found = np.empty((len(places), encoder.feature_width), dtype=np.float32)
    size = config.image_size
    with torch.inference_mode():
        for begin, end in _pieces(len(places), config.channels * size * size):
            pixels = torch.from_numpy(images.take(places[begin:end])).to(device)
            views = plain_views(pixels, size=size, mean_C=config.mean, std_C=config.std, scale=config.scale)
            found[begin:end] = encoder(views).float().cpu().numpy()
    encoder.train(was_training)
    return found


def projected(model: ImageModel, features_NF: NDArray[np.float32], *, device: str = "cpu") -> NDArray[np.float32]:
    """What the projector makes of features, float32 (N, D).

    Raises:
        DataError: the network was saved without a projector.
    """
    import torch

    if model.projector is None:
        raise DataError(
            "has no projector", where=str(model.path), hint="Leave --projection out: the features are what is kept."
        )
    projector = model.projector.to(device).eval()
    with torch.inference_mode():
        parts = [
            projector(torch.from_numpy(features_NF[begin:end]).to(device)).float().cpu().numpy()
            for begin, end in _pieces(len(features_NF), features_NF.shape[1])
        ]
    return np.concatenate(parts)


def pixel_vectors(images: ImageSet, places: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """The pixels of each image as one vector of values from 0 to 1, in rows; images above 32 x 32 are made smaller.

    Args:
        images: the set.
        places: int64 (N,), which images; None for all.

    Returns:
        float32 (N, height x width x channels).
    """
    import torch

    from textssl.vision.views import plain_views

    places = np.arange(images.num_images, dtype=np.int64) if places is None else places
    large = max(images.height, images.width) > PIXEL_SIDE
    height, width = (PIXEL_SIDE, PIXEL_SIDE) if large else (images.height, images.width)
    found = np.empty((len(places), height * width * images.channels), dtype=np.float32)
    zeros, ones = np.zeros(images.channels), np.ones(images.channels)
    for begin, end in _pieces(len(places), images.height * images.width * images.channels):
        pixels = images.take(places[begin:end])
        if large:
            views = plain_views(
                torch.from_numpy(pixels), size=PIXEL_SIDE, mean_C=zeros, std_C=ones, scale=images.scale
            )
            found[begin:end] = views.permute(0, 2, 3, 1).reshape(end - begin, -1).numpy()
        else:
            found[begin:end] = pixels.reshape(end - begin, -1) / images.scale
    return found


def _pieces(count: int, numbers_of_one: int) -> Iterator[tuple[int, int]]:
    rows = max(1, min(MAX_IMAGES_AT_ONCE, MAX_PIXELS_AT_ONCE // max(1, numbers_of_one)))
    for begin in range(0, count, rows):
        yield begin, min(begin + rows, count)
