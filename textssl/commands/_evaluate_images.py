"""`textssl evaluate` for a network for images: k-NN, linear probe, gauges of collapse, and a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textssl.commands._images import ImageReading, images_of_run, note, read_images
from textssl.commands.base import print_table, printable
from textssl.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.evaluators.base import EvaluationResult
    from textssl.evaluators.base_features import ComparedVectors
    from textssl.image_features import ImageModel

MAX_GAUGE_IMAGES = 2000
MAX_CLASSES_SHOWN = 40
HEALTHY = {"spread": "1", "cosine": "0", "rank": "many"}
"""What a gauge is near to when nothing has collapsed; a name ends with one of these."""
TYPE = "textssl evaluate {run} --images test/"
NO_TRAIN_LABELS_HINT = "Name their labels with --train-labels FILE.csv, or images that have some with --train-images."


@dataclass(frozen=True)
class ImageEvaluation:
    """What was measured on a network for images.

    Args:
        run: the network.
        source: the test images.
        num_train, num_test: labelled images.
        labels: their names.
        results: of the nearest neighbours and of the linear probe.
        gauges: of collapse, by name, on test images.
        warnings: what the gauges say that somebody should know.
        notes: what a reader of the numbers should know.
        map: the picture that was drawn, or None.
    """

    run: str
    source: str
    num_train: int
    num_test: int
    labels: tuple[str, ...]
    results: tuple[EvaluationResult, ...]
    gauges: Mapping[str, float]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    map: Path | None

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {
            "run": self.run,
            "source": self.source,
            "num_train": self.num_train,
            "num_test": self.num_test,
            "labels": list(self.labels),
            "results": [result.as_dict() for result in self.results],
            "gauges": dict(self.gauges),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "map": None if self.map is None else str(self.map),
        }


def evaluate_images(
    run: str | Path,
    images: str | Path,
    reading: ImageReading,
    *,
    train_images: str | Path | None = None,
    train_labels: Path | None = None,
    device: str = "auto",
) -> ImageEvaluation:
    """Measure a network for images on labelled images.

    Args:
        run: a run of a method for images, or its model folder.
        images: the test images.
        reading: how they are read.
        train_images: the bank of the neighbours and what the probe learns from; None: those of the run.
        train_labels: labels of the bank, where these lie apart.
        device: where to compute.

    Raises:
        DataError: labels are missing or unseen, there is one only, or one training image of each.
        UsageError: the images are not of the network's kind.
    """
    from textssl.evaluators.base_features import compared_vectors
    from textssl.evaluators.linear_probe import LinearProbe
    from textssl.evaluators.nearest_neighbors import NearestNeighbors
    from textssl.image_features import open_image_model
    from textssl.training.devices import chosen_device
    from textssl.vision.labelled import labelled, num_shared

    device = chosen_device(device)
    model = open_image_model(run)
    test_set = read_images(images, reading, run=run, command=TYPE)
    model.check(test_set)
    size = reading.image_size
    if train_images is None:
        train_set = images_of_run(run, option="--train-images", labels=train_labels, image_size=size)
    else:
        own = ImageReading(train_labels, size, reading.image_field, reading.label_field, reading.on_bad)
        train_set = read_images(train_images, own, run=run, command=TYPE)
    train = labelled(train_set, hint=NO_TRAIN_LABELS_HINT)
    test = labelled(test_set, train.names)
    compared = compared_vectors(model, train, test, device=device)
    gauges, warnings = measured_gauges(compared)
    notes = [f"{each.num_left_out:,} images of {each.name} have no label and are left out"
             for each in (train, test) if each.num_left_out]  # fmt: skip
    if shared := num_shared(train, test):
        notes.append(f"{shared:,} test images stand among the training images too, pixel by pixel")
    return ImageEvaluation(
        run=str(run),
        source=test.name,
        num_train=len(train),
        num_test=len(test),
        labels=train.names,
        results=(NearestNeighbors().evaluate(compared), LinearProbe().evaluate(compared, device=device)),
        gauges=gauges,
        warnings=tuple(warnings),
        notes=tuple(notes),
        map=_map(Path(run), model, compared),
    )


def show_images(result: ImageEvaluation, console: Console) -> None:
    """Print what was measured: all ways of making vectors beside each other, the labels, the gauges."""
    console.print(
        f"{printable(result.run)}: {result.num_test:,} test images of {printable(result.source)}, {result.num_train:,} "
        f"training images, {len(result.labels)} labels"
    )
    console.print("\naccuracy of the nearest neighbours and of a linear probe")
    neighbors, probe = result.results
    headings = [*neighbors.columns, "probe", *probe.columns[3:]]
    rows = [
        [*map(_cell, [*first, *second[2:]])] for first, second in zip(neighbors.rows, probe.rows, strict=True)
    ]
    print_table(console, headings, rows, right=range(1, len(headings)))
    if len(probe.classes) <= MAX_CLASSES_SHOWN:
        console.print("\nthe labels, by the probe on the features")
        cells = [[name, f"{a:.3f}", f"{b:.3f}", f"{c:.3f}", f"{n:,}"] for name, a, b, c, n in probe.classes]
        print_table(console, ["label", "precision", "recall", "F1", "images"], cells, right=range(1, 5))
    console.print("\ncollapse")
    gauges = [[name.replace("_", " "), f"{value:.3f}" if value < 10 else f"{value:.1f}", _healthy(name)]
              for name, value in result.gauges.items()]  # fmt: skip
    print_table(console, ["gauge", "value", "healthy"], gauges, right=(1,))
    for line in result.warnings:
        console.print(f"warning: {printable(line)}")
    for line in result.notes:
        console.print(f"note: {printable(line)}")
    if result.map is not None:
        console.print(f"map: {printable(str(result.map))}")


def measured_gauges(compared: ComparedVectors) -> tuple[dict[str, float], list[str]]:
    """Gauges of collapse of some test images, of the projection and of the features, and what they warn of."""
    from textssl.evaluators.base_features import FEATURES, PROJECTION
    from textssl.objectives.base_rows import spread_rows
    from textssl.vision.gauges import collapse_warnings, effective_rank, spread_gauges

    rows = spread_rows(len(compared.test), MAX_GAUGE_IMAGES)
    if len(rows) < 2:
        return {}, []
    features = compared.ways[FEATURES].test_MD[rows]
    if PROJECTION not in compared.ways:
        return {"feature_rank": effective_rank(features)}, []
    vectors = compared.ways[PROJECTION].test_MD[rows]
    gauges = {**spread_gauges(vectors, of="projection"), "feature_rank": effective_rank(features)}
    return gauges, collapse_warnings(gauges, of="projection", most_rank=min(vectors.shape))


def _map(run: Path, model: ImageModel, compared: ComparedVectors) -> Path | None:
    """A map of the test images in the run folder; None where there is no run folder to put it in."""
    from textssl.commands._plot_images import draw_map_of
    from textssl.errors import ResourceError
    from textssl.evaluators.base_features import FEATURES
    from textssl.storage import commit_file

    test = compared.test
    if not RunFolder.is_run(run) or len(test) < 2:
        return None
    title = f"{len(test):,} images of {test.name} by the features of {model.name}"
    png = draw_map_of(compared.ways[FEATURES].test_MD, test.targets, test.names, title=title)
    target = run / "images-pca.png"
    try:
        commit_file(target, png)
    except ResourceError as error:  # a run of somebody else may be measured, too
        note(f"no map is drawn: {error}")
        return None
    return target


def _healthy(name: str) -> str:
    return f"near {HEALTHY[name.rpartition('_')[2]]}".replace("near many", "far above 1")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:.0e}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)
