"""What the evaluators of networks for images measure on: vectors of the same images, made in several ways.

The network's features stand first; beside them always those of the same network untrained, and the plain pixels.
Legend: N training images, M test images, D width of a vector, which differs from way to way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textssl.evaluators.base import EvaluationResult
from textssl.image_features import ImageModel, features_of, pixel_vectors, projected, untrained
from textssl.vision.labelled import LabelledImages

FEATURES, PROJECTION, UNTRAINED, PIXELS = "features", "projection", "untrained", "pixels"
PREFIXES = {FEATURES: "", PROJECTION: "projection_", UNTRAINED: "untrained_", PIXELS: "pixels_"}
"""Of the names of metrics."""
NAMES = {
    FEATURES: "features",
    PROJECTION: "its projection",
    UNTRAINED: "the same network untrained",
    PIXELS: "raw pixels",
}


@dataclass(frozen=True)
class Vectors:
    """Vectors of training and test images.

    Args:
        train_ND, test_MD: float32.
    """

    train_ND: NDArray[np.float32]
    test_MD: NDArray[np.float32]

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.train_ND.shape[1])


@dataclass(frozen=True)
class ComparedVectors:
    """Labelled training and test images, and their vectors in several ways.

    Args:
        train, test: the images; the labels of both are numbers into the same names.
        ways: by "features", "projection", "untrained" and "pixels", in this order, those there are.
    """

    train: LabelledImages
    test: LabelledImages
    ways: Mapping[str, Vectors]


def compared_vectors(
    model: ImageModel, train: LabelledImages, test: LabelledImages, *, device: str = "cpu"
) -> ComparedVectors:
    """The vectors of a network, of its projector if it has one, of the same network untrained, and the pixels.

    Args:
        model: the network.
        train, test: images of the kind that it was trained on.
        device: where to compute.

    Raises:
        UsageError: the images are of another kind.
    """
    for images in (train, test):
        model.check(images.images)
    ways = {FEATURES: _encoded(model, train, test, device)}
    if model.projector is not None:
        both = (ways[FEATURES].train_ND, ways[FEATURES].test_MD)
        ways[PROJECTION] = Vectors(*(projected(model, features, device=device) for features in both))
    ways[UNTRAINED] = _encoded(untrained(model), train, test, device)
    ways[PIXELS] = Vectors(*(pixel_vectors(each.images, each.places) for each in (train, test)))
    return ComparedVectors(train, test, ways)


def vectors_result(
    name: str,
    compared: ComparedVectors,
    *,
    primary: str,
    columns: Sequence[str],
    found: Mapping[str, Mapping[str, float]],
    settings: Mapping[str, object],
    classes: Sequence[tuple[str, float, float, float, int]] = (),
) -> EvaluationResult:
    """What an evaluator found of each way, as one result.

    Args:
        name: of the evaluator.
        compared: what was measured on.
        primary: the number that counts.
        columns: headings of the numbers, as many as each way has.
        found: numbers by name, for each way.
        settings: how it was measured.
        classes: name, precision, recall, F1 and number of images of each label, by the features.
    """
    metrics = {f"{PREFIXES[way]}{key}": value for way, numbers in found.items() for key, value in numbers.items()}
    return EvaluationResult(
        name=name,
        source=compared.test.name,
        primary_metric=primary,
        greater_is_better=True,
        metrics=metrics,
        columns=("vectors", "width", *columns),
        rows=[(NAMES[way], compared.ways[way].width, *numbers.values()) for way, numbers in found.items()],
        settings={"training_images": len(compared.train), "test_images": len(compared.test), **settings},
        classes=classes,
    )


def _encoded(model: ImageModel, train: LabelledImages, test: LabelledImages, device: str) -> Vectors:
    return Vectors(*(features_of(model, each.images, each.places, device=device) for each in (train, test)))
