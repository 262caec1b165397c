"""VICReg: vectors of two views agree, each number keeps its spread over the batch, and no two numbers say the same.

    loss = a mean |z - z'|^2 + b mean_d max(0, 1 - std_d) + c sum_{i != j} cov_ij^2 / D        the last two, each view

Source: Bardes, Ponce, LeCun 2022 (arXiv 2105.04906), equations 1 to 6; weights: section 4.2; the variance term is
halved and the projector has three layers, the last without norm or bias, as in the authors' code.
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
class VICRegConfig(ViewConfig):
    """Options of vicreg."""

    invariance_weight: float = option(25.0, "Of the mean squared difference of the two views.", minimum=0)
    variance_weight: float = option(25.0, "Of what the numbers' deviations lack to 1.", minimum=0)
    covariance_weight: float = option(1.0, "Of the squared covariances of different numbers.", minimum=0)
    projector_width: int = option(512, "Numbers of the vectors that are compared; wide is good.", minimum=1)
    hidden_width: int = option(512, "Width of the projector's two hidden layers.", minimum=1)


class VICReg:
    """An encoder learns numbers that stay when the view changes; variance and covariance keep them from collapse."""

    Config = VICRegConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: VICRegConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Regularised)


class _Regularised(ViewObjective[VICRegConfig]):
    """Batches of two views and their loss; variance and covariance are those of the images of all processes."""

    across_ranks = True
    remedies = Remedies(
        collapse="Give a larger --variance-weight, or a smaller --learning-rate.",
        few_directions="Give a larger --covariance-weight, or a larger batch (--batch-images).",
    )

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Projector

        config = self.config
        widths = (encoder.feature_width, config.hidden_width, config.hidden_width, config.projector_width)
        return self.filled({"projector": Projector(widths, last_bias=False)})

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch

        from textssl.losses.vicreg import vicreg

        config = self.config
        first_BD, second_BD = model.projector(model.encoder(torch.cat(self.views(batch)))).chunk(2)
        return vicreg(
            first_BD,
            second_BD,
            invariance_weight=config.invariance_weight,
            variance_weight=config.variance_weight,
            covariance_weight=config.covariance_weight,
        )
