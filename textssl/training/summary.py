"""How a run went, and what ended it."""

from __future__ import annotations

import math

from textssl.errors import DataError
from textssl.training.budget import TrainerConfig
from textssl.training.notes import Notes, TrainSummary
from textssl.training.task import Task

_RECENT = 0.9  # weight of the past in the loss that is shown
_RECENT_PARTS = 20  # of short runs, the share of all steps that it looks back over at most


def summarised(notes: Notes, task: Task, config: TrainerConfig, *, elapsed_s: float) -> TrainSummary:
    """What is left of the notes at the end of a run.

    Raises:
        DataError: the loss had not a single term, so nothing was learnt.
    """
    if not notes.epoch.count and all(map(math.isnan, notes.epoch_losses)):
        raise DataError(
            f"there was nothing to learn from in {task.units_before(notes.step):,} {task.unit}: the loss had no terms",
            hint="Train on more data, or with options that leave less of it out.",
        )
    best = notes.best_step if config.patience is not None else None
    return TrainSummary(
        steps=notes.step,
        epochs=task.epoch(notes.step),
        unit=task.unit,
        units=notes.units,
        elapsed_s=elapsed_s,
        epoch_losses=tuple(notes.epoch_losses),
        loss_nats=notes.last_epoch_loss,
        ended_by=_ended_by(notes, task, config),
        scores=dict(notes.scores if best is None else notes.best_scores),
        best_step=best,
    )


def smoothed(past: float, loss: float, num_steps: int) -> float:
    """The loss that the progress line shows: a running mean over ten steps or so, over fewer in a short run.

    Args:
        past: what it showed before; NaN before the first step.
        loss: of a step.
        num_steps: of the whole run.
    """
    kept = min(_RECENT, max(0.0, 1 - _RECENT_PARTS / num_steps)) if math.isfinite(past) else 0.0
    return kept * past + (1 - kept) * loss if kept else loss


def has_lost_patience(notes: Notes, config: TrainerConfig) -> bool:
    """Whether enough evaluations in a row brought nothing better."""
    return config.patience is not None and notes.num_worse >= config.patience


def _ended_by(notes: Notes, task: Task, config: TrainerConfig) -> str:
    if notes.step >= task.num_steps:
        return "epochs"
    if has_lost_patience(notes, config):
        return "patience"
    if config.max_steps is not None and notes.step >= config.max_steps:
        return "max_steps"
    if config.max_units is not None and task.units_before(notes.step) >= config.max_units:
        return "max_units"
    return "max_minutes" if config.max_minutes is not None else "max_steps"
