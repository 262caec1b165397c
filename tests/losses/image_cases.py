"""Every loss for images as a function of rows that processes may share, and one of two processes that share them.

As a program it is one process: arguments rank, file of the rendezvous, file for the result. Not a test itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

from textssl.losses.barlow_twins import barlow_twins
from textssl.losses.base_gather import first_row, gathered
from textssl.losses.core import LossTensor
from textssl.losses.cosine_regression import cosine_regression
from textssl.losses.info_nce import info_nce, nt_xent, queue_info_nce, symmetric_info_nce
from textssl.losses.prototype_codes import prototype_codes
from textssl.losses.self_distillation import moved_centre, self_distillation
from textssl.losses.triplet import in_batch_triplet
from textssl.losses.vicreg import vicreg

ROWS, WIDTH, PROTOTYPES = 4, 5, 6


def everything() -> list[Tensor]:
    """Three views of the samples of both processes and queued rows, which are split; prototypes, which are shared."""
    made = torch.Generator().manual_seed(5)
    shapes = [(2 * ROWS, WIDTH)] * 4 + [(PROTOTYPES, WIDTH)]
    return [torch.randn(shape, generator=made, dtype=torch.float64) for shape in shapes]


def scores_of(prototypes: Tensor, *views: Tensor) -> list[Tensor]:
    return [F.normalize(view, dim=1) @ prototypes.T for view in views]


def momentum_contrast(first: Tensor, second: Tensor) -> LossTensor:
    """MoCo v3, one direction."""
    return info_nce(first, gathered(second), temperature=0.2, first_key=first_row(second))


def distilled(prototypes: Tensor, *views: Tensor) -> LossTensor:
    """The centre moves with the teacher's outputs of all processes before it is used, so that it matters here."""
    scores = scores_of(prototypes, *views)
    centre = moved_centre(torch.ones(PROTOTYPES, dtype=torch.float64), scores[:2], momentum=0.4)
    return self_distillation(scores, scores[:2], centre, student_temperature=0.3, teacher_temperature=0.1)


CASES: dict[str, Callable[..., LossTensor]] = {
    "nt_xent": lambda a, b, c, q, p: nt_xent(a, b, temperature=0.3),
    "symmetric_info_nce": lambda a, b, c, q, p: symmetric_info_nce(a, b, temperature=0.3),
    "moco_v3": lambda a, b, c, q, p: momentum_contrast(a, b) + momentum_contrast(b, a),
    "moco": lambda a, b, c, q, p: queue_info_nce(a, b, p, temperature=0.2),
    "cosine_regression": lambda a, b, c, q, p: cosine_regression(a, b) + cosine_regression(b, a),
    "triplet_all": lambda a, b, c, q, p: in_batch_triplet(a, b, margin=1.5),
    "triplet_hardest": lambda a, b, c, q, p: in_batch_triplet(
        a, b, margin=1.5, distance="squared_euclidean", negatives="hardest"
    ),
    "prototype_codes": lambda a, b, c, q, p: prototype_codes(scores_of(p, a, b, c)),
    "prototype_codes_queue": lambda a, b, c, q, p: prototype_codes(
        scores_of(p, a, b, c), queued=scores_of(p, q, -q), epsilon=0.2
    ),
    "self_distillation": lambda a, b, c, q, p: distilled(p, a, b, c),
    "barlow_twins": lambda a, b, c, q, p: barlow_twins(a, b),
    "vicreg": lambda a, b, c, q, p: vicreg(a, b),
}  # fmt: skip


def outcome(name: str, parts: list[Tensor]) -> list[Tensor]:
    """Total, count, and the gradient of each part."""
    leaves = [part.clone().requires_grad_() for part in parts]
    loss = CASES[name](*leaves)
    gradients = torch.autograd.grad(loss.total, leaves, allow_unused=True)
    found = [torch.zeros_like(leaf) if part is None else part for leaf, part in zip(leaves, gradients, strict=True)]
    return [loss.total.detach(), loss.count, *found]


def main(rank: int, rendezvous: str, out: Path) -> None:
    """Write the outcome of every case for this rank."""
    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    *split, shared = everything()
    parts = [part[rank * ROWS : (rank + 1) * ROWS] for part in split]
    outcomes = {name: [part.tolist() for part in outcome(name, [*parts, shared])] for name in CASES}
    out.write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
