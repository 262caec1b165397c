"""The two formulas of the loss core, for rows of scores: A(S_i) - <S_i, T_i> and its gradient A'(S_i) - T_i.

The gradient is written out because the tiled backward pass of `core` needs it without a graph; a test holds it equal
to the automatic one. Shapes: N scored rows (any number of leading axes), M candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from textssl.errors import UsageError, did_you_mean

Kind = Literal["softmax", "sigmoid", "square", "hinge"]


@dataclass(frozen=True, slots=True)
class Rows:
    """What is asked of a block of scores, every part with the leading axes of the scores.

    Args:
        kind: the normaliser A.
        index_N: int64, the right candidate, -1 for none; or None.
        target_NM: bool or floating, which candidates are right; or None.
        mask_NM: True where a candidate takes part; or None for all.
        entry_weights_NM, row_weights_N: or None for 1.
    """

    kind: Kind
    index_N: Tensor | None
    target_NM: Tensor | None
    mask_NM: Tensor | None
    entry_weights_NM: Tensor | None
    row_weights_N: Tensor | None

    def cut(self, cut: slice) -> Rows:
        """The same question for some of the rows."""
        parts = (self.index_N, self.target_NM, self.mask_NM, self.entry_weights_NM, self.row_weights_N)
        return Rows(self.kind, *(None if part is None else part[cut] for part in parts))


def rows_of(
    shape: torch.Size, *, kind: Kind, targets: Tensor | None, mask: Tensor | None, weights: Tensor | None
) -> Rows:
    """Check what is asked against the shape of the scores and broadcast it to that shape (views, no copies)."""
    known = get_args(Kind)
    if kind not in known:
        raise UsageError(f"kind must be one of {', '.join(known)}; got {kind!r}", hint=did_you_mean(kind, known))
    if mask is not None and mask.dtype != torch.bool:
        raise UsageError(f"mask must be bool (True where a candidate takes part), got {mask.dtype}")
    per_entry = weights is not None and weights.dim() == len(shape)
    if per_entry and kind == "softmax":
        raise UsageError(
            "softmax takes one weight per row, got one per candidate; add log weights to the scores instead"
        )
    dense = targets is not None and (targets.is_floating_point() or targets.dtype == torch.bool)
    mask_NM = _broadcast("mask", mask, shape)
    entry_weights_NM = _broadcast("weights", weights, shape) if per_entry else None
    if entry_weights_NM is not None:
        used_NM = entry_weights_NM != 0
        mask_NM = used_NM if mask_NM is None else mask_NM & used_NM
    return Rows(
        kind,
        None if dense or targets is None else _index(targets, shape),
        _broadcast("targets", targets.detach(), shape) if dense and targets is not None else None,
        mask_NM,
        entry_weights_NM,
        None if per_entry else _broadcast("weights", weights, shape[:-1]),
    )


def row_losses(scores_NM: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
    """A(S_i) - <S_i, T_i> and the count of each row, both (N)."""
    inner_N, mass_N = _inner_product(scores_NM, rows)
    if rows.kind == "softmax":
        losses_N = mass_N * torch.logsumexp(_blocked(scores_NM, rows.mask_NM), -1) - inner_N
        counts_N = (mass_N > 0).to(scores_NM.dtype)
    else:
        terms_NM = _TERM[rows.kind](_zeroed(scores_NM, rows.mask_NM))
        losses_N = _zeroed(_weighted(terms_NM, rows), rows.mask_NM).sum(-1) - inner_N
        counts_N = torch.ones_like(inner_N) if rows.mask_NM is None else rows.mask_NM.any(-1).to(scores_NM.dtype)
    if rows.row_weights_N is None:
        return losses_N, counts_N.detach()
    return losses_N * rows.row_weights_N, (counts_N * rows.row_weights_N).detach()


def row_gradients(scores_NM: Tensor, rows: Rows) -> Tensor:
    """A'(S) - T, the gradient of the sum of `row_losses` by the scores; expects scores without a graph."""
    if rows.kind == "softmax":
        _, mass_N = _inner_product(scores_NM, rows)
        slopes_NM = torch.softmax(_blocked(scores_NM, rows.mask_NM), -1).mul_(mass_N.unsqueeze(-1))
    else:
        slopes_NM = _SLOPE[rows.kind](scores_NM)
    if rows.index_N is not None:
        right_N1 = (rows.index_N >= 0).to(scores_NM.dtype).unsqueeze(-1)
        slopes_NM = slopes_NM.scatter_add(-1, rows.index_N.clamp(min=0).unsqueeze(-1), -right_N1)
    if rows.target_NM is not None:
        slopes_NM = slopes_NM - rows.target_NM.to(scores_NM.dtype)
    slopes_NM = _zeroed(_weighted(slopes_NM, rows), rows.mask_NM)
    return slopes_NM if rows.row_weights_N is None else slopes_NM * rows.row_weights_N.unsqueeze(-1)


def row_losses_and_slopes(scores_NM: Tensor, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """`row_losses` and `row_gradients` at once, for scores without a graph, WHICH MAY BE OVERWRITTEN by the gradient.

    Softmax with one right candidate, the case of large vocabularies, is computed in the memory of the scores; the
    others call the two functions.
    """
    if rows.kind != "softmax" or rows.index_N is None or rows.mask_NM is not None:
        return *row_losses(scores_NM, rows), row_gradients(scores_NM, rows)
    column_N1 = rows.index_N.clamp(min=0).unsqueeze(-1)
    counts_N1 = (rows.index_N >= 0).to(scores_NM.dtype).unsqueeze(-1)
    if rows.row_weights_N is not None:
        counts_N1 = counts_N1 * rows.row_weights_N.unsqueeze(-1)
    picked_N1 = scores_NM.gather(-1, column_N1)
    largest_N1 = scores_NM.amax(-1, keepdim=True)
    sums_N1 = scores_NM.sub_(largest_N1).exp_().sum(-1, keepdim=True)
    losses_N1 = _zeroed(sums_N1.log() + largest_N1 - picked_N1, rows.index_N.unsqueeze(-1) >= 0) * counts_N1
    slopes_NM = scores_NM.mul_(counts_N1 / sums_N1).scatter_add_(-1, column_N1, -counts_N1)
    return losses_N1.squeeze(-1), counts_N1.squeeze(-1), slopes_NM


def _softplus(scores: Tensor) -> Tensor:
    # torch's softplus is cut off at 20, which is short of float64; logsigmoid is exact on both sides.
    return -F.logsigmoid(-scores)


_TERM: dict[Kind, Callable[[Tensor], Tensor]] = {
    "sigmoid": _softplus,
    "square": lambda scores: 0.5 * scores * scores,
    "hinge": torch.relu,
}
_SLOPE: dict[Kind, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "square": torch.clone,
    "hinge": lambda scores: (scores > 0).to(scores.dtype),
}


def _inner_product(scores_NM: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
    """<S_i, T_i> over the candidates that take part and have T_ij != 0, and sum_j T_ij of the same."""
    if rows.index_N is not None:
        column_N1 = rows.index_N.clamp(min=0).unsqueeze(-1)
        right_N1 = rows.index_N.unsqueeze(-1) >= 0
        if rows.mask_NM is not None:
            right_N1 = right_N1 & rows.mask_NM.gather(-1, column_N1)
        picked_N1 = _zeroed(scores_NM.gather(-1, column_N1), right_N1)
        if rows.entry_weights_NM is not None:
            picked_N1 = picked_N1 * rows.entry_weights_NM.gather(-1, column_N1)
        return picked_N1.squeeze(-1), right_N1.squeeze(-1).to(scores_NM.dtype)
    if rows.target_NM is None:
        zeros_N = scores_NM.new_zeros(scores_NM.shape[:-1])
        return zeros_N, zeros_N
    right_NM = rows.target_NM != 0 if rows.mask_NM is None else (rows.target_NM != 0) & rows.mask_NM
    target_NM = _zeroed(rows.target_NM.to(scores_NM.dtype), right_NM)
    return _weighted(_zeroed(scores_NM, right_NM) * target_NM, rows).sum(-1), target_NM.sum(-1)


def _blocked(scores_NM: Tensor, mask_NM: Tensor | None) -> Tensor:
    """-inf where masked; zeros in a row with nothing left, whose logsumexp would have no gradient."""
    if mask_NM is None:
        return scores_NM
    fill_N1 = torch.where(mask_NM.any(-1, keepdim=True), -torch.inf, 0.0).to(scores_NM.dtype)
    return torch.where(mask_NM, scores_NM, fill_N1)


def _zeroed(values: Tensor, mask: Tensor | None) -> Tensor:
    # where, and not a product: 0 * inf would be NaN, in the value or in its gradient.
    return values if mask is None else torch.where(mask, values, 0.0)


def _weighted(values_NM: Tensor, rows: Rows) -> Tensor:
    return values_NM if rows.entry_weights_NM is None else values_NM * rows.entry_weights_NM


def _index(targets: Tensor, shape: torch.Size) -> Tensor:
    if targets.shape != shape[:-1]:
        raise UsageError(f"index targets must have the shape {tuple(shape[:-1])}, got {tuple(targets.shape)}")
    return targets.long()


def _broadcast(name: str, part: Tensor | None, shape: torch.Size) -> Tensor | None:
    if part is None:
        return None
    try:
        return part.broadcast_to(shape)
    except RuntimeError:
        raise UsageError(f"{name} must broadcast to the shape {tuple(shape)}, got {tuple(part.shape)}") from None
