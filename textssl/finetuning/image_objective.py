"""Labelled images as an objective for the trainer: full batches of random crops, and the cross-entropy of their labels.

Legend: N images, B batch, C channels, S side of what the network sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.finetuning.image_classifier import ImageClassifier
from textssl.finetuning.labels import Labels
from textssl.finetuning.objective import summed_loss
from textssl.losses.core import LossTensor
from textssl.models.base_images import ImageEncoderConfig
from textssl.objectives.base import GradientHooks
from textssl.objectives.base_image_objective import ImageOrder
from textssl.vision.labelled import LabelledImages
from textssl.vision.view_plan import ViewSettings
from textssl.vision.views import make_views, view_keys

VIEW = 0
"""Number of the view in the keys: there is one an image."""


@dataclass(frozen=True)
class LabelledBatch:
    """Images with their labels, or what their views are made from.

    Args:
        pixels: (B, H, W, C) as they were read; (0, H, W, C) where the views are made already.
        keys: uint64 (B,), of the views.
        made: the views, float32 (B, C, S, S); empty as long as they are not made.
        targets: int64 (B,).
        weights: float32 (B,) of the class weights, or None.
    """

    pixels: Tensor
    keys: NDArray[np.uint64]
    made: tuple[Tensor, ...]
    targets: Tensor
    weights: Tensor | None

    def to(self, device: torch.device | str) -> LabelledBatch:
        """The same batch on a device."""
        made = tuple(view.to(device) for view in self.made)
        weights = None if self.weights is None else self.weights.to(device)
        return LabelledBatch(self.pixels.to(device), self.keys, made, self.targets.to(device), weights)


class ImageTuning(GradientHooks):
    """The `GradientObjective` of a classifier of images: the whole network learns.

    A batch is not additive, since the network's norms look at all of it. On the CPU the loader's threads make views.

    Args:
        images: to learn from.
        labels: what they mean.
        encoder: what the network sees.
        order: of the images.
        settings: how views are drawn.
        on_cpu: whether views are made with the batch.
        class_weights: float32, one for each label, or None for equal ones.
    """

    unit = "images"
    additive = False
    flops_per_unit: float | None = None

    def __init__(
        self,
        images: LabelledImages,
        labels: Labels,
        encoder: ImageEncoderConfig,
        order: ImageOrder,
        settings: ViewSettings,
        *,
        on_cpu: bool = True,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.images, self.labels, self.encoder = images, labels, encoder
        self.order, self.settings, self.on_cpu = order, settings, on_cpu
        self.num_steps = order.num_epochs * order.steps_per_epoch
        self._weights = None if class_weights is None else class_weights[images.targets]

    def units_before(self, step: int) -> int:
        """Images of all steps before this one."""
        return step * self.order.batch_images

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        return step / self.order.steps_per_epoch

    def batch(self, step: int, part: int, num_parts: int) -> LabelledBatch:
        """The images of one slice of a step."""
        epoch, rows = self.order.images(step, part, num_parts)
        pixels = torch.from_numpy(self.images.pixels(rows))
        keys = view_keys(self.order.seed, epoch, rows, VIEW)
        made = (self._views(pixels, keys),) if self.on_cpu else ()
        weights = None if self._weights is None else torch.from_numpy(self._weights[rows])
        targets = torch.from_numpy(self.images.targets[rows])
        return LabelledBatch(pixels[:0] if self.on_cpu else pixels, keys, made, targets, weights)

    def loss(self, model: ImageClassifier, batch: LabelledBatch) -> LossTensor:
        """The summed loss of a batch and its count, which is the sum of the weights where there are some."""
        views_BCSS = batch.made[0] if batch.made else self._views(batch.pixels, batch.keys)
        return summed_loss(self.labels, model(views_BCSS), batch.targets, batch.weights)

    def evaluation(self) -> Iterator[LabelledBatch] | None:
        """None: scores need all predictions at once."""
        return None

    def scores(self, loss: LossTensor) -> dict[str, float]:
        """The mean loss."""
        return {"loss_nats": loss.detached().mean}

    def _views(self, pixels: Tensor, keys: NDArray[np.uint64]) -> Tensor:
        encoder = self.encoder
        return make_views(pixels, keys, self.settings, mean_C=encoder.mean, std_C=encoder.std, scale=encoder.scale)
