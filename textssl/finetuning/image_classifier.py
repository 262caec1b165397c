"""A network for images with a classifier on top, saved and opened; its folder serves as that of the network, too.

    config.json  model.safetensors  classifier.safetensors

Legend: N images, B batch, F features, C labels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textssl import storage
from textssl.errors import DataError
from textssl.evaluators.base_probe import Probe
from textssl.image_features import ImageModel, features_of, open_image_model
from textssl.models.base_image_folder import load_state, write_image_model
from textssl.models.base_images import initialise_network
from textssl.tensor_file import save_tensors
from textssl.vision.images import ImageSet

CLASSES = "classes"
"""In what is noted with the network: the labels in the order of the outputs."""
WEIGHTS = "classifier.safetensors"


class ImageClassifier(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Scores of labels, linear in the features of a network.

    Args:
        encoder: with `feature_width`; a copy is for the caller to make.
        num_labels: C.
        dropout: share of the features left out while training.
    """

    def __init__(self, encoder: nn.Module, num_labels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(encoder.feature_width, num_labels)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, C) of images (B, channels, H, W), standardised."""
        return self.classifier(self.dropout(self.encoder(images)))


@dataclass(frozen=True)
class OpenedImageClassifier:
    """A classifier of images as it was saved.

    Args:
        model: the network below.
        classifier: the layer with C outputs.
        names: of the labels.
    """

    model: ImageModel
    classifier: Any
    names: tuple[str, ...]

    def probabilities(
        self, images: ImageSet, places: NDArray[np.int64] | None = None, *, device: str = "cpu"
    ) -> NDArray[np.float32]:
        """Of each label for each image (all, or those at some places), float32 (N, C).

        Raises:
            UsageError: the images are not of the kind that the network was trained on.
        """
        self.model.check(images)
        features_NF = features_of(self.model, images, places, device=device)
        return np.asarray(logits_of(self.classifier, features_NF).softmax(dim=1).numpy())


def new_image_classifier(
    source: ImageModel, num_labels: int, *, dropout: float = 0.0, seed: int = 0
) -> ImageClassifier:
    """A classifier that starts from a copy of a network; the last layer's first weights come from the seed."""
    model = ImageClassifier(copy.deepcopy(source.encoder), num_labels, dropout=dropout)
    initialise_network(model.classifier, seed=seed, prefix="classifier.")
    return model


def classifier_of_probe(source: ImageModel, probe: Probe, *, dropout: float = 0.0) -> ImageClassifier:
    """A classifier that starts from a copy of a network with a probe of its features as last layer."""
    model = ImageClassifier(copy.deepcopy(source.encoder), len(probe.bias_C), dropout=dropout)
    with torch.no_grad():
        model.classifier.weight.copy_(torch.from_numpy(probe.weight_CF))
        model.classifier.bias.copy_(torch.from_numpy(probe.bias_C))
    return model


def logits_of(classifier: nn.Linear, features_NF: NDArray[np.float32]) -> Tensor:
    """What the last layer says of features, float32 (N, C) on the CPU."""
    with torch.no_grad():
        on_device = torch.from_numpy(features_NF).to(classifier.weight.device)
        return classifier(on_device).float().cpu()


def save_image_classifier(target: Path, model: ImageClassifier, source: ImageModel, names: Sequence[str]) -> None:
    """Commit a classifier as a folder, in place of an older one.

    Args:
        target: the folder.
        model: stays as it is.
        source: what it started from.
        names: the C labels.

    Raises:
        ResourceError: it cannot be written.
    """
    layer = model.classifier.state_dict()
    arrays = {name: values.detach().cpu().float().contiguous().numpy() for name, values in layer.items()}

    def write(folder: Path) -> None:
        write_image_model(folder, model.encoder, about={**source.about, CLASSES: list(names)})
        save_tensors(folder / WEIGHTS, arrays, {"format": "pt"})

    size = sum(4 * values.numel() for values in model.state_dict().values())
    storage.commit_folder(target, write, expected_bytes=size, metadata={"task": "single_label"}, replace=True)


def open_image_classifier(path: str | Path) -> OpenedImageClassifier:
    """Open the classifier of a run or of a folder.

    Raises:
        DataError: nothing is there, or the network classifies nothing.
    """
    model = open_image_model(path)
    names = model.about.get(CLASSES)
    if not isinstance(names, list) or not (model.path / WEIGHTS).is_file():
        raise DataError(
            "is no classifier, it is a network that was only pre-trained",
            where=str(path),
            hint=f"Make one of it: textssl finetune {path} labelled/ --out runs/classes",
        )
    layer = nn.Linear(model.encoder.feature_width, len(names))
    load_state(model.path / WEIGHTS, layer)
    return OpenedImageClassifier(model, layer, tuple(map(str, names)))
