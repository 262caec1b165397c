"""What a method gives to be trained by gradients: batches that are functions of their number, and their loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, Self, TypeVar

import torch
from torch import nn

from textssl.losses.core import LossTensor


class Batch(Protocol):
    """What an objective makes for one step, on the CPU; best a dataclass of tensors and other values."""

    def to(self, device: torch.device | str) -> Self:
        """The same batch on a device."""
        ...


ModelT = TypeVar("ModelT", bound=nn.Module, contravariant=True)
BatchT = TypeVar("BatchT", bound=Batch)


class GradientObjective(Protocol[ModelT, BatchT]):
    """What a method gives to be trained by gradients; see the `Task` protocol for the counters.

    What a method keeps beside its parameters (a queue, an averaged copy, a centre) lies in buffers or parameters of the
    model, which the state holds; it changes in `after_step` alone, so that a step that is not applied leaves no trace.
    `objectives.base.GradientHooks` has the hooks of a method that needs none.
    """

    @property
    def unit(self) -> str:
        """What is counted, in the plural."""
        ...

    @property
    def num_steps(self) -> int:
        """Batches in all epochs."""
        ...

    @property
    def additive(self) -> bool:
        """Whether the loss of a batch is the sum of the losses of its parts."""
        ...

    @property
    def across_ranks(self) -> bool:
        """Whether the loss gathers what it needs of the other processes, so that they may share a batch."""
        ...

    @property
    def flops_per_unit(self) -> float | None:
        """Arithmetic operations of the model for one unit, forward and backward, or None where nobody counts them."""
        ...

    def units_before(self, step: int) -> int:
        """Units scheduled before a step."""
        ...

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        ...

    def batch(self, step: int, part: int, num_parts: int) -> BatchT:
        """One of `num_parts` slices of the batch of a step, a pure function; called from several threads at once."""
        ...

    def loss(self, model: ModelT, batch: BatchT) -> LossTensor:
        """The summed loss of a batch, in nats, and its count."""
        ...

    def before_update(self, model: ModelT, step: int) -> None:
        """Look at the gradients of a step, summed over all processes, and drop some (set to None) before the update."""
        ...

    def after_step(self, model: ModelT, step: int, num_steps: int) -> None:
        """Bring up to date what is not trained by gradients; called once after an update, without gradients.

        Args:
            model: with the new parameters.
            step: that was made.
            num_steps: of the run, where its schedules end.
        """
        ...

    def evaluation(self) -> Iterator[BatchT] | None:
        """The batches of an evaluation, the same every time, or None when nothing is held back.

        Where the loss gathers (`across_ranks`), this process's slice of every batch, since all score each together.
        """
        ...

    def scores(self, loss: LossTensor) -> dict[str, float]:
        """The summed loss of an evaluation by names: "loss_nats" and what follows from it."""
        ...

    @property
    def has_gauges(self) -> bool:
        """Whether `gauges` gives something."""
        ...

    def gauges(self, model: ModelT, device: torch.device) -> dict[str, float]:
        """What is measured in an evaluation beside the loss; the model is in its evaluating mode, without gradients."""
        ...

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """What the scores of an evaluation say that somebody should know, each with its remedy."""
        ...
