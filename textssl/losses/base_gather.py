"""What processes that train together know of each other's rows: the rows with gradient, and sums without.

The gradient of gathered rows is the sum, over the processes, of what each one's loss says about them; so the sum of the
losses of all processes has the gradient that one process with all rows would have.
Shapes: N rows of one process, W processes, D width, K columns.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable

from textssl.errors import UsageError


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes in the order of their ranks; the rows as they are where one process trains alone.

    Args:
        rows: (N, D) floating, N and D equal in all processes.

    Returns:
        (W * N, D); the own rows begin at `first_row(rows)`.

    Raises:
        UsageError: the processes have different numbers of rows.
    """
    return rows if _num_processes() == 1 else _Gathered.apply(rows)


def first_row(rows: Tensor) -> int:
    """The place of a process's own rows among the gathered ones: rank * N."""
    return 0 if _num_processes() == 1 else distributed.get_rank() * len(rows)


def own_share(rows: Tensor) -> Tensor:
    """Of rows that all processes hold, those that this one answers for: every W-th, so that each is counted once."""
    processes = _num_processes()
    return rows if processes == 1 else rows[distributed.get_rank() :: processes]


def log_summed(logits: Tensor) -> Tensor:
    """log of the sum of exp over the rows of all processes, (1, K) for (N, K); without a gradient, N may differ."""
    own_1K = torch.logsumexp(logits.detach(), 0, keepdim=True)
    if _num_processes() == 1:
        return own_1K
    everyone_WK = own_1K.new_empty((_num_processes(), own_1K.shape[1]))
    distributed.all_gather_into_tensor(everyone_WK, own_1K)
    return torch.logsumexp(everyone_WK, 0, keepdim=True)


def mean_over_ranks(rows: Tensor) -> Tensor:
    """The mean row of all processes, (K,) for (N, K); without a gradient, N may differ."""
    sums = torch.cat([rows.detach().sum(0), rows.new_tensor([len(rows)])])
    if _num_processes() > 1:
        distributed.all_reduce(sums)
    return sums[:-1] / sums[-1]


class _Gathered(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """All rows; each process sends its own once."""
        _require_equal_shapes(rows)
        ctx.num_rows = len(rows)
        everything = rows.new_empty((_num_processes() * len(rows), *rows.shape[1:]))
        distributed.all_gather_into_tensor(everything, rows.contiguous())
        return everything

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum of all processes' gradients, of which each one receives its own rows."""
        if distributed.get_backend() == "gloo":  # has no reduce-scatter on every build
            summed = gradient.clone()
            distributed.all_reduce(summed)
            start = distributed.get_rank() * ctx.num_rows
            return summed[start : start + ctx.num_rows]
        own = gradient.new_empty((ctx.num_rows, *gradient.shape[1:]))
        distributed.reduce_scatter_tensor(own, gradient.contiguous())
        return own


def _num_processes() -> int:
    ready = distributed.is_available() and distributed.is_initialized()
    return int(distributed.get_world_size()) if ready else 1


def _require_equal_shapes(rows: Tensor) -> None:
    sizes = torch.tensor([len(rows), -len(rows)], device=rows.device)
    distributed.all_reduce(sizes, op=distributed.ReduceOp.MAX)
    most, least = int(sizes[0]), -int(sizes[1])
    if most != least:
        raise UsageError(
            f"all processes must gather equally many rows, got {least} to {most}",
            hint="Choose a batch that the number of processes divides.",
        )
