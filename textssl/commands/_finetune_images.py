"""`textssl finetune` for a network for images: labelled images in, a classifier out, simple methods beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl.commands._images import ImageReading, note, read_images

if TYPE_CHECKING:
    from textssl.finetuning.options import FinetuneOptions
    from textssl.finetuning.results import FinetuneResult
    from textssl.vision.images import ImageSet

TYPE = "textssl finetune {run} labelled/ --out runs/classes"


def finetune_on_images(
    model: str | Path,
    data: str | Path,
    *,
    out: Path,
    options: FinetuneOptions,
    asked: Mapping[str, Any],
    command: Sequence[str],
) -> FinetuneResult:
    """Fine-tune a network for images.

    Args:
        model: a run of a method for images, or a model folder.
        data: the labelled images.
        out: the run folder.
        options: how to train.
        asked: the command's own options by name: label, labels, test_labels, dev, test, on_bad, image_field,
            image_size.
        command: the command line.

    Raises:
        DataError: labels are missing, unseen, or of one kind; these are no images.
        UsageError: an option does not fit, or the images are not of the network's kind.
    """
    from textssl.finetuning.image_run import finetune_images
    from textssl.image_features import open_image_model
    from textssl.training.devices import chosen_device
    from textssl.training.progress import make_progress

    options.refuse_idle("images")
    source = open_image_model(model)
    usual = ImageReading(None, asked["image_size"], asked["image_field"], asked["label"], asked["on_bad"])

    def read(path: str | Path, labels: Path | None = None) -> ImageSet:
        return read_images(path, dataclasses.replace(usual, labels=labels), run=model, command=TYPE)

    dev, test = asked["dev"], asked["test"]
    return finetune_images(
        source,
        read(data, asked["labels"]),
        out=out,
        options=dataclasses.replace(options, device=chosen_device(options.device)),
        dev=None if dev is None else read(dev),
        test=None if test is None else read(test, asked["test_labels"]),
        settings={"data": str(data), **{name: value for name, value in asked.items() if value is not None}},
        command=command,
        note=note,
        make_progress=make_progress,
    )
