"""Rotation (RotNet): tell by which quarter turn an image was rotated.

All four turns of each image stand in one batch, so that every answer is right equally often. Turns are exact, and all
four are of the same view, normalised alike: nothing but what is seen tells them apart.
Recipe: 4 turns, a linear layer on the features, random crops and mirroring; the reference trains with SGD 0.1.
Source: Gidaris, Singh and Komodakis (arXiv 1803.07728), section 2.
Legend: B images, C channels, S side of a view, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun
from textssl.objectives.base_pretext import PretextConfig, PretextObjective, Streams, prepare_pretext
from textssl.vision.images import ImageSource, image_set

if TYPE_CHECKING:
    from torch import Tensor, nn

    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

NUM_TURNS = 4


@dataclass(frozen=True)
class RotationConfig(PretextConfig):
    """Options of rotation."""


class Rotation:
    """An encoder learns which way is up, for which it must see what the image shows."""

    Config = RotationConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: RotationConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready.

        Raises:
            DataError: the images are not square.
            UsageError: as of `ImageRun`.
        """
        images = image_set(source)
        if images.height != images.width:
            shorter = min(images.height, images.width)
            raise DataError(
                f"images must be square to be turned, got {images.width} x {images.height} pixels",
                where=images.name,
                hint=f"Give --image-size {shorter}, which brings them to {shorter} x {shorter}.",
            )
        return prepare_pretext(images, config, setting, _Turns)


class _Turns(PretextObjective[RotationConfig]):
    """Batches of views in all four turns, a function of (seed, step)."""

    num_answers = NUM_TURNS
    views_per_image = float(NUM_TURNS)

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from torch import nn

        return self.filled({"classes": nn.Linear(encoder.feature_width, NUM_TURNS)})

    def describe(self) -> list[str]:
        size = self.encoder.image_size
        return [f"4 turns of a view of {size} x {size} an image; by chance {self.chance:.0%} of the answers are right"]

    def questions(
        self, numbers: NDArray[np.int64], streams: Streams
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return numbers, np.tile(np.arange(NUM_TURNS, dtype=np.int64), len(numbers))

    def pictures(self, pixels: Tensor, streams: Streams) -> Tensor:
        """(4 B, C, S, S), an image's four turns after each other, counter-clockwise."""
        import torch

        from textssl.vision.views import make_views

        settings = self.config.views(self.encoder.image_size)
        views_BCSS = make_views(pixels, streams.views, settings, **self.normalisation)
        turns = [torch.rot90(views_BCSS, turn, (2, 3)) for turn in range(NUM_TURNS)]
        return torch.stack(turns, dim=1).flatten(0, 1)

    def hidden(self, model: MethodModel, pictures: Tensor, answers_Q: Tensor) -> Tensor:
        return model.encoder(pictures)
