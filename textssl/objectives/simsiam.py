"""SimSiam: predict one view from the other through a small predictor; a stop-gradient alone prevents collapse.

    loss_i = 1 - (cos(p1, z2) + cos(p2, z1)) / 2        p = predictor(z), z without a gradient

The reference's loss is this minus 1. Its learning rate is that of SGD, 0.05 for 256 images; that of the predictor stays
constant.
Source: Chen, He (arXiv 2011.10566), algorithm 1 and section 3; sizes and constant rate: the authors' code.
Legend: B images, F features, D width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from textssl.config import option
from textssl.objectives.base import Optimisation, Setting
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_prediction import PredictionConfig, PredictionObjective, both_directions
from textssl.objectives.base_views import ViewBatch
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    from torch import nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel


@dataclass(frozen=True)
class SimSiamConfig(PredictionConfig):
    """Options of simsiam."""

    projector_width: int = option(512, "Numbers of the vectors that are predicted.", minimum=2)
    predictor_width: int = option(128, "Width of the predictor's hidden layer, a quarter of its output.", minimum=1)
    predictor_rate: Literal["constant", "schedule"] = option(
        "constant", "Learning rate of the predictor: the highest one throughout, or that of the rest."
    )


class SimSiam:
    """An encoder learns to predict one view of an image from the other, without negatives and without a teacher."""

    Config = SimSiamConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "imagenet": {
            "encoder": "resnet", "depth": 50, "stem": "imagenet", "batch_images": 512, "epochs": 100,
            "projector_width": 2048, "hidden_width": 2048, "predictor_width": 512,
            "optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 1e-4, "warmup": 0.0, "crop_min": 0.2, "blur": 0.5,
        },
    }  # fmt: skip

    def prepare(self, source: ImageSource, config: SimSiamConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Siamese)


class _Siamese(PredictionObjective[SimSiamConfig]):
    @property
    def optimisation(self) -> Optimisation:
        constant = ("predictor.",) if self.config.predictor_rate == "constant" else ()
        return dataclasses.replace(self.config.optimisation, constant_rate=constant)

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Predictor, Projector

        config = self.config
        widths = (encoder.feature_width, config.hidden_width, config.hidden_width, config.projector_width)
        predictor = Predictor(config.projector_width, config.predictor_width)
        return self.filled({"projector": Projector(widths, last_norm="plain"), "predictor": predictor})

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        from textssl.losses.core import LossTensor

        projected = self.projections(model, self.views(batch))
        loss = both_directions([model.predictor(vectors_BD) for vectors_BD in projected], projected)
        return LossTensor(loss.total / 4, loss.count)
