"""Triplet margin: the other view of an image is nearer than other images of the batch, by a margin.

    loss = max(0, d(a, p) - d(a, n) + margin)        a, p the two views of an image, n a view of another one

Each view is once the anchor. Vectors have unit length.
Source: Schroff, Kalenichenko, Philbin, FaceNet (arXiv 1503.03832), equation 3 and section 3.2 (semi-hard negatives);
all and hardest: Hermans, Beyer, Leibe (arXiv 1703.07737), equations 5 and 7. There labels tell what belongs together,
here it is the image, as in SimCLR.
Legend: B images, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.config import option
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_views import ViewBatch, ViewConfig, ViewObjective
from textssl.randomness import Purpose, stream_key, uniform
from textssl.vision.gauges import Remedies
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    from torch import Tensor, nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel


@dataclass(frozen=True)
class TripletConfig(ViewConfig):
    """Options of triplet."""

    margin: float = option(0.2, "How much nearer the other view is to be, in units of the distance.", minimum=0)
    distance: Literal["squared_euclidean", "euclidean", "cosine"] = option(
        "squared_euclidean", "Of vectors of unit length, so 0 to 4, to 2, to 2."
    )
    negatives: Literal["all", "hardest", "semi_hard", "random"] = option(
        "all", "Which images of the batch: all, the nearest, the nearest beyond the other view, or one at random."
    )
    projector_width: int = option(128, "Numbers of the vectors that are compared.", minimum=1)
    hidden_width: int | None = option(
        None, "Width of the projector's hidden layer; by default that of the features.", minimum=1
    )


class Triplet:
    """An encoder learns distances: views of one image lie near, those of others are kept a margin away."""

    Config = TripletConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: TripletConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Margin)


class _Margin(ViewObjective[TripletConfig]):
    """Batches of two views and their loss; the negatives are those of all processes."""

    across_ranks = True
    remedies = Remedies(collapse="Give --negatives semi_hard or all, a smaller --margin or a smaller --learning-rate.")

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Projector

        features, config = encoder.feature_width, self.config
        widths = (features, config.hidden_width or features, config.projector_width)
        return self.filled({"projector": Projector(widths, last_norm="affine")})

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch
        from torch.nn import functional as F

        vectors = F.normalize(model.projector(model.encoder(torch.cat(self.views(batch)))), dim=1)
        first_BD, second_BD = vectors.chunk(2)
        return self._one_way(first_BD, second_BD, batch.step) + self._one_way(second_BD, first_BD, batch.step)

    def _one_way(self, anchor_BD: Tensor, positive_BD: Tensor, step: int) -> LossTensor:
        """The loss of the anchors."""
        import torch

        from textssl.losses.base_gather import first_row, gathered
        from textssl.losses.triplet import in_batch_triplet, triplet

        config = self.config
        how: Any = {"margin": config.margin, "distance": config.distance}
        if config.negatives != "random":
            return in_batch_triplet(anchor_BD, positive_BD, negatives=config.negatives, **how)
        others = gathered(positive_BD)
        own = np.arange(len(anchor_BD)) + first_row(anchor_BD)
        drawn = random_others(own, len(others), seed=self.setting.seed, step=step)
        return triplet(anchor_BD, positive_BD, others[torch.from_numpy(drawn).to(others.device)], **how)


def random_others(own: NDArray[np.int64], num: int, *, seed: int, step: int) -> NDArray[np.int64]:
    """For each place of a batch another place, each equally likely: a function of seed, step and place.

    Args:
        own: int64 (B,), 0 to num - 1.
        num: images of the batch, at least 2.
        seed: of the run.
        step: of the run.

    Returns:
        int64 (B,), 0 to num - 1, none at its own place.
    """
    away = 1 + np.floor(uniform(stream_key(seed, Purpose.NEGATIVES, step), own) * (num - 1)).astype(np.int64)
    return (own + away) % num
