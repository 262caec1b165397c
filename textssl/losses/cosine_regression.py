"""Cosine regression: predict the direction of a target vector; BYOL, SimSiam, DirectPred.

    loss_i = |s_i - t_i|^2 = 2 - 2 cos(p_i, z_i) = 2 (1/2 |s_i|^2 - <s_i, t_i>) + 1,   s = p / |p|, t = z / |z|

Shapes: N pairs, D width.
Source: Grill et al., BYOL (arXiv 2006.07733), equation 2; SimSiam's -cos (arXiv 2011.10566) is loss / 2 - 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from textssl.losses.core import LossTensor, fenchel_young


def cosine_regression(predicted: Tensor, target: Tensor) -> LossTensor:
    """The summed squared distance between unit vectors.

    Args:
        predicted: (N, D) floating.
        target: (N, D) floating; it receives no gradient.

    Returns:
        The total, 0 to 4 for each pair, and N.
    """
    wide = torch.promote_types(predicted.dtype, torch.float32)
    predicted_ND, target_ND = (F.normalize(part.to(wide), dim=-1) for part in (predicted, target))
    loss = fenchel_young(predicted_ND, target_ND, kind="square")
    return LossTensor(2 * loss.total + loss.count, loss.count)
