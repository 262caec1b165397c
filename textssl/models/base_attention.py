"""Heads turned by their positions, on the CPU with a gradient of its own, and attention between them.

    turned(x)_p = (x1 cos_p - x2 sin_p, x2 cos_p + x1 sin_p)   for the two halves x1, x2 of a head at position p
    out         = softmax(q k^T + bias) v                       with q scaled when it is turned

Legend: B batch, T positions of keys, Q positions of queries, H heads, G heads that share a key, C width of
a head, E width of all heads together.
Source: Su et al., RoFormer (arXiv 2104.09864), equation 34, in the half-split order; Vaswani et al. (arXiv 1706.03762).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from textssl.errors import UsageError


class Turn(NamedTuple):
    """Cosines and sines by which heads are turned, each (1 or B, T, C/2)."""

    cos: Tensor
    sin: Tensor

    def at(self, places_BQ: Tensor) -> Turn:
        """Those of some positions of each row, (B, Q, C/2)."""
        return Turn(self.cos[0][places_BQ], self.sin[0][places_BQ])


class Rotary(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Tables of the turns of all positions, outside the state of the model.

    Args:
        head_width: C, even.
        length: the most positions.
        theta: base of the wavelengths.
    """

    def __init__(self, head_width: int, length: int, theta: float) -> None:
        super().__init__()
        rates = 1.0 / (theta ** (torch.arange(0, head_width, 2, dtype=torch.float32) / head_width))
        angles_TC = torch.arange(length, dtype=torch.float32)[:, None] * rates
        self.register_buffer("cos", angles_TC.cos(), persistent=False)
        self.register_buffer("sin", angles_TC.sin(), persistent=False)

    def turn(self, start: int, end: int) -> Turn:
        """The turns of positions start to end - 1.

        Raises:
            UsageError: the model has not so many positions.
        """
        if end > len(self.cos):
            raise UsageError(
                f"the model has {len(self.cos)} positions, the text takes {end}",
                hint="Cut the text, or use a model of a greater length.",
            )
        return Turn(self.cos[None, start:end], self.sin[None, start:end])


def split_heads(heads_BTE: Tensor, counts: Sequence[int], turn: Turn, scales: Sequence[float | None]) -> list[Tensor]:
    """Heads that lie side by side as tensors of their own, turned and scaled where asked.

    Args:
        heads_BTE: (B, T, sum of counts * C).
        counts: heads of each part.
        turn: of the T positions.
        scales: for each part the number it is multiplied by when turned, or None for one that is not turned.

    Returns:
        For each part (B, its heads, T, C).
    """
    if heads_BTE.device.type == "cpu" and not torch.compiler.is_compiling():
        return list(_SplitHeads.apply(heads_BTE, tuple(counts), turn, tuple(scales)))
    parts = _parts(heads_BTE, counts)
    return [
        (part if scale is None else _turned(part, turn, scale)).transpose(1, 2)
        for part, scale in zip(parts, scales, strict=True)
    ]


def attend(queries: Tensor, keys: Tensor, values: Tensor, *, bias: Tensor | None, causal: bool) -> Tensor:
    """softmax(q k^T + bias) v for every head, by the kernel of torch.

    A function of our own from plain products, some rows at a time, was no faster on the CPU at 64 to 512 positions.

    Args:
        queries: (B, G * H, Q, C), scaled.
        keys: (B, H, T, C).
        values: as the keys.
        bias: (1 or B, 1, Q, T), 0 where a query sees a key, -inf where it does not, at least one key each; None: all.
        causal: query i sees keys 0 to i only; for Q = T, and without a bias.

    Returns:
        (B, Q, G * H * C).
    """
    bias = None if bias is None else bias.to(queries.dtype)
    grouped = queries.shape[1] != keys.shape[1]
    out = F.scaled_dot_product_attention(
        queries, keys, values, attn_mask=bias, is_causal=causal, scale=1.0, enable_gqa=grouped
    )
    return out.transpose(1, 2).flatten(2)


def same_document(documents_BQ: Tensor, documents_BT: Tensor | None = None) -> Tensor:
    """Whether a query sees a key, bool (B, 1, Q, T): the numbers are equal.

    Padding, -1, sees padding, so that every query sees something.

    Args:
        documents_BQ: integer (B, Q), of the queries.
        documents_BT: integer (B, T), of the keys; None: the same.
    """
    keys_BT = documents_BQ if documents_BT is None else documents_BT
    return documents_BQ[:, None, :, None] == keys_BT[:, None, None, :]


def bias_of(seen: Tensor) -> Tensor:
    """0 where a key is seen, -inf where it is not."""
    return torch.zeros(seen.shape, device=seen.device).masked_fill_(~seen, float("-inf"))


def _parts(heads_BTE: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """Views (B, T, heads, C) of each part."""
    width = heads_BTE.shape[2] // sum(counts)
    parts = heads_BTE.split([count * width for count in counts], dim=2)
    return [part.unflatten(2, (count, width)) for part, count in zip(parts, counts, strict=True)]


def _turned(heads_BTHC: Tensor, turn: Turn, scale: float) -> Tensor:
    first, second = heads_BTHC.chunk(2, -1)
    cos, sin = ((table * scale).unsqueeze(2) for table in turn)
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.to(heads_BTHC.dtype)


def _turn_into(target: Tensor, heads: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Three passes, none of which makes a tensor; the tables are (1 or B, T, 1, C/2)."""
    half = cos.shape[-1]
    first, second = heads[..., :half], heads[..., half:]
    torch.mul(first, cos, out=target[..., :half]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=target[..., half:]).addcmul_(first, sin)


class _SplitHeads(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    """`split_heads`; the gradient is the turn backwards, written into one tensor."""

    @staticmethod
    def forward(
        ctx: Any, heads_BTE: Tensor, counts: tuple[int, ...], turn: Turn, scales: tuple[float | None, ...]
    ) -> tuple[Tensor, ...]:
        """Each part in a tensor of its own."""
        ctx.counts, ctx.scales, ctx.turn, ctx.like = counts, scales, turn, heads_BTE.shape
        made = []
        for part, scale in zip(_parts(heads_BTE, counts), scales, strict=True):
            target = part.new_empty(part.shape[0], part.shape[2], part.shape[1], part.shape[3])
            if scale is None:
                target.copy_(part.transpose(1, 2))
            else:
                _turn_into(target.transpose(1, 2), part, *_tables(turn, scale, part.dtype))
            made.append(target)
        return tuple(made)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the parts, side by side again."""
        made_BTE = gradients[0].new_empty(ctx.like)
        for part, gradient, scale in zip(_parts(made_BTE, ctx.counts), gradients, ctx.scales, strict=True):
            if scale is None:
                part.copy_(gradient.transpose(1, 2))
            else:
                cos, sin = _tables(ctx.turn, scale, part.dtype)
                _turn_into(part, gradient.transpose(1, 2), cos, -sin)
        return made_BTE, None, None, None


def _tables(turn: Turn, scale: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    cos, sin = ((table * scale).to(dtype).unsqueeze(2) for table in turn)
    return cos, sin
