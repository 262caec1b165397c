"""SGD with momentum whose steps are in proportion to the norm of each matrix, for large batches of images.

    u = g + decay w;    u <- trust |w| / |u| u    (matrices alone);    m <- momentum m + u;    w <- w - rate m

Biases and norms, which have one axis, take plain steps without decay. A matrix whose norm or gradient is 0 does too.
Source: You, Gitman, Ginsburg (arXiv 1708.03888), section 4, in the form of Grill et al., BYOL (arXiv 2006.07733),
appendix C, whose factor is 0.001.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

TRUST = 1e-3


class Lars(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not followed by mypy here
    """Layer-wise adaptive rates.

    Args:
        groups: parameters with their weight_decay.
        rate: the learning rate.
        momentum: 0 to below 1.
        trust: size of a step beside the norm of its matrix, at a rate of 1.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], *, rate: float, momentum: float, trust: float = TRUST
    ) -> None:
        super().__init__(groups, {"lr": rate, "momentum": momentum, "trust": trust, "weight_decay": 0.0})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Apply the gradients at hand; a closure is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                update = parameter.grad.add(parameter, alpha=group["weight_decay"])
                if parameter.dim() > 1:
                    ratio = group["trust"] * parameter.norm() / update.norm()
                    update.mul_(torch.where(ratio.isfinite() & (ratio > 0), ratio, torch.ones_like(ratio)))
                state = self.state[parameter]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                state["momentum_buffer"].mul_(group["momentum"]).add_(update)
                parameter.add_(state["momentum_buffer"], alpha=-group["lr"])
