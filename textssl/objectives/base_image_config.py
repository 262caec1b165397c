"""Options of every method for images: what is read, the encoder, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from textssl.config import option, validate
from textssl.errors import UsageError
from textssl.objectives.base import Optimisation


@dataclass(frozen=True)
class ImageConfig:
    """Options of every method for images."""

    image_size: int | None = option(None, "Bring every image to this side when it is read, in pixels.", minimum=1)
    image_field: str = option("image", "Column or field that holds the images (npz, Parquet, hub).")
    label_field: str = option("label", "Column or field that holds their labels, which are not learnt from.")
    labels: Path | None = option(None, "A file of labels: columns file and label, or one label a line, in order.")
    view_size: int | None = option(
        None, "Side of what the encoder sees, in pixels; by default the shorter side of the images.", minimum=1
    )
    encoder: str = option("small_cnn", "The network: small_cnn, resnet or vit.")
    width: int | None = option(
        None, "Channels of its first stage, or width of vit; by default what is usual.", minimum=1
    )
    depth: int | None = option(None, "Its layers; 18 or 50 for resnet; by default what is usual.", minimum=1)
    stem: Literal["cifar", "imagenet"] | None = option(
        None, "First layers of resnet: cifar for images below 64 pixels or so, imagenet for larger ones."
    )
    patch: int | None = option(None, "Side of a patch of vit, in pixels.", minimum=1)
    epochs: int = option(10, "Passes over the images.", minimum=1)
    batch_images: int = option(256, "Images of one update.", minimum=2)
    optimizer: Literal["adamw", "sgd", "lars"] = option("adamw", "LARS is for a thousand images and more a batch.")
    learning_rate: float = option(2e-3, "The highest one; sgd and lars need a larger one, 0.03 and more.", above=0)
    schedule: Literal["linear", "cosine", "constant"] = option("cosine", "Of the learning rate, after the warm-up.")
    warmup: float = option(0.05, "Share of the steps in which the learning rate rises.", minimum=0, maximum=1)
    weight_decay: float = option(1e-4, "Pull of matrices and filters towards 0.", minimum=0)
    sgd_momentum: float = option(0.9, "Of sgd and lars.", minimum=0, below=1)
    clip_norm: float | None = option(None, "Gradients longer than this are cut to it.", above=0)
    validation_share: float = option(
        0.0, "Share of the images held back for the loss of evaluations; gauges need none.", minimum=0, below=1
    )
    gauge_images: int = option(512, "Images on which evaluations look for collapse.", minimum=2)
    knn_images: int = option(
        0, "Labelled images whose 20 nearest others vote at each evaluation; 0 for none.", minimum=0
    )

    def __post_init__(self) -> None:
        validate(self)
        self.optimisation  # noqa: B018  (checks its ranges, before the images are read)

    @property
    def optimisation(self) -> Optimisation:
        """What `GradientTask` does."""
        return Optimisation(
            self.optimizer,
            self.learning_rate,
            weight_decay=self.weight_decay,
            betas=(0.9, 0.999),
            momentum=self.sgd_momentum,
            schedule=self.schedule,
            warmup=self.warmup,
            clip_norm=self.clip_norm,
        )


def require_batch(config: ImageConfig, num_images: int, *, name: str) -> None:
    """Refuse a batch that is larger than the images.

    Args:
        config: batch_images.
        num_images: to learn from.
        name: of the images.

    Raises:
        UsageError: there are fewer images than a batch takes.
    """
    if config.batch_images > num_images:
        raise UsageError(
            f"a batch of {config.batch_images:,} images is larger than the {num_images:,} there are to learn from",
            where=name,
            hint=f"Give --batch-images {num_images}." if num_images > 1 else "A method needs 2 images at least.",
        )
