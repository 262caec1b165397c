"""Stochastic gradient descent on the rows of large tables that a batch has touched, and on no others.

    row -= learning_rate * (sum of its gradients) * min(1, allowed / visits)
    allowed = max(1, min(max_visits, 0.8 / learning_rate))

A batch of windows visits a frequent word's row many times, and all these gradients are taken at the same point, where
one window after the other would have moved the row in between. Their plain sum overshoots once there are many of them,
and as both tables move, training explodes; so beyond the allowed number of visits the sum stops growing. Their mean
would not do either: a rare row would then learn as little from a batch of a thousand windows as from one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from textssl.errors import UsageError

# Skip-gram on 5 MB of Wikipedia (12,297 words, learning rate 0.05, 3 epochs), nats per pair in the last epoch: 2.48 for
# one window after the other. Batches of 1,100 windows diverge with plain sums and reach 2.65, 2.60, 2.61, 2.65 with 64,
# 32, 16, 8 visits allowed; batches of 280 windows reach 2.55 with 16. On 12 words, where every row is visited often, a
# learning rate of 0.2 diverges with 32 visits and trains with 4: the product is what counts.
DEFAULT_MAX_VISITS = 16.0
MAX_RATE = 0.8


class SparseSgd(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not followed by mypy here
    """Plain gradient descent without momentum; it keeps no state.

    Args:
        parameters: tables whose gradients are sparse (rows), or other parameters with dense gradients.
        learning_rate: above 0; it may be changed between steps in `param_groups`.
        max_visits: visits of one row, at least 1, from which the sum of its gradients is held back; fewer where the
            learning rate is above 0.8 / max_visits.

    Raises:
        UsageError: max_visits is below 1.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, learning_rate: float, max_visits: float = DEFAULT_MAX_VISITS
    ) -> None:
        if not max_visits >= 1:
            raise UsageError(f"max_visits must be at least 1, got {max_visits}")
        super().__init__(parameters, {"lr": learning_rate, "max_visits": max_visits})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Apply the gradients at hand; a closure is not used."""
        for group in self.param_groups:
            allowed_visits = max(1.0, min(group["max_visits"], MAX_RATE / group["lr"]))
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.grad.is_sparse:
                    rows, gradients = _summed_rows(parameter.grad, allowed_visits)
                    parameter.index_add_(0, rows, gradients, alpha=-group["lr"])
                else:
                    parameter.add_(parameter.grad, alpha=-group["lr"])


def _summed_rows(gradient: Tensor, allowed_visits: float) -> tuple[Tensor, Tensor]:
    """The rows with a gradient, each once, and the held sum of their gradients."""
    # _indices and _values read what is there; indices() and values() would sum it first and lose the visits.
    values = gradient._values()
    rows, places = torch.unique(gradient._indices()[0], return_inverse=True)
    sums = values.new_zeros(len(rows), values.shape[1]).index_add_(0, places, values)
    # Padding and noise that was left out come as zeros: they are no visits.
    visits = values.new_zeros(len(rows)).index_add_(0, places, values.any(1).to(values.dtype))
    return rows, sums * (allowed_visits / visits.clamp(min=allowed_visits)).unsqueeze(1)
