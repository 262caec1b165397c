"""Training on random ids for `benchmarks.gpu`: tokens a second, memory, and whether a resume is exact.

All of it is textssl's: the objective's batches with their masks, and GradientTask's step with clipping, the optimizer
and the check for finite numbers.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textssl.models.base import initialise
from textssl.models.base_presets import decoder_preset, encoder_preset, flops_per_token, parameter_count
from textssl.models.decoder import Decoder
from textssl.models.encoder import Encoder, EncoderConfig
from textssl.objectives.base import GradientParts, Optimisation
from textssl.objectives.base_rows import RowOrder
from textssl.objectives.masked_lm import _MaskedTokens
from textssl.objectives.next_token import _NextTokens
from textssl.text.masking import MaskSettings
from textssl.text.packing import PackedRows
from textssl.training import devices
from textssl.training.checkpoint import load_newest, save_checkpoint
from textssl.training.gradient_task import GradientTask

MODELS = {
    "encoder_17m": EncoderConfig(50_368, 256, layers=7, heads=4, feed_forward_width=384, length=1_024),
    "encoder_base": encoder_preset("base"),
    "decoder_base": decoder_preset("base"),
    "tiny_encoder": EncoderConfig(320, 32, layers=2, heads=2, feed_forward_width=48, length=16, dropout=0.1),
    "tiny_decoder": replace(decoder_preset("tiny"), vocabulary_size=320, width=32, layers=2, length=16, dropout=0.1),
}
POOL_ROWS, DOCUMENTS_OF_A_ROW = 512, 4
WARM_UP = 6
"""Steps that do not count: they compile, also for another number of hidden tokens."""
RESUMED_STEPS = 8


class RandomRows:
    """Rows of random ids made once, so that random numbers take no time from training; and what a tokenizer says."""

    special_ids, mask_id = (0, 1, 2, 3, 4), 4

    def __init__(self, vocabulary_size: int, length: int) -> None:
        self.vocabulary_size, self.length = vocabulary_size, length
        source = np.random.default_rng(0)
        self.pool = source.integers(5, vocabulary_size, (POOL_ROWS, length), dtype=np.int32)

    def rows(self, numbers: np.ndarray) -> PackedRows:
        """As many as asked for, each of some documents of equal length."""
        chosen = numbers % POOL_ROWS
        places = np.arange(self.length) * DOCUMENTS_OF_A_ROW // self.length
        documents = (chosen[:, None] * DOCUMENTS_OF_A_ROW + places).astype(np.int32)
        return PackedRows(self.pool[chosen], documents, np.full(len(numbers), self.length))


def training(settings: dict[str, Any]) -> dict[str, Any]:
    """Tokens a second by rows of a step, until the memory is full; `best` is the fastest."""
    config = MODELS[settings["model"]]
    sweep = []
    for rows in settings["rows"]:
        sweep.append({"rows": rows, **attempted(_speed, settings, rows)})
        gc.collect()
        devices.free_cached_memory(torch.device(settings["device"]))
        if "error" in sweep[-1]:
            break
    done = [each for each in sweep if "tokens_per_s" in each]
    best = max(done, key=lambda each: each["tokens_per_s"], default=None)
    return {"parameters": parameter_count(config), "length": config.length, "sweep": sweep, "best": best}


def _speed(settings: dict[str, Any], rows: int) -> dict[str, Any]:
    """Steps for some seconds, after some that are not counted: those compile, and find the fastest products."""
    device = torch.device(settings["device"])
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times: list[float] = []
    with contextlib.closing(task_of(settings, rows)) as task:
        start = time.perf_counter()
        results = [task.step(number) for number in range(WARM_UP)]
        begin = time.perf_counter()
        while len(times) < 3 or time.perf_counter() - begin < settings["seconds"]:
            before = time.perf_counter()
            results.append(task.step(WARM_UP + len(times)))  # waits for the device
            times.append(time.perf_counter() - before)
    if not all(result.applied for result in results):
        raise FloatingPointError("a loss or gradient was not finite")
    tokens = rows * MODELS[settings["model"]].length
    speed = tokens / statistics.median(times)
    peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None
    return {
        "tokens_per_s": speed, "utilisation": task.utilisation(speed), "step_ms": 1e3 * statistics.median(times),
        "slowest_ms": 1e3 * max(times), "steps": len(times), "first_steps_s": begin - start, "peak_gb": peak,
        "loss_nats": results[-1].total / results[-1].count,
    }  # fmt: skip


def task_of(settings: dict[str, Any], rows: int) -> GradientTask[Any, Any]:
    """The training of a model on random ids; settings: model, device, precision, compile, optimizer, document_mask."""
    config = MODELS[settings["model"]]
    is_encoder = isinstance(config, EncoderConfig)
    model: Any = Encoder(config) if is_encoder else Decoder(config)
    initialise(model, seed=1, num_layers=config.layers)
    data: Any = RandomRows(config.vocabulary_size, config.length + (not is_encoder))
    shared: Any = {
        "order": RowOrder(1 << 16, rows, 1, 1, config.length), "training": data, "validation": None,
        "validation_rows": np.zeros(0, np.int64), "document_mask": settings.get("document_mask", False),
        "flops_per_unit": flops_per_token(config, 0.3 if is_encoder else 1.0),
    }  # fmt: skip
    objective: Any = (
        _MaskedTokens(tokenizer=data, masks=MaskSettings(), **shared)
        if is_encoder
        else _NextTokens(store=None, **shared)
    )
    optimisation = Optimisation(
        settings.get("optimizer", "adamw"), 1e-4, weight_decay=0.01, betas=(0.9, 0.98), clip_norm=1.0,
        precision=settings.get("precision", "bfloat16"), compile=settings.get("compile", False),
    )  # fmt: skip
    return GradientTask(
        GradientParts(objective, model, optimisation), device=settings["device"], seed=1, loader_threads=2
    )


def resume(settings: dict[str, Any]) -> dict[str, Any]:
    """Whether a run that goes on from a checkpoint equals one that was not stopped; and whether two of these do."""
    torch.use_deterministic_algorithms(settings.get("deterministic", False), warn_only=True)
    whole, again, first, second = (task_of(settings, 8) for _ in range(4))
    for task in (whole, again):
        _steps(task, 0, RESUMED_STEPS)
    _steps(first, 0, RESUMED_STEPS // 2)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), step=1, arrays=first.state(), notes={}, keep=1)
        loaded = load_newest(Path(folder), warn=print)
        assert loaded is not None, "it was just saved"
        second.load_state(loaded.arrays)
    _steps(second, RESUMED_STEPS // 2, RESUMED_STEPS)
    return {
        "resumed_equals_uninterrupted": _differing(whole, second) == [],
        "two_runs_are_equal": _differing(whole, again) == [],
        "differing": _differing(whole, second)[:5],
    }


def _steps(task: GradientTask[Any, Any], start: int, stop: int) -> None:
    for number in range(start, stop):
        task.step(number)
    task.close()


def _differing(one: GradientTask[Any, Any], other: GradientTask[Any, Any]) -> list[str]:
    states = one.state(), other.state()
    return [name for name in states[0] if states[0][name].tobytes() != states[1][name].tobytes()]


def attempted(measure: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """What a measurement gives, or its error, so that the others go on."""
    try:
        return measure(*given)
    except Exception as error:  # noqa: BLE001  (recorded, whatever it is)
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}
