"""Small images with answers known by hand, and small runs over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from textssl import registry
from textssl.objectives.base import Setting, Start
from textssl.objectives.base_images import ImageRun
from textssl.training.gradient_task import GradientTask
from textssl.vision.images import ImageSet

SIZE = 8
SMALL = {"width": 4, "depth": 2, "batch_images": 16, "epochs": 2, "gauge_images": 24}


def images(num: int = 50, *, channels: int = 3, size: int = SIZE, dtype: type = np.uint8, seed: int = 0) -> ImageSet:
    """Stripes of two directions, in random colours, with some noise; the direction is the label; all are one clip."""
    source = np.random.default_rng(seed)
    labels = source.integers(0, 2, num)
    waves = 0.5 + 0.5 * np.sin(np.arange(size) * 1.6 + source.uniform(0, 6, (num, 1)))
    stripes = np.where(labels[:, None, None] == 0, waves[:, :, None], waves[:, None, :])
    colours = source.uniform(0.3, 1, (num, 1, 1, channels))
    pixels = stripes[..., None] * colours + source.normal(0, 0.05, (num, size, size, channels))
    scaled = np.clip(pixels, 0, 1) * np.iinfo(dtype).max
    return ImageSet(
        scaled.astype(dtype),
        labels.astype(np.int64),
        ("rows", "columns"),
        sequence=np.zeros(num, np.int64),
        frame=np.arange(num),
        name="stripes",
        fingerprint="1",
    )


class Source:
    """What a corpus offers, of an `ImageSet`."""

    def __init__(self, images: ImageSet) -> None:
        self._images = images

    def __getattr__(self, name: str) -> Any:
        return getattr(self._images, name)

    def fingerprint(self) -> str:
        return self._images.fingerprint

    def report(self) -> dict[str, int]:
        return {}


def prepared(
    method: str = "simclr",
    of: ImageSet | None = None,
    *,
    seed: int = 1,
    device: str = "cpu",
    start: Start | None = None,
    **options: Any,
) -> ImageRun:
    """A method over small images, ready to train."""
    found: Any = registry.load("objectives", method)
    config = found.Config(**{**SMALL, **options})
    run: ImageRun = found().prepare(Source(of or images()), config, Setting(seed, 1, device, None, start))
    return run


def task_of(run: ImageRun, **options: Any) -> GradientTask:
    """Its task, as the command makes it, without threads."""
    return GradientTask(run.gradients(), **{"seed": run.setting.seed, "loader_threads": 0, **options})


def start_at(folder: Path) -> Start:
    """Of a folder with a model."""
    return Start(None, None, {}, str(folder), folder)
