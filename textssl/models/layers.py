"""Layers that encoder and decoder are made of: norms and gated feed-forward parts, with gradients in few passes.

Legend: N rows, D width, F width of the feed-forward part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from textssl.errors import UsageError, did_you_mean

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "silu": F.silu}
_GRADIENTS: dict[str, Callable[..., Tensor]] = {
    "gelu": torch.ops.aten.gelu_backward.grad_input,
    "silu": torch.ops.aten.silu_backward.grad_input,
}


def check_activation(name: str) -> None:
    """Refuse an activation that is not known here.

    Raises:
        UsageError: naming those that are.
    """
    if name not in ACTIVATIONS:
        raise UsageError(
            f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}",
            hint=did_you_mean(name, ACTIVATIONS) or None,
        )


class LayerNorm(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """weight * (x - mean) / sqrt(variance + epsilon), without a bias."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return F.layer_norm(hidden, self.weight.shape, self.weight, None, self.epsilon)


class RMSNorm(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """weight * x / sqrt(mean of x^2 + epsilon).

    Source: Zhang and Sennrich (arXiv 1910.07467), equation 4.
    """

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        if hidden.device.type == "cpu" and hidden.dtype == self.weight.dtype and not torch.compiler.is_compiling():
            return _RMSNorm.apply(hidden, self.weight, self.epsilon)
        return F.rms_norm(hidden, self.weight.shape, self.weight, self.epsilon)


def added(branch: Tensor, stream: Tensor) -> Tensor:
    """The residual stream and what a block adds to it, in the memory of the latter where the types allow it.

    Args:
        branch: (..., D), the output of a matrix product; overwritten.
        stream: (..., D), float32 where autocast makes the branch bfloat16.
    """
    return branch.add_(stream) if branch.dtype == stream.dtype else stream + branch


def gated(both_N2F: Tensor, activation: str) -> Tensor:
    """activation(first half) * second half.

    Args:
        both_N2F: (..., 2 F).
        activation: "gelu" (erf) or "silu".

    Returns:
        (..., F).

    Source: Shazeer, GLU variants (arXiv 2002.05202), equation 6.
    """
    if both_N2F.device.type == "cpu" and not torch.compiler.is_compiling():
        return _Gated.apply(both_N2F, activation)
    first, second = both_N2F.chunk(2, -1)
    return ACTIVATIONS[activation](first) * second


class _Gated(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    """`gated`; the gradients of both halves are written into one tensor."""

    @staticmethod
    def forward(ctx: Any, both_N2F: Tensor, activation: str) -> Tensor:
        """The activated half is kept: making it again takes longer than reading it."""
        first, second = both_N2F.chunk(2, -1)
        active = ACTIVATIONS[activation](first)
        ctx.activation = activation
        ctx.save_for_backward(both_N2F, active)
        return active * second

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient_NF: Tensor) -> tuple[Tensor, None]:
        """d second = gradient * active, d first = activation'(first) * gradient * second."""
        both_N2F, active = ctx.saved_tensors
        first, second = both_N2F.chunk(2, -1)
        made = torch.empty_like(both_N2F)
        dfirst, dsecond = made.chunk(2, -1)
        torch.mul(gradient_NF, active, out=dsecond)
        _GRADIENTS[ctx.activation](gradient_NF * second, first, grad_input=dfirst)
        return made, None


class _RMSNorm(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    """The norm by way of the kernels of layer norm: those subtract a mean, here given as 0.

    torch makes the gradient of `rms_norm` on the CPU from many passes.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        """x / root mean square, times the weight."""
        square = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True).square_()
        rate = square.div_(hidden.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(hidden, weight, rate)
        return (hidden * rate).mul_(weight)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Layer norm's gradient without its term of the mean, sum(gradient * weight) * rate / D."""
        hidden, weight, rate = ctx.saved_tensors
        made, dweight, _ = torch.ops.aten.native_layer_norm_backward(
            gradient, hidden, list(weight.shape), torch.zeros_like(rate), rate, weight, None, [True, True, False]
        )
        term = torch.mv(gradient.reshape(-1, len(weight)), weight).view(rate.shape)
        return made.add_(term.mul_(rate).div_(len(weight))), dweight, None
