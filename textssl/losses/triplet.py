"""Triplet margin: the anchor is nearer to the positive than to the negative, by a margin.

    loss_i = max(0, d(a_i, p_i) - d(a_i, n_i) + margin)

Shapes: N triplets, D width.
Source: Schroff, Kalenichenko, Philbin, FaceNet (arXiv 1503.03832), equation 3 (squared Euclidean distances of unit
vectors); Balntas et al. 2016 (plain Euclidean), as torch.nn.functional.triplet_margin_loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor
from torch.nn import functional as F

from textssl.errors import UsageError, did_you_mean
from textssl.losses.core import LossTensor, fenchel_young

Distance = Literal["euclidean", "squared_euclidean", "cosine"]


def triplet(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, margin: float, distance: Distance = "euclidean"
) -> LossTensor:
    """The summed triplet margin loss.

    Args:
        anchor, positive, negative: (N, D) floating.
        margin: at least 0, in units of the distance.
        distance: "euclidean" |a - b|, "squared_euclidean" |a - b|^2, "cosine" 1 - cos(a, b). Vectors are taken as they
            are; FaceNet's are of unit length.

    Returns:
        The total in units of the distance, and N: triplets without a loss count too.

    Raises:
        UsageError: the margin is negative, or the distance is unknown.
    """
    if not margin >= 0:
        raise UsageError(f"margin must be at least 0, got {margin}")
    if distance not in _DISTANCE:
        known = get_args(Distance)
        raise UsageError(
            f"distance must be one of {', '.join(known)}; got {distance!r}", hint=did_you_mean(distance, known) or None
        )
    apart = _DISTANCE[distance]
    difference_N = apart(anchor, positive) - apart(anchor, negative) + margin
    return fenchel_young(difference_N.unsqueeze(-1), kind="hinge")


_DISTANCE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": lambda one, other: (one - other).norm(dim=-1),
    "squared_euclidean": lambda one, other: (one - other).square().sum(-1),
    "cosine": lambda one, other: 1 - F.cosine_similarity(one, other, dim=-1),
}
