"""Soft codes that use all prototypes equally: what SwAV's views are to predict.

    L = scores / epsilon;   repeat: L -= logsumexp over samples;  L -= logsumexp over prototypes;   codes = exp(L)

In the logarithm no exponential can overflow, and adding a constant to all scores changes nothing.
Shapes: N samples of one process, K prototypes, W processes.
Source: Cuturi (arXiv 1306.0895), algorithm 1; Caron et al., SwAV (arXiv 2006.09882), equation 3 and appendix A.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textssl.errors import UsageError
from textssl.losses.base_gather import log_summed


@torch.no_grad()  # type: ignore[untyped-decorator]
def sinkhorn_codes(scores: Tensor, *, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Codes of samples from their scores, balanced over the samples of all processes.

    Args:
        scores: (N, K) floating, cosines of embeddings and prototypes.
        epsilon: above 0; a small one gives sharp codes.
        iterations: at least 1; with more, each prototype has more nearly an equal share.

    Returns:
        (N, K) float32 at least, rows sum to 1, no gradient.

    Raises:
        UsageError: epsilon is not above 0, or iterations below 1.
    """
    if not epsilon > 0:
        raise UsageError(f"epsilon must be above 0, got {epsilon}")
    if iterations < 1:
        raise UsageError(f"iterations must be at least 1, got {iterations}")
    logits_NK = scores.to(torch.promote_types(scores.dtype, torch.float32)) / epsilon
    for _ in range(iterations):
        logits_NK = logits_NK - log_summed(logits_NK)
        logits_NK = logits_NK.log_softmax(1)
    return logits_NK.exp()
