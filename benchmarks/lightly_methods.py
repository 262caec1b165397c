"""SimCLR, MoCo, BYOL, SimSiam and SwAV from lightly's parts, as its documentation puts them together; for lightly_peer.

Each has an `encoder` with the layers and names of textssl's small_cnn, and `loss(views)`; heads, losses, momentum and
prototypes are lightly's. Options that a method lacks come from `OPTIONS`.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.torchvision_shim import declare_operators

declare_operators()

from lightly.loss import NegativeCosineSimilarity, NTXentLoss, SwaVLoss  # noqa: E402  (after the declarations)
from lightly.models.modules import heads  # noqa: E402
from lightly.models.utils import batch_shuffle, batch_unshuffle, deactivate_requires_grad, update_momentum  # noqa: E402

OPTIONS: dict[str, dict[str, Any]] = {
    "simclr": {"temperature": 0.5, "hidden": 128, "out": 128},
    "moco": {"temperature": 0.2, "hidden": 128, "out": 128, "queue": 4096, "momentum": 0.99},
    "byol": {"hidden": 512, "out": 128, "momentum": 0.9},
    "simsiam": {"hidden": 512, "out": 512, "predictor_hidden": 128},
    "swav": {"temperature": 0.1, "hidden": 512, "out": 128, "prototypes": 128, "epsilon": 0.05, "frozen_steps": 0},
}
"""As textssl's, for a network of 128 features and ten epochs on small images; the papers' are for ImageNet."""


class SmallCNN(nn.Module):
    """Three convolutions of stride 2 with norm and ReLU, widths w, 2 w, 4 w, and the mean over the map."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.feature_width = 4 * width
        for number, (before, after) in enumerate([(channels, width), (width, 2 * width), (2 * width, 4 * width)], 1):
            self.add_module(f"conv{number}", nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, 4 w)."""
        for number in (1, 2, 3):
            images = torch.relu(self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(images)))
        return images.mean((2, 3))


class Method(nn.Module, ABC):
    """An encoder and a loss of two views.

    Args:
        encoder: with `feature_width`.
        options: of the method.
    """

    def __init__(self, encoder: SmallCNN, options: dict[str, Any]) -> None:
        super().__init__()
        self.encoder, self.options = encoder, options
        self.build(encoder.feature_width, options["hidden"], options["out"])

    @abstractmethod
    def build(self, features: int, hidden: int, out: int) -> None:
        """Make what stands behind the encoder."""

    @abstractmethod
    def loss(self, views: list[Tensor], step: int, num_steps: int) -> Tensor:
        """The mean loss of a batch."""

    def momentum(self, progress: float) -> float:
        """Rises to 1 along half a cosine wave."""
        return 1 - (1 - self.options["momentum"]) * (math.cos(math.pi * progress) + 1) / 2


class SimCLR(Method):
    """Contrast within the batch."""

    def build(self, features: int, hidden: int, out: int) -> None:
        """Projector and loss."""
        self.head = heads.SimCLRProjectionHead(features, hidden, out)
        self.criterion = NTXentLoss(self.options["temperature"])

    def loss(self, views: list[Tensor], step: int, num_steps: int) -> Tensor:
        """One pass for each view, as in lightly's example."""
        return self.criterion(*(self.head(self.encoder(view)) for view in views))


class MoCo(Method):
    """Contrast with a queue of a slower encoder's keys: the first view asks."""

    def build(self, features: int, hidden: int, out: int) -> None:
        """Projector, slower copies, a loss with its queue."""
        self.head = heads.MoCoProjectionHead(features, hidden, out)
        self.slow_encoder, self.slow_head = copy.deepcopy(self.encoder), copy.deepcopy(self.head)
        deactivate_requires_grad(self.slow_encoder)
        deactivate_requires_grad(self.slow_head)
        self.criterion = NTXentLoss(self.options["temperature"], memory_bank_size=(self.options["queue"], out))

    def loss(self, views: list[Tensor], step: int, num_steps: int) -> Tensor:
        """Momentum first; keys are made of batches in another order, so that norms give nothing away."""
        update_momentum(self.encoder, self.slow_encoder, self.options["momentum"])
        update_momentum(self.head, self.slow_head, self.options["momentum"])
        with torch.no_grad():
            shuffled, order = batch_shuffle(views[1])
            keys = batch_unshuffle(self.slow_head(self.slow_encoder(shuffled)), order)
        return self.criterion(self.head(self.encoder(views[0])), keys)


class BYOL(Method):
    """Predict what a slower encoder makes of the other view."""

    def build(self, features: int, hidden: int, out: int) -> None:
        """Projector, predictor, slower copies."""
        self.head = heads.BYOLProjectionHead(features, hidden, out)
        self.predictor = heads.BYOLPredictionHead(out, hidden, out)
        self.slow_encoder, self.slow_head = copy.deepcopy(self.encoder), copy.deepcopy(self.head)
        deactivate_requires_grad(self.slow_encoder)
        deactivate_requires_grad(self.slow_head)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, views: list[Tensor], step: int, num_steps: int) -> Tensor:
        """Both directions, the momentum rising."""
        momentum = self.momentum(step / num_steps)
        update_momentum(self.encoder, self.slow_encoder, momentum)
        update_momentum(self.head, self.slow_head, momentum)
        predicted = [self.predictor(self.head(self.encoder(view))) for view in views]
        with torch.no_grad():
            targets = [self.slow_head(self.slow_encoder(view)) for view in views]
        return (self.criterion(predicted[0], targets[1]) + self.criterion(predicted[1], targets[0])) / 2


class SimSiam(Method):
    """Predict the other view, without a second encoder."""

    def build(self, features: int, hidden: int, out: int) -> None:
        """Projector and predictor."""
        self.head = heads.SimSiamProjectionHead(features, hidden, out)
        self.predictor = heads.SimSiamPredictionHead(out, self.options["predictor_hidden"], out)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, views: list[Tensor], step: int, num_steps: int) -> Tensor:
        """Both directions."""
        projected = [self.head(self.encoder(view)) for view in views]
        predicted = [self.predictor(each) for each in projected]
        return (
            self.criterion(predicted[0], projected[1].detach()) + self.criterion(predicted[1], projected[0].detach())
        ) / 2


class SwAV(Method):
    """Predict to which prototypes the other view was assigned; two large crops."""

    def build(self, features: int, hidden: int, out: int) -> None:
        """Projector and prototypes."""
        self.head = heads.SwaVProjectionHead(features, hidden, out)
        self.prototypes = heads.SwaVPrototypes(out, self.options["prototypes"], self.options["frozen_steps"])
        self.criterion = SwaVLoss(self.options["temperature"], sinkhorn_epsilon=self.options["epsilon"])

    def loss(self, views: list[Tensor], step: int, num_steps: int) -> Tensor:
        """Prototypes to unit length first."""
        self.prototypes.normalize()
        unit = [nn.functional.normalize(self.head(self.encoder(view)), dim=1) for view in views]
        return self.criterion([self.prototypes(each, step) for each in unit], []).squeeze()


METHODS: dict[str, type[Method]] = {"simclr": SimCLR, "moco": MoCo, "byol": BYOL, "simsiam": SimSiam, "swav": SwAV}
