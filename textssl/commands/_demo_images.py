"""The demonstration on images: SimCLR on handwritten digits without labels, then what its features are worth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl import registry
from textssl.commands._evaluate_images import ImageEvaluation, evaluate_images, show_images
from textssl.commands._images import ImageReading
from textssl.commands._plot_images import plot_images
from textssl.commands.base import duration_text, printable

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.report import Table

TRAIN_IMAGES, TEST_IMAGES = "digits-train", "digits-test"
METHOD: Literal["pca", "tsne"] = "tsne"
SETTINGS: dict[str, Any] = {
    "epochs": 20,
    "batch_images": 128,
    "crop_min": 0.25,
    "flip": 0.0,
    "temperature": 0.2,
    "evaluate_every": "100steps",
}
"""Chosen for digits of 8 x 8 pixels: a mirrored digit is none, and a small piece of one may be of any."""


@dataclass(frozen=True)
class ImageDemo:
    """What the demonstration on images did.

    Args:
        run: the run folder.
        duration_s: of everything.
        num_images: seen in training, all epochs.
        train_s: of training.
        evaluation: what the features are worth.
        map: the test images by t-SNE.
        nearest: test images with their nearest.
        report: the page that shows all of it.
    """

    run: Path
    duration_s: float
    num_images: int
    train_s: float
    evaluation: ImageEvaluation
    map: Path
    nearest: Path
    report: Path

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        paths = {name: str(getattr(self, name)) for name in ("run", "map", "nearest", "report")}
        return {
            **paths,
            "duration_s": self.duration_s,
            "num_images": self.num_images,
            "train_s": self.train_s,
            "evaluation": self.evaluation.as_dict(),
        }


def demonstrate_images(run: Path, begin: Callable[[str], None], *, threads: int, seed: int) -> ImageDemo:
    """Train on the built-in digits, measure, draw, and write a report; what is finished is not done again.

    Args:
        run: the run folder.
        begin: is told what begins; four times.
        threads: to train with.
        seed: of every random number.
    """
    from textssl.report import write_report

    started = time.perf_counter()
    train = registry.module("commands", "train").train
    begin("training SimCLR on 1,297 handwritten digits, without their labels")
    summary = train("simclr", TRAIN_IMAGES, out=run, threads=threads, seed=seed, device="cpu", **SETTINGS).summary
    begin("asking the nearest neighbours and a linear probe for the digits of 500 images that were held back")
    evaluation = evaluate_images(run, TEST_IMAGES, ImageReading(), device="cpu")
    begin("drawing a map of them, and some with their nearest")
    plots = plot_images(run, TEST_IMAGES, ImageReading(), method=METHOD, device="cpu")
    begin("writing the report")
    report = write_report(
        run, title="textssl demo --vision", tables=tables_of(evaluation), warnings=evaluation.warnings
    )
    return ImageDemo(
        run=run,
        duration_s=time.perf_counter() - started,
        num_images=summary.units,
        train_s=summary.elapsed_s,
        evaluation=evaluation,
        map=plots.map,
        nearest=plots.nearest,
        report=report,
    )


def show_demo(result: ImageDemo, console: Console) -> None:
    """Print what the features are worth, and what to try next."""
    console.print(
        f"SIMCLR: {result.num_images:,} images seen in {duration_text(result.train_s)}, two random views of each; "
        "no label was looked at.\nLabels come in only now, to find out what the features are good for.\n"
    )
    show_images(result.evaluation, console)
    console.print(
        "Digits this small are easy for raw pixels; what counts is the distance to the same network untrained."
    )
    console.print(f"\nAll of it took {duration_text(result.duration_s)}.")
    run = printable(str(result.run))
    console.print(f"Map: {printable(str(result.map))}")
    console.print(f"Nearest images: {printable(str(result.nearest))}")
    console.print(f"Report: {printable(str(result.report))}  (open it in a browser)")
    console.print("\nNext:")
    for command, about in (
        (f"textssl finetune {run} {TRAIN_IMAGES} --test {TEST_IMAGES} --train-limit 50 --out {run}/classes",
         "learn from 50 labels"),
        (f"textssl embed {run} {TEST_IMAGES} --out vectors.npy", "features for other programs"),
        (f"textssl evaluate {run} --images {TEST_IMAGES} --json", "the same numbers for programs"),
        ("textssl train simclr YOUR_IMAGES/ --out runs/yours", "the same on your own images"),
    ):  # fmt: skip
        console.print(f"  {command:<80}  {about}")


def tables_of(evaluation: ImageEvaluation) -> list[Table]:
    """What was measured, for the report."""
    from textssl.report import Table

    neighbors, probe = evaluation.results
    columns = ("label", "precision", "recall", "F1", "images")
    return [
        Table("Accuracy of the nearest neighbours", neighbors.columns, neighbors.rows),
        Table("Linear probe", probe.columns, probe.rows),
        Table("Labels, by the probe on the features", columns, probe.classes),
        Table("Collapse", ("gauge", "value"), list(evaluation.gauges.items())),
    ]
