"""SimCLR on random images for `benchmarks.gpu`: images a second with the views made on the device.

All of it is textssl's: the objective with its views, and GradientTask's step.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_training import WARM_UP, attempted
from textssl.objectives.base import Setting
from textssl.objectives.simclr import SimCLR, SimCLRConfig
from textssl.training import devices
from textssl.training.gradient_task import GradientTask

SIDE = 32
MODELS: dict[str, dict[str, Any]] = {
    "resnet18": {"encoder": "resnet", "depth": 18, "stem": "cifar", "hidden_width": 512},
    "tiny_cnn": {"encoder": "small_cnn", "width": 4},
}


class RandomImages:
    """Images of noise, as a corpus would give them."""

    name, labels, label_names, sequence, frame, file_names = "noise", None, (), None, None, None

    def __init__(self, count: int) -> None:
        self.pixels = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)

    def fingerprint(self) -> str:
        """There is one such set for each number."""
        return f"noise-{len(self.pixels)}"

    def report(self) -> dict[str, int]:
        """Nothing was left out."""
        return {}


def images(settings: dict[str, Any]) -> dict[str, Any]:
    """Images a second by images of a step, until the memory is full; `best` is the fastest."""
    sweep: list[dict[str, Any]] = []
    for batch in settings["rows"]:
        sweep.append({"rows": batch, **attempted(_speed, settings, batch)})
        gc.collect()
        devices.free_cached_memory(torch.device(settings["device"]))
        if "error" in sweep[-1]:
            break
    done = [each for each in sweep if "images_per_s" in each]
    best = max(done, key=lambda each: each["images_per_s"], default=None)
    return {"image_sweep": sweep, "best": best}


def _speed(settings: dict[str, Any], batch: int) -> dict[str, Any]:
    device = torch.device(settings["device"])
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times: list[float] = []
    with contextlib.closing(task_of(settings, batch)) as task:
        results = [task.step(number) for number in range(WARM_UP)]
        begin = time.perf_counter()
        while len(times) < 3 or time.perf_counter() - begin < settings["seconds"]:
            before = time.perf_counter()
            results.append(task.step(WARM_UP + len(times)))  # waits for the device
            times.append(time.perf_counter() - before)
        speed = batch * len(times) / sum(times)
        utilisation = task.utilisation(speed)
    if not all(result.applied for result in results):
        raise FloatingPointError("a loss or gradient was not finite")
    peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None
    return {
        "images_per_s": speed, "utilisation": utilisation, "step_ms": 1e3 * statistics.median(times),
        "slowest_ms": 1e3 * max(times), "steps": len(times), "peak_gb": peak,
        "loss_nats": results[-1].total / results[-1].count,
    }  # fmt: skip


def task_of(settings: dict[str, Any], batch: int) -> GradientTask[Any, Any]:
    """SimCLR on noise; settings: model, device, precision, compile."""
    config = SimCLRConfig(batch_images=batch, epochs=1_000, **MODELS[settings["model"]])
    setting = Setting(1, settings.get("threads", 2), settings["device"], None, None)
    run = SimCLR().prepare(RandomImages(4 * batch), config, setting)
    parts = run.gradients()
    optimisation = replace(
        parts.optimisation,
        precision=settings.get("precision", "bfloat16"),
        compile=settings.get("compile", False),
    )
    return GradientTask(
        replace(parts, optimisation=optimisation), device=settings["device"], seed=1, loader_threads=2
    )
