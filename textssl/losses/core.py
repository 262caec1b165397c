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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from textssl.errors import UsageError
from textssl.loss_sum import LossSum
from textssl.losses._rows import Kind, Rows, row_losses, row_losses_and_slopes, rows_of

__all__ = ["Kind", "LossTensor", "fenchel_young", "scored", "tile_rows_for"]

TILED_ABOVE_SCORES = 2**20
TILE_SCORES = 2**22
"""Of a tile on a CPU: its 16 MiB are below the size from which the allocator asks the system for fresh pages every
time; with 1,200 x 8,192 scores, 3 tiles took 2 to 8 % less time than 1, and 12 tiles 25 % more."""
TILE_MIN_ROWS = 256
"""Smaller tiles are slow: each one reads and writes the whole gradient of the keys."""
DEVICE_TILE_SCORES = 2**28
BLOCKED_ABOVE_ENTRIES = 2**20
PRODUCT_BLOCK = 512
"""MKL makes a product with a long side in one go at half of its speed: of 410 x 8,192 entries 55 to 75 Gflop/s, in
blocks of 512 columns 100."""


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

    A tile makes its gradients while its scores are there and lets the scores go: the memory is that of one tile and of
    the gradients, and no product is made twice. Tiled or not, the result is the same up to the order of the sums.
    Products are in float32 at least; under autocast on a GPU they take half-precision factors and sum in float32.

    Args:
        queries: (N, D) floating.
        keys: (M, D) floating, shared by all rows.
        targets, kind, mask, weights: as in `fenchel_young`; with `own` candidate 0 is the own key, the keys follow.
        scale, bias: numbers or 0-d tensors; tensors receive gradients.
        own: (N, D), one key more for each row (the positive beside a queue, the target beside sampled candidates).
        own_offsets: (N,), added to the scores of the own keys.
        key_offsets: (M,), added to the scores of the keys (-log q of sampled candidates).
        tile_rows: rows in one tile, at least 1; None: no tiles up to 2^20 scores, beyond them `tile_rows_for` it.

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
    half = _half_of(queries.device)
    with torch.autocast(queries.device.type, enabled=False):
        if tile_rows is None and half is None and shape.numel() <= TILED_ABOVE_SCORES:
            return _sum(row_losses(factors.scores(), rows))
        step = tile_rows or tile_rows_for(shape[0], shape[1], queries.device)
        wanted = _with_gradient(factors) if torch.is_grad_enabled() else ()
        return LossTensor(*_TiledLoss.apply(rows, step, half, wanted, *factors))


def tile_rows_for(num_rows: int, num_candidates: int, device: torch.device) -> int:
    """Rows of one tile, at least 1: tiles of equal size that hold at most 2^22 scores (2^28 on a GPU) or 256 rows."""
    scores = TILE_SCORES if device.type == "cpu" else DEVICE_TILE_SCORES
    most = max(scores // max(num_candidates, 1), TILE_MIN_ROWS)
    num_tiles = max(1, -(-num_rows // most))
    return max(1, -(-num_rows // num_tiles))


class _Factors(NamedTuple):
    """What the scores are made of; the first three have one row for each row of the scores."""

    queries_ND: Tensor
    own_ND: Tensor | None
    own_offsets_N: Tensor | None
    keys_MD: Tensor
    key_offsets_M: Tensor | None
    scale: Tensor | float
    bias: Tensor | float

    def rows(self, cut: slice) -> _Factors:
        """The factors of some rows of the scores."""
        own_ND, own_offsets_N = self.own_ND, self.own_offsets_N
        return self._replace(
            queries_ND=self.queries_ND[cut],
            own_ND=None if own_ND is None else own_ND[cut],
            own_offsets_N=None if own_offsets_N is None else own_offsets_N[cut],
        )

    def scores(self) -> Tensor:
        """S (N, M), or (N, 1 + M) with the own keys as column 0; a matrix of its own that may be overwritten."""
        scores_NM = self._moved(_product(self.queries_ND, self.keys_MD.T), self.key_offsets_M)
        if self.own_ND is None:
            return scores_NM
        own_scores_N = self._moved((self.queries_ND * self.own_ND).sum(-1), self.own_offsets_N)
        return torch.cat([own_scores_N.unsqueeze(-1), scores_NM], -1)

    def _moved(self, products: Tensor, offsets: Tensor | None) -> Tensor:
        """scale * products + bias + offsets, in the memory of the products where no gradient needs them."""
        products = self._scaled(products)
        if not isinstance(self.bias, float) or self.bias != 0:
            products.add_(self.bias)
        return products if offsets is None else products.add_(offsets)

    def _scaled(self, values: Tensor) -> Tensor:
        return values if isinstance(self.scale, float) and self.scale == 1 else values * self.scale

    def gradients(self, slopes_NM: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """The gradients of the factors from the slopes A'(S) - T of the scores, by the chain rule.

        With P = queries @ keys.T: <slopes, P> = <queries, slopes @ keys>, so the gradient of the scale needs no P.
        """
        queries_ND, own_ND = self.queries_ND, self.own_ND
        sums = {"bias": slopes_NM.sum()} if "bias" in wanted else {}
        own_slopes_N1 = None if own_ND is None else slopes_NM[:, :1]
        slopes_NM = slopes_NM if own_ND is None else slopes_NM[:, 1:]
        found = {"key_offsets_M": slopes_NM.sum(0)} if "key_offsets_M" in wanted else {}
        if "keys_MD" in wanted:
            found["keys_MD"] = self._scaled(_product(slopes_NM.T, queries_ND))
        if "queries_ND" in wanted or "scale" in wanted:
            towards_ND = _product(slopes_NM, self.keys_MD)
            if own_slopes_N1 is not None:
                towards_ND = towards_ND + own_slopes_N1 * own_ND
            found["queries_ND"] = self._scaled(towards_ND)
            sums["scale"] = (queries_ND * towards_ND).sum()
        if own_slopes_N1 is not None:
            found["own_ND"] = self._scaled(own_slopes_N1 * queries_ND)
            found["own_offsets_N"] = own_slopes_N1.squeeze(1)
        return {name: part for name, part in (found | sums).items() if name in wanted}


class _TiledLoss(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    """The summed loss and its gradients, one tile of rows after the other; the scores of a tile live only in its turn.

    The gradients are made in the forward pass, while the scores are there: the total is a single number, so the
    backward pass only multiplies them by its gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Rows, step: int, half: torch.dtype | None, wanted: tuple[str, ...], *parts: Any
    ) -> tuple[Tensor, Tensor]:
        """Total and count; kept are the gradients of the wanted factors."""
        factors = _Factors(*parts)
        tiles: list[dict[str, Tensor]] = []
        total, count = factors.queries_ND.new_zeros(()), factors.queries_ND.new_zeros(())
        if half is not None:
            factors = factors._replace(queries_ND=factors.queries_ND.to(half), keys_MD=factors.keys_MD.to(half))
        for start in range(0, len(factors.queries_ND), step):
            cut = slice(start, start + step)
            tile, asked = factors.rows(cut), rows.cut(cut)
            if wanted:
                losses_N, counts_N, slopes_NM = row_losses_and_slopes(tile.scores(), asked)
                _add_tile(tiles, tile.gradients(slopes_NM, wanted))
            else:
                losses_N, counts_N = row_losses(tile.scores(), asked)
            total, count = total + losses_N.sum(), count + counts_N.sum()
        ctx.wanted = wanted
        ctx.save_for_backward(*_joined(tiles, wanted, parts))
        ctx.mark_non_differentiable(count)
        return total, count

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, total_gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the factors, times that of the total."""
        gradients = {name: part * total_gradient for name, part in zip(ctx.wanted, ctx.saved_tensors, strict=True)}
        return None, None, None, None, *(gradients.get(name) for name in _Factors._fields)


_ROW_FACTORS = ("queries_ND", "own_ND", "own_offsets_N")


def _add_tile(tiles: list[dict[str, Tensor]], gradients: dict[str, Tensor]) -> None:
    """Keep a tile's gradients: those of the factors that all rows share are added up in the first tile's memory."""
    if tiles:
        for name in gradients.keys() - _ROW_FACTORS:
            tiles[0][name].add_(gradients.pop(name))
    tiles.append(gradients)


def _joined(tiles: list[dict[str, Tensor]], wanted: tuple[str, ...], parts: Sequence[Any]) -> Iterator[Tensor]:
    """The gradients of the wanted factors over all tiles; zeros where there is no row."""
    for name in wanted:
        found = [tile[name] for tile in tiles if name in tile]
        if not found:
            yield torch.zeros_like(parts[_Factors._fields.index(name)])
        else:
            yield found[0] if len(found) == 1 else torch.cat(found)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """left @ right, in float32 at least: half-precision factors are multiplied as they are and summed in float32."""
    half = right.dtype if left.dtype.itemsize > right.dtype.itemsize else left.dtype
    if half.itemsize < 4:
        return torch.mm(left.to(half), right.to(half), out_dtype=torch.float32)
    if left.device.type == "cpu" and len(left) * right.shape[1] > BLOCKED_ABOVE_ENTRIES:
        return _product_in_blocks(left, right)
    return left @ right


def _product_in_blocks(left: Tensor, right: Tensor) -> Tensor:
    """left @ right by blocks along the longer side of the result."""
    made = left.new_empty(len(left), right.shape[1])
    if len(left) >= right.shape[1]:
        for rows, target in zip(left.split(PRODUCT_BLOCK), made.split(PRODUCT_BLOCK), strict=True):
            torch.mm(rows, right, out=target)
    else:
        for columns, target in zip(right.split(PRODUCT_BLOCK, 1), made.split(PRODUCT_BLOCK, 1), strict=True):
            torch.mm(left, columns, out=target)
    return made


def _half_of(device: torch.device) -> torch.dtype | None:
    """The half precision that autocast asks for, on chips that multiply it with float32 sums."""
    if device.type == "cuda" and torch.is_autocast_enabled("cuda"):
        return torch.get_autocast_dtype("cuda")
    return None


def _with_gradient(factors: _Factors) -> tuple[str, ...]:
    parts = zip(_Factors._fields, factors, strict=True)
    return tuple(name for name, part in parts if isinstance(part, Tensor) and part.requires_grad)


def _factors(queries: Tensor, *others: Tensor | float | None) -> _Factors:
    """All tensors on one device, in one type that is at least float32; numbers stay numbers."""
    types = [queries.dtype, *(part.dtype for part in others if isinstance(part, Tensor))]
    dtype = reduce(torch.promote_types, types, torch.float32)
    parts = [part.to(queries.device, dtype) if isinstance(part, Tensor) else part for part in others]
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
