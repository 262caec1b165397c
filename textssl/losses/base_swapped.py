"""Each view of a sample predicts the codes of its other views: the sentence that SwAV and DINO share.

    loss = sum_n sum_i sum_{v != i} cross-entropy(codes_i, softmax(scores_v / temperature))

Shapes: N samples, K prototypes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from textssl.errors import UsageError
from textssl.losses.core import LossTensor, fenchel_young


def swapped_prediction(scores: Sequence[Tensor], codes: Sequence[Tensor], *, temperature: float) -> LossTensor:
    """The summed cross-entropy of every pair of a coded view and another view.

    A view predicts all codes it is asked for at once: its row has the sum of them as target.

    Args:
        scores: for each view (N, K) floating.
        codes: for each of the first views (N, K), rows sum to 1; they receive no gradient.
        temperature: above 0, divides the scores.

    Returns:
        The total in nats, and the number of pairs: N * codes * (views - 1).

    Raises:
        UsageError: there are fewer than two views, no codes or more codes than views, or the temperature is not above
            0.
    """
    check_temperature("temperature", temperature)
    if len(scores) < 2:
        raise UsageError(f"scores must be those of at least 2 views, got {len(scores)}")
    if not 1 <= len(codes) <= len(scores):
        raise UsageError(f"codes must be those of 1 to {len(scores)} views, got {len(codes)}")
    all_codes = sum(codes[1:], start=codes[0])
    wide = torch.promote_types(scores[0].dtype, torch.float32)
    total = scores[0].new_zeros((), dtype=wide)
    for view, scores_NK in enumerate(scores):
        asked_NK = all_codes - codes[view] if view < len(codes) else all_codes
        if view >= len(codes) or len(codes) > 1:
            # A softmax does not change with a shift, and small numbers have small rounding errors for the temperature
            # to divide: the gradient in float32 is several times as exact.
            below_NK = scores_NK.to(wide) - scores_NK.detach().amax(1, keepdim=True)
            total = total + fenchel_young(below_NK / temperature, asked_NK, kind="softmax").total
    return LossTensor(total, total.new_tensor(len(scores[0]) * len(codes) * (len(scores) - 1)))


def check_temperature(name: str, temperature: float) -> None:
    """Refuse a temperature that is not above 0.

    Raises:
        UsageError: naming it.
    """
    if not temperature > 0:
        raise UsageError(f"{name} must be above 0, got {temperature}")
