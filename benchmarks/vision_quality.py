"""How good are encoders for images: every method of textssl, lightly's, the untrained network and raw pixels.

    python -m benchmarks.vision_quality --data FOLDER --work FOLDER --peer-python PY
    python -m benchmarks.vision_quality --data FOLDER --work FOLDER --only "textssl simclr" --seeds 2
    python -m benchmarks.vision_quality --data FOLDER --work FOLDER --collect

Fashion-MNIST, the first 20,000 images, 10 epochs, a small CNN of width 32 that has the same first weights for all
contestants of a seed. Encoders are scored by `textssl evaluate` (nearest neighbours, linear probe; bank and probe are
the images trained on) and by `textssl finetune` with few labels. Every contestant and seed is a file of its own in
WORK/pieces, and one that is there is not measured again; the result is all of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, say, spread, write_result
from benchmarks.vision_contestants import Work, contestants, measured

PROTOCOL = (
    "Fashion-MNIST, trained on the first {images:,} images for {epochs} epochs, tested on {tests:,}; small CNN of "
    "width 32, batch 256, AdamW 2e-3, cosine; all contestants of a seed start from the same encoder, the peers' heads, "
    "losses and transform are lightly's with the sizes and temperatures of ours. k-NN and probe look at the features "
    "of the last epoch; fine-tuning learns all weights from as many images of each label, pre-trained ones from the "
    "probe on, untrained ones anew. Mean over seeds."
)
PIXELS, PREFIX = "raw pixels", "pixels_"


def main() -> None:
    arguments = _parser().parse_args()
    known = contestants()
    for name in arguments.only or ():
        if name not in known:
            raise SystemExit(f"there is no contestant {name!r}; there are {', '.join(known)}")
    work = Work(
        arguments.work, arguments.data, arguments.images, arguments.test_images, arguments.epochs, tuple(arguments.few),
        arguments.threads, arguments.peer_python,
    )  # fmt: skip
    if not arguments.collect:
        _measure(arguments, work, arguments.only or known)
    found = collected(work.pieces)
    write_result(
        "vision_quality",
        arguments.results,
        protocol=PROTOCOL.format(images=work.num_images, epochs=work.epochs, tests=work.num_tests),
        setting={"images": work.num_images, "test_images": work.num_tests, "epochs": work.epochs},
        summary={name: summary(pieces) for name, pieces in found.items()},
    )


def _measure(arguments: argparse.Namespace, work: Work, names: list[str]) -> None:
    work.pieces.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name in names:
            piece = work.pieces / f"{name.replace(' ', '_').replace(',', '')}-{seed}.json"
            if piece.exists():
                continue
            if name.startswith("lightly") and arguments.peer_python is None:
                say(f"{name} is left out: it was not given (see --help)")
                continue
            say(f"{name}, seed {seed}")
            try:
                numbers = measured(name, seed, work)
            except SystemExit as failed:  # of one command; the other contestants go on
                say(f"  left out, since it failed: {failed}")
                continue
            say(f"  {json.dumps(numbers)[:1500]}")
            piece.write_text(json.dumps({"contestant": name, "seed": seed, "numbers": numbers}, indent=1) + "\n")


def collected(folder: Path) -> dict[str, list[dict[str, float]]]:
    """The numbers of every contestant, one of each seed; those of raw pixels stand in the untrained network's.

    Args:
        folder: of the pieces.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for file in sorted(folder.glob("*.json")):
        piece = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault(piece["contestant"], []).append(piece["numbers"])
    for numbers in found.get("untrained", [])[:1]:
        pixels = {name.replace(PREFIX, ""): value for name, value in numbers.items() if f".{PREFIX}" in name}
        found[PIXELS] = [pixels]
    order = [*contestants(), PIXELS]
    return {name: found[name] for name in sorted(found, key=lambda name: order.index(name) if name in order else -1)}


def summary(pieces: list[dict[str, float]]) -> dict[str, Any]:
    """The spread of each number over the seeds that have it, those of other vectors than the features left out."""
    names = dict.fromkeys(name for piece in pieces for name in piece)
    own = [name for name in names if not any(part in name for part in (".untrained_", f".{PREFIX}"))]
    return {name: spread([piece[name] for piece in pieces if name in piece]) for name in own}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with fashion_mnist/ and camvid_frames/")
    parser.add_argument("--work", type=Path, required=True, help="folder of images, runs and pieces; kept")
    parser.add_argument("--peer-python", type=Path, help="a Python with lightly and pytorch-lightning")
    parser.add_argument("--only", nargs="+", metavar="CONTESTANT", help="these; by default all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--images", type=int, default=20_000, help="to train on (20,000)")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--few", nargs="*", type=int, default=[100, 1_000], help="numbers of labels to fine-tune with")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--collect", action="store_true", help="measure nothing, write the result of what is there")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
