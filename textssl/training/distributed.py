"""Several processes train one model: each computes its slices of every batch, and all add up their gradients.

Started by torchrun, which sets RANK, WORLD_SIZE and LOCAL_RANK. The sum is made here and not by
DistributedDataParallel: that one divides by the number of processes, where the divisor must be the count of terms over
all of them, sums at every part unless told otherwise, and wraps the model, which changes the names of its state. The
price is that no gradient travels before the last one is there; it is small beside a step of several parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from textssl.errors import UsageError
from textssl.training.ranks import OneRank, Ranks

BUCKET_BYTES = 1 << 26
TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others: reading the corpus and an evaluation by one alone must fit."""


def is_distributed() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join_ranks(device: str) -> tuple[Ranks, str]:
    """Join the processes that torchrun started.

    Args:
        device: "cpu" or "cuda"; the processes of one machine take its GPUs in turn.

    Returns:
        The ranks, and this process's own device.

    Raises:
        UsageError: there are more processes than GPUs, or the device takes only one process.
    """
    if not is_distributed():
        return OneRank(), device
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise UsageError(
                f"torchrun started more processes than the {torch.cuda.device_count()} GPUs of this machine",
                hint=f"Give torchrun --nproc-per-node {torch.cuda.device_count()}.",
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    elif device != "cpu":
        raise UsageError(f"several processes train on cpu or cuda, got {device}", hint="Start it without torchrun.")
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device != "cpu" else "gloo", timeout=TIMEOUT)
    return ProcessRanks(), device


def leave_ranks() -> None:
    """Take leave of the others in good order; a process that fails does not, since it could wait for ever."""
    dist.destroy_process_group()


class ProcessRanks:
    """The default process group of torch; see the `Ranks` protocol."""

    @property
    def rank(self) -> int:
        """The number of this process."""
        return int(dist.get_rank())

    @property
    def count(self) -> int:
        """How many processes there are."""
        return int(dist.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    def largest(self, values: Sequence[int]) -> list[int]:
        """The largest of each value over all processes; on the CPU, so that no GPU is waited for."""
        shared = torch.tensor(list(values), dtype=torch.int64)
        dist.all_reduce(shared, op=dist.ReduceOp.MAX)
        return [int(value) for value in shared]

    def from_lead(self, value: int) -> int:
        """The value of process 0."""
        shared = torch.tensor([value], dtype=torch.int64)
        dist.broadcast(shared, src=0)
        return int(shared[0])


def share_parameters(model: nn.Module, ranks: Ranks) -> None:
    """Give all processes the parameters and buffers of process 0, should they differ."""
    if ranks.count > 1:
        for part in model.state_dict().values():
            dist.broadcast(part.detach(), src=0)


def add_up(sums: Tensor, parameters: Sequence[Tensor], ranks: Ranks) -> None:
    """Add the sums and the gradients of all processes, in place; every process ends with the same bits.

    Args:
        sums: numbers on the device.
        parameters: in the same order everywhere; one without a gradient counts as 0.

    Raises:
        UsageError: a gradient is sparse.
    """
    if ranks.count == 1:
        return
    dist.all_reduce(sums)
    gradients = [_dense_gradient(part) for part in parameters]
    for bucket in _buckets(gradients):
        flat = torch.cat([part.reshape(-1) for part in bucket])
        dist.all_reduce(flat)
        pieces = flat.split([part.numel() for part in bucket])
        torch._foreach_copy_(bucket, [piece.view_as(part) for piece, part in zip(pieces, bucket, strict=True)])


def _dense_gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    if parameter.grad.is_sparse:
        raise UsageError("tables with sparse gradients are trained by one process", hint="Start it without torchrun.")
    return parameter.grad


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one type, some tens of megabytes together."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and (gradient.dtype != bucket[0].dtype or size + gradient.nbytes > BUCKET_BYTES):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.nbytes
    if bucket:
        yield bucket
