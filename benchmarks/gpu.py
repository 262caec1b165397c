"""How fast are transformers on a GPU, how near to its limits, and does training there go on exactly? One call.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --device cpu --smoke      the same on tiny models, to see that it works

Needs torch, and nothing from a network: ids are random, texts generated. Every case is a process of its own; one that
fails or does not end in time is recorded with its error, and the others go on. The result is written after every case.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, say, write_result

LIMIT_S = 150.0
"""The longest that a case may take; compiling takes most of it."""
ROWS = {"encoder_17m": [32, 64, 128, 256], "encoder_base": [16, 32, 64, 128], "decoder_base": [16, 32, 64, 128]}
IMAGES = [256, 512, 1024, 2048]
TINY = {"encoder_17m": "tiny_encoder", "encoder_base": "tiny_encoder", "decoder_base": "tiny_decoder"}
"""What stands for each model in a trial."""
PROTOCOL = (
    "Whole training steps of textssl on random ids (batches and masks made beside the step, clipping, fused optimizer, "
    "check for finite numbers), bfloat16, rows of 1,024 tokens, 30 % masked, one update a step; median of some seconds "
    "after six steps. Utilisation: operations that the model needs (a product 2, backward twice forward, the table at "
    "scored positions only) over the maker's peak for bfloat16 without sparsity, 989 Tflop/s for H200 and H100 SXM. "
    "SimCLR: two views of 32 x 32 RGB noise an image, made on the device, ResNet-18 with the CIFAR stem."
)


def main() -> None:
    arguments = _parser().parse_args()
    clock = _Clock(arguments.minutes * 60)
    found: dict[str, Any] = {}
    for name, settings in cases(arguments.device, smoke=arguments.smoke).items():
        if "rows" not in settings and settings["case"] in ("training", "images"):
            best = found[settings["like"]].get("best")
            settings = {**settings, "rows": [best["rows"]] if best else []}
        say(f"{name} ({clock.left_s:.0f} s left)")
        found[name] = result_of(settings, clock, in_process=arguments.smoke)
        say(f"  {json.dumps(found[name])[:2000]}")
        protocol = "A trial on tiny models. " + PROTOCOL if arguments.smoke else PROTOCOL
        write_result("gpu", arguments.results, protocol=protocol, took_s=clock.passed_s, cases=found)


def cases(device: str, *, smoke: bool) -> dict[str, dict[str, Any]]:
    """The settings of every case by its name, the most wanted first."""
    some_s = 0.02 if smoke else 3.0
    on: dict[str, Any] = {"device": device, "seconds": some_s, "precision": "float32" if smoke else "bfloat16"}
    found = {"ceilings": {"case": "ceilings", "size": 64 if smoke else 8192, **on, "seconds": some_s / 3}}
    for name, rows in ROWS.items():
        rows = [2, 3] if smoke else rows
        found[name] = {"case": "training", "model": TINY[name] if smoke else name, "rows": rows, **on}
    images = {"case": "images", "model": "tiny_cnn" if smoke else "resnet18", "rows": [8, 16] if smoke else IMAGES}
    found["simclr_resnet18"] = {**images, **on}
    shape = (2, 2, 32, 16) if smoke else (32, 12, 1024, 64)
    found["attention"] = {"case": "attention", "shape": shape, **on, "seconds": some_s / 6}
    for model in TINY.values():
        found[f"resume_{model}"] = {"case": "resume", "model": model, **on}
    found["resume_deterministic"] = {"case": "resume", "model": "tiny_encoder", "deterministic": True, **on}
    variants = {"document_mask": True}, {"optimizer": "muon"}
    for variant, change in zip(("documents", "muon"), variants, strict=True):
        found[f"decoder_base_{variant}"] = _like("decoder_base", found, change)
    for name in () if smoke else ROWS:
        found[f"{name}_compiled"] = _like(name, found, {"compile": True})
    if not smoke:
        found["simclr_resnet18_compiled"] = _like("simclr_resnet18", found, {"compile": True})
    found["word_vectors"] = {"case": "word_vectors", "sentences": 60 if smoke else 20_000, **on}
    return found


def _like(name: str, found: dict[str, dict[str, Any]], change: dict[str, Any]) -> dict[str, Any]:
    """The settings of another case with a change, at the number of rows that was best there."""
    same = {key: value for key, value in found[name].items() if key != "rows"}
    return {**same, **change, "like": name}


def result_of(settings: dict[str, Any], clock: _Clock, *, in_process: bool) -> dict[str, Any]:
    """What a case gives, or an error."""
    if settings.get("rows") == []:
        return {"error": f"{settings['like']} gave no number of rows"}
    if clock.left_s <= 0:
        return {"error": "no time was left"}
    if in_process:
        import torch

        from benchmarks.gpu_cases import CASES
        from benchmarks.gpu_training import attempted

        torch.set_num_threads(1)
        return attempted(CASES[settings["case"]], settings)
    command = [sys.executable, "-m", "benchmarks.gpu_cases", json.dumps(settings)]
    limit = min(LIMIT_S, clock.left_s)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"did not end within {limit:.0f} s"}
    except (IndexError, ValueError):
        return {"error": f"ended with {done.returncode}: {done.stderr[-1000:]}"}


class _Clock:
    """Time that is left."""

    def __init__(self, limit_s: float) -> None:
        self._start, self._limit_s = time.monotonic(), limit_s

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self._start

    @property
    def left_s(self) -> float:
        return self._limit_s - self.passed_s


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu (cuda)")
    parser.add_argument("--minutes", type=float, default=8, help="cases that find no time left are left out (8)")
    parser.add_argument("--smoke", action="store_true", help="tiny models and one process, nothing compiled")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
