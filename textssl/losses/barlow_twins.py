"""Barlow Twins: each feature agrees with itself in the other view, and with no other feature.

    C = z1^T z2 / N of standardised features;   loss = sum_i (C_ii - 1)^2 + weight * sum_{i != j} C_ij^2

Shapes: N samples of all processes, D features.
Source: Zbontar et al. (arXiv 2103.03230), equation 1 and algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textssl.losses.base_gather import gathered
from textssl.losses.core import LossTensor, fenchel_young, scored

VARIANCE_EPSILON = 1e-5


def barlow_twins(first: Tensor, second: Tensor, *, off_diagonal_weight: float = 0.0051) -> LossTensor:
    """The loss of a batch, that of all processes together.

    Features take the part of queries and keys, samples that of the width: two sentences of the square kind.

    Args:
        first, second: (N, D) floating, row i of one belongs to row i of the other; they need no standardisation.
        off_diagonal_weight: of the squared correlations of different features.

    Returns:
        The loss times the number of own rows, and that number: the mean is the loss of the batch, whatever the number
        of processes.
    """
    own_rows = len(first)
    first_DN, second_DN = (_standardised(gathered(part)).T for part in (first, second))
    num_samples = first_DN.shape[1]
    agreement_D1 = (first_DN * second_DN).sum(1, keepdim=True) / num_samples
    kept = fenchel_young(agreement_D1, torch.ones_like(agreement_D1), kind="square")
    others_DD = ~torch.eye(len(first_DN), dtype=torch.bool, device=first_DN.device)
    apart = scored(first_DN, second_DN, kind="square", scale=1 / num_samples, mask=others_DD)
    loss = 2 * kept.total + kept.count + 2 * off_diagonal_weight * apart.total
    return LossTensor(loss * own_rows, loss.new_tensor(own_rows))


def _standardised(rows_ND: Tensor) -> Tensor:
    """As batch normalisation without weight and bias."""
    wide_ND = rows_ND.to(torch.promote_types(rows_ND.dtype, torch.float32))
    variance_D, mean_D = torch.var_mean(wide_ND, 0, correction=0)
    return (wide_ND - mean_D) * (variance_D + VARIANCE_EPSILON).rsqrt()
