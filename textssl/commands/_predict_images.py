"""`textssl predict` for a classifier of images: images in, a table of labels with probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl.commands._images import ImageReading, read_images
from textssl.commands.base import print_table, printable

if TYPE_CHECKING:
    from rich.console import Console

TYPE = "textssl predict {run} images/"


@dataclass(frozen=True)
class ImagePrediction:
    """What is predicted of one image.

    Args:
        image: its number, from 1.
        file: its name, or "" where images are no files.
        label: the most probable one.
        probabilities: of every label by name.
    """

    image: int
    file: str
    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class ImagePredictions:
    """What is predicted of images.

    Args:
        run: the classifier.
        predictions: one for each image, in their order.
        out: the file written, or None.
    """

    run: str
    predictions: tuple[ImagePrediction, ...]
    out: Path | None

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "run": self.run,
            "out": None if self.out is None else str(self.out),
            "predictions": [vars(each) for each in self.predictions],
        }


def predict_images(
    run: str | Path, source: str | Path, reading: ImageReading, *, out: Path | None, device: str
) -> ImagePredictions:
    """Predict the labels of images.

    Args:
        run: a fine-tuned run, or its model folder.
        source: the images.
        reading: how they are read.
        out: table to write, or None.
        device: where to compute.

    Raises:
        DataError: the run is no classifier, or these are no images.
        UsageError: the images are not of the network's kind.
    """
    from textssl.commands._tables import table_bytes
    from textssl.finetuning.image_classifier import open_image_classifier
    from textssl.storage import commit_file
    from textssl.training.devices import chosen_device

    opened = open_image_classifier(run)
    images = read_images(source, reading, run=run, command=TYPE)
    device = chosen_device(device)
    opened.classifier.to(device)
    found = opened.probabilities(images, device=device)
    files = images.file_names or ("",) * images.num_images
    predictions = tuple(
        ImagePrediction(at, file, opened.names[int(row.argmax())], dict(zip(opened.names, row.tolist(), strict=True)))
        for at, (file, row) in enumerate(zip(files, found, strict=True), 1)
    )
    result = ImagePredictions(str(run), predictions, out)
    if out is not None:
        columns = ["image", "file", "prediction", *(f"p({name})" for name in opened.names)]
        rows = [[each.image, each.file, each.label, *each.probabilities.values()] for each in predictions]
        commit_file(out, table_bytes(out, columns, rows))
    return result


def show_predictions(result: ImagePredictions, console: Console) -> None:
    """Print where the predictions are, or the predictions: the most probable label with its probability."""
    if result.out is not None:
        console.print(f"{len(result.predictions):,} predictions: {printable(str(result.out))}")
        return
    rows = [
        [f"{each.image:,}", each.label, f"{each.probabilities[each.label]:.3f}", each.file]
        for each in result.predictions
    ]
    print_table(console, ["image", "prediction", "probability", "file"], rows, right=(0, 2))
