"""lightly's side of a benchmark, for a Python that has it: prints one JSON line.

    PYTHONPATH=CHECKOUT python CHECKOUT/benchmarks/lightly_peer.py SETTINGS_JSON

Settings: images (npz with `images` uint8 (N, H, W, C)), method (of `lightly_methods`), options of the method, views
("lightly" | "kornia" | "albumentations"), batch, epochs or max_steps, learning_rate, weight_decay, warmup (share of the
steps), width, workers, threads, seed, precision ("float32" | "bfloat16"), skip_steps (left out of the speed), start
(npz of the encoder's first weights; or none), save (npz to write the encoder to; or none).

Lightning's Trainer, LightlyDataset over PIL images in memory, AdamW, cosine; nothing is logged or saved meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
import warnings
from typing import Any

import numpy as np
import torch

from benchmarks.lightly_methods import METHODS, OPTIONS, SmallCNN  # first: it makes torchvision importable
from benchmarks.vision_views import albumentations_transform, kornia_views, lightly_transform

import pytorch_lightning as pl  # isort: skip
from lightly.data import LightlyDataset  # isort: skip
from PIL import Image  # isort: skip


class Pictures(torch.utils.data.Dataset):  # type: ignore[misc]
    """Images as PIL has them, or as tensors, each with a label 0."""

    def __init__(self, pixels: np.ndarray, *, as_tensors: bool) -> None:
        if as_tensors:
            self.items: Any = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        else:
            self.items = [Image.fromarray(image.squeeze()) for image in pixels]
        self.transform: Any = None  # LightlyDataset sets it

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        item = self.items[index]
        return (self.transform(item) if self.transform else item), 0


class Training(pl.LightningModule):  # type: ignore[misc]
    """A method in Lightning; with kornia the views of a batch are made at its start."""

    def __init__(self, settings: dict[str, Any], pixels: np.ndarray) -> None:
        super().__init__()
        self.settings, self.ends, self.losses = settings, [], []
        encoder = SmallCNN(pixels.shape[3], settings["width"])
        if settings.get("start"):
            given = np.load(settings["start"], allow_pickle=False)
            encoder.load_state_dict({name: torch.from_numpy(given[name]) for name in given.files})
        name = settings["method"]
        self.method = METHODS[name](encoder, {**OPTIONS[name], **settings.get("options", {})})
        self.batch_views = kornia_views(pixels) if settings["views"] == "kornia" else None

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        """The loss of a batch."""
        images = batch[0]
        views = [self.batch_views(images) for _ in range(2)] if self.batch_views else images
        return self.method.loss(views, self.global_step, self.num_steps)

    def on_train_batch_end(self, outputs: Any, *_: Any) -> None:
        """Note loss and time."""
        self.losses.append(outputs["loss"].item())
        self.ends.append(time.perf_counter())

    def configure_optimizers(self) -> Any:
        """AdamW, a warm-up and half a cosine wave, step by step."""
        settings = self.settings
        taught = [part for part in self.parameters() if part.requires_grad]
        matrices, others = [p for p in taught if p.dim() > 1], [p for p in taught if p.dim() < 2]
        groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, settings["learning_rate"], weight_decay=settings["weight_decay"])
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def num_steps(self) -> int:
        """All steps of the training."""
        return int(self.trainer.estimated_stepping_batches)

    def _rate(self, step: int) -> float:
        rising = max(1.0, self.settings["warmup"] * self.num_steps)
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, self.num_steps - rising))))


def train(settings: dict[str, Any]) -> dict[str, Any]:
    """Train, and tell images a second after the first steps, the losses and the time of the whole training."""
    pl.seed_everything(settings["seed"], workers=True, verbose=False)
    pixels = np.load(settings["images"], allow_pickle=False)["images"]
    training = Training(settings, pixels)
    trainer = pl.Trainer(
        accelerator="cpu", devices=1,
        max_epochs=settings.get("epochs") or -1, max_steps=settings.get("max_steps") or -1,
        precision={"float32": "32-true", "bfloat16": "bf16-mixed"}[settings["precision"]], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    start = time.perf_counter()
    trainer.fit(training, loader(settings, pixels))
    wall_s = time.perf_counter() - start
    if settings.get("save"):
        weights = training.method.encoder.state_dict()
        np.savez(settings["save"], **{name: part.numpy() for name, part in weights.items()})
    skip = min(settings.get("skip_steps", 5), len(training.ends) - 2)
    timed = len(training.ends) - 1 - skip
    speed = settings["batch"] * timed / (training.ends[-1] - training.ends[skip])
    return {"images_per_s": speed, "steps": len(training.ends), "wall_s": wall_s, "losses": training.losses}


def loader(settings: dict[str, Any], pixels: np.ndarray) -> Any:
    """Batches by LightlyDataset, its transform (or OpenCV's) in the workers; for kornia the images as they are."""
    makers = {"lightly": lightly_transform, "albumentations": albumentations_transform}
    maker = makers.get(settings["views"])
    pictures = Pictures(pixels, as_tensors=maker is None)
    return torch.utils.data.DataLoader(
        LightlyDataset.from_torch_dataset(pictures, transform=maker(pixels) if maker else None),
        batch_size=settings["batch"], shuffle=True, drop_last=True, num_workers=settings["workers"],
        persistent_workers=settings["workers"] > 0,
    )  # fmt: skip


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        result = train(settings)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
