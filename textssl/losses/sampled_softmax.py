"""Sampled softmax: cross-entropy over a large table estimated from the right entry and some that are drawn.

    loss_i = log(exp(s_iy) + sum_{k drawn, k != y} exp(s_ik) / E_k) - s_iy,   s_iv = h_i . t_v + b_v

E_k is how often entry k is expected among the drawn ones (draws x q_k with replacement), so that the sum is right on
average whatever the distribution q. The right entry is always there and is not corrected.
Shapes: N scored rows, V entries of the table, K drawn entries, D width.
Source: Bengio, Senecal, "Adaptive importance sampling to accelerate training of a neural probabilistic language model",
2008, section III; Jean, Cho, Memisevic, Bengio (arXiv 1412.2007), equation 8; hits removed as in section 3.1.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textssl.losses.core import LossTensor, scored


def sampled_softmax(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    drawn: Tensor,
    *,
    log_expected: Tensor,
    bias: Tensor | None = None,
    tile_rows: int | None = None,
) -> LossTensor:
    """The estimated cross-entropy of a table's entries given hidden vectors.

    Args:
        hidden: (N, D) floating.
        table: (V, D) floating.
        targets: int64 (N,), 0 to V - 1; -1 leaves the row out.
        drawn: int64 (K,), entries drawn for all rows, repeats allowed; a row leaves out those equal to its target.
        log_expected: (K,), log of the expected number of times that each drawn entry is drawn, log(K q_k).
        bias: (V,), or None.
        tile_rows: as in `core.scored`.

    Returns:
        The total in nats, and the number of rows with a target. Equals `cross_entropy` when every entry is drawn as
        often as expected.

    Raises:
        UsageError: shapes do not fit each other.
    """
    right = targets.clamp(min=0)
    offsets = -log_expected if bias is None else bias[drawn] - log_expected
    candidates_N1K = torch.cat([torch.full_like(targets, -1).unsqueeze(1), drawn.expand(len(targets), -1)], 1)
    return scored(
        hidden,
        table[drawn],
        targets.clamp(max=0),
        kind="softmax",
        own=table[right],
        own_offsets=None if bias is None else bias[right],
        key_offsets=offsets,
        mask=candidates_N1K != targets.clamp(min=0).unsqueeze(1),
        tile_rows=tile_rows,
    )
