"""A task of the trainer for methods with automatic differentiation: batch, loss, gradient, one optimizer update.

    gradient = sum over parts and processes of d total / d parameter, divided by their count where the mean is asked for

The objective says what a batch and its loss are; this file knows neither words nor pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.errors import DataError, ResourceError, UsageError
from textssl.losses.core import LossTensor
from textssl.objectives.base import GradientParts
from textssl.randomness import Purpose, random_bits, stream_key
from textssl.training import devices, distributed, optimizers
from textssl.training.gradient_objective import Batch as Batch
from textssl.training.gradient_objective import BatchT, ModelT
from textssl.training.gradient_objective import GradientObjective as GradientObjective
from textssl.training.prefetch import Prefetch
from textssl.training.ranks import OneRank, Ranks
from textssl.training.running_statistics import RunningStatistics
from textssl.training.schedules import rate_factor
from textssl.training.task import StepResult

NUM_PARTS, PRECISION = "task/num_parts", "task/bfloat16"
HALVED_IN_STEPS = 3
MAX_PARTS = 1024


class GradientTask(Generic[ModelT, BatchT]):
    """One step = one batch of the objective, its gradient, and one update of the model; not applied unless finite.

    Each of W processes computes A parts of the batch, which is cut into W * A slices: parts and processes change memory
    and time, the gradient only by the order of its sums.

    Args:
        parts: objective, model, and how it is updated. The model is moved to the device; names of its state stay.
        device: where batches are computed, "cpu", "cuda", "cuda:1" or "mps".
        seed: of dropout.
        loader_threads: that make batches ahead; 0 for none.
        ranks: the processes that train together.
        note: takes lines for people.

    Raises:
        UsageError: the objective is not additive and the batch would be computed in parts, or by several processes
            that it does not gather from.
        ResourceError: compiling is asked for and there is no compiler.
    """

    def __init__(
        self,
        parts: GradientParts,
        *,
        device: torch.device | str = "cpu",
        seed: int = 0,
        loader_threads: int = 1,
        ranks: Ranks | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.objective: GradientObjective[ModelT, BatchT] = parts.objective
        self.optimisation = parts.optimisation
        self.device, self._seed, self._loader_threads = torch.device(device), seed, loader_threads
        self._ranks: Ranks = ranks or OneRank()
        self._note = note or (lambda _: None)
        self._refuse_parts()
        devices.prepare_device(self.device)
        self.model: Any = parts.model.to(self.device).train()
        self._statistics = RunningStatistics(self.model)
        self._parameters = [part for part in self.model.parameters() if part.requires_grad]
        self._optimizers = optimizers.make_optimizers(self.model, self.optimisation)
        self.precision = devices.chosen_precision(self.optimisation.precision, self.device)
        self._loss = self._compiled_loss()
        asked = self.optimisation.num_parts
        self._num_parts: int = 1 if asked == "auto" else asked
        self._batches = self._prefetch()
        self._decay_steps: int = self.objective.num_steps
        self._steps_here = 0
        self._peak_flops: float | None = None
        self._part_losses: list[LossTensor] = []
        distributed.share_parameters(self.model, self._ranks)

    @property
    def unit(self) -> str:
        """What is counted, in the plural."""
        return self.objective.unit

    @property
    def num_steps(self) -> int:
        """Batches in all epochs."""
        return self.objective.num_steps

    @property
    def num_parts(self) -> int:
        """Parts in which this process computes its share of a batch."""
        return self._num_parts

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
        whole = self.units_before(self._decay_steps)
        before = self.units_before(index) / whole
        after = self.units_before(min(index + 1, self.num_steps)) / whole
        return self.optimisation.learning_rate * rate_factor(self.optimisation, before, after)

    def warm_up(self) -> None:
        """Make the first batch, for which kernels may have to be compiled, so that its step takes no longer."""
        self._batches.prepare(0)

    def step(self, index: int) -> StepResult:
        """Make the update of batch `index`.

        Raises:
            ResourceError: the memory does not suffice.
        """
        self._statistics.keep()
        self._part_losses = self._backward(index)
        self._steps_here += 1
        sums = torch.stack([_summed(self._part_losses, name) for name in ("total", "count")])
        distributed.add_up(sums, self._parameters, self._ranks)
        self.objective.before_update(self.model, index)
        gradients = self._gradients()
        total, count, norm = torch.cat([sums, _norm(gradients, sums)]).tolist()  # the one wait for the device
        applied = math.isfinite(total) and math.isfinite(norm)
        divisor = count if self.optimisation.reduction == "mean" and count else 1.0
        if applied and count:
            self._scale(gradients, divisor, norm / divisor)
            optimizers.set_learning_rate(self._optimizers, self.learning_rate(index))
            for optimizer in self._optimizers:
                optimizer.step()
            with torch.no_grad():
                self.objective.after_step(self.model, index, self._decay_steps)
        elif not applied:
            self._statistics.restore()
        units = self.units_before(index + 1) - self.units_before(index)
        return StepResult(total, count, units, applied, norm / divisor)

    @property
    def has_evaluation(self) -> bool:
        """Whether the objective holds something back to be evaluated on."""
        return self.objective.evaluation() is not None

    @property
    def has_gauges(self) -> bool:
        """Whether the objective measures something beside its loss."""
        return self.objective.has_gauges

    def evaluate(self) -> dict[str, float]:
        """The scores of the batches that the objective holds back, and its gauges; warnings go to `note`."""
        self.model.eval()
        with torch.no_grad(), self._autocast():
            scores = self._held_back_scores() | self.objective.gauges(self.model, self.device)
        self.model.train()
        for line in self.objective.warnings(scores):
            self._note(f"WARNING: {line}")
        return scores

    def _held_back_scores(self) -> dict[str, float]:
        batches = self.objective.evaluation()
        if batches is None:
            return {}
        losses = []
        for number, batch in enumerate(batches):
            if self.objective.across_ranks or number % self._ranks.count == self._ranks.rank:
                losses.append(self.objective.loss(self.model, devices.moved(batch, self.device)))
        zero = torch.zeros((), device=self.device)
        losses.append(LossTensor(zero, zero))
        sums = torch.stack([_summed(losses, name) for name in ("total", "count")])
        distributed.add_up(sums, [], self._ranks)
        return self.objective.scores(LossTensor(*sums.cpu()))

    def state(self) -> dict[str, NDArray[np.generic[Any]]]:
        """Model, optimizers and what was chosen while training; on the CPU the trained arrays themselves, no copies."""
        arrays = {name: part.detach().cpu().numpy() for name, part in self.model.state_dict().items()}
        arrays |= optimizers.optimizer_arrays(self.model, self._optimizers)
        if self.optimisation.num_parts == "auto":
            arrays[NUM_PARTS] = np.array(self._num_parts)
        if self.optimisation.precision == "auto":
            arrays[PRECISION] = np.array(self.precision == "bfloat16")
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Copy a state into model and optimizers.

        Raises:
            DataError: a parameter is missing, not known or of another shape.
        """
        remembered = {name: array for name, array in arrays.items() if name.startswith(optimizers.PREFIX)}
        own = {name: array for name, array in arrays.items() if name in (NUM_PARTS, PRECISION)}
        parts = self.model.state_dict()
        shapes = {name: tuple(part.shape) for name, part in parts.items()}
        given = {name: tuple(arrays[name].shape) for name in arrays if name not in remembered and name not in own}
        if shapes != given:
            raise DataError(
                f"the state must hold {shapes}, got {given}", hint="Start anew, or resume the run it is from."
            )
        with torch.no_grad():
            for name, part in parts.items():
                part.copy_(torch.from_numpy(np.array(arrays[name])))
        optimizers.load_optimizer_arrays(self.model, self._optimizers, remembered)
        self._steps_here = 0
        if NUM_PARTS in own and self.optimisation.num_parts == "auto":
            self._set_num_parts(int(own[NUM_PARTS]))
        if PRECISION in own and self.optimisation.precision == "auto":
            self.precision = "bfloat16" if own[PRECISION] else "float32"

    def utilisation(self, units_per_s: float) -> float | None:
        """The share of the device's highest speed that the model's own operations reach, 0 to 1; None if unknown."""
        flops = self.objective.flops_per_unit
        if flops is None:
            return None
        if self._peak_flops is None:
            self._peak_flops = devices.peak_flops(self.device, self.precision) or math.nan
        share = units_per_s * flops / (self._peak_flops * self._ranks.count)
        return share if math.isfinite(share) else None

    def diagnosis(self) -> dict[str, Any]:
        """What was not finite in the last step, which must be one that was not applied: JSON values."""
        named = self.model.named_parameters()
        bad = [name for name, part in named if part.grad is not None and not math.isfinite(_norm([part.grad]).item())]
        totals = [float(loss.total) for loss in self._part_losses]
        return {
            "parameters_with_bad_gradients": bad,
            "bad_parameters": [name for name, part in self.model.named_parameters() if not part.isfinite().all()],
            "bad_parts": [number for number, total in enumerate(totals) if not math.isfinite(total)],
            "num_parts": self._num_parts * self._ranks.count,
            "precision": self.precision,
            "device": str(self.device),
        }

    def close(self) -> None:
        """End the threads that make batches."""
        self._batches.close()

    def _backward(self, index: int) -> list[LossTensor]:
        """The gradient of this process's share of a batch, in as many parts as the memory needs."""
        while True:
            losses, problem = self._try_backward(index)
            halving = self.optimisation.num_parts == "auto" and self._steps_here < HALVED_IN_STEPS
            if halving and self._ranks.largest([int(problem is not None)])[0]:
                self._halve()
            elif problem is not None:
                raise _memory_error(self.device, problem)
            else:
                return losses

    def _try_backward(self, index: int) -> tuple[list[LossTensor], str | None]:
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        try:
            return [self._part(index * self._num_parts + part) for part in range(self._num_parts)], None
        except (RuntimeError, MemoryError) as error:  # not kept: its frames hold the tensors that are to be freed
            if not devices.is_out_of_memory(error):
                raise
            problem = str(error) or type(error).__name__
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        devices.free_cached_memory(self.device)
        return [], problem

    def _part(self, number: int) -> LossTensor:
        batch = devices.moved(self._batches.take(number), self.device)
        devices.seed(self.device, self._dropout_seed(number))
        with self._autocast():
            loss = self._loss(self.model, batch)
        if loss.total.requires_grad:  # not so in a part without a single row
            loss.total.backward()
        return LossTensor(loss.total.detach(), loss.count)

    def _place(self, number: int) -> tuple[int, int, int]:
        """Step, slice and number of slices of the part `number` that this process computes."""
        step, part = divmod(number, self._num_parts)
        return step, self._ranks.rank * self._num_parts + part, self._ranks.count * self._num_parts

    def _dropout_seed(self, number: int) -> int:
        step, part, _ = self._place(number)
        return int(random_bits(stream_key(self._seed, Purpose.DROPOUT, step), part))

    def _prefetch(self) -> Prefetch[BatchT]:
        def make(number: int) -> BatchT:
            batch = self.objective.batch(*self._place(number))
            return devices.pinned(batch) if self.device.type == "cuda" else batch

        return Prefetch(make, end=self.num_steps * self._num_parts, threads=self._loader_threads)

    def _set_num_parts(self, num_parts: int) -> None:
        self._batches.close()  # before the number changes, which threads read
        self._num_parts = num_parts
        self._batches = self._prefetch()

    def _halve(self) -> None:
        if 2 * self._num_parts > MAX_PARTS:
            raise _memory_error(self.device, f"not even with the batch in {self._num_parts} parts")
        self._set_num_parts(2 * self._num_parts)
        self._note(f"the memory does not suffice: the batch is computed in {self._num_parts} parts, with equal results")

    def _scale(self, gradients: list[Tensor], divisor: float, norm: float) -> None:
        clip = self.optimisation.clip_norm
        factor = 1 / divisor
        if clip is not None and norm > clip:
            factor *= clip / norm
        if factor == 1:
            return
        dense = [part for part in gradients if not part.is_sparse]
        if dense:
            torch._foreach_mul_(dense, factor)
        for part in gradients:
            if part.is_sparse:
                part.mul_(factor)

    def _gradients(self) -> list[Tensor]:
        return [part.grad for part in self._parameters if part.grad is not None]

    def _autocast(self) -> torch.autocast:
        enabled = self.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def _compiled_loss(self) -> Callable[[Any, Any], LossTensor]:
        if not self.optimisation.compile:
            return self.objective.loss
        devices.require_compiler(self.device)
        compiled: Callable[[Any, Any], LossTensor] = torch.compile(self.objective.loss)
        return compiled

    def _refuse_parts(self) -> None:
        asked = self.optimisation.num_parts
        shared = self._ranks.count == 1 or self.objective.across_ranks
        if self.objective.additive or (asked == 1 and shared):
            return
        name = type(self.objective).__name__.strip("_")
        raise UsageError(
            f"the loss of {name} depends on the whole batch at once, so it cannot be computed in parts "
            f"(num_parts {asked}, {self._ranks.count} processes)",
            hint="Train it with one process and in one part; a smaller batch needs less memory.",
        )


def _summed(losses: list[LossTensor], name: str) -> Tensor:
    values = torch.stack([getattr(loss, name).detach() for loss in losses])
    return values.sum(dtype=torch.float32 if values.device.type == "mps" else torch.float64)  # MPS has no float64


def _norm(gradients: list[Tensor], like: Tensor | None = None) -> Tensor:
    """The norm of all gradients together as (1,), not finite if one of their values is not."""
    # _values reads what is there; values() would sum it first.
    values = [part._values() if part.is_sparse else part for part in gradients]
    if not values:
        return torch.zeros(1) if like is None else torch.zeros_like(like[:1])
    norm = torch.nn.utils.get_total_norm(values).reshape(1)
    return norm if like is None else norm.to(like.dtype)


def _memory_error(device: torch.device, problem: str) -> ResourceError:
    return ResourceError(
        f"the memory of {device} does not suffice for a step: {problem.splitlines()[0]}",
        hint="Choose a smaller batch, length or model; textssl train --batch auto computes a batch in smaller parts.",
    )
