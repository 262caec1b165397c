"""What the loop adds up while it runs, and what is left of it at the end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from textssl.errors import UsageError
from textssl.loss_sum import LossSum
from textssl.training.task import StepResult

_RECORDS_PER_DOUBLING = 128


@dataclass(frozen=True)
class Watched:
    """The score of an evaluation by which a state is better than another.

    Args:
        name: its name.
        better: whether "lower" or "higher" is better.
    """

    name: str = "loss_nats"
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True)
class TrainSummary:
    """How a run went.

    Args:
        steps: updates made.
        epochs: epochs that are over, with fraction.
        unit: what was counted.
        units: how many of them were consumed.
        elapsed_s: time of all sessions.
        epoch_losses: mean loss per term of every whole epoch, in nats.
        loss_nats: the same of the last epoch, be it whole or not.
        ended_by: "epochs", "max_steps", "max_units", "max_minutes" or "patience".
        scores: of the last evaluation; with patience, of the best.
        best_step: steps made when the best evaluation came, which is the state that is exported; None without patience.
    """

    steps: int
    epochs: float
    unit: str
    units: int
    elapsed_s: float
    epoch_losses: tuple[float, ...]
    loss_nats: float
    ended_by: str
    scores: dict[str, float]
    best_step: int | None = None

    @classmethod
    def from_json(cls, summary: Mapping[str, Any]) -> TrainSummary:
        """Read it back from the status of a run."""
        return cls(**{**summary, "epoch_losses": tuple(summary["epoch_losses"])})

    @property
    def units_per_s(self) -> float:
        """Mean speed over all sessions."""
        return self.units / self.elapsed_s if self.elapsed_s else math.nan


@dataclass
class Notes:
    """What the loop adds up; kept in every checkpoint."""

    step: int = 0
    units: int = 0
    elapsed_s: float = 0.0
    decay_steps: int | None = None
    interval: LossSum = LossSum(0.0, 0.0)
    interval_units: int = 0
    interval_start_s: float = 0.0
    epoch: LossSum = LossSum(0.0, 0.0)
    epoch_losses: list[float] = field(default_factory=list)
    evaluated_step: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    best_step: int | None = None
    best_scores: dict[str, float] = field(default_factory=dict)
    num_worse: int = 0

    num_records: int = 0

    @classmethod
    def from_json(cls, notes: Mapping[str, Any]) -> Notes:
        """Read them back from a checkpoint."""
        return cls(**{**notes, "interval": LossSum(**notes["interval"]), "epoch": LossSum(**notes["epoch"])})

    def to_json(self) -> dict[str, Any]:
        """For the checkpoint; floats come back as they were."""
        return dataclasses.asdict(self)

    def add(self, result: StepResult) -> None:
        """Count one more step."""
        loss = LossSum(result.total, result.count)
        self.step += 1
        self.units += result.units
        self.interval_units += result.units
        self.interval += loss
        self.epoch += loss

    def add_scores(self, scores: Mapping[str, float], watched: Watched) -> bool:
        """Take the scores of an evaluation; says whether they are the best so far.

        Raises:
            UsageError: the watched score is not among them.
        """
        self.scores, self.evaluated_step = dict(scores), self.step
        if watched.name not in scores:
            raise UsageError(f"the evaluation must give {watched.name}, got {', '.join(scores) or 'nothing'}")
        sign = 1 if watched.better == "higher" else -1
        score, best = scores[watched.name], self.best_scores.get(watched.name, -sign * math.inf)
        if not sign * score > sign * best:
            self.num_worse += 1
            return False
        self.best_step, self.best_scores, self.num_worse = self.step, dict(scores), 0
        return True

    def start_interval(self, elapsed_s: float) -> None:
        """Begin to add up for the next record."""
        self.interval, self.interval_units, self.interval_start_s = LossSum(0.0, 0.0), 0, elapsed_s

    def end_epoch(self) -> float:
        """Begin a new epoch; gives the mean loss of the one that is over."""
        mean = self.epoch.mean
        self.epoch_losses.append(mean)
        self.epoch = LossSum(0.0, 0.0)
        return mean

    @property
    def last_epoch_loss(self) -> float:
        """Mean loss of the epoch that is going on, or of the last one when none has begun."""
        return self.epoch.mean if self.epoch.count or not self.epoch_losses else self.epoch_losses[-1]

    @property
    def is_recorded(self) -> bool:
        """Whether the step has a record: every step at first, then 128 for every doubling of their number."""
        return self.step % max(1 << (self.step.bit_length() - 1) >> (_RECORDS_PER_DOUBLING.bit_length() - 1), 1) == 0
