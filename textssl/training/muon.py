"""torch's Muon with its products in float32, for chips that would emulate bfloat16.

    m <- momentum m + (1 - momentum) g;    u = g + momentum (m - g)
    W <- (1 - rate decay) W - rate 0.2 sqrt(max(A, B)) O(u)

O(u) is near the orthogonal matrix nearest to u: five steps of a quintic Newton-Schulz iteration. torch makes them in
bfloat16, which on a CPU with AVX2 alone takes 30 to 45 times as long as in float32 (256 x 256 to 768 x 768).

Source: Jordan et al., "Muon" (2024); the factor of the rate: Liu et al. (arXiv 2502.16982), section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.775, 2.0315)
ITERATIONS = 5
SCALE = 0.2


class Float32Muon(torch.optim.Muon):  # type: ignore[misc]  # torch is not followed by mypy here
    """Muon whose state and groups are those of torch.optim.Muon; updates are always scaled to AdamW's size."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Apply the gradients at hand; a closure is not used."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(gradient)
                state["momentum_buffer"].lerp_(gradient, 1 - momentum)
                update = orthogonalised(gradient.lerp(state["momentum_buffer"], momentum))
                parameter.mul_(1 - rate * group["weight_decay"])
                parameter.add_(update, alpha=-rate * SCALE * math.sqrt(max(parameter.shape)))


def orthogonalised(matrix: Tensor) -> Tensor:
    """U V' of the decomposition U S V' of a matrix (A, B), with singular values of 0.7 to 1.2 about in place of 1."""
    first, second, third = COEFFICIENTS
    rows = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    rows = rows / rows.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = rows @ rows.T
        gram = torch.addmm(gram, gram, gram, beta=second, alpha=third)
        rows = torch.addmm(rows, gram, rows, beta=first)
    return rows.T if matrix.shape[0] > matrix.shape[1] else rows
