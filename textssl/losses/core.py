"""Every loss of the toolkit as one sentence: here is a query, here are candidates, this one is right.

    loss_i = A(S_i) - <S_i, T_i>,    d loss_i / d S_i = A'(S_i) - T_i         (a Fenchel-Young loss)

    kind      A(S_i)                 A'           used by
    softmax   logsumexp_j S_ij       softmax      vocabulary, classes, in-batch contrast, queues, soft codes
    sigmoid   sum_j softplus(S_ij)   sigmoid      negative sampling, hierarchical softmax, replaced tokens
    square    1/2 |S_i|^2            S            regression between unit vectors (S given directly)
    hinge     sum_j max(0, S_ij)     step         margins on a difference of distances (T = 0)

Named losses are short functions that call these two: `fenchel_young` when the scores are at hand, `scored` when they
are a product of queries and keys that may be too large to hold at once. Shapes: N scored rows, M candidates, D width.

Source: Blondel, Martins, Niculae, "Learning with Fenchel-Young losses" (arXiv 1901.02324).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from textssl.errors import UsageError
from textssl.loss_sum import LossSum
from textssl.losses._rows import Kind, Rows, row_gradients, row_losses, rows_of

__all__ = ["Kind", "LossTensor", "fenchel_young", "scored"]

TILED_ABOVE_SCORES = 2**24
TILE_SCORES = 2**21


@dataclass(frozen=True, slots=True)
class LossTensor:
    """The sum of a loss over the counted rows, and their number.

    Args:
        total: 0-d tensor in nats, float32 or float64, with its graph.
        count: 0-d tensor, without a graph.
    """

    total: Tensor
    count: Tensor

    @property
    def mean(self) -> Tensor:
        """total / count, and 0 when nothing was counted."""
        return self.total / torch.where(self.count > 0, self.count, torch.ones_like(self.count))

    def detached(self) -> LossSum:
        """The same pair as Python numbers (waits for the device)."""
        return LossSum(float(self.total.detach()), float(self.count))

    def __add__(self, other: LossTensor) -> LossTensor:
        return LossTensor(self.total + other.total, self.count + other.count)


def fenchel_young(
    scores: Tensor,
    targets: Tensor | None = None,
    *,
    kind: Kind,
    mask: Tensor | None = None,
    weights: Tensor | None = None,
) -> LossTensor:
    """Sum A(S_i) - <S_i, T_i> over the rows of given scores.

    With softmax a row is |T_i| A(S_i) - <S_i, T_i>, |T_i| = sum_j T_ij: the cross-entropy for rows that sum to 1, and 0
    for a row without a target.

    Args:
        scores: (..., M) floating; float16 and bfloat16 are raised to float32 first.
        targets: which candidates are right. Integer (...): the index of one candidate, -1 for none. Bool or floating,
            broadcastable to (..., M): several, or soft. None: T = 0. It never receives a gradient.
        mask: bool, broadcastable to (..., M), True where the candidate takes part. One that does not enters neither A
            nor <S, T>, whatever its score.
        weights: with the axes of the rows, one weight per row, which weighs the count too; with as many axes as the
            scores, one weight per candidate (not for softmax), where 0 leaves the candidate out.

    Returns:
        The total in nats and the count of rows: with softmax those that have a target left, otherwise those that have
        a candidate left.

    Raises:
        UsageError: the kind is unknown, or a shape or type does not fit the scores.
    """
    rows = rows_of(scores.shape, kind=kind, targets=targets, mask=mask, weights=weights)
    return _sum(row_losses(_raised(scores), rows))


def scored(
    queries: Tensor,
    keys: Tensor,
    targets: Tensor | None = None,
    *,
    kind: Kind,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    own: Tensor | None = None,
    own_offsets: Tensor | None = None,
    key_offsets: Tensor | None = None,
    mask: Tensor | None = None,
    weights: Tensor | None = None,
    tile_rows: int | None = None,
) -> LossTensor:
    """The loss of the scores S = scale * queries @ keys.T + bias, in tiles of rows where S would be large.

    A tile computes its scores again in the backward pass instead of keeping them: the memory is that of one tile, for
    one more product. Tiled or not, the result is the same up to the order of the sums.

    Args:
        queries: (N, D) floating.
        keys: (M, D) floating, shared by all rows.
        targets, kind, mask, weights: as in `fenchel_young`; with `own` candidate 0 is the own key, the keys follow.
        scale, bias: numbers or 0-d tensors; tensors receive gradients.
        own: (N, D), one key more for each row (the positive beside a queue, the target beside sampled candidates).
        own_offsets: (N,), added to the scores of the own keys.
        key_offsets: (M,), added to the scores of the keys (-log q of sampled candidates).
        tile_rows: rows in one tile, at least 1; None: no tiles up to 2^24 scores, tiles of 2^21 scores beyond.

    Returns:
        As `fenchel_young`.

    Raises:
        UsageError: as `fenchel_young`; or queries, keys, own keys and offsets do not fit each other; or tile_rows < 1.
    """
    _check_factors(queries, keys, own, own_offsets, key_offsets)
    if tile_rows is not None and tile_rows < 1:
        raise UsageError(f"tile_rows must be at least 1, got {tile_rows}")
    shape = torch.Size((len(queries), len(keys) + (own is not None)))
    rows = rows_of(shape, kind=kind, targets=targets, mask=mask, weights=weights)
    factors = _factors(queries, own, own_offsets, keys, key_offsets, scale, bias)
    with torch.autocast(queries.device.type, enabled=False):
        if tile_rows is None and shape.numel() <= TILED_ABOVE_SCORES:
            return _sum(row_losses(factors.scores(), rows))
        step = tile_rows or max(1, TILE_SCORES // shape[1])
        return LossTensor(*_TiledLoss.apply(rows, step, *factors))


class _Factors(NamedTuple):
    """What the scores are made of; the first three have one row for each row of the scores."""

    queries_ND: Tensor
    own_ND: Tensor | None
    own_offsets_N: Tensor | None
    keys_MD: Tensor
    key_offsets_M: Tensor | None
    scale: Tensor
    bias: Tensor

    def rows(self, cut: slice) -> _Factors:
        """The factors of some rows of the scores."""
        own_ND, own_offsets_N = self.own_ND, self.own_offsets_N
        return self._replace(
            queries_ND=self.queries_ND[cut],
            own_ND=None if own_ND is None else own_ND[cut],
            own_offsets_N=None if own_offsets_N is None else own_offsets_N[cut],
        )

    def scores(self) -> Tensor:
        """S (N, M), or (N, 1 + M) with the own keys as column 0."""
        scores_NM = (self.queries_ND @ self.keys_MD.T) * self.scale + self.bias
        if self.key_offsets_M is not None:
            scores_NM = scores_NM + self.key_offsets_M
        if self.own_ND is None:
            return scores_NM
        own_scores_N = (self.queries_ND * self.own_ND).sum(-1) * self.scale + self.bias
        if self.own_offsets_N is not None:
            own_scores_N = own_scores_N + self.own_offsets_N
        return torch.cat([own_scores_N.unsqueeze(-1), scores_NM], -1)

    def gradients(self, rows: Rows, wanted: Sequence[str]) -> dict[str, Tensor]:
        """A'(S) - T, chained through the product into the factors that are wanted."""
        leaves = self._replace(**{name: getattr(self, name).detach().requires_grad_() for name in wanted})
        with torch.enable_grad():
            scores_NM = leaves.scores()
        slopes_NM = row_gradients(scores_NM.detach(), rows)
        gradients = torch.autograd.grad(scores_NM, [getattr(leaves, name) for name in wanted], slopes_NM)
        return dict(zip(wanted, gradients, strict=True))


class _TiledLoss(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    """The summed loss, one tile of rows after the other, forward and backward."""

    @staticmethod
    def forward(ctx: Any, rows: Rows, step: int, *parts: Tensor) -> tuple[Tensor, Tensor]:
        """Total and count; the factors are kept, the scores are not."""
        factors = _Factors(*parts)
        ctx.rows, ctx.step = rows, step
        ctx.save_for_backward(*parts)
        sums = [_sum(row_losses(factors.rows(cut).scores(), rows.cut(cut))) for cut in _cuts(factors, step)]
        zero = LossTensor(factors.scale.new_zeros(()), factors.scale.new_zeros(()))
        loss = sum(sums, start=zero)
        ctx.mark_non_differentiable(loss.count)
        return loss.total, loss.count

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, total_gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Each tile's scores again, and the gradients of the factors, summed over tiles or put into their rows."""
        factors = _Factors(*ctx.saved_tensors)
        wanted = [name for name, needed in zip(_Factors._fields, ctx.needs_input_grad[2:], strict=True) if needed]
        gradients = {name: torch.zeros_like(getattr(factors, name)) for name in wanted}
        for cut in _cuts(factors, ctx.step):
            for name, gradient in factors.rows(cut).gradients(ctx.rows.cut(cut), wanted).items():
                target = gradients[name][cut] if name in _ROW_FACTORS else gradients[name]
                target.add_(gradient * total_gradient)
        return None, None, *(gradients.get(name) for name in _Factors._fields)


_ROW_FACTORS = ("queries_ND", "own_ND", "own_offsets_N")


def _cuts(factors: _Factors, step: int) -> list[slice]:
    return [slice(start, start + step) for start in range(0, len(factors.queries_ND), step)]


def _factors(queries: Tensor, *others: Tensor | float | None) -> _Factors:
    """All factors on one device, in one type that is at least float32."""
    types = [queries.dtype, *(part.dtype for part in others if isinstance(part, Tensor))]
    dtype = reduce(torch.promote_types, types, torch.float32)
    parts = [None if part is None else torch.as_tensor(part, dtype=dtype, device=queries.device) for part in others]
    return _Factors(queries.to(dtype), *parts)


def _raised(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _sum(losses_and_counts: tuple[Tensor, Tensor]) -> LossTensor:
    losses_N, counts_N = losses_and_counts
    return LossTensor(losses_N.sum(), counts_N.sum())


def _check_factors(
    queries: Tensor, keys: Tensor, own: Tensor | None, own_offsets: Tensor | None, key_offsets: Tensor | None
) -> None:
    if queries.dim() != 2 or keys.dim() != 2 or queries.shape[1] != keys.shape[1]:
        given = f"{tuple(queries.shape)} and {tuple(keys.shape)}"
        raise UsageError(f"queries (N, D) and keys (M, D) must be matrices of one width, got {given}")
    if own_offsets is not None and own is None:
        raise UsageError("own_offsets need own keys; give own, or leave own_offsets out")
    expected = (("own", own, queries.shape), ("own_offsets", own_offsets, queries.shape[:1]))
    for name, part, shape in (*expected, ("key_offsets", key_offsets, keys.shape[:1])):
        if part is not None and part.shape != shape:
            raise UsageError(f"{name} must have the shape {tuple(shape)}, got {tuple(part.shape)}")
