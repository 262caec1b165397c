"""Do the losses for images equal those of lightly, pytorch-metric-learning and torch, in values and gradients?

    PYTHONPATH=CHECKOUT PEER_PYTHON -m benchmarks.vision_parity

For a Python that has those libraries; of textssl it needs the losses alone. Every case has random inputs of several
sizes; a difference is that of the values, and of a gradient the largest over its largest number; float32 rounds, too.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import RESULTS, say, write_result

SHAPES = ((8, 16), (64, 128), (128, 32))
"""Rows and width."""
QUEUE, OUTPUTS = 512, 48
LIBRARIES = ("torch", "lightly", "pytorch-metric-learning")
PROTOCOL = (
    "Mean losses and their gradients with regard to all inputs that have one, the largest of three shapes; values "
    "relative to a loss above 1, gradients to the largest number of the peer's; both sides in float64, then both in "
    "float32; rounding: how far a gradient in float32 is from the same side's in float64."
)

Case = tuple[str, Callable[[int, int], Sequence[Any]], Callable[..., Any], Callable[..., Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    for name, inputs, ours, theirs in cases():
        found[name] = compared(inputs, ours, theirs)
        say(f"  {name}: {found[name]}")
    largest = {
        precision: max(each[f"{part}_{precision}"] for each in found.values() for part in ("value", "gradient"))
        for precision in ("float64", "float32")
    }
    write_result("vision_parity", arguments.results, protocol=PROTOCOL, largest=largest, cases=found,
                 libraries={name: metadata.version(name) for name in LIBRARIES})  # fmt: skip


def compared(
    inputs: Callable[[int, int], Sequence[Any]], ours: Callable[..., Any], theirs: Callable[..., Any]
) -> dict[str, float]:
    """The largest differences of values and gradients in both precisions, and how far each side rounds."""
    largest: dict[str, float] = {}
    for number, (rows, width) in enumerate(SHAPES):
        torch.manual_seed(number)
        given = inputs(rows, width)
        exactly = [part.detach().double().requires_grad_(part.requires_grad) for part in given]
        sides = [[_with_gradients(loss, parts) for loss in (ours, theirs)] for parts in (exactly, given)]
        values = {f"value_float{bits}": _value_apart(*both) for bits, both in zip((64, 32), sides, strict=True)}
        (our_exact, their_exact), (our, their) = sides
        pairs = {"gradient_float64": (our_exact, their_exact), "gradient_float32": (our, their),
                 "our_rounding": (our, our_exact), "their_rounding": (their, their_exact)}  # fmt: skip
        apart = {name: max(map(_apart, one[1:], other[1:])) for name, (one, other) in pairs.items()}
        largest = {name: max(largest.get(name, 0.0), value) for name, value in {**values, **apart}.items()}
    return largest


def _with_gradients(loss: Callable[..., Any], given: Sequence[Any]) -> list[Any]:
    total = loss(*given)
    return [total.detach(), *torch.autograd.grad(total, [part for part in given if part.requires_grad])]


def _value_apart(one: Sequence[Any], other: Sequence[Any]) -> float:
    return float((one[0] - other[0]).abs() / other[0].abs().clamp(min=1))


def _apart(one: Any, other: Any) -> float:
    if not math.isfinite(found := float((one - other).abs().max() / other.abs().max())):
        raise SystemExit("a gradient is 0 or not finite: the case compares nothing")
    return found


def cases() -> list[Case]:
    """Name, inputs, our loss, their loss."""
    from benchmarks.torchvision_shim import declare_operators

    declare_operators()
    from textssl.losses import barlow_twins, cosine_regression, info_nce, vicreg

    import lightly.loss as lightly_loss  # isort: skip
    from pytorch_metric_learning.losses import NTXentLoss  # isort: skip

    def metric_learning(one: Any, other: Any) -> Any:
        labels = torch.arange(len(one)).repeat(2)
        return NTXentLoss(0.5)(torch.cat([one, other]), labels)

    cosine = lightly_loss.NegativeCosineSimilarity()
    return [
        ("NT-Xent, lightly", _views, lambda a, b: info_nce.nt_xent(a, b, temperature=0.5).mean,
         lightly_loss.NTXentLoss(0.5)),
        ("NT-Xent, pytorch-metric-learning", _views, lambda a, b: info_nce.nt_xent(a, b, temperature=0.5).mean,
         metric_learning),
        ("MoCo with a queue, lightly", _queued,
         lambda q, k, queue: info_nce.queue_info_nce(q, k, queue, temperature=0.2).mean, _moco),
        ("BYOL, lightly", _one_taught, lambda a, b: cosine_regression.cosine_regression(a, b).mean,
         lambda a, b: 2 + 2 * cosine(a, b)),
        ("SimSiam, lightly", _one_taught, lambda a, b: cosine_regression.cosine_regression(a, b).mean / 2 - 1, cosine),
        ("Barlow Twins, lightly", _views, lambda a, b: barlow_twins.barlow_twins(a, b, off_diagonal_weight=5e-3).mean,
         lightly_loss.BarlowTwinsLoss(5e-3)),
        ("VICReg, lightly", _views, lambda a, b: vicreg.vicreg(a, b).mean, lightly_loss.VICRegLoss()),
        *_of_prototypes(lightly_loss), *_of_triplets(),
    ]  # fmt: skip


def _of_prototypes(lightly_loss: Any) -> list[Case]:
    from lightly.loss.swav_loss import sinkhorn

    from textssl.losses import prototype_codes, self_distillation
    from textssl.losses.base_sinkhorn import sinkhorn_codes

    def weighed(codes: Any, scores: Any) -> Any:
        return (codes * scores).sum() / len(scores)  # the codes have no gradient: their products with scores do

    def dino(*views: Any) -> Any:
        criterion = lightly_loss.DINOLoss(OUTPUTS).to(views[0].dtype)
        criterion.center.copy_(centre)
        return criterion(list(views[2:]), list(views[:2]))

    def our_dino(*views: Any) -> Any:
        return self_distillation.self_distillation(views[:2], views[2:], centre).mean

    def scored(rows: int, _: int) -> list[Any]:
        return [torch.rand(rows, OUTPUTS).mul(2).sub(1).requires_grad_() for _ in range(4)]

    def outputs(rows: int, _: int) -> list[Any]:
        return [torch.randn(rows, OUTPUTS).requires_grad_(view < 2) for view in range(4)]

    swav, centre = lightly_loss.SwaVLoss(), torch.linspace(-0.5, 0.5, OUTPUTS)
    return [
        ("SwAV's codes, lightly", lambda rows, width: scored(rows, width)[:1],
         lambda s: weighed(sinkhorn_codes(s), s), lambda s: weighed(sinkhorn(s.detach()), s)),
        ("SwAV, two large views and two small ones, lightly", scored,
         lambda *views: prototype_codes.prototype_codes(views).mean,
         lambda *views: swav(list(views[:2]), list(views[2:])).squeeze()),
        ("DINO, lightly", outputs, our_dino, dino),
    ]  # fmt: skip


def _of_triplets() -> list[Case]:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.reducers import MeanReducer

    from textssl.losses import triplet

    def three(rows: int, width: int) -> list[Any]:
        return [torch.randn(rows, width).requires_grad_() for _ in range(3)]

    def plain(*given: Any) -> Any:
        return torch.nn.functional.triplet_margin_loss(*given, margin=0.5, eps=0.0)

    def mined(*given: Any) -> Any:
        criterion = TripletMarginLoss(0.5, distance=LpDistance(normalize_embeddings=False), reducer=MeanReducer())
        numbers = torch.arange(3 * len(given[0]))
        return criterion(torch.cat(given), numbers, numbers.chunk(3))

    def ours(*given: Any) -> Any:
        return triplet.triplet(*given, margin=0.5).mean

    return [("triplet, torch", three, ours, plain), ("triplet, pytorch-metric-learning", three, ours, mined)]


def _views(rows: int, width: int) -> list[Any]:
    first = torch.randn(rows, width)
    return [first.requires_grad_(), (first.detach() + torch.randn(rows, width)).requires_grad_()]


def _one_taught(rows: int, width: int) -> list[Any]:
    first, second = _views(rows, width)
    return [first, second.detach()]


def _queued(rows: int, width: int) -> list[Any]:
    queue = torch.nn.functional.normalize(torch.randn(QUEUE, width))
    return [*_views(rows, width)[:1], torch.randn(rows, width), queue]


def _moco(queries: Any, keys: Any, queue: Any) -> Any:
    from lightly.loss import NTXentLoss

    criterion = NTXentLoss(0.2, memory_bank_size=tuple(queue.shape))
    criterion.memory_bank.bank = queue.clone()
    return criterion(queries, keys)


if __name__ == "__main__":
    main()
