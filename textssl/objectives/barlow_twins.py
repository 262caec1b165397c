"""Barlow Twins: each number of a vector agrees with itself in the other view of the image, and with no other number.

    C = correlations of the numbers of z and z' over the batch;   loss = sum_i (C_ii - 1)^2 + weight sum_{i != j} C_ij^2

Nothing is contrasted, nothing is stopped: vectors that are all alike have no correlation, which the first term forbids.
Source: Zbontar et al. 2021 (arXiv 2103.03230), equation 1 and algorithm 1; weight: section 4.1 (0.0051 for 8,192
numbers); a projector that is wider than the features: section 4.4.
Legend: B images, F features, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textssl.config import option
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_views import ViewBatch, ViewConfig, ViewObjective
from textssl.vision.gauges import Remedies
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    from torch import nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel


@dataclass(frozen=True)
class BarlowTwinsConfig(ViewConfig):
    """Options of barlow_twins."""

    off_diagonal_weight: float = option(0.0051, "Of the squared correlations of different numbers.", minimum=0)
    projector_width: int = option(512, "Numbers of the vectors whose correlations count; wide is good.", minimum=1)
    hidden_width: int = option(512, "Width of the projector's two hidden layers.", minimum=1)


class BarlowTwins:
    """An encoder learns numbers that stay when the view changes and that say different things."""

    Config = BarlowTwinsConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: BarlowTwinsConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Correlation)


class _Correlation(ViewObjective[BarlowTwinsConfig]):
    """Batches of two views and their loss; the correlations are those of the images of all processes."""

    across_ranks = True
    remedies = Remedies(
        few_directions="Give a larger --off-diagonal-weight, a larger batch (--batch-images), or train longer."
    )

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Projector

        config = self.config
        widths = (encoder.feature_width, config.hidden_width, config.hidden_width, config.projector_width)
        return self.filled({"projector": Projector(widths, last_bias=False)})

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch

        from textssl.losses.barlow_twins import barlow_twins

        vectors = model.projector(model.encoder(torch.cat(self.views(batch))))
        first_BD, second_BD = vectors.chunk(2)
        return barlow_twins(first_BD, second_BD, off_diagonal_weight=self.config.off_diagonal_weight)
