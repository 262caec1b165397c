"""What methods share in which the vectors of one view predict those of the other: BYOL, SimSiam, DirectPred.

    loss_i = |p1 - z2|^2 + |p2 - z1|^2        p, z: predictions and targets of the two views, of unit length

Targets receive no gradient; nothing else keeps all vectors from becoming one, so the gauges matter.
Legend: B images, F features, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from textssl.config import option
from textssl.objectives.base_views import ViewConfig, ViewObjective
from textssl.vision.gauges import Remedies

if TYPE_CHECKING:
    from torch import Tensor

    from textssl.losses.core import LossTensor
    from textssl.models.base_method import MethodModel


@dataclass(frozen=True)
class PredictionConfig(ViewConfig):
    """Options of a method that predicts one view from the other."""

    projector_width: int = option(128, "Numbers of the vectors that are predicted.", minimum=2)
    hidden_width: int = option(512, "Width of the projector's hidden layers.", minimum=1)


PredictionConfigT = TypeVar("PredictionConfigT", bound=PredictionConfig)


class PredictionObjective(ViewObjective[PredictionConfigT]):
    """A method that predicts one view from the other; the norms take their statistics over all processes."""

    across_ranks = True
    remedies = Remedies(
        collapse="Lower --learning-rate, take larger batches (--batch-images), or widen the views (--crop-min)."
    )

    def projections(self, model: MethodModel, views: Sequence[Tensor]) -> list[Tensor]:
        """The vectors (B, D) of each view; one pass for each, so that norms see one view, as in the references."""
        return [model.projector(model.encoder(view)) for view in views]


def both_directions(predicted: Sequence[Tensor], targets: Sequence[Tensor]) -> LossTensor:
    """The loss of the module: each view predicts the other.

    Args:
        predicted: (B, D) of the two views.
        targets: likewise; they receive no gradient.

    Returns:
        The total, 0 to 8 for each image, and B.
    """
    from textssl.losses.core import LossTensor
    from textssl.losses.cosine_regression import cosine_regression

    forth, back = cosine_regression(predicted[0], targets[1]), cosine_regression(predicted[1], targets[0])
    return LossTensor(forth.total + back.total, forth.count)
