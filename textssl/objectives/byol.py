"""BYOL: predict, from one view, what a slowly following copy of the network makes of the other view.

    loss_i = |p1 - t2|^2 + |p2 - t1|^2        p = predictor(projection), t = projection of the copy, of unit length
    copy = m copy + (1 - m) network           m_t = 1 - (1 - m) (1 + cos(pi t / T)) / 2, after the update of step t

Copy and network both use the statistics of their batches. The sum over both directions is that of the reference.
Source: Grill et al. (arXiv 2006.07733), sections 3.1 and 3.3; order and momenta: the authors' code.
Legend: B images, F features, D width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textssl.config import option
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_prediction import PredictionConfig, PredictionObjective, both_directions
from textssl.objectives.base_teacher import FORWARD_ONLY, follow, with_teacher
from textssl.objectives.base_views import ViewBatch
from textssl.vision.images import ImageSource
from textssl.vision.view_plan import ViewSettings

if TYPE_CHECKING:
    from torch import nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel


@dataclass(frozen=True)
class BYOLConfig(PredictionConfig):
    """Options of byol."""

    predictor_width: int = option(512, "Width of the predictor's hidden layer; 0: a linear predictor.", minimum=0)
    momentum: float = option(
        0.9, "What the copy keeps at first, rising to 1; 0.9 suits short runs, 0.996 long ones.", minimum=0, maximum=1
    )
    second_blur: float | None = option(
        None, "Share of the second views that are blurred; by default as of the first.", minimum=0, maximum=1
    )
    second_solarise: float | None = option(
        None, "Share of the second views that are solarised; by default as of the first.", minimum=0, maximum=1
    )


class BYOL:
    """An encoder learns to predict its own slowly following copy across the views of an image, without negatives."""

    Config = BYOLConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "imagenet": {
            "encoder": "resnet", "depth": 50, "stem": "imagenet", "batch_images": 4096, "epochs": 300,
            "projector_width": 256, "hidden_width": 4096, "predictor_width": 4096, "momentum": 0.99,
            "optimizer": "lars", "learning_rate": 4.8, "weight_decay": 1e-6, "warmup": 10 / 300,
            "saturation": 0.2, "blur": 1.0, "second_blur": 0.1, "second_solarise": 0.2,
        },
    }  # fmt: skip

    def prepare(self, source: ImageSource, config: BYOLConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Bootstrap)


class _Bootstrap(PredictionObjective[BYOLConfig]):
    def view_settings(self, view: int) -> ViewSettings:
        """The second view may be blurred and solarised at rates of its own."""
        settings = super().view_settings(view)
        if view == 0:
            return settings
        blur, solarise = self.config.second_blur, self.config.second_solarise
        return dataclasses.replace(
            settings,
            blur=settings.blur if blur is None else blur,
            solarise=settings.solarise if solarise is None else solarise,
        )

    @property
    def views_per_image(self) -> float:
        """The copy sees both views too, without a gradient."""
        return super().views_per_image * (1 + FORWARD_ONLY)

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Predictor, Projector

        config = self.config
        projector = Projector((encoder.feature_width, config.hidden_width, config.projector_width))
        predictor = Predictor(config.projector_width, config.predictor_width)
        return with_teacher(encoder, self.filled({"projector": projector, "predictor": predictor}))

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        views = self.views(batch)
        predicted = [model.predictor(vectors_BD) for vectors_BD in self.projections(model, views)]
        return both_directions(predicted, [model.teacher(view) for view in views])

    def after_step(self, model: MethodModel, step: int, num_steps: int) -> None:
        """The copy follows the new parameters."""
        from textssl.models.base_momentum import momentum_at

        follow(model, momentum_at(step, num_steps, self.config.momentum))
