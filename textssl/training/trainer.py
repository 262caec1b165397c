"""The one loop: counter, budgets, progress, metrics, evaluation, checkpoints and signals, for every task.

A run is the same to the last bit however often it was stopped, since a step depends on its number and the state alone
and everything else that the loop adds up is kept in the checkpoint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any, NoReturn

from textssl.config import parse_interval
from textssl.errors import DivergedError, Interrupted, TextsslError
from textssl.run_folder import RunFolder, State
from textssl.training.budget import TrainerConfig as TrainerConfig
from textssl.training.budget import last_step_in_time, measure_speed
from textssl.training.checkpoint import first_not_finite, load_newest, save_checkpoint
from textssl.training.notes import Notes
from textssl.training.notes import TrainSummary as TrainSummary
from textssl.training.progress import Progress, Situation, number_text
from textssl.training.signals import StopSignals
from textssl.training.task import StepResult, Task

_RECENT = 0.9  # weight of the past in the loss that is shown
_RESUME = "Run the same command again to go on."


class Trainer:
    """Runs a task to its end or to the end of its budget, in a run folder.

    Args:
        task: the updates.
        run_folder: an open run folder.
        config: budget and checkpoints.
        evaluate: gives named scores; called after every epoch and at the end. It must not change the task.
        progress: shows where the run stands.
        export: writes what the run is for, after the last checkpoint and before the run counts as finished.
    """

    def __init__(
        self,
        task: Task,
        run_folder: RunFolder,
        *,
        config: TrainerConfig,
        evaluate: Callable[[], dict[str, float]] | None = None,
        progress: Progress,
        export: Callable[[], None] | None = None,
    ) -> None:
        self.task = task
        self.run_folder = run_folder
        self.config = config
        self._evaluate = evaluate
        self._progress = progress
        self._export = export
        self._notes = Notes()
        self._signals = StopSignals(progress.close)
        self._session_start_s = 0.0
        self._elapsed_before_s = 0.0
        self._measured_from: tuple[float, int] | None = None
        self._recent_loss = math.nan
        self._last_checkpoint = (0.0, 0)

    def run(self) -> TrainSummary:
        """Train, from the newest checkpoint on if there is one; a finished run gives its summary again.

        Raises:
            Interrupted: by Ctrl-C or SIGTERM, after a checkpoint was saved.
            DivergedError: the loss is not finite; the last good checkpoint stands.
            ResourceError: a checkpoint cannot be written; the one before it stands.
        """
        status = self.run_folder.status()
        if status["state"] == "finished":
            return TrainSummary.from_json(status["summary"])
        with self._signals:
            try:
                self._restore()
                self.run_folder.set_status("running", step=self._notes.step)
                self._progress.start(self._title())
                self._fix_decay()
                self._loop()
                return self._finish()
            except BaseException as error:
                self._note_failure(error)
                raise
            finally:
                self._progress.close()

    def _restore(self) -> None:
        checkpoint = load_newest(self.run_folder.checkpoints, warn=self._progress.message)
        self._notes = Notes()
        if checkpoint is not None:
            self.task.load_state(checkpoint.arrays)
            self._notes = Notes.from_json(checkpoint.notes)
            self._set_decay()
        self.run_folder.keep_metrics(self._notes.num_records)
        self._session_start_s = time.monotonic()
        self._elapsed_before_s = self._notes.elapsed_s
        self._last_checkpoint = (self._session_start_s, self._notes.step)
        self._measured_from = None

    def _elapsed_s(self) -> float:
        return self._elapsed_before_s + time.monotonic() - self._session_start_s

    def _title(self) -> str:
        total = number_text(self.task.units_before(self._end_step()))
        title = f"Training on {total} {self.task.unit}"
        return f"{title}, resumed at step {self._notes.step:,} of {self._end_step():,}" if self._notes.step else title

    def _end_step(self) -> int:
        limits = (self.task.num_steps, self.config.max_steps, self._notes.decay_steps)
        return min(limit for limit in limits if limit is not None)

    def _fix_decay(self) -> None:
        """Fix where the learning rate ends, in a checkpoint before the first step."""
        if self._notes.step > 0 or self._notes.decay_steps is not None:
            return
        if self.config.max_minutes is not None:
            self._notes.decay_steps = self._measured_steps(self.config.max_minutes * 60)
        elif self.config.max_steps is not None:
            self._notes.decay_steps = self._end_step()
        else:
            return
        self._set_decay()
        self._save()

    def _set_decay(self) -> None:
        steps = self._notes.decay_steps
        if steps is not None and steps != self.task.decay_steps:
            self.task.set_decay_steps(steps)

    def _measured_steps(self, budget_s: float) -> int:
        """How many steps fit into the time: some are made to measure it, and undone.

        The run is then the same as one that was given this number of steps from the start.
        """
        self._save()
        speed = measure_speed(self.task, budget_s, self._end_step(), self._check_measured)
        checkpoint = load_newest(self.run_folder.checkpoints, warn=self._progress.message)
        if checkpoint is None:
            raise TextsslError("the checkpoint of step 0 is gone", where=str(self.run_folder.checkpoints))
        self.task.load_state(checkpoint.arrays)
        return last_step_in_time(self.task, speed, budget_s - self._elapsed_s(), self._end_step())

    def _check_measured(self, index: int, result: StepResult) -> None:
        self._require_finite(index, result)
        self._raise_if_asked()  # the checkpoint from before measuring stands

    def _loop(self) -> None:
        end = self._end_step()
        while self._notes.step < end and not self._is_out_of_time():
            self._one_step(self._notes.step)
            self._show(end)
            self._stop_if_asked()
            if self._is_checkpoint_due() and self._notes.step < end:
                self._save()

    def _one_step(self, index: int) -> None:
        result = self.task.step(index)
        self._require_finite(index, result)
        self._notes.add(result)
        if result.count:
            mean = result.total / result.count
            past = self._recent_loss if math.isfinite(self._recent_loss) else mean
            self._recent_loss = _RECENT * past + (1 - _RECENT) * mean
        if self._notes.is_recorded:
            self._record_interval(index)
        if math.floor(self.task.epoch(index + 1)) > math.floor(self.task.epoch(index)):
            self._end_epoch()

    def _require_finite(self, index: int, result: StepResult) -> None:
        if result.applied and math.isfinite(result.total):
            return
        mean = result.total / result.count if result.count else result.total
        self._record("diverged", index + 1, loss_nats=mean, learning_rate=self.task.learning_rate(index))
        self._raise_diverged(f"the loss of step {index:,} is {mean}")

    def _raise_diverged(self, what: str) -> NoReturn:
        rate = self.task.learning_rate(max(self._notes.step - 1, 0))
        raise DivergedError(
            f"training diverged: {what} at a learning rate of {rate:.3g}; the last good checkpoint stands",
            where=str(self.run_folder.path),
            hint=f"Start a new run with a lower learning rate, for instance {rate / 4:.1g}.",
        )

    def _record_interval(self, index: int) -> None:
        notes = self._notes
        elapsed = self._elapsed_s()
        duration = max(elapsed - notes.interval_start_s, 1e-9)
        self._record(
            "train",
            notes.step,
            loss_nats=notes.interval.mean,
            learning_rate=self.task.learning_rate(index),
            **{f"{self.task.unit}_per_s": notes.interval_units / duration},
        )
        notes.start_interval(elapsed)

    def _end_epoch(self) -> None:
        num_terms = self._notes.epoch.count
        mean = self._notes.end_epoch()
        self._record("epoch", self._notes.step, epoch_loss_nats=mean, num_terms=num_terms)
        self._progress.message(f"epoch {len(self._notes.epoch_losses)}: loss {mean:.4f}")
        self._evaluate_now()

    def _evaluate_now(self) -> None:
        if self._evaluate is None or self._notes.evaluated_step == self._notes.step:
            return
        self._notes.scores = self._evaluate()
        self._notes.evaluated_step = self._notes.step
        self._record("evaluation", self._notes.step, scores=self._notes.scores)
        listed = "  ".join(f"{name} {score:.4g}" for name, score in self._notes.scores.items())
        self._progress.message(f"evaluation at step {self._notes.step:,}: {listed}")

    def _record(self, kind: str, step: int, **fields: Any) -> None:
        record = {"kind": kind, "step": step, "epoch": self.task.epoch(step), self.task.unit: self._notes.units}
        self.run_folder.append_metrics({**record, **fields, "elapsed_s": self._elapsed_s()})
        self._notes.num_records += 1

    def _show(self, end: int) -> None:
        """Give the progress its situation; the speed is that of this session after its first step."""
        now, notes, task = time.monotonic(), self._notes, self.task
        if self._measured_from is None:
            self._measured_from = (now, notes.step)
        since, first = self._measured_from
        speed = (task.units_before(notes.step) - task.units_before(first)) / max(now - since, 1e-9)
        total = task.units_before(end)
        remaining = (total - task.units_before(notes.step)) / speed if speed > 0 else None
        if remaining is not None and self.config.max_minutes is not None:
            remaining = min(remaining, max(self.config.max_minutes * 60 - self._elapsed_s(), 0.0))
        self._progress.update(
            Situation(
                fraction=task.units_before(notes.step) / max(total, 1),
                epoch=task.epoch(notes.step),
                num_epochs=task.epoch(task.num_steps),
                unit=task.unit,
                units_per_s=speed,
                loss_nats=self._recent_loss,
                learning_rate=task.learning_rate(notes.step - 1),
                remaining_s=remaining,
            )
        )

    def _is_out_of_time(self) -> bool:
        return self.config.max_minutes is not None and self._elapsed_s() >= self.config.max_minutes * 60

    def _is_checkpoint_due(self) -> bool:
        every = parse_interval(self.config.checkpoint_every)
        when, step = self._last_checkpoint
        if every.steps is not None:
            return self._notes.step - step >= every.steps
        return every.seconds is not None and time.monotonic() - when >= every.seconds

    def _save(self) -> None:
        arrays = self.task.state()
        bad = first_not_finite(arrays)
        if bad is not None:
            self._raise_diverged(f"{bad} holds values that are not finite after step {self._notes.step:,}")
        self._notes.elapsed_s = self._elapsed_s()
        self.run_folder.sync_metrics()
        save_checkpoint(
            self.run_folder.checkpoints,
            step=self._notes.step,
            arrays=arrays,
            notes=self._notes.to_json(),
            keep=self.config.keep_checkpoints,
        )
        self._last_checkpoint = (time.monotonic(), self._notes.step)

    def _stop_if_asked(self) -> None:
        if self._signals.number is not None:
            self._save()
            self._raise_if_asked()

    def _raise_if_asked(self) -> None:
        if self._signals.number is not None:
            raise Interrupted(self._signals.number, where=str(self.run_folder.path), hint=_RESUME)

    def _finish(self) -> TrainSummary:
        self._evaluate_now()
        self._save()
        if self._export is not None:
            self._export()
        summary = self._summary()
        self.run_folder.set_status("finished", step=summary.steps, summary=dataclasses.asdict(summary))
        return summary

    def _summary(self) -> TrainSummary:
        notes, task = self._notes, self.task
        cut_by = "max_minutes" if self.config.max_minutes is not None else "max_steps"
        if self.config.max_steps is not None and notes.step >= self.config.max_steps:
            cut_by = "max_steps"
        return TrainSummary(
            steps=notes.step,
            epochs=task.epoch(notes.step),
            unit=task.unit,
            units=notes.units,
            elapsed_s=self._elapsed_s(),
            epoch_losses=tuple(notes.epoch_losses),
            loss_nats=notes.last_epoch_loss,
            ended_by="epochs" if notes.step >= task.num_steps else cut_by,
            scores=dict(notes.scores),
        )

    def _note_failure(self, error: BaseException) -> None:
        states: dict[type[BaseException], State] = {Interrupted: "interrupted", DivergedError: "diverged"}
        state = states.get(type(error), "failed")
        reason = str(error) or type(error).__name__
        # The status is a courtesy: where it cannot be written, the error itself is what people must see.
        with contextlib.suppress(TextsslError):
            self.run_folder.set_status(state, step=self._notes.step, reason=reason)
