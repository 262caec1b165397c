"""Methods that ask a question whose answer is known from how the pictures were made: batches, loss, right answers.

    scores_QK = hidden_QD table_KD' + bias_K     the loss is the cross-entropy of the right answer, as of a masked word

Every question is answered alone, so a batch may be shared by processes; the norms see all of it.
Legend: B images, Q questions, K answers to choose from, F features, D width, C channels, H and W of the images.
"""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from textssl.config import option
from textssl.objectives.base import Setting
from textssl.objectives.base_image_objective import ENCODED_AT_ONCE, EVALUATION_SEED, ImageObjective
from textssl.objectives.base_images import ImageRun
from textssl.objectives.base_views import ViewConfig, view_option
from textssl.vision.gauges import LEAST_SPREAD
from textssl.vision.images import ImageSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import Tensor

    from textssl.losses.core import LossTensor
    from textssl.models.base_method import MethodModel

CLEARLY_ABOVE = 3.0
"""Standard deviations of the share of right answers by which it must exceed chance."""


@dataclass(frozen=True)
class PretextConfig(ViewConfig):
    """Options of a method that asks a question; views are mild, since what they change the question may be about."""

    validation_share: float = option(
        0.1, "Share of the images held back, on which the right answers are counted.", minimum=0, below=1
    )
    batch_images: int = option(64, "Images of one update; each makes several pictures.", minimum=2)
    crop_min: float = view_option("crop_min", 0.6)
    jitter: float = view_option("jitter", 0.0)
    gray: float = view_option("gray", 0.0)


class Streams(NamedTuple):
    """Keys of the random numbers of each image, uint64 (B,) each, so that no drawing tells of another."""

    views: NDArray[np.uint64]
    answers: NDArray[np.uint64]
    places: NDArray[np.uint64]
    channels: NDArray[np.uint64]
    windows: NDArray[np.uint64]


@dataclass(frozen=True)
class PretextBatch:
    """Questions about B images, or what they are made from.

    Args:
        step: of the run.
        pixels: (R, H, W, C) as they were read; (0, H, W, C) where the pictures are made already.
        streams: of each image.
        answers: int64 (Q,), the right ones.
        made: the pictures; empty as long as they are not made.
    """

    step: int
    pixels: Tensor
    streams: Streams
    answers: Tensor
    made: tuple[Tensor, ...]

    def to(self, device: torch.device | str) -> PretextBatch:
        """The same batch on a device."""
        moved = tuple(part.to(device) for part in self.made)
        return PretextBatch(self.step, self.pixels.to(device), self.streams, self.answers.to(device), moved)


PretextConfigT = TypeVar("PretextConfigT", bound=PretextConfig)


class PretextObjective(ImageObjective[PretextConfigT, PretextBatch]):
    """A method whose parts have a linear layer `classes`, D to K, that answers from hidden vectors."""

    across_ranks = True
    gauged = "feature"
    remedy = "Train longer (--epochs), or make the views milder (a larger --crop-min)."
    """Where the answers are no better than chance."""

    @property
    @abstractmethod
    def num_answers(self) -> int:
        """K."""

    @abstractmethod
    def questions(
        self, numbers: NDArray[np.int64], streams: Streams
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The images that are shown for some, int64 (R,), and the right answers, int64 (Q,)."""

    @abstractmethod
    def pictures(self, pixels: Tensor, streams: Streams) -> Tensor:
        """What is shown, float32 (..., C, S, S), of pixels (R, H, W, C), on their device."""

    @abstractmethod
    def hidden(self, model: MethodModel, pictures: Tensor, answers_Q: Tensor) -> Tensor:
        """What is known of each question, floating (Q, D); the answers serve only to lay the question out."""

    @property
    def chance(self) -> float:
        """Share of right answers of somebody who always says what is right most often."""
        return 1 / self.num_answers

    def images_batch(self, numbers: NDArray[np.int64], *, seed: int, epoch: int, step: int) -> PretextBatch:
        """The questions about some images."""
        import torch

        from textssl.vision.draws import view_keys

        streams = Streams(*(view_keys(seed, epoch, numbers, stream) for stream in range(len(Streams._fields))))
        shown_R, answers_Q = self.questions(numbers, streams)
        pixels = torch.from_numpy(self.images.take(shown_R))
        batch = PretextBatch(step, pixels, streams, torch.from_numpy(answers_Q), ())
        if not self.setting.device.startswith("cpu"):
            return batch
        return dataclasses.replace(batch, pixels=pixels[:0], made=(self.pictures(pixels, streams),))

    def loss(self, model: MethodModel, batch: PretextBatch) -> LossTensor:
        """The cross-entropy of the right answers."""
        from textssl.losses.cross_entropy import cross_entropy

        return cross_entropy(self._hidden(model, batch), model.classes.weight, batch.answers, model.classes.bias)

    def project(self, model: MethodModel, features_BF: Tensor) -> Tensor:
        """The features themselves: nothing stands between them and the question that would be worth watching."""
        del model
        return features_BF

    def gauges(self, model: MethodModel, device: torch.device) -> dict[str, float]:
        """Those of the features, and the share of questions about held-back images that are answered right."""
        found = super().gauges(model, device)
        if not len(self.validation):
            return found
        answered = [self._answered(model, start, device) for start in range(0, len(self.validation), ENCODED_AT_ONCE)]
        right_Q = np.concatenate(answered)
        return {"pretext_accuracy": float(right_Q.mean()), **found}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """Collapse, and answers that are no better than chance.

        Features after a relu share a large mean and may still answer everything (spread 0.18 at 100 % right, measured),
        so a spread of nearly nothing alone is a sign.
        """
        collapsed = scores["feature_spread"] < LEAST_SPREAD / 10
        lines, right = super().warnings(scores) if collapsed else [], scores.get("pretext_accuracy", 1.0)
        deviation = math.sqrt(self.chance * (1 - self.chance) / max(1, len(self.validation)))
        if right < self.chance + CLEARLY_ABOVE * deviation:
            found = f"{right:.1%} of the answers are right, hardly above chance ({self.chance:.1%})"
            lines.append(f"{found}. {self.remedy}")
        return lines

    def _hidden(self, model: MethodModel, batch: PretextBatch) -> Tensor:
        pictures = batch.made[0] if batch.made else self.pictures(batch.pixels, batch.streams)
        return self.hidden(model, pictures, batch.answers)

    def _answered(self, model: MethodModel, start: int, device: torch.device) -> NDArray[np.bool_]:
        """Which questions about some held-back images are answered right; every process asks them all."""
        numbers = self.validation[start : start + ENCODED_AT_ONCE]
        batch = self.images_batch(numbers, seed=EVALUATION_SEED, epoch=0, step=0).to(device)
        right_Q = model.classes(self._hidden(model, batch)).argmax(1) == batch.answers
        found: NDArray[np.bool_] = right_Q.cpu().numpy()
        return found


def prepare_pretext(
    images: ImageSet,
    config: PretextConfig,
    setting: Setting,
    method: type[PretextObjective[Any]],
    *,
    most_size: int | None = None,
) -> ImageRun:
    """Images and options, ready to train by a method; errors as of `ImageRun`.

    Args:
        images: all of them.
        config: the options.
        setting: device, seed, start.
        method: the class of the objective.
        most_size: of what the encoder sees, where `view_size` is not given; None: the shorter side of the images.
    """
    if config.view_size is None and most_size is not None:
        config = dataclasses.replace(config, view_size=min(images.height, images.width, most_size))
    return ImageRun(images, config, setting, method)
