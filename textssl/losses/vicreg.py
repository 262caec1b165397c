"""VICReg: views agree, every feature keeps its spread, and features do not repeat each other.

    loss = a |z1 - z2|^2 / (N D) + sum over views of b mean_d max(0, 1 - std_d) / 2 + c sum_{i != j} cov_ij^2 / D

Shapes: N samples of all processes, D features.
Source: Bardes, Ponce, LeCun (arXiv 2105.04906), equations 1 to 6; the variance term halved as in the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textssl.errors import UsageError
from textssl.losses.base_gather import gathered
from textssl.losses.core import LossTensor, fenchel_young, scored

VARIANCE_EPSILON = 1e-4


def vicreg(
    first: Tensor,
    second: Tensor,
    *,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
) -> LossTensor:
    """The loss of a batch, that of all processes together.

    Args:
        first, second: (N, D) floating, row i of one belongs to row i of the other.
        invariance_weight: a, of the mean squared difference over all elements.
        variance_weight: b, of what the standard deviations lack to 1.
        covariance_weight: c, of the squared covariances of different features.

    Returns:
        The loss times the number of own rows, and that number: the mean is the loss of the batch, whatever the number
        of processes.

    Raises:
        UsageError: there are fewer than 2 samples, which have no variance.
    """
    own_rows = len(first)
    wide = torch.promote_types(first.dtype, torch.float32)
    first_ND, second_ND = (gathered(part.to(wide)) for part in (first, second))
    if len(first_ND) < 2:
        raise UsageError(f"the batch must be at least 2 samples, got {len(first_ND)}")
    apart = 2 * fenchel_young(first_ND - second_ND, kind="square").total / first_ND.numel()
    flat, repeated = (sum(parts) for parts in zip(_spread(first_ND), _spread(second_ND), strict=True))
    loss = invariance_weight * apart + variance_weight * flat / 2 + covariance_weight * repeated
    return LossTensor(loss * own_rows, loss.new_tensor(own_rows))


def _spread(rows_ND: Tensor) -> tuple[Tensor, Tensor]:
    """What the deviations lack, mean over the features; and the squared covariances of different features over D."""
    centred_DN = (rows_ND - rows_ND.mean(0)).T
    freedom = len(rows_ND) - 1
    deviation_D1 = (centred_DN.square().sum(1, keepdim=True) / freedom + VARIANCE_EPSILON).sqrt()
    flat = fenchel_young(1 - deviation_D1, kind="hinge")
    others_DD = ~torch.eye(len(centred_DN), dtype=torch.bool, device=rows_ND.device)
    repeated = scored(centred_DN, centred_DN, kind="square", scale=1 / freedom, mask=others_DD)
    return flat.mean, 2 * repeated.total / len(centred_DN)
