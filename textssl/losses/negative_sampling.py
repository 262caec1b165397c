"""Negative sampling: tell the words that were seen in a window from words drawn from noise.

    loss = sum_i sum_o w_io * [softplus(s_io) - y_o s_io],   s_io = h_i . c_o,   y_o = 1 for seen words, 0 for noise

Shapes: W windows, I hidden vectors of a window, O scored output words (seen words first, then noise), D width.
Source: Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed representations of words and phrases and their
compositionality" (arXiv 1310.4546), equation 4; noise shared by a window as in Ji et al. (arXiv 1604.04661).
"""

from __future__ import annotations

import torch
from torch import Tensor

from textssl.losses.core import LossTensor, fenchel_young


def negative_sampling(
    hidden: Tensor, outputs: Tensor, *, weights: Tensor, num_seen: int = 1, hidden_mask: Tensor | None = None
) -> LossTensor:
    """The loss of a batch of windows, each of whose hidden vectors is scored against each of its output words.

    Skip-gram: the hidden vectors are the rows of the context words, the outputs are the centre word and the noise.
    CBOW: one hidden vector, outputs as before. Skip-gram with n-grams: one hidden vector, that of the centre word; the
    outputs are the context words (seen) and the noise, whose weights count the pairs that share them. Where more noise
    words are drawn than a pair should have, each weighs less.

    Args:
        hidden: (W, I, D) floating.
        outputs: (W, O, D) floating; the first `num_seen` were seen, the others are noise.
        weights: (W, O) of each output, at least 0; 0 leaves it out (padding, noise equal to the seen word).
        num_seen: 1 to O.
        hidden_mask: bool (W, I), False for padding; None when there is none.

    Returns:
        The total in nats, and the number of (hidden vector, seen word) pairs.
    """
    used_WI = hidden.new_ones(hidden.shape[:2]).bool() if hidden_mask is None else hidden_mask
    weights_WIO = used_WI.unsqueeze(2) * weights.to(hidden.dtype).unsqueeze(1)
    # Zeros in place of what stands at padding: its score is masked, but 0 * inf would reach the other gradient.
    hidden_WID = torch.where(used_WI.unsqueeze(2), hidden, 0.0)
    outputs_WOD = torch.where((weights != 0).unsqueeze(2), outputs, 0.0)
    seen_O = torch.arange(outputs.shape[1], device=outputs.device) < num_seen
    loss = fenchel_young(hidden_WID @ outputs_WOD.transpose(1, 2), seen_O, kind="sigmoid", weights=weights_WIO)
    return LossTensor(loss.total, weights_WIO[..., :num_seen].sum())
