"""The teacher of MoCo, BYOL and DirectPred: a copy of encoder and projector that follows them after every update.

Legend: B images of a process, W processes, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textssl.errors import UsageError
from textssl.randomness import Purpose, permutation, stream_key

if TYPE_CHECKING:
    from torch import Tensor, nn

    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

FORWARD_ONLY = 1 / 3
"""A pass without a gradient, as a share of the operations of one with it."""


def with_teacher(encoder: ImageEncoder, parts: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Parts with their first weights, and a copy of encoder and projector as "teacher"."""
    from torch import nn

    from textssl.models.base_momentum import MomentumCopy

    return dict(parts) | {"teacher": MomentumCopy(nn.Sequential(encoder, parts["projector"]))}


def follow(model: MethodModel, momentum: float) -> None:
    """Move the teacher towards encoder and projector; for `after_step`."""
    from torch import nn

    model.teacher.update(nn.Sequential(model.encoder, model.projector), momentum)


def keys_of_all(model: MethodModel, views: Tensor, *, seed: int, step: int) -> Tensor:
    """What the teacher makes of the views of all processes, (W * B, D) of unit length in their order, without gradient.

    The teacher sees them in an order that is a function of (seed, step), each process its part: so its
    norms take statistics of other groups than those of the queries, and a key does not betray its batch mates.
    """
    import torch
    from torch.nn import functional as F

    from textssl.losses.base_gather import first_row, gathered

    everyone, start = gathered(views), first_row(views)
    order = torch.from_numpy(permutation(stream_key(seed, Purpose.SPLIT, step), len(everyone))).to(views.device)
    shuffled = gathered(model.teacher(everyone[order[start : start + len(views)]]))
    keys = shuffled[order.argsort()]
    return F.normalize(keys.to(torch.promote_types(keys.dtype, torch.float32)), dim=1)


def average_statistics(model: nn.Module) -> None:
    """Give running statistics that came from each process's own groups the mean over all of them; for `after_step`."""
    import torch

    from textssl.losses.base_gather import mean_over_ranks

    names = ("running_mean", "running_var")
    buffers = [part for name, part in model.named_buffers() if name.endswith(names)]
    means = mean_over_ranks(torch.cat(buffers).unsqueeze(0)) if buffers else torch.zeros(0)
    for buffer, mean_C in zip(buffers, means.split([len(part) for part in buffers]), strict=True):
        buffer.copy_(mean_C)


def own_groups(groups: int) -> int:
    """Of the groups of a whole batch those of this process; 1 stays 1: one group for all processes.

    Raises:
        UsageError: the processes cannot share the groups.
    """
    from torch import distributed

    ready = distributed.is_available() and distributed.is_initialized()
    count = distributed.get_world_size() if ready else 1
    if groups > 1 and groups % count:
        raise UsageError(
            f"norm_groups must be 1 or a multiple of the {count} processes, got {groups}",
            hint=f"Give --norm-groups {-(-groups // count) * count}.",
        )
    return max(1, groups // count)
