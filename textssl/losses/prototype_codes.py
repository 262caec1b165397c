"""Prototype codes: a view predicts to which prototypes another view was assigned; SwAV.

    loss = cross-entropy(codes_i, softmax(scores_v / temperature)) over views v != i,   codes = Sinkhorn(scores_i)

Shapes: N samples, K prototypes, M queued samples.
Source: Caron et al., SwAV (arXiv 2006.09882), equations 1 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from textssl.errors import UsageError
from textssl.losses.base_sinkhorn import sinkhorn_codes
from textssl.losses.base_swapped import swapped_prediction
from textssl.losses.core import LossTensor


def prototype_codes(
    scores: Sequence[Tensor],
    *,
    num_assigned: int = 2,
    queued: Sequence[Tensor] = (),
    temperature: float = 0.1,
    epsilon: float = 0.05,
    iterations: int = 3,
) -> LossTensor:
    """The summed loss of every pair of an assigned view and another one.

    The codes balance the prototypes over the samples of all processes.

    Args:
        scores: for each view (N, K) floating, cosines of its embeddings and the prototypes.
        num_assigned: the first views, the large crops, give codes; all views predict them.
        queued: for each assigned view (M, K), the scores of earlier embeddings by the present prototypes, which are
            assigned together with it; empty: no queue.
        temperature: above 0.
        epsilon, iterations: as of `sinkhorn_codes`.

    Returns:
        The total in nats, and the number of pairs, N * num_assigned * (views - 1). The mean is ln K where nothing is
        learnt.

    Raises:
        UsageError: a number is out of range, or the queue is not one part for each assigned view.
    """
    if queued and len(queued) != num_assigned:
        raise UsageError(f"queued must have a part for each of {num_assigned} assigned views, got {len(queued)}")
    codes = []
    for view, scores_NK in enumerate(scores[:num_assigned]):
        together = torch.cat([queued[view].to(scores_NK), scores_NK.detach()]) if queued else scores_NK
        codes.append(sinkhorn_codes(together, epsilon=epsilon, iterations=iterations)[-len(scores_NK) :])
    return swapped_prediction(scores, codes, temperature=temperature)
