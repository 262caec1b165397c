"""DirectPred: BYOL with a linear predictor that is computed from the correlation of the vectors, not trained.

    F = rho F + (1 - rho) mean of f f^T        f: projections of both views, not centred
    W = U diag((s / s_max)^power + epsilon) U^T        power 1/2: DirectPred, 1: DirectCopy

After the update of a step W is set, every `predictor_every` steps, and then the target follows; between them W is
trained by gradients. Sum over both directions, as in the reference (whose -2 cos is this loss minus 4).
Source: Tian, Chen, Ganguli (arXiv 2102.06810), section 4, and the authors' code for order and constants; DirectCopy:
Wang et al. (arXiv 2110.04947). See also: `models.base_correlation`.
Legend: B images, F features, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from textssl.config import option
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_prediction import PredictionConfig, PredictionObjective, both_directions
from textssl.objectives.base_teacher import FORWARD_ONLY, follow, with_teacher
from textssl.objectives.base_views import ViewBatch
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    from torch import nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

POWERS = {"directpred": 0.5, "directcopy": 1.0}


@dataclass(frozen=True)
class DirectPredConfig(PredictionConfig):
    """Options of directpred."""

    rule: Literal["directpred", "directcopy"] = option(
        "directpred", "The predictor's eigenvalues: roots of those of the correlation, or these themselves."
    )
    epsilon: float = option(0.1, "What every direction is given, as a share of the strongest one.", above=0)
    correlation_momentum: float = option(0.3, "What the correlation keeps at each step.", minimum=0, below=1)
    predictor_every: int = option(1, "Steps from one predictor to the next.", minimum=1)
    target: Literal["momentum", "none"] = option(
        "momentum", "What is predicted: projections of a copy that follows slowly, or the network's own."
    )
    momentum: float = option(0.99, "What the copy keeps of itself at each step.", minimum=0, maximum=1)


class DirectPred:
    """An encoder learns to predict across views through a matrix that follows from its vectors' correlation."""

    Config = DirectPredConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "stl10": {
            "encoder": "resnet", "depth": 18, "stem": "imagenet", "batch_images": 128, "epochs": 100,
            "momentum": 0.996, "epsilon": 0.01, "optimizer": "sgd", "learning_rate": 0.03, "weight_decay": 4e-4,
            "schedule": "constant", "warmup": 0.0, "brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2,
            "blur": 0.5,
        },
    }  # fmt: skip

    def prepare(self, source: ImageSource, config: DirectPredConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Direct)


class _Direct(PredictionObjective[DirectPredConfig]):
    @property
    def views_per_image(self) -> float:
        """A copy sees both views too, without a gradient."""
        return super().views_per_image * (1 + FORWARD_ONLY * (self.config.target == "momentum"))

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_correlation import Correlation
        from textssl.models.base_projection import Predictor, Projector

        config = self.config
        widths = (encoder.feature_width, config.hidden_width, config.projector_width)
        predictor = Predictor(config.projector_width, 0).requires_grad_(config.predictor_every > 1)
        parts = self.filled({"projector": Projector(widths, norm="plain"), "predictor": predictor})
        parts["correlation"] = Correlation(config.projector_width)
        return with_teacher(encoder, parts) if config.target == "momentum" else parts

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch

        views = self.views(batch)
        projected = self.projections(model, views)
        targets = projected
        if self.config.target == "momentum":
            targets = [model.teacher(view) for view in views]
        model.kept["projections"] = torch.cat(projected).detach()
        return both_directions([model.predictor(vectors_BD) for vectors_BD in projected], targets)

    def after_step(self, model: MethodModel, step: int, num_steps: int) -> None:
        """Correlation, then predictor, then target."""
        from textssl.losses.base_gather import gathered

        config = self.config
        model.correlation.update(gathered(model.kept.pop("projections")), config.correlation_momentum)
        if step % config.predictor_every == 0:
            weight_DD = model.correlation.predictor(power=POWERS[config.rule], epsilon=config.epsilon)
            model.predictor.last.weight.copy_(weight_DD)
        if config.target == "momentum":
            follow(model, config.momentum)
