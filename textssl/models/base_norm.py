"""Batch normalisation whose batch is that of all processes, or one of several groups of the own batch.

    y = weight * (x - mean) / sqrt(variance + epsilon) + bias        mean and variance of the batch while training

Parameters and buffers are named as in torch. On one process the layer is torch's own kernel; on several the statistics
are those of all rows together, with their gradient, so that two processes equal one with both batches.
Legend: B batch, C channels, W processes, G groups.
Source: Ioffe and Szegedy (arXiv 1502.03167), algorithm 1; groups: He et al., MoCo (arXiv 1911.05722), section 3.3, in
the form for one device of its authors' CIFAR notebook (SplitBatchNorm).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from textssl.errors import UsageError


class BatchNorm1d(nn.BatchNorm1d):  # type: ignore[misc]  # torch is not followed by mypy here
    """Normalises (B, C) by channel; see the module. Arguments as torch's."""

    groups, is_frozen = 1, False

    def forward(self, rows_BC: Tensor) -> Tensor:
        """(B, C) to (B, C)."""
        return _normalised(self, rows_BC)


class BatchNorm2d(nn.BatchNorm2d):  # type: ignore[misc]  # torch is not followed by mypy here
    """Normalises (B, C, H, W) by channel; see the module. Arguments as torch's."""

    groups, is_frozen = 1, False

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        return _normalised(self, maps_BCHW)


def split_batches(model: nn.Module, groups: int) -> None:
    """Let every norm of a model take its statistics from groups of the batch of this process, each by itself.

    So a network cannot tell a key from its batch mates: MoCo's shuffling, for one device. Running statistics become
    those of the groups, averaged.

    Args:
        model: its norms are changed.
        groups: G, at least 1; 1: the whole batch, that of all processes.

    Raises:
        UsageError: groups is below 1.
    """
    if groups < 1:
        raise UsageError(f"groups must be at least 1, got {groups}")
    for module in model.modules():
        if isinstance(module, BatchNorm1d | BatchNorm2d):
            module.groups = groups


def freeze_statistics(model: nn.Module) -> None:
    """Let every norm of a model normalise by its running statistics while training, too, and leave them as they are.

    Args:
        model: its norms are changed; those of another class than the two of this file are not.
    """
    for module in model.modules():
        if isinstance(module, BatchNorm1d | BatchNorm2d):
            module.is_frozen = True


def _normalised(norm: BatchNorm1d | BatchNorm2d, values: Tensor) -> Tensor:
    if norm.is_frozen or not norm.training:
        return F.batch_norm(values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    norm.num_batches_tracked.add_(1)
    if norm.groups > 1:
        return _in_groups(norm, values)
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        return _over_ranks(norm, values)
    _check_count(values.numel() // values.shape[1])
    return _by_torch(norm, values, norm.running_mean, norm.running_var)


def _by_torch(norm: BatchNorm1d | BatchNorm2d, values: Tensor, mean_C: Tensor, variance_C: Tensor) -> Tensor:
    """The batch's own statistics, which move the running ones."""
    return F.batch_norm(values, mean_C, variance_C, norm.weight, norm.bias, True, norm.momentum, norm.eps)


def _in_groups(norm: BatchNorm1d | BatchNorm2d, values: Tensor) -> Tensor:
    """Each group moves running statistics of its own, whose averages are kept."""
    if len(values) % norm.groups:
        raise UsageError(
            f"a batch of {len(values)} cannot be cut into {norm.groups} equal groups",
            hint="Choose a batch that the number of groups divides.",
        )
    _check_count(values.numel() // values.shape[1] // norm.groups)
    mean_GC, variance_GC = (part.repeat(norm.groups, 1) for part in (norm.running_mean, norm.running_var))
    parts = zip(values.chunk(norm.groups), mean_GC, variance_GC, strict=True)
    made = torch.cat([_by_torch(norm, part, mean_C, variance_C) for part, mean_C, variance_C in parts])
    norm.running_mean.copy_(mean_GC.mean(0))
    norm.running_var.copy_(variance_GC.mean(0))
    return made


def _over_ranks(norm: BatchNorm1d | BatchNorm2d, values: Tensor) -> Tensor:
    made, mean_C, variance_C, count = _NormalisedOverRanks.apply(values, norm.weight, norm.bias, norm.eps)
    _check_count(int(count))
    with torch.no_grad():
        norm.running_mean.lerp_(mean_C.to(norm.running_mean.dtype), norm.momentum)
        unbiased_C = variance_C * (count / (count - 1))
        norm.running_var.lerp_(unbiased_C.to(norm.running_var.dtype), norm.momentum)
    return made


def _check_count(count: int) -> None:
    if count < 2:
        raise UsageError(
            f"batch normalisation needs at least 2 values for each channel while training, got {count}",
            hint="Choose a larger batch.",
        )


class _NormalisedOverRanks(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy here
    """The norm by the statistics of all processes; one collective forth and one back, batches may differ in size."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight_C: Tensor | None, bias_C: Tensor | None, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The result, and mean, variance and count over all processes."""
        own_variance_C, own_mean_C = torch.var_mean(values.double(), _axes(values), correction=0)
        count_1 = own_mean_C.new_full((1,), values.numel() // values.shape[1])
        own = torch.cat([count_1, own_mean_C, own_variance_C])
        gathered_W = own.new_empty(distributed.get_world_size() * len(own))
        distributed.all_gather_into_tensor(gathered_W, own)
        count_W1, mean_WC, variance_WC = gathered_W.view(-1, len(own)).split([1, *[values.shape[1]] * 2], dim=1)
        count = count_W1.sum()
        mean_C = (mean_WC * count_W1).sum(0) / count
        variance_C = ((variance_WC + (mean_WC - mean_C).square()) * count_W1).sum(0) / count
        # Statistics and affine part in one type, at least that of the parameters: what the kernel asks for.
        wide = torch.promote_types(values.dtype, torch.float32)
        made = F.batch_norm(values, mean_C.to(wide), variance_C.to(wide), weight_C, bias_C, eps=epsilon)
        rate_C = (variance_C + epsilon).rsqrt().to(wide)
        ctx.save_for_backward(values, weight_C, mean_C.to(wide), rate_C, count)
        ctx.mark_non_differentiable(mean_C, variance_C, count)
        return made, mean_C, variance_C, count

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """dx = weight * rate * (g - mean of g - x^ * mean of g x^), with the means over all processes."""
        values, weight_C, mean_C, rate_C, count = ctx.saved_tensors
        axes, shape = _axes(values), [1, -1, *[1] * (values.dim() - 2)]
        standard = (values - mean_C.view(shape)) * rate_C.view(shape)
        own_2C = torch.stack([gradient.sum(axes, dtype=rate_C.dtype), (gradient * standard).sum(axes)])
        sums_2C = own_2C.clone()
        distributed.all_reduce(sums_2C)
        by_bias_C, by_weight_C = (sums_2C / count.to(rate_C.dtype)).view(2, *shape)
        scale_C = (rate_C if weight_C is None else rate_C * weight_C).view(shape)
        towards = (gradient - by_bias_C - standard * by_weight_C) * scale_C
        if weight_C is None:
            return towards.to(values.dtype), None, None, None
        return towards.to(values.dtype), own_2C[1].to(weight_C.dtype), own_2C[0].to(weight_C.dtype), None


def _axes(values: Tensor) -> list[int]:
    return [0, *range(2, values.dim())]
