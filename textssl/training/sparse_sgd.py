"""Stochastic gradient descent on the rows of large tables that a batch has touched, and on no others.

    row -= learning_rate * (sum of its gradients) * min(1, allowed / visits)
    allowed = max(1, max_rate / learning_rate)

A batch of windows visits a frequent word's row many times, and all these gradients are taken at the same point, where
one window after the other would have moved the row in between. Their plain sum overshoots once there are many of them,
and as both tables move, training explodes; so from learning_rate * visits = max_rate on the sum stops growing. Their
mean would not do either: a rare row would then learn as little from a batch of a thousand windows as from one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from textssl.errors import UsageError

# On 5 MB of Wikipedia (skip-gram, 12,000 words, batches of 1,000 windows, learning rate 0.05) plain sums diverge within
# an epoch, 3.2 gives a loss of 2.65 per pair, 1.6 and 0.8 give 2.60 and 2.61, 0.4 gives 2.65. On 12 words, where every
# row is visited often, 0.8 still holds at a learning rate of 0.2.
DEFAULT_MAX_RATE = 0.8


class SparseSgd(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not followed by mypy here
    """Plain gradient descent without momentum; it keeps no state.

    Args:
        parameters: tables whose gradients are sparse (rows), or other parameters with dense gradients.
        learning_rate: above 0; it may be changed between steps in `param_groups`.
        max_rate: learning rate times visits of one row, above 0, from which the sum of its gradients is held back.

    Raises:
        UsageError: max_rate is not above 0.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, learning_rate: float, max_rate: float = DEFAULT_MAX_RATE
    ) -> None:
        if not max_rate > 0:
            raise UsageError(f"max_rate must be above 0, got {max_rate}")
        super().__init__(parameters, {"lr": learning_rate, "max_rate": max_rate})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Apply the gradients at hand; a closure is not used."""
        for group in self.param_groups:
            allowed_visits = max(1.0, group["max_rate"] / group["lr"])
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
