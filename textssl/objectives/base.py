"""What an objective promises: its options, and how it turns a corpus into something that trains and is exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError

if TYPE_CHECKING:
    from textssl.embeddings import Embeddings

Method = Literal["adamw", "muon", "sgd", "lars", "sparse_sgd"]
Schedule = Literal["linear", "cosine", "stable", "constant"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class Setting:
    """Where and how an objective runs, beside its own options.

    Args:
        seed: of every random number.
        num_threads: of the CPU kernels and readers.
        device: "cpu", "cuda" and so on.
        cache: folder of the token stores; None for the user's cache.
        start: what to go on from; None for a fresh start.
        encoder: for images, a network of one's own, an nn.Module; None: the one that the options name.
    """

    seed: int
    num_threads: int
    device: str
    cache: Path | None
    start: Start | None
    encoder: Any | None = None


@dataclass(frozen=True)
class Start:
    """What an earlier run, a folder or a file holds.

    Args:
        vectors: words and their vectors; None where the objective asks for none (see `Objective.FAMILY`).
        tables: the state of the run's task by name, or None where there is no run.
        config: the options of the run; empty where there is none.
        source: where all this comes from, for messages.
        path: the folder or file; of a run that has written its model, the folder of the model.
    """

    vectors: Embeddings | None
    tables: Mapping[str, NDArray[Any]] | None
    config: Mapping[str, Any]
    source: str
    path: Path


@dataclass(frozen=True)
class Optimisation:
    """How gradients become updates; what `GradientTask` does with the model that it gets.

    Args:
        method: "adamw"; "muon" for the matrices of the layers with AdamW for the rest; "sgd" with momentum; "lars",
            that with steps in proportion to each matrix's norm; "sparse_sgd" for large tables of which a batch touches
            some rows.
        learning_rate: the highest of the schedule, above 0; one for both halves of Muon.
        weight_decay: per unit of learning rate, at least 0; not for embeddings and parameters with one axis.
        betas: of AdamW; the first is not Muon's momentum.
        momentum: of "sgd" and "lars", 0 to below 1.
        nesterov: whether "sgd" looks ahead along its momentum.
        schedule: after the warm-up, "linear" falls to 0, "cosine" along half a wave, "stable" stays and falls at the
            end with 1 - sqrt of the part that is over, "constant" stays.
        warmup: share of the run, 0 to 1, in which the learning rate rises linearly.
        decay: share of the run at its end in which "stable" falls, 0 to 1.
        final_fraction: of the learning rate, below which no schedule falls, 0 to 1.
        clip_norm: largest norm of the gradient, above 0, or None.
        reduction: the gradient is that of the "sum" of the loss, or of its "mean" over the whole batch.
        num_parts: each process computes its share of the batch in so many parts, at least 1; "auto": in one, and in
            twice as many whenever the memory does not suffice in the first steps.
        precision: of products of matrices; parameters stay in float32. "auto": bfloat16 where the chip has it.
        compile: whether torch.compile is applied to the loss.
        max_visits: of "sparse_sgd", or None for its default.
        layer_decay: the learning rate of a layer is that of the layer above times this, above 0 to 1; None for 1.
        constant_rate: parameters whose names begin so have the highest learning rate throughout, whatever the schedule.

    Raises:
        UsageError: a number is out of range.
    """

    method: Method
    learning_rate: float
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.98)
    schedule: Schedule = "linear"
    warmup: float = 0.0
    decay: float = 0.0
    final_fraction: float = 0.0
    clip_norm: float | None = None
    reduction: Literal["sum", "mean"] = "mean"
    num_parts: int | Literal["auto"] = 1
    precision: Precision = "auto"
    compile: bool = False
    max_visits: float | None = None
    layer_decay: float | None = None
    momentum: float = 0.9
    nesterov: bool = False
    constant_rate: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise UsageError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.num_parts != "auto" and self.num_parts < 1:
            raise UsageError(f"num_parts must be at least 1, got {self.num_parts}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise UsageError(f"clip_norm must be above 0, got {self.clip_norm}")
        if not 0 <= self.momentum < 1 or (self.nesterov and self.momentum == 0):
            least = "above 0 with nesterov" if self.nesterov else "at least 0"
            raise UsageError(f"momentum must be {least} and below 1, got {self.momentum}")
        decay = self.decay if self.schedule == "stable" else 0.0
        if not (self.warmup >= 0 and decay >= 0 and self.warmup + decay <= 1):
            raise UsageError(
                f"warmup and decay are shares of the run, together at most 1, got {self.warmup} and {self.decay}"
            )


@dataclass(frozen=True)
class GradientParts:
    """What `GradientTask` is made of.

    Args:
        objective: batches and their loss, a `training.gradient_task.GradientObjective`.
        model: an nn.Module, its parameters filled.
        optimisation: how it is updated.
    """

    objective: Any
    model: Any
    optimisation: Optimisation


class GradientHooks:
    """What an objective may do around an update, and does not unless it says so: see `training.gradient_objective`.

    `across_ranks` says that the loss gathers what it needs from all processes, so that they may share a batch that
    cannot be cut otherwise; `has_gauges` that there is something to measure beside a loss.
    """

    across_ranks: bool = False
    has_gauges: bool = False

    def before_update(self, model: Any, step: int) -> None:
        """Leave the gradients as they are."""

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Keep nothing up to date."""

    def gauges(self, model: Any, device: Any) -> dict[str, float]:
        """Nothing is measured."""
        return {}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """Nothing to warn of."""
        return []


class Prepared(Protocol):
    """An objective with its corpus read: ready to train."""

    num_epochs: int
    learning_rate: float
    unit: str

    def describe(self) -> list[str]:
        """What will be trained, as lines for people."""
        ...

    def data(self) -> dict[str, Any]:
        """What stands in data.json of the run; JSON values."""
        ...

    def blocks(self) -> Any:
        """A `BlockEngine` for `KernelTask`, or None when the objective is trained by gradients."""
        ...

    def gradients(self) -> GradientParts:
        """For `GradientTask`; asked for when `blocks` gives None."""
        ...

    def save(self, folder: Path, tables: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Write what the run is for, made from the task's state."""
        ...


class Objective(Protocol):
    """A method by name.

    `Config` is a frozen dataclass made with `config.option`, `PRESETS` are sets of options. `FAMILY` "word_vectors"
    runs on the CPU unless told otherwise and starts from vectors; "network" runs on the best device there is and starts
    from a model folder; so does "images", which reads images in place of text.
    `NEXT` are commands to type after training, with {run} for the folder.
    """

    Config: type
    PRESETS: Mapping[str, Mapping[str, Any]]
    FAMILY: Literal["word_vectors", "network", "images"]
    NEXT: Sequence[str]

    def prepare(self, source: Any, config: Any, setting: Setting) -> Prepared:
        """Read the corpus, a `text.sources.Source` or images, and make everything ready."""
        ...
