"""What must be reached with images; see `targets`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Results = dict[str, Any]
PEER, KNN, PROBE = "lightly ", "nearest_neighbors.accuracy_k200", "linear_probe.accuracy"
CONTRASTIVE = ("textssl simclr", "textssl moco", "textssl triplet")


def _speed(images: str, kind: str) -> Callable[[Results], float | None]:
    """Our images a second over those of the fastest setting with the views of a library."""

    def ratio(results: Results) -> float | None:
        result = results[f"vision_speed_{images}"]
        best = result["best_peers"][kind]
        return float(result["ratios"][best]["median"]) if best else None

    return ratio


def _lead(score: str) -> Callable[[Results], float | None]:
    """The least, over methods that lightly has too, of our mean and the seed spread less its mean, in points."""

    def least(results: Results) -> float | None:
        summary = results["vision_quality"]["summary"]
        found = []
        for name, numbers in summary.items():
            ours = summary.get("textssl " + name.removeprefix(PEER))
            if name.startswith(PEER) and ours and score in ours and score in numbers:
                spread = max(ours[score]["deviation"], numbers[score]["deviation"])
                found.append(100 * (ours[score]["mean"] + spread - numbers[score]["mean"]))
        return min(found, default=None)

    return least


def _above(names: tuple[str, ...], other: str, score: str) -> Callable[[Results], float | None]:
    """The least of the means less that of another contestant, in points; nothing where one is missing."""

    def least(results: Results) -> float | None:
        summary = results["vision_quality"]["summary"]
        return min(100 * float(summary[name][score]["mean"] - summary[other][score]["mean"]) for name in names)

    return least


def _parity(precision: str) -> Callable[[Results], float | None]:
    """The largest difference of values and gradients from the libraries, in millionths."""
    return lambda results: float(results["vision_parity"]["largest"][precision]) * 1e6


def _gpu_images(results: Results) -> float | None:
    cases = results["gpu"]["cases"]
    names = ("simclr_resnet18", "simclr_resnet18_compiled")
    return max((cases[name]["best"]["images_per_s"] for name in names if cases.get(name, {}).get("best")), default=None)


def _at_least(least: float) -> Callable[[float], bool]:
    return lambda value: value >= least


VISION_TARGETS: tuple[tuple[str, str, str, Callable[[float], bool], Callable[[Results], float | None]], ...] = (
    *(
        (f"SimCLR, {images}, images/s over those of lightly{also}", wanted, "{:.2f}", _at_least(least),
         _speed(images, kind))
        for images in ("gray", "rgb")
        for kind, also, wanted, least in (
            ("lightly", "", "3", 3.0), ("kornia", " with kornia's views", "1", 1.0),
            ("albumentations", " with albumentations' views", "1", 1.0),
        )
    ),
    *(
        (f"losses for images, largest difference from the libraries in {precision}, 1e-6", "1", "{:.2g}",
         lambda value: value <= 1, _parity(precision))
        for precision in ("float64", "float32")
    ),
    ("k-NN, the worst method that lightly has, points above it and the seed spread", "0", "{:+.1f}", _at_least(0),
     _lead(KNN)),
    ("linear probe, likewise", "0", "{:+.1f}", _at_least(0), _lead(PROBE)),
    ("k-NN, the worst contrastive method, points above the untrained network", "1", "{:+.1f}", _at_least(1),
     _above(CONTRASTIVE, "untrained", KNN)),
    ("fine-tuned with 100 labels, SimCLR, points above the untrained network", "1", "{:+.1f}", _at_least(1),
     _above(("textssl simclr",), "untrained", "finetuned_100")),
    ("linear probe, DirectPred, points above a linear predictor that learns", "0", "{:+.1f}", _at_least(0),
     _above(("textssl directpred",), "textssl byol, linear predictor", PROBE)),
    ("H200, SimCLR, ResNet-18 at 32 x 32, images/s (lightly on an A6000: 1,900)", "1,900", "{:,.0f}", _at_least(1_900),
     _gpu_images),
)  # fmt: skip
