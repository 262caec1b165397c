"""What every method for images shares while it trains: the order of the images, counters, held-back batches, gauges.

A method derives from `ImageObjective` (or from `base_views.ViewObjective`) and says what stands beside the encoder
(`parts`), what a batch is (`images_batch`) and what its loss is. What it keeps beside parameters lies in modules among
the parts, so that it is saved with the run, and changes in `after_step` alone.
Legend: N images, B batch, F features, D width.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.objectives.base import GradientHooks, Optimisation, Setting
from textssl.objectives.base_image_config import ImageConfig
from textssl.objectives.base_rows import spread_rows
from textssl.randomness import Purpose, permutation, stream_key
from textssl.vision.gauges import Remedies, collapse_warnings, effective_rank, spread_gauges
from textssl.vision.images import NO_LABEL
from textssl.vision.neighbors import accuracy_among_others

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder, ImageEncoderConfig
    from textssl.models.base_method import MethodModel
    from textssl.vision.images import ImageSet

EVALUATION_SEED = 0
"""Views of an evaluation never change, whatever the run's seed."""
ENCODED_AT_ONCE = 128

ConfigT = TypeVar("ConfigT", bound=ImageConfig)
BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class ImageOrder:
    """Images in an order of each epoch that depends on the seed alone, in full batches.

    What makes no full batch at the end of an epoch is left out, since contrast and batch statistics need full ones;
    these are other images in every epoch.

    Args:
        numbers: int64 (N,), of the images.
        batch_images: B, 2 to N.
        num_epochs: at least 1.
        seed: of the order.
    """

    numbers: NDArray[np.int64]
    batch_images: int
    num_epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(self.numbers) // self.batch_images

    @property
    def left_out(self) -> int:
        """Images of each epoch that make no full batch."""
        return len(self.numbers) % self.batch_images

    def images(self, step: int, part: int, num_parts: int) -> tuple[int, NDArray[np.int64]]:
        """The epoch of a step, and the numbers of one of its `num_parts` equal slices, int64.

        Raises:
            UsageError: the slices would not be equal.
        """
        require_equal_slices(self.batch_images, num_parts)
        epoch, batch = divmod(step, self.steps_per_epoch)
        order = _order(stream_key(self.seed, Purpose.ORDER, epoch), len(self.numbers))
        size = self.batch_images // num_parts
        start = batch * self.batch_images + part * size
        return epoch, self.numbers[order[start : start + size]]


class ImageObjective(GradientHooks, ABC, Generic[ConfigT, BatchT]):
    """A `GradientObjective` over images.

    Args:
        images: all of them.
        config: the options.
        setting: seed and device.
        encoder: what the images are prepared for: its size, means and deviations.
        training, validation: int64, numbers of the images to learn from and of those held back.
    """

    unit = "images"
    additive = False
    has_gauges = True
    remedies = Remedies()
    gauged = "projection"
    """What `project` makes, for names and messages."""
    encoder_at, projector_at = "encoder.", "projector."
    """Where in the state the parts stand that a saved model is made of."""

    def __init__(
        self,
        images: ImageSet,
        config: ConfigT,
        setting: Setting,
        encoder: ImageEncoderConfig,
        *,
        training: NDArray[np.int64],
        validation: NDArray[np.int64],
    ) -> None:
        self.images, self.config, self.setting, self.encoder = images, config, setting, encoder
        self.order = ImageOrder(training, config.batch_images, config.epochs, setting.seed)
        self.validation = validation
        self.flops_per_unit: float | None = None
        self._most_rank = 0

    @property
    def gauge_numbers(self) -> NDArray[np.int64]:
        """The images that gauges look at, evenly spread over the set."""
        return spread_rows(self.images.num_images, self.config.gauge_images)

    @functools.cached_property
    def voters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Some of the labelled images, evenly spread over them, and their labels, for the vote of neighbours.

        Raises:
            UsageError: there are none, or one only.
        """
        labels = self.images.labels
        labelled = np.zeros(0, np.int64) if labels is None else np.flatnonzero(labels > NO_LABEL)
        if labels is None or len(labelled) < 2:
            raise UsageError(
                f"knn_images needs labelled images, and {len(labelled) or 'none'} of them has a label",
                where=self.images.name,
                hint="Give --labels or a folder with a sub-folder for each label, or leave --knn-images out.",
            )
        numbers = labelled[spread_rows(len(labelled), max(2, self.config.knn_images))]
        return numbers, labels[numbers]

    @abstractmethod
    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        """What stands beside the encoder, by name, its first weights filled (`filled`)."""

    @abstractmethod
    def images_batch(self, numbers: NDArray[np.int64], *, seed: int, epoch: int, step: int) -> BatchT:
        """The batch of some images, a pure function of its arguments; called from several threads at once."""

    @abstractmethod
    def loss(self, model: MethodModel, batch: BatchT) -> LossTensor:
        """The summed loss of a batch, in nats, and its count."""

    @property
    def optimisation(self) -> Optimisation:
        """How gradients become updates; a method with rules of its own overrides this."""
        return self.config.optimisation

    @property
    def views_per_image(self) -> float:
        """How many pictures of the encoder's size it sees for each image."""
        return 1.0

    def describe(self) -> list[str]:
        """What is special about the method, as lines for people."""
        return []

    def filled(self, parts: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """Parts with their first weights, each value a function of seed, name and place.

        A projector of the same kind as that of the model to start from has its weights.
        """
        from textssl.models.base_projection import initialise_parts, load_projector

        initialise_parts(parts, seed=self.setting.seed)
        earlier = load_projector(self.setting.start.path) if self.setting.start and "projector" in parts else None
        if earlier is not None and earlier.options == getattr(parts["projector"], "options", None):
            parts["projector"].load_state_dict(earlier.state_dict())
        return dict(parts)

    @property
    def num_steps(self) -> int:
        """Batches in all epochs."""
        return self.order.num_epochs * self.order.steps_per_epoch

    def units_before(self, step: int) -> int:
        """Images of all steps before this one."""
        return step * self.order.batch_images

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        return step / self.order.steps_per_epoch

    def batch(self, step: int, part: int, num_parts: int) -> BatchT:
        """The images of one slice of a step."""
        epoch, numbers = self.order.images(step, part, num_parts)
        return self.images_batch(numbers, seed=self.setting.seed, epoch=epoch, step=step)

    def evaluation(self) -> Iterator[BatchT] | None:
        """Full batches of the images held back, or one smaller one; where the loss gathers, this process's slices."""
        part, num_parts = _own_slice() if self.across_ranks else (0, 1)
        size = min(self.order.batch_images, len(self.validation)) // num_parts * num_parts
        if size == 0:
            return None
        own = slice(size * part // num_parts, size * (part + 1) // num_parts)
        starts = range(0, len(self.validation) - size + 1, size)
        batches = (self.validation[start : start + size][own] for start in starts)
        return (self.images_batch(numbers, seed=EVALUATION_SEED, epoch=0, step=0) for numbers in batches)

    def scores(self, loss: LossTensor) -> dict[str, float]:
        """The mean loss of the images held back."""
        return {"loss_nats": loss.detached().mean}

    def project(self, model: MethodModel, features_BF: Tensor) -> Tensor:
        """The vectors (B, D) whose collapse is watched, of features: those of the projector."""
        return model.projector(features_BF)

    def gauges(self, model: MethodModel, device: torch.device) -> dict[str, float]:
        """Spread, cosine and rank of the projections of some images as they are, and the rank of their features.

        Where the options ask for it also how often the nearest labelled images name an image's label, by features.
        """
        features_NF, vectors_ND = self.encoded(model, self.gauge_numbers, device)
        self._most_rank = min(vectors_ND.shape)
        found = spread_gauges(vectors_ND, of=self.gauged) | {"feature_rank": effective_rank(features_NF)}
        if self.config.knn_images:
            numbers, labels = self.voters
            features_NF = self.features(model, numbers, device).float().cpu().numpy()
            found["knn"] = accuracy_among_others(features_NF, labels)
        return found

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """Signs of collapse, each with its remedy."""
        return collapse_warnings(scores, of=self.gauged, most_rank=self._most_rank, remedies=self.remedies)

    def encoded(
        self, model: MethodModel, numbers: NDArray[np.int64], device: torch.device
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features (N, F) and vectors (N, D) of some images as they are."""
        features_NF = self.features(model, numbers, device)
        vectors_ND = self.project(model, features_NF)
        return features_NF.float().cpu().numpy(), vectors_ND.float().cpu().numpy()

    def features(self, model: MethodModel, numbers: NDArray[np.int64], device: torch.device) -> Tensor:
        """Features (N, F) of some images as they are, on the device."""
        import torch

        from textssl.vision.views import plain_views

        found = []
        for start in range(0, len(numbers), ENCODED_AT_ONCE):
            pixels = torch.from_numpy(self.images.take(numbers[start : start + ENCODED_AT_ONCE])).to(device)
            found.append(model.encoder(plain_views(pixels, size=self.encoder.image_size, **self.normalisation)))
        return torch.cat(found)

    @property
    def normalisation(self) -> dict[str, Any]:
        """How pixels become what the encoder reads, for `vision.views`."""
        return {"mean_C": self.encoder.mean, "std_C": self.encoder.std, "scale": self.encoder.scale}


def require_equal_slices(batch_images: int, num_slices: int) -> None:
    """Refuse processes that would get unequal shares of a batch.

    Raises:
        UsageError: the number of processes does not divide the batch.
    """
    if batch_images % num_slices:
        raise UsageError(
            f"batch_images must be a multiple of the {num_slices} processes, got {batch_images}",
            hint=f"Give --batch-images {-(-batch_images // num_slices) * num_slices}.",
        )


def _own_slice() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


@functools.lru_cache(maxsize=2)
def _order(key: int, num_images: int) -> NDArray[np.int64]:
    order = permutation(key, num_images)
    order.flags.writeable = False
    return order
