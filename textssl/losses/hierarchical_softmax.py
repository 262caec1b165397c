"""Hierarchical softmax: predict a word by the turns on its path from the root of a binary tree to its leaf.

    -log p(word | h) = sum_l softplus(s_l) - (1 - code_l) s_l,   s_l = h . (vector of the inner node l on the path)

Shapes: W windows, I hidden vectors of a window, P predicted words of a window, L nodes on a path (padded), D width.
Source: Mikolov, Chen, Corrado, Dean, "Efficient estimation of word representations in vector space" (arXiv
1301.3781), section 2; Mikolov et al. (arXiv 1310.4546), section 2.1, with the label 1 for code 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textssl.losses.core import LossTensor, fenchel_young


def hierarchical_softmax(
    hidden: Tensor, nodes: Tensor, codes: Tensor, *, path_mask: Tensor, hidden_mask: Tensor | None = None
) -> LossTensor:
    """The loss of a batch of windows, each of whose hidden vectors predicts each of its words.

    Skip-gram: the hidden vectors are the rows of the context words, the predicted word is the centre word. CBOW: one
    hidden vector. Skip-gram with n-grams: one hidden vector, that of the centre word; the context words are predicted.

    Args:
        hidden: (W, I, D) floating.
        nodes: (W, P, L, D) floating, the vectors of the inner nodes from the root to each predicted word.
        codes: (W, P, L), the turn at each node, 0 or 1.
        path_mask: bool (W, P, L), False past the end of a path and for padded words.
        hidden_mask: bool (W, I), False for padding; None when there is none.

    Returns:
        The total in nats, and the number of (hidden vector, predicted word) pairs.
    """
    used_WI = hidden.new_ones(hidden.shape[:2]).bool() if hidden_mask is None else hidden_mask
    mask_WIX = used_WI.unsqueeze(2) & path_mask.flatten(1, 2).unsqueeze(1)  # X = P * L
    # Zeros in place of what stands at padding: its score is masked, but 0 * inf would reach the other gradient.
    hidden_WID = torch.where(used_WI.unsqueeze(2), hidden, 0.0)
    nodes_WXD = torch.where(path_mask.unsqueeze(3), nodes, 0.0).flatten(1, 2)
    left_W1X = (codes == 0).flatten(1, 2).unsqueeze(1)
    loss = fenchel_young(hidden_WID @ nodes_WXD.transpose(1, 2), left_W1X, kind="sigmoid", mask=mask_WIX)
    predicted_WP = path_mask.any(2)
    pairs = used_WI.sum(1) * predicted_WP.sum(1)
    return LossTensor(loss.total, pairs.sum().to(loss.total.dtype))
