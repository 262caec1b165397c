"""Images and options ready to train: the encoder, new or from a folder, what training takes, and the saved model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.objectives.base import GradientParts, Setting, Start
from textssl.objectives.base_image_config import ImageConfig, require_batch
from textssl.objectives.base_image_objective import ImageObjective
from textssl.plural import counted
from textssl.text.packing import split_documents
from textssl.vision.images import ImageSet, ImageSource, image_set, kind_of_pixels

if TYPE_CHECKING:
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

SPLIT_SEED = 0
"""The images held back do not depend on the run's seed, so that runs of other seeds have the same test."""
MEMORY_OF_A_PARAMETER = 16
"""Bytes: weight, gradient and two numbers of AdamW."""


class ImageRun:
    """Images and options, ready to train (see `base.Prepared`).

    Args:
        images: all of them.
        config: the options.
        setting: device, seed, start.
        method: the class of the objective.

    Raises:
        UsageError: a batch takes more images than there are, or the start does not fit the images.
        DataError: the start holds no such model, or a damaged one.
    """

    unit = "images"

    def __init__(
        self, images: ImageSet, config: ImageConfig, setting: Setting, method: type[ImageObjective[Any, Any]]
    ) -> None:
        self.images, self.config, self.setting = images, config, setting
        self.num_epochs, self.learning_rate = config.epochs, config.learning_rate
        numbers = np.arange(images.num_images, dtype=np.int64)
        training, validation = numbers, numbers[:0]
        if config.validation_share and images.num_images > 1:
            training, validation = split_documents(len(numbers), seed=SPLIT_SEED, share=config.validation_share)
        require_batch(config, len(training), name=images.name)
        self._start = started_from(setting.start, images, setting.encoder)
        self.encoder = self._start if self._start is not None else new_encoder(images, config, setting)
        self.objective = method(
            images, config, setting, self.encoder.config, training=training, validation=validation
        )
        self.objective.views_per_image  # noqa: B018  (needs the sides of views, and so checks them, before training)
        if config.knn_images:
            self.objective.voters  # noqa: B018  (checks that there are labels)

    @cached_property
    def model(self) -> MethodModel:
        """The encoder with the parts of the method."""
        from textssl.models.base_method import MethodModel

        return MethodModel(self.encoder, self.objective.parts(self.encoder))

    def describe(self) -> list[str]:
        """What will be trained and what it takes, as lines for people."""
        held_back = len(self.objective.validation)
        lines = [describe_images(self.images)]
        if held_back:
            lines.append(f"held back to evaluate on: {held_back:,} images")
        return [*lines, *self.objective.describe(), *self._describe_model(), self._describe_steps()]

    def _describe_model(self) -> list[str]:
        from textssl.objectives.base_cost import memory_bytes_per_image

        encoder = self.encoder
        own, everything = (_count(model) for model in (encoder, self.model))
        kind = f"{encoder.title}: {own:,} parameters, {encoder.feature_width:,} features"
        lines = [f"{kind}; {everything:,} with {_listed(self.model.part_names)}"]
        if self._start is not None and self.setting.start is not None:
            lines.append(f"its weights are those of {self.setting.start.source}; options of its size do not count")
        views = self.objective.views_per_image
        a_view = memory_bytes_per_image(encoder, self._shape)
        memory = everything * MEMORY_OF_A_PARAMETER + self.config.batch_images * views * a_view
        lines.append(
            f"{self._flops_per_image / 1e6:,.1f} million operations an image, forward and backward; "
            f"about {memory / 2**20:,.0f} MiB on {self.setting.device}"
        )
        return lines

    def _describe_steps(self) -> str:
        order, config = self.objective.order, self.config
        epochs, steps = counted(config.epochs, "epoch"), counted(order.steps_per_epoch, "step")
        left = f" ({order.left_out:,} images make no full batch and are left out, others in each epoch)"
        return (
            f"{epochs} of {steps}, each of {config.batch_images:,} images{left if order.left_out else ''}; "
            f"{config.optimizer}, learning rate {config.learning_rate:g}, {config.schedule}"
        )

    @property
    def _shape(self) -> tuple[int, int, int]:
        size = self.encoder.config.image_size
        return self.encoder.config.channels, size, size

    @cached_property
    def _flops_per_image(self) -> float:
        from textssl.objectives.base_cost import operations_per_image

        return operations_per_image(self.encoder, self._shape) * self.objective.views_per_image

    def data(self) -> dict[str, Any]:
        """What the run is trained on, for data.json."""
        images = self.images
        return {
            "fingerprint": images.fingerprint,
            "num_images": images.num_images,
            "num_images_held_back": len(self.objective.validation),
            "height": images.height,
            "width": images.width,
            "channels": images.channels,
            "label_names": list(images.label_names),
        }

    def blocks(self) -> None:
        """Nothing: a network is trained by gradients."""
        return

    def gradients(self) -> GradientParts:
        """Objective, model and how it is updated."""
        self.objective.flops_per_unit = self._flops_per_image
        return GradientParts(self.objective, self.model, self.objective.optimisation)

    def save(self, folder: Path, tables: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Write encoder and projector, with what they were trained on.

        Args:
            folder: of the model.
            tables: the state of the task; the model's own are taken.
        """
        import copy

        from textssl.models.base_image_folder import save_image_model

        encoder, projector = copy.deepcopy(self.encoder), copy.deepcopy(getattr(self.model, "projector", None))
        _fill(encoder, tables, self.objective.encoder_at)
        if projector is not None:
            _fill(projector, tables, self.objective.projector_at)
        about = {"trained_on": self.images.name, "label_names": list(self.images.label_names)}
        save_image_model(folder, encoder, projector=projector, about=about, replace=True)


def prepare_images(
    source: ImageSource, config: ImageConfig, setting: Setting, method: type[ImageObjective[Any, Any]]
) -> ImageRun:
    """Images and options, ready to train by a method; arguments and errors as of `ImageRun`."""
    return ImageRun(image_set(source), config, setting, method)


def new_encoder(images: ImageSet, config: ImageConfig, setting: Setting) -> ImageEncoder:
    """An encoder of the options' sizes for some images, its weights filled; or the one that was given.

    Raises:
        UsageError: the kind of encoder is unknown, or a size does not fit it; one's own makes no features.
    """
    from textssl.models.base_images import image_encoder_config, make_image_encoder
    from textssl.models.base_own_encoder import OwnEncoder

    _check_own(config, setting.encoder)
    mean_C, std_C = images.channel_statistics()
    shape = image_encoder_config(
        config.encoder,
        channels=images.channels,
        image_size=config.view_size or min(images.height, images.width),
        width=config.width,
        depth=config.depth,
        stem=config.stem,
        patch=config.patch,
        mean=tuple(map(float, mean_C)),
        std=tuple(map(float, std_C)),
        scale=images.scale,
    )
    return make_image_encoder(shape, setting.seed) if setting.encoder is None else OwnEncoder(setting.encoder, shape)


def started_from(start: Start | None, images: ImageSet, own: Any | None = None) -> ImageEncoder | None:
    """The encoder of a folder to start from; None without one.

    Args:
        start: the folder.
        images: to learn from.
        own: the network whose weights it holds, where that is one of one's own.

    Raises:
        UsageError: it is for images of other channels or bits.
        DataError: the folder holds no encoder for images, or a damaged one.
    """
    if start is None:
        return None
    from textssl.models.base_image_folder import load_image_model

    encoder: ImageEncoder
    encoder, _ = load_image_model(start.path, encoder=own)
    kind = kind_of_pixels(encoder.config.channels, encoder.config.scale)
    if images.kind != kind:
        raise UsageError(
            f"holds an encoder of images with {kind}, those of {images.name} have {images.kind}",
            where=start.source,
            hint="Start from one for such images, or anew.",
        )
    return encoder


def describe_images(images: ImageSet) -> str:
    """How many images of which size there are, as a line for people."""
    labelled = f", {len(images.label_names)} labels" if images.label_names else ""
    return f"{images.name}: {images.num_images:,} images of {images.width} x {images.height}, {images.kind}{labelled}"


def _check_own(config: ImageConfig, network: Any | None) -> None:
    """Refuse "own" without a network, and sizes that a network of one's own has already."""
    from textssl.models.base_images import OWN

    if network is None and config.encoder == OWN:
        raise UsageError(
            f"encoder {OWN} stands for a network that is given from Python",
            hint="textssl.train(..., encoder=module); from the command line: small_cnn, resnet or vit.",
        )
    given = [name for name in ("width", "depth", "stem", "patch") if getattr(config, name) is not None]
    if network is not None and given:
        raise UsageError(f"{' and '.join(given)} would do nothing: the encoder is your own", hint="Leave it out.")


def _count(model: Any) -> int:
    return sum(part.numel() for part in model.parameters())


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "nothing beside it"


def _fill(model: Any, tables: Mapping[str, NDArray[np.generic[Any]]], prefix: str) -> None:
    import torch

    model.load_state_dict({name: torch.from_numpy(np.array(tables[prefix + name])) for name in model.state_dict()})
