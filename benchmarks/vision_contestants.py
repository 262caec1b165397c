"""Who takes part in `vision_quality`: trains an encoder as textssl or lightly do, and scores it.

A peer's encoder has the layers and names of textssl's small_cnn, so it becomes a model folder like any other, and the
same commands score it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ONE_THREAD, Finished, run_process
from benchmarks.vision_data import fashion_mnist, few_of_each
from benchmarks.vision_views import statistics_of

ROOT = Path(__file__).parents[1]
PEER_SCRIPT = Path(__file__).with_name("lightly_peer.py")
WIDTH, BATCH, LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 32, 256, 2e-3, 1e-4, 0.05
PEER_METHODS = ("simclr", "moco", "byol", "simsiam", "swav")
ON_FRAMES = ("jigsaw", "frame_order")
"""Trained on the frames of driving videos, which have no labels: their own question is all that is scored."""
MORE_ON_FRAMES, FRAMES_OF_A_STEP = 10, {"jigsaw": 64, "frame_order": 32}
"""There are 701 frames only: ten times as many epochs."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "textssl moco, v3": ("moco", {"preset": "v3"}),
    "textssl directcopy": ("directpred", {"rule": "directcopy"}),
    "textssl byol, linear predictor": ("byol", {"predictor_width": 0}),
}
"""Methods with options that make them another; the last is what DirectPred does without: a predictor that learns."""
UNTRAINED, PRETEXT = "untrained", "pretext_accuracy"


@dataclass(frozen=True)
class Work:
    """Where and how long; `few` are numbers of labels to fine-tune with, the folder is kept."""

    folder: Path
    data: Path
    num_images: int
    num_tests: int
    epochs: int
    few: tuple[int, ...]
    threads: int
    peer_python: Path | None

    @property
    def pieces(self) -> Path:
        """Folder of what was measured."""
        return self.folder / "pieces"

    @property
    def train_images(self) -> Path:
        """The npz to train on, made when missing."""
        return self._images("train", self.num_images)

    @property
    def test_images(self) -> Path:
        """The npz to test on, made when missing."""
        return self._images("t10k", self.num_tests)

    def _images(self, part: str, count: int) -> Path:
        target = self.folder / f"{part}-{count}.npz"
        return target if target.exists() else fashion_mnist(self.data / "fashion_mnist", target, part=part, limit=count)

    def run(self, command: list[Any]) -> Finished:
        """Run a command with the threads of this work."""
        environment = {"PYTHONPATH": str(ROOT), **dict.fromkeys((*ONE_THREAD, "NUMBA_NUM_THREADS"), str(self.threads))}
        return run_process(command, environment=environment)

    def textssl(self, *words: Any, **options: Any) -> Finished:
        """Run a command of textssl."""
        return self.run([sys.executable, "-m", "textssl", *words, *flags(options)])


def flags(options: Mapping[str, Any]) -> list[str]:
    """Options as words of a command line."""
    return [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]


def contestants() -> list[str]:
    """The names of all of them."""
    from textssl import registry

    own = (name for name in registry.names("objectives") if registry.load("objectives", name).FAMILY == "images")
    ours = sorted(own, key=lambda name: name in ON_FRAMES)
    peers = (f"lightly {name}" for name in PEER_METHODS)
    return [UNTRAINED, *(f"textssl {name}" for name in ours), *VARIANTS, *peers]


def measured(name: str, seed: int, work: Work) -> dict[str, float]:
    """Train a contestant and score it: numbers by name."""
    library, _, method = name.partition(" ")
    if method in ON_FRAMES:
        return _on_frames(method, seed, work)
    target = work.folder / "runs" / f"{name.replace(' ', '_').replace(',', '')}-{seed}"
    if name == UNTRAINED:
        model, numbers = _saved_encoder(target, seed, work, None), {}
    elif library == "lightly":
        model, numbers = _by_lightly(method, target, seed, work)
    else:
        objective, options = VARIANTS.get(name, (method, {}))
        numbers = _by_textssl(objective, work.train_images, target, seed, work, options)
        model = target
    return {**numbers, **_scores(name, model, work), **_fine_tuned(name, model, target, seed, work)}


def _by_textssl(
    objective: str, images: Path, target: Path, seed: int, work: Work, options: Mapping[str, Any]
) -> dict[str, float]:
    given = {"out": target, "seed": seed, "epochs": work.epochs, "threads": work.threads, "device": "cpu",
             "encoder": "small_cnn", "width": WIDTH, "checkpoint_every": "1h", **options}  # fmt: skip
    finished = work.textssl("train", objective, images, **given)
    return {"train_s": finished.wall_s, **_last_scores(target / "metrics.jsonl")}


def _last_scores(metrics: Path) -> dict[str, float]:
    """What the last evaluation of a run found: its own question, and gauges of collapse."""
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    scored = [record["scores"] for record in records if record["kind"] == "evaluation"]
    return {name: float(scored[-1][name]) for name in (PRETEXT, "feature_rank") if scored and name in scored[-1]}


def _on_frames(objective: str, seed: int, work: Work) -> dict[str, float]:
    frames, target = work.data / "camvid_frames/camvid_160x120.npz", work.folder / f"runs/textssl_{objective}-{seed}"
    options: dict[str, Any] = {"epochs": work.epochs * MORE_ON_FRAMES, "batch_images": FRAMES_OF_A_STEP[objective]}
    return _by_textssl(objective, frames, target, seed, work, options)


def _by_lightly(method: str, target: Path, seed: int, work: Work) -> tuple[Path, dict[str, float]]:
    start, trained = target.with_suffix(".start.npz"), target.with_suffix(".npz")
    encoder = _encoder(seed, work)
    start.parent.mkdir(parents=True, exist_ok=True)
    np.savez(start, **{name: part.numpy() for name, part in encoder.state_dict().items()})
    options = {"frozen_steps": work.num_images // BATCH} if method == "swav" else {}
    settings = {
        "images": str(work.train_images), "method": method, "options": options, "views": "lightly", "batch": BATCH,
        "epochs": work.epochs, "learning_rate": LEARNING_RATE, "weight_decay": WEIGHT_DECAY, "warmup": WARM_UP,
        "width": WIDTH, "workers": 2, "threads": work.threads, "seed": seed, "precision": "float32",
        "start": str(start), "save": str(trained),
    }  # fmt: skip
    finished = work.run([work.peer_python, PEER_SCRIPT, json.dumps(settings)])
    return _saved_encoder(target, seed, work, trained), {"train_s": finished.wall_s}


def _encoder(seed: int, work: Work) -> Any:
    """The network that all begin with."""
    from textssl.models.base_images import image_encoder_config, make_image_encoder

    pixels = np.load(work.train_images, allow_pickle=False)["images"]
    mean, std = statistics_of(pixels)
    config = image_encoder_config("small_cnn", channels=pixels.shape[3], image_size=pixels.shape[1], width=WIDTH,
                                  mean=tuple(mean), std=tuple(std), scale=255.0)  # fmt: skip
    return make_image_encoder(config, seed)


def _saved_encoder(target: Path, seed: int, work: Work, weights: Path | None) -> Path:
    """A model folder of the network with weights of a peer, or with those that it begins with."""
    import torch

    from textssl.models.base_image_folder import save_image_model

    encoder = _encoder(seed, work)
    if weights is not None:
        given = np.load(weights, allow_pickle=False)
        encoder.load_state_dict({name: torch.from_numpy(given[name]) for name in given.files})
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_image_model(target, encoder, replace=True)


def _scores(name: str, model: Path, work: Work) -> dict[str, float]:
    """Every number of nearest neighbours and linear probe, as EVALUATOR.METRIC; raw pixels' with the untrained ones."""
    if name != UNTRAINED:
        script = [sys.executable, "-m", "benchmarks.vision_scores", model, work.train_images, work.test_images]
        return dict(json.loads(work.run(script).output))
    given = {"images": work.test_images, "train_images": work.train_images, "device": "cpu"}
    output = work.textssl("evaluate", model, "--json", **given).output
    told, _ = json.JSONDecoder().raw_decode(output, output.index("{\n"))  # notes stand before it
    return {
        f"{result['name']}.{metric}": value for result in told["results"] for metric, value in result["metrics"].items()
    }


def _fine_tuned(name: str, model: Path, target: Path, seed: int, work: Work) -> dict[str, float]:
    """Test accuracy, learnt from few labels, the same images for all of a seed; untrained everything is learnt anew."""
    row, found = int(name == UNTRAINED), {}
    how = {"test": work.test_images, "seed": seed, "device": "cpu", "baselines": "all" if row else "simple"}
    for count in work.few:
        few, out = work.folder / f"few-{count}-{seed}.npz", target.with_name(f"{target.name}-{count}")
        if not few.exists():
            few_of_each(work.train_images, few, count=count, seed=seed)
        work.textssl("finetune", model, few, "--json", out=out, **how)
        result = json.loads((out / "results.json").read_text(encoding="utf-8"))
        found[f"finetuned_{count}"] = float(result["methods"][row]["scores"]["accuracy"]["mean"])
    return found
