"""A task of the trainer for methods with automatic differentiation: batch, loss, gradient, one optimizer update.

The objective says what a batch and its loss are; this file knows neither words nor pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textssl.errors import DataError
from textssl.losses.core import LossTensor
from textssl.training.sparse_sgd import SparseSgd
from textssl.training.task import StepResult

FINAL_FRACTION = 1e-4


class Batch(Protocol):
    """What an objective makes for one step, on the CPU."""

    def to(self, device: torch.device | str) -> Self:
        """The same batch on a device."""
        ...


ModelT = TypeVar("ModelT", bound=nn.Module, contravariant=True)
BatchT = TypeVar("BatchT", bound=Batch)


class GradientObjective(Protocol[ModelT, BatchT]):
    """What a method gives to be trained by gradients; see the `Task` protocol for the counters."""

    @property
    def unit(self) -> str:
        """What is counted, in the plural."""
        ...

    @property
    def num_steps(self) -> int:
        """Batches in all epochs."""
        ...

    def units_before(self, step: int) -> int:
        """Units scheduled before a step."""
        ...

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        ...

    def batch(self, step: int) -> BatchT:
        """The batch of a step, a pure function of seed and step."""
        ...

    def loss(self, model: ModelT, batch: BatchT) -> LossTensor:
        """The summed loss of a batch, in nats, and its count."""
        ...


class GradientTask(Generic[ModelT, BatchT]):
    """One step = one batch of the objective, its gradient, and one update of the model; not applied unless finite.

    The learning rate falls linearly with the units scheduled, from `learning_rate` at the first step to 1e-4 of it at
    `decay_steps`. The gradient is that of the summed loss.

    Args:
        objective: batches and their loss.
        model: moved to the device; its parameters are the state of the task.
        optimizer: over the parameters of the model, without a state of its own.
        learning_rate: of the first step, above 0.
        device: where batches are computed, "cpu" or "cuda".
    """

    def __init__(
        self,
        objective: GradientObjective[ModelT, BatchT],
        model: ModelT,
        optimizer: SparseSgd,
        *,
        learning_rate: float,
        device: torch.device | str = "cpu",
    ) -> None:
        self.objective = objective
        self.model = model.to(device)
        self.device = torch.device(device)
        self._optimizer = optimizer
        self._first_learning_rate = learning_rate
        self._decay_steps = objective.num_steps

    @property
    def unit(self) -> str:
        """What is counted, in the plural."""
        return self.objective.unit

    @property
    def num_steps(self) -> int:
        """Batches in all epochs."""
        return self.objective.num_steps

    @property
    def decay_steps(self) -> int:
        """The step at which the learning rate reaches its end."""
        return self._decay_steps

    def set_decay_steps(self, steps: int) -> None:
        """Fix the step at which the learning rate reaches its end, at least 1."""
        self._decay_steps = steps

    def units_before(self, index: int) -> int:
        """Units scheduled before a step."""
        return self.objective.units_before(index)

    def epoch(self, index: int) -> float:
        """Epochs that are over before a step, with fraction."""
        return self.objective.epoch(index)

    def learning_rate(self, index: int) -> float:
        """The learning rate of a step."""
        progress = self.units_before(index) / self.units_before(self._decay_steps)
        return self._first_learning_rate * max(1 - progress, FINAL_FRACTION)

    def step(self, index: int) -> StepResult:
        """Make the update of batch `index`."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.objective.loss(self.model, self.objective.batch(index).to(self.device))
        loss.total.backward()
        applied = bool(torch.stack([_is_finite(part) for part in (loss.total, *self._gradients())]).all())
        if applied:
            for group in self._optimizer.param_groups:
                group["lr"] = self.learning_rate(index)
            self._optimizer.step()
        units = self.units_before(index + 1) - self.units_before(index)
        return StepResult(float(loss.total.detach()), float(loss.count), units, applied)

    def state(self) -> dict[str, NDArray[np.generic[Any]]]:
        """The parameters by name; on the CPU they are the arrays that are trained, not copies."""
        return {name: part.detach().cpu().numpy() for name, part in self.model.state_dict().items()}

    def load_state(self, arrays: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Copy the parameters of a state into the model.

        Raises:
            DataError: a parameter is missing, not known or of another shape.
        """
        parts = self.model.state_dict()
        shapes = {name: tuple(part.shape) for name, part in parts.items()}
        given = {name: tuple(array.shape) for name, array in arrays.items()}
        if shapes != given:
            raise DataError(
                f"the state must hold {shapes}, got {given}", hint="Start anew, or resume the run it is from."
            )
        for name, part in parts.items():
            part.copy_(torch.from_numpy(np.array(arrays[name])))

    def _gradients(self) -> list[Tensor]:
        return [part.grad for part in self.model.parameters() if part.grad is not None]


def _is_finite(values: Tensor) -> Tensor:
    return torch.isfinite(values._values() if values.is_sparse else values).all()
