"""SimCLR: tell the other view of an image from the views of all others in the batch, by cosine.

    loss_i = logsumexp_{j != i} (cos(z_i, z_j) / temperature) - cos(z_i, z_i') / temperature        z_i' the other view

The loss is the mean over the 2 B views; the reference returns its sum over both directions, twice as much.
Source: Chen et al. 2020 (arXiv 2002.05709), section 2.1; temperature and views of small images: appendix B.9.
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
class SimCLRConfig(ViewConfig):
    """Options of simclr."""

    temperature: float = option(0.5, "What cosines are divided by; lower ones look at the nearest images.", above=0)
    projector_width: int = option(128, "Numbers of the vectors that are compared.", minimum=1)
    hidden_width: int | None = option(
        None, "Width of the projector's hidden layer; by default that of the features.", minimum=1
    )


class SimCLR:
    """An encoder learns to recognise an image among others, whatever was cut from it and done to its colours."""

    Config = SimCLRConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: SimCLRConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Contrast)


class _Contrast(ViewObjective[SimCLRConfig]):
    """Batches of two views, a function of (seed, step), and their loss; the views of all processes are compared."""

    across_ranks = True
    remedies = Remedies(collapse="Lower --learning-rate or raise --temperature; see that views differ (--crop-min).")

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Projector

        features, config = encoder.feature_width, self.config
        widths = (features, config.hidden_width or features, config.projector_width)
        return self.filled({"projector": Projector(widths, last_norm="affine")})

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch

        from textssl.losses.info_nce import nt_xent

        views = torch.cat(self.views(batch))  # one pass: the norms see both views together, as in the reference
        first_BD, second_BD = model.projector(model.encoder(views)).chunk(2)
        return nt_xent(first_BD, second_BD, temperature=self.config.temperature)
