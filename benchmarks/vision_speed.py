"""How fast does SimCLR learn from small images: textssl's command line against lightly with Lightning, in turn.

    python -m benchmarks.vision_speed --data FOLDER --images gray --peer-python PY

Both train the same network (three convolutions, width 32) with a projector of the same sizes on the same images, in
batches of 512 on two cores, and draw views by the same rules; lightly with its transform, its loss and LightlyDataset
over PIL images in memory, with its loader in the process and in two workers, in float32 and bfloat16; and with kornia's
or albumentations' views in the place of its own. Before it the views alone, one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, RESULTS, in_turn, ratios, run_process, say, spread, write_result
from benchmarks.peers import OURS
from benchmarks.vision_data import camvid_tiles, fashion_mnist

ROOT = Path(__file__).parents[1]
PEER_SCRIPT, VIEWS_SCRIPT = (Path(__file__).with_name(name) for name in ("lightly_peer.py", "vision_views.py"))
VARIANTS: dict[str, dict[str, Any]] = {
    "lightly": {"views": "lightly", "workers": 0, "precision": "float32"},
    "lightly, 2 workers": {"views": "lightly", "workers": 2, "precision": "float32"},
    "lightly, 2 workers, bfloat16": {"views": "lightly", "workers": 2, "precision": "bfloat16"},
    "lightly, views of kornia": {"views": "kornia", "workers": 0, "precision": "float32"},
    "lightly, views of albumentations": {"views": "albumentations", "workers": 0, "precision": "float32"},
    "lightly, views of albumentations, 2 workers": {"views": "albumentations", "workers": 2, "precision": "float32"},
}
SKIPPED_STEPS = 10
"""At the start of a run: workers start, kernels are loaded."""
PROTOCOL = (
    "Images a second of the training loop after its first 10 steps, two views each; small CNN of width 32, projector "
    "128-128-128, batch 512, AdamW, the same cores; contestants in turn; our precision is what `auto` takes. Ratios: "
    "ours over theirs, round by round. Views: per second of processor time, one thread, two of an image count twice."
)


def main() -> None:
    arguments = _parser().parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        _measure(arguments, Path(folder))


def _measure(arguments: argparse.Namespace, work: Path) -> None:
    images = _images(arguments, work)
    views = in_turn(_viewers(arguments, images), _repeats(arguments, _viewers(arguments, images)))
    contestants: dict[str, Callable[[int], Any]] = {OURS: _ours(arguments, images, work)}
    if arguments.peer_python is None:
        say("lightly is left out: it was not given (see --help)")
    else:
        contestants |= {name: _peer(arguments, images, VARIANTS[name]) for name in arguments.variants}
    speeds = in_turn(contestants, _repeats(arguments, contestants))
    write_result(
        f"vision_speed_{arguments.images}",
        arguments.results,
        protocol=PROTOCOL,
        setting={"images": SETS[arguments.images], "batch_images": arguments.batch, "threads": arguments.threads,
                 "steps": arguments.steps, "steps_of_peers": arguments.peer_steps},
        images_per_s={name: spread(values) for name, values in speeds.items()},
        ratios={name: ratios(speeds[OURS], values) for name, values in speeds.items() if name != OURS},
        best_peers={kind: _best(speeds, kind) for kind in ("lightly", "kornia", "albumentations")},
        views_per_s={name: spread(values) for name, values in views.items()},
    )  # fmt: skip


SETS = {"gray": "Fashion-MNIST, 60,000 of 28 x 28 gray", "rgb": "10,515 tiles of 32 x 32 RGB from camvid frames"}


def _images(arguments: argparse.Namespace, work: Path) -> Path:
    if arguments.images == "gray":
        return fashion_mnist(arguments.data / "fashion_mnist", work / "gray.npz", part="train")
    return camvid_tiles(arguments.data / "camvid_frames" / "camvid_160x120.npz", work / "rgb.npz")


def _repeats(arguments: argparse.Namespace, contestants: dict[str, Any]) -> dict[str, int]:
    return dict.fromkeys(contestants, arguments.repeats)


def _best(speeds: dict[str, list[float]], kind: str) -> str | None:
    """The fastest contestant with the views of a library."""
    named = [name for name in speeds if VARIANTS.get(name, {}).get("views") == kind]
    return max(named, key=lambda name: statistics.median(speeds[name]), default=None)


def _viewers(arguments: argparse.Namespace, images: Path) -> dict[str, Callable[[int], float]]:
    def viewer(python: str | Path, library: str) -> Callable[[int], float]:
        settings = {"library": library, "images": str(images), "seconds": arguments.view_seconds}
        return lambda _: float(_told([python, VIEWS_SCRIPT, json.dumps(settings)], 1)["views_per_s"])

    peers = ("lightly", "kornia", "albumentations") if arguments.peer_python else ()
    return {OURS: viewer(sys.executable, OURS)} | {name: viewer(arguments.peer_python, name) for name in peers}


def _ours(arguments: argparse.Namespace, images: Path, work: Path) -> Callable[[int], float]:
    def run(number: int) -> float:
        out = work / f"ours-{number}"
        epochs = 1_000  # the steps end it before
        flags = {"out": out, "encoder": "small_cnn", "width": 32, "batch_images": arguments.batch, "epochs": epochs,
                 "hidden_width": 128, "projector_width": 128, "max_steps": arguments.steps, "seed": number + 1,
                 "threads": arguments.threads, "device": "cpu", "checkpoint_every": "1h",
                 "evaluate_every": f"{2 * arguments.steps}steps"}  # fmt: skip
        words = [word for name, value in flags.items() for word in ("--" + name.replace("_", "-"), str(value))]
        _run([sys.executable, "-m", "textssl", "train", "simclr", images, *words], arguments.threads)
        return training_speed(out / "metrics.jsonl", SKIPPED_STEPS)

    return run


def training_speed(metrics: Path, skipped_steps: int) -> float:
    """Images a second from the first record after some steps to the last one.

    Args:
        metrics: of a run.
        skipped_steps: which do not count.
    """
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    timed = [record for record in records if record["kind"] == "train" and record["step"] >= skipped_steps]
    if len(timed) < 2:
        raise SystemExit(f"too few records after {skipped_steps} steps; give more --steps")
    first, last = timed[0], timed[-1]
    return float((last["images"] - first["images"]) / (last["elapsed_s"] - first["elapsed_s"]))


def _peer(arguments: argparse.Namespace, images: Path, variant: dict[str, Any]) -> Callable[[int], float]:
    settings = {
        "images": str(images), "method": "simclr", "options": {"hidden": 128, "out": 128}, "batch": arguments.batch,
        "max_steps": arguments.peer_steps, "learning_rate": 2e-3, "weight_decay": 1e-4, "warmup": 0.05, "width": 32,
        "threads": arguments.threads, "skip_steps": SKIPPED_STEPS, **variant,
    }  # fmt: skip

    def run(number: int) -> float:
        command = [arguments.peer_python, PEER_SCRIPT, json.dumps({**settings, "seed": number + 1})]
        return float(_told(command, arguments.threads)["images_per_s"])

    return run


def _told(command: list[Any], threads: int) -> dict[str, Any]:
    """The JSON line that a peer ends with."""
    told: dict[str, Any] = json.loads(_run(command, threads).strip().splitlines()[-1])
    return told


def _run(command: list[Any], threads: int) -> str:
    names = (*ONE_THREAD, "NUMBA_NUM_THREADS")
    return run_process(command, environment={"PYTHONPATH": str(ROOT), **dict.fromkeys(names, str(threads))}).output


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with fashion_mnist/ and camvid_frames/")
    parser.add_argument("--images", choices=tuple(SETS), default="gray")
    parser.add_argument("--peer-python", type=Path, help="a Python with lightly, kornia and albumentations")
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--steps", type=int, default=150, help="updates of our run (150)")
    parser.add_argument("--peer-steps", type=int, default=40, help="of a peer's, which takes longer for one (40)")
    parser.add_argument("--view-seconds", type=float, default=5, help="processor time for the views alone (5)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="and cores (2)")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
