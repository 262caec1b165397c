"""Triplet margin: the anchor is nearer to the positive than to the negative, by a margin.

    loss_i = max(0, d(a_i, p_i) - d(a_i, n_i) + margin)

Shapes: N triplets, M positives of all processes, D width.
Source: Schroff, Kalenichenko, Philbin, FaceNet (arXiv 1503.03832), equation 3 (squared Euclidean distances of unit
vectors); Balntas et al. 2016 (plain Euclidean), as torch.nn.functional.triplet_margin_loss; negatives of the batch:
Hermans, Beyer, Leibe (arXiv 1703.07737), equations 5 and 7; semi-hard ones: FaceNet, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from textssl.errors import UsageError, did_you_mean
from textssl.losses.base_gather import first_row, gathered
from textssl.losses.core import LossTensor, fenchel_young

Distance = Literal["euclidean", "squared_euclidean", "cosine"]
Negatives = Literal["all", "hardest", "semi_hard"]


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
    _check(margin, distance)
    apart = _DISTANCE[distance]
    difference_N = apart(anchor, positive) - apart(anchor, negative) + margin
    return fenchel_young(difference_N.unsqueeze(-1), kind="hinge")


def in_batch_triplet(
    anchor: Tensor,
    positive: Tensor,
    *,
    margin: float,
    distance: Distance = "euclidean",
    negatives: Negatives = "all",
) -> LossTensor:
    """The summed triplet margin loss in which the positives of the other samples are the negatives.

    Args:
        anchor, positive: (N, D) floating, row i of one belongs to row i of the other; the negatives are those of all
            processes, which need equal N.
        margin, distance: as of `triplet`.
        negatives: "all": an anchor's loss is the mean over its negatives; "hardest": that of the nearest one;
            "semi_hard": that of the nearest one among those farther than the positive, else of the farthest.

    Returns:
        The total in units of the distance, and N: anchors without a loss count too.

    Raises:
        UsageError: the margin is negative, a name is unknown, or there is no other sample.
    """
    _check(margin, distance)
    _check_known("negatives", negatives, get_args(Negatives))
    others = gathered(positive)
    if len(others) < 2:
        raise UsageError(f"negatives of the batch need at least 2 samples, got {len(others)}")
    places_N = first_row(positive) + torch.arange(len(positive), device=positive.device)
    mask_NM = torch.arange(len(others), device=positive.device) != places_N.unsqueeze(1)
    near_N1, far_NM = _DISTANCE[distance](anchor, positive).unsqueeze(1), _DISTANCES[distance](anchor, others)
    if negatives != "all":
        far_NM = _chosen(near_N1, far_NM, mask_NM, beyond_positive=negatives == "semi_hard")
        mask_NM = torch.ones_like(far_NM, dtype=torch.bool)
    difference_NM = near_N1 - far_NM + margin
    weights_NM = mask_NM / mask_NM.sum(1, keepdim=True, dtype=difference_NM.dtype)
    return fenchel_young(difference_NM, kind="hinge", weights=weights_NM)


def _chosen(near_N1: Tensor, far_NM: Tensor, mask_NM: Tensor, *, beyond_positive: bool) -> Tensor:
    """The distance (N, 1) of the nearest negative; of those beyond the positive if asked for, else the farthest."""
    allowed_NM = mask_NM & (far_NM > near_N1) if beyond_positive else mask_NM
    nearest_N1 = torch.where(allowed_NM, far_NM, torch.inf).amin(1, keepdim=True)
    farthest_N1 = torch.where(mask_NM, far_NM, -torch.inf).amax(1, keepdim=True)
    return torch.where(allowed_NM.any(1, keepdim=True), nearest_N1, farthest_N1)


def _check(margin: float, distance: str) -> None:
    if not margin >= 0:
        raise UsageError(f"margin must be at least 0, got {margin}")
    _check_known("distance", distance, get_args(Distance))


def _check_known(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise UsageError(
            f"{option} must be one of {', '.join(known)}; got {given!r}", hint=did_you_mean(given, known) or None
        )


def _squared_distances(anchor_ND: Tensor, others_MD: Tensor) -> Tensor:
    """|a|^2 + |b|^2 - 2 a b, (N, M); about the others' mean, so that a common part costs no digits."""
    centre_D = others_MD.detach().mean(0)
    anchor_ND, others_MD = anchor_ND - centre_D, others_MD - centre_D
    squares_NM = anchor_ND.square().sum(1, keepdim=True) + others_MD.square().sum(1)
    return (squares_NM - 2 * anchor_ND @ others_MD.T).clamp(min=0)


_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": torch.cdist,
    "squared_euclidean": _squared_distances,
    "cosine": lambda one, other: 1 - F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).T,
}
_DISTANCE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": lambda one, other: (one - other).norm(dim=-1),
    "squared_euclidean": lambda one, other: (one - other).square().sum(-1),
    "cosine": lambda one, other: 1 - F.cosine_similarity(one, other, dim=-1),
}
