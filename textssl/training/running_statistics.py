"""Running means and variances of normalisation layers, the one thing that a forward pass changes in a model."""

from __future__ import annotations

from torch import Tensor, nn

NAMES = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers by these names, torch's own, are changed by a forward pass in training."""


class RunningStatistics:
    """The statistics of all layers of a model: kept before a step, put back after one that is not applied.

    Args:
        model: on its device already; one without such layers costs nothing.
    """

    def __init__(self, model: nn.Module) -> None:
        self._places = [(layer, name) for layer in model.modules() for name in NAMES if _has(layer, name)]
        self._kept: list[Tensor] = []

    def keep(self) -> None:
        """Remember the values of now."""
        self._kept = [getattr(layer, name).clone() for layer, name in self._places]

    def restore(self) -> None:
        """Put the values back that were last kept."""
        for (layer, name), value in zip(self._places, self._kept, strict=True):
            getattr(layer, name).copy_(value)


def _has(layer: nn.Module, name: str) -> bool:
    return isinstance(layer._buffers.get(name), Tensor)
