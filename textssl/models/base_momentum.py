"""A copy of a network that follows it slowly: the teacher of MoCo, BYOL and DINO.

    copy = momentum * copy + (1 - momentum) * online        momentum_t = 1 - (1 - start) (1 + cos(pi t / T)) / 2

Source: He et al., MoCo (arXiv 1911.05722), equation 2; Grill et al., BYOL (arXiv 2006.07733), section 3.1.
"""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import torch
from torch import nn

from textssl.errors import UsageError

Buffers = Literal["own", "copied"]


class MomentumCopy(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """A copy of a network whose parameters receive no gradient and follow those of the original.

    Args:
        online: the network, with its first weights; it is copied and not kept.
        buffers: running statistics of the norms: "own", moved by the batches that the copy sees, as in the references,
            or "copied" from the original with every update.

    Attributes:
        model: the copy.
    """

    def __init__(self, online: nn.Module, *, buffers: Buffers = "own") -> None:
        super().__init__()
        self.model = copy.deepcopy(online).requires_grad_(False)
        self.buffer_policy = buffers

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def forward(self, *inputs: Any) -> Any:
        """What the copy makes of the inputs, without a gradient."""
        return self.model(*inputs)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def update(self, online: nn.Module, momentum: float) -> None:
        """Move the copy's parameters towards the original's, once after every update of these.

        Args:
            online: the original.
            momentum: 0 to 1: the share that the copy keeps.

        Raises:
            UsageError: the momentum is out of range.
        """
        check_momentum(momentum)
        own, others = list(self.model.parameters()), list(online.parameters())
        torch._foreach_lerp_(own, others, 1 - momentum)
        if self.buffer_policy == "copied":
            for own_buffer, other in zip(self.model.buffers(), online.buffers(), strict=True):
                own_buffer.copy_(other)


def momentum_at(step: int, num_steps: int, start: float) -> float:
    """The momentum of a step, rising as a cosine from `start` to 1.

    Args:
        step: 0 to num_steps; later ones have 1.
        num_steps: T, at least 1.
        start: 0 to 1.

    Raises:
        UsageError: the start is out of range.
    """
    check_momentum(start)
    done = min(1.0, step / max(1, num_steps))
    return 1 - (1 - start) * (1 + math.cos(math.pi * done)) / 2


def check_momentum(momentum: float) -> None:
    """Refuse a momentum that is no share.

    Raises:
        UsageError: it is below 0 or above 1.
    """
    if not 0 <= momentum <= 1:
        raise UsageError(f"momentum must be at least 0 and at most 1, got {momentum}")
