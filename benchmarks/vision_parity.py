"""Do the losses for images equal those of lightly, pytorch-metric-learning and torch, in values and gradients?

    PYTHONPATH=CHECKOUT PEER_PYTHON -m benchmarks.vision_parity

For a Python that has those libraries; of textssl it needs the losses alone. Every case has random inputs in float32 of
several sizes; a difference is that of the values, and the largest of a gradient over the largest of that gradient.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, say, write_result

SHAPES = ((8, 16), (64, 128), (128, 32))
"""Rows and width."""
QUEUE, OUTPUTS = 512, 48
MOST = 1e-6
PROTOCOL = (
    "Mean losses and their gradients with regard to all inputs that have one, float32, the largest of three shapes; "
    "gradients relative to the largest number of the peer's. Barlow Twins and VICReg, whose losses are no means of "
    "logarithms, relative to the loss where it is above 1."
)

Case = tuple[str, Callable[[int, int], Sequence[Any]], Callable[..., Any], Callable[..., Any]]


def main() -> None:
    arguments = _parser().parse_args()
    import torch

    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    for name, inputs, ours, theirs in cases():
        found[name] = compared(inputs, ours, theirs)
        say(f"  {name}: {found[name]}")
    largest = max(max(each["value"], each["gradient"]) for each in found.values())
    write_result("vision_parity", arguments.results, protocol=PROTOCOL, largest=largest, cases=found,
                 libraries=_libraries())  # fmt: skip


def compared(
    inputs: Callable[[int, int], Sequence[Any]], ours: Callable[..., Any], theirs: Callable[..., Any]
) -> dict[str, float]:
    """The largest differences of values, and of gradients with regard to the inputs that ask for one."""
    import torch

    value, gradient = 0.0, 0.0
    for number, (rows, width) in enumerate(SHAPES):
        torch.manual_seed(number)
        given = inputs(rows, width)
        asked = [part for part in given if part.requires_grad]
        one, other = ours(*given), theirs(*given)
        value = max(value, float((one - other).abs().detach() / other.abs().clamp(min=1).detach()))
        pairs = zip(torch.autograd.grad(one, asked), torch.autograd.grad(other, asked), strict=True)
        gradient = max([gradient, *(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)])
    return {"value": value, "gradient": gradient}


def cases() -> list[Case]:
    """Name, inputs, our loss, their loss."""
    from benchmarks.torchvision_shim import declare_operators

    declare_operators()
    from textssl.losses import barlow_twins, cosine_regression, info_nce, vicreg

    import lightly.loss as lightly_loss  # isort: skip
    from pytorch_metric_learning.losses import NTXentLoss  # isort: skip

    def metric_learning(one: Any, other: Any) -> Any:
        import torch

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
        ("BYOL, lightly", _views, lambda a, b: cosine_regression.cosine_regression(a, b.detach()).mean + 0 * b.sum(),
         lambda a, b: 2 + 2 * cosine(a, b.detach()) + 0 * b.sum()),
        ("SimSiam, lightly", _views, lambda a, b: cosine_regression.cosine_regression(b, a).mean / 2 - 1 + 0 * a.sum(),
         lambda a, b: cosine(b, a.detach()) + 0 * a.sum()),
        ("Barlow Twins, lightly", _views, lambda a, b: barlow_twins.barlow_twins(a, b, off_diagonal_weight=5e-3).mean,
         lightly_loss.BarlowTwinsLoss(5e-3)),
        ("VICReg, lightly", _views, lambda a, b: vicreg.vicreg(a, b).mean, lightly_loss.VICRegLoss()),
        *_of_prototypes(lightly_loss), *_of_triplets(),
    ]  # fmt: skip


def _of_prototypes(lightly_loss: Any) -> list[Case]:
    import torch
    from lightly.loss.swav_loss import sinkhorn

    from textssl.losses import prototype_codes, self_distillation
    from textssl.losses.base_sinkhorn import sinkhorn_codes

    def weighed(codes: Any, scores: Any) -> Any:
        return (codes * scores).sum() / len(scores)  # the codes have no gradient: their products with scores do

    def dino(*views: Any) -> Any:
        criterion = lightly_loss.DINOLoss(OUTPUTS)
        criterion.center.copy_(centre)
        return criterion([view.detach() for view in views[2:]], list(views[:2])) + 0 * sum(v.sum() for v in views[2:])

    def our_dino(*views: Any) -> Any:
        found = self_distillation.self_distillation(views[:2], [view.detach() for view in views[2:]], centre)
        return found.mean + 0 * sum(view.sum() for view in views[2:])

    def scored(rows: int, _: int) -> list[Any]:
        return [torch.rand(rows, OUTPUTS).mul(2).sub(1).requires_grad_() for _ in range(4)]

    def outputs(rows: int, _: int) -> list[Any]:
        return [torch.randn(rows, OUTPUTS).requires_grad_() for _ in range(4)]

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
    import torch
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.reducers import MeanReducer

    from textssl.losses import triplet

    def three(rows: int, width: int) -> list[Any]:
        return [torch.randn(rows, width).requires_grad_() for _ in range(3)]

    def plain(anchor: Any, positive: Any, negative: Any) -> Any:
        return torch.nn.functional.triplet_margin_loss(anchor, positive, negative, margin=0.5, eps=0.0)

    def mined(anchor: Any, positive: Any, negative: Any) -> Any:
        rows = len(anchor)
        numbers = torch.arange(rows)
        criterion = TripletMarginLoss(0.5, distance=LpDistance(normalize_embeddings=False), reducer=MeanReducer())
        chosen = (numbers, numbers + rows, numbers + 2 * rows)
        return criterion(torch.cat([anchor, positive, negative]), torch.arange(3 * rows), chosen)

    def ours(anchor: Any, positive: Any, negative: Any) -> Any:
        return triplet.triplet(anchor, positive, negative, margin=0.5).mean

    return [("triplet, torch", three, ours, plain), ("triplet, pytorch-metric-learning", three, ours, mined)]


def _views(rows: int, width: int) -> list[Any]:
    import torch

    first = torch.randn(rows, width)
    return [first.requires_grad_(), (first.detach() + torch.randn(rows, width)).requires_grad_()]


def _queued(rows: int, width: int) -> list[Any]:
    import torch

    queue = torch.nn.functional.normalize(torch.randn(QUEUE, width))
    return [*_views(rows, width)[:1], torch.randn(rows, width), queue]


def _moco(queries: Any, keys: Any, queue: Any) -> Any:
    from lightly.loss import NTXentLoss

    criterion = NTXentLoss(0.2, memory_bank_size=tuple(queue.shape))
    criterion.memory_bank.bank = queue.T.clone()
    return criterion(queries, keys)


def _libraries() -> dict[str, str]:
    from importlib import metadata

    return {name: metadata.version(name) for name in ("torch", "lightly", "pytorch-metric-learning")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
