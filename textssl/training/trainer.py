"""The one loop: counter, budgets, progress, metrics, evaluation, checkpoints and signals, for every task.

A run is the same to the last bit however often it was stopped, since a step depends on its number and the state alone
and everything else that the loop adds up is kept in the checkpoint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from textssl.config import parse_interval
from textssl.errors import DataError, DivergedError, Interrupted, TextsslError, UsageError
from textssl.run_folder import RunFolder, State
from textssl.storage import numbered
from textssl.training import lines
from textssl.training.budget import TrainerConfig as TrainerConfig
from textssl.training.budget import first_step_with, last_step_in_time, measure_speed
from textssl.training.captures import save_capture
from textssl.training.checkpoint import PREFIX, Checkpoint, first_not_finite, load_newest, load_step, save_checkpoint
from textssl.training.notes import Notes
from textssl.training.notes import TrainSummary as TrainSummary
from textssl.training.notes import Watched as Watched
from textssl.training.progress import Progress, number_text
from textssl.training.ranks import OneRank, Ranks
from textssl.training.signals import StopSignals
from textssl.training.situation import Insight as Insight
from textssl.training.situation import Speedometer
from textssl.training.summary import has_lost_patience, smoothed, summarised
from textssl.training.task import StepResult, Task
from textssl.training.trackers import Tracker

_RESUME = "Run the same command again to go on."


class Trainer:
    """Runs a task to its end or to the end of its budget, in a run folder.

    Args:
        task: the updates.
        run_folder: an open run folder.
        config: budget and checkpoints.
        evaluate: gives named scores; called as often as the budget says, and at the end. It must not change the task.
        progress: shows where the run stands.
        export: writes what the run is for, after the last checkpoint and before the run counts as finished; with
            patience the task then holds the best state.
        watched: the score that patience looks at.
        insight: what the task can tell about itself.
        trackers: take every record that metrics.jsonl gets.
        ranks: the processes that train together; the one that leads writes the run folder, the others only read it.

    Raises:
        UsageError: patience is asked for where nothing is evaluated.
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
        watched: Watched | None = None,
        insight: Insight | None = None,
        trackers: Sequence[Tracker] = (),
        ranks: Ranks | None = None,
    ) -> None:
        if config.patience is not None and evaluate is None:
            raise UsageError(
                "patience needs evaluations, and nothing of the data is held back for them",
                hint="Hold some back for validation, or leave out --patience.",
            )
        self.task = task
        self.run_folder = run_folder
        self.config = config
        self._evaluate = evaluate
        self._progress = progress
        self._export = export
        self._watched = watched or Watched()
        self._insight = insight
        self._trackers = trackers
        self._ranks: Ranks = ranks or OneRank()
        self._notes = Notes()
        self._signals = StopSignals(progress.close)
        self._session_start_s = 0.0
        self._elapsed_before_s = 0.0
        self._speedometer = Speedometer(insight)
        self._recent_loss = math.nan
        self._last_checkpoint = (0.0, 0)
        self._last_evaluation_s = 0.0

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
                self._set_status("running", step=self._notes.step)
                self._progress.start(self._title())
                self._fix_decay()
                self._loop()
                return self._finish()
            except BaseException as error:
                self._note_failure(error)
                raise
            finally:
                self._progress.close()
                for tracker in self._trackers:
                    tracker.close()

    def _set_status(self, state: State, **fields: Any) -> None:
        if self._ranks.leads:
            self.run_folder.set_status(state, **fields)

    def _newest(self) -> Checkpoint | None:
        """The newest checkpoint: who leads looks for it and verifies it, all load the same."""
        found = None
        if self._ranks.leads:
            found = load_newest(self.run_folder.checkpoints, warn=self._progress.message)
        step = self._ranks.from_lead(found.notes["step"] + 1 if found else 0) - 1
        return found if self._ranks.leads or step < 0 else load_step(self.run_folder.checkpoints, step)

    def _restore(self) -> None:
        checkpoint = self._newest()
        self._notes = Notes()
        if checkpoint is not None:
            self.task.load_state(checkpoint.arrays)
            self._notes = Notes.from_json(checkpoint.notes)
            self._set_decay()
        if self._ranks.leads:
            self.run_folder.keep_metrics(self._notes.num_records)
        self._session_start_s = self._last_evaluation_s = time.monotonic()
        self._elapsed_before_s = self._notes.elapsed_s
        self._last_checkpoint = (self._session_start_s, self._notes.step)
        self._speedometer = Speedometer(self._insight)

    def _elapsed_s(self) -> float:
        return self._elapsed_before_s + time.monotonic() - self._session_start_s

    def _title(self) -> str:
        total = number_text(self.task.units_before(self._end_step()))
        title = f"Training on {total} {self.task.unit}"
        return f"{title}, resumed at step {self._notes.step:,} of {self._end_step():,}" if self._notes.step else title

    def _end_step(self) -> int:
        units = self.config.max_units
        of_units = None if units is None else first_step_with(self.task, units)
        limits = (self.task.num_steps, self.config.max_steps, of_units, self._notes.decay_steps)
        return min(limit for limit in limits if limit is not None)

    def _fix_decay(self) -> None:
        """Fix where the learning rate ends, in a checkpoint before the first step."""
        if self._notes.step > 0 or self._notes.decay_steps is not None:
            return
        if self.config.max_minutes is not None:
            self._notes.decay_steps = self._measured_steps(self.config.max_minutes * 60)
        elif self.config.max_steps is not None or self.config.max_units is not None:
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
        speed = measure_speed(self.task, budget_s, self._end_step(), self._check_measured, self._ranks)
        checkpoint = self._newest()
        if checkpoint is None:
            raise TextsslError("the checkpoint of step 0 is gone", where=str(self.run_folder.checkpoints))
        self.task.load_state(checkpoint.arrays)
        steps = last_step_in_time(self.task, speed, budget_s - self._elapsed_s(), self._end_step())
        return self._ranks.from_lead(steps)

    def _check_measured(self, index: int, result: StepResult) -> None:
        self._require_finite(index, result)
        self._raise_if_asked(self._ranks.largest([self._signals.number or 0])[0])  # the checkpoint of step 0 stands

    def _loop(self) -> None:
        end = self._end_step()
        over = self._ranks.largest([int(self._is_out_of_time())])[0]
        while self._notes.step < end and not over and not has_lost_patience(self._notes, self.config):
            self._one_step(self._notes.step)
            self._show(end)
            # One exchange for all that only some processes may have noticed: signals and clocks.
            noticed = (self._signals.number or 0, int(self._is_out_of_time()), int(self._is_evaluation_due()))
            signal, over, evaluation_due = self._ranks.largest(noticed)
            if evaluation_due:
                self._evaluate_now()
            if signal:
                self._save()
                self._raise_if_asked(signal)
            if self._is_checkpoint_due() and self._notes.step < end:
                self._save()

    def _one_step(self, index: int) -> None:
        result = self.task.step(index)
        self._require_finite(index, result)
        self._notes.add(result)
        if result.count:
            self._recent_loss = smoothed(self._recent_loss, result.total / result.count, self.task.num_steps)
        if self._notes.is_recorded:
            self._record_interval(index, result)
        if math.floor(self.task.epoch(index + 1)) > math.floor(self.task.epoch(index)):
            self._end_epoch()

    def _require_finite(self, index: int, result: StepResult) -> None:
        if result.applied and math.isfinite(result.total):
            return
        mean = result.total / result.count if result.count else result.total
        norm = {} if result.gradient_norm is None else {"gradient_norm": result.gradient_norm}
        self._record("diverged", index + 1, loss_nats=mean, learning_rate=self.task.learning_rate(index), **norm)
        what = f"the loss of step {index:,} is {mean}"
        if math.isfinite(mean) and norm:
            what = f"the gradient of step {index:,} has the norm {result.gradient_norm}"
        self._raise_diverged(what, captured=self._capture(index))

    def _capture(self, index: int) -> Path | None:
        """Keep the state before a step that was not applied; where that fails, the divergence is still what counts."""
        if self._insight is None or not self._ranks.leads:
            return None
        try:
            return save_capture(self.run_folder.path, self.task, step=index, diagnosis=self._insight.diagnosis())
        except TextsslError as error:
            self._progress.message(f"WARNING: the step is not captured: {error}")
            return None

    def _raise_diverged(self, what: str, *, captured: Path | None = None) -> NoReturn:
        look = f"To see what was not finite: textssl check {self.run_folder.path} --replay\n" if captured else ""
        rate = self.task.learning_rate(max(self._notes.step - 1, 0))
        saved = numbered(self.run_folder.checkpoints, PREFIX)
        raise DivergedError(
            f"training diverged: {what} at a learning rate of {rate:.3g}; "
            f"{'the last good checkpoint stands' if saved else 'there was no checkpoint yet'}",
            where=str(self.run_folder.path),
            hint=f"{look}Start a new run with a lower learning rate, for instance {rate / 4:.1g}.",
        )

    def _record_interval(self, index: int, result: StepResult) -> None:
        notes = self._notes
        elapsed = self._elapsed_s()
        speed = notes.interval_units / max(elapsed - notes.interval_start_s, 1e-9)
        utilisation = self._insight.utilisation(speed) if self._insight else None
        self._record(
            "train",
            notes.step,
            loss_nats=notes.interval.mean,
            learning_rate=self.task.learning_rate(index),
            **{} if result.gradient_norm is None else {"gradient_norm": result.gradient_norm},
            **{f"{self.task.unit}_per_s": speed},
            **{} if utilisation is None else {"utilisation": utilisation},
        )
        notes.start_interval(elapsed)

    def _end_epoch(self) -> None:
        num_terms, mean = self._notes.epoch.count, self._notes.end_epoch()
        self._record("epoch", self._notes.step, epoch_loss_nats=mean, num_terms=num_terms)
        if self._is_told():
            self._progress.message(lines.epoch_line(len(self._notes.epoch_losses), mean))
        if self.config.evaluation_interval is None:
            self._evaluate_now()

    def _evaluate_now(self) -> None:
        notes = self._notes
        if self._evaluate is None or notes.evaluated_step == notes.step:
            return
        scores = self._evaluate()
        is_best = False
        if self.config.patience is None:
            notes.scores, notes.evaluated_step = scores, notes.step
        else:
            is_best = notes.add_scores(scores, self._watched)
        self._last_evaluation_s = time.monotonic()
        self._record("evaluation", notes.step, scores=scores)
        if self.config.evaluation_interval is not None or self._is_told():
            self._progress.message(lines.evaluation_line(notes.step, scores, self._watched.name if is_best else None))
        if is_best:
            self._save()  # rotation leaves this one alone

    def _is_told(self) -> bool:
        end, step = self._end_step(), self._notes.step
        return step >= end or lines.is_told(len(self._notes.epoch_losses), self.task.epoch(end))

    def _is_evaluation_due(self) -> bool:
        every = self.config.evaluation_interval
        if every is None or self._evaluate is None:
            return False
        if every.steps is not None:
            return self._notes.step % every.steps == 0
        return every.seconds is not None and time.monotonic() - self._last_evaluation_s >= every.seconds

    def _record(self, kind: str, step: int, **fields: Any) -> None:
        place = {"kind": kind, "step": step, "epoch": self.task.epoch(step), self.task.unit: self._notes.units}
        self._notes.num_records += 1
        if self._ranks.leads:
            record = {**place, **fields, "elapsed_s": self._elapsed_s()}
            self.run_folder.append_metrics(record)
            for tracker in self._trackers:
                tracker.log(record)

    def _show(self, end: int) -> None:
        self._progress.update(
            self._speedometer.situation(
                self.task, self._notes, end=end, loss_nats=self._recent_loss, left_s=self._left_s()
            )
        )

    def _left_s(self) -> float | None:
        minutes = self.config.max_minutes
        return None if minutes is None else max(minutes * 60 - self._elapsed_s(), 0.0)

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
        if self._ranks.leads:
            self.run_folder.sync_metrics()
            save_checkpoint(
                self.run_folder.checkpoints,
                step=self._notes.step,
                arrays=arrays,
                notes=self._notes.to_json(),
                keep=self.config.keep_checkpoints,
                best_step=self._notes.best_step,
            )
        self._last_checkpoint = (time.monotonic(), self._notes.step)

    def _raise_if_asked(self, signal: int) -> None:
        if signal:
            raise Interrupted(signal, where=str(self.run_folder.path), hint=_RESUME)

    def _finish(self) -> TrainSummary:
        self._evaluate_now()
        self._save()
        self._take_best()
        summary = summarised(self._notes, self.task, self.config, elapsed_s=self._elapsed_s())
        if self._ranks.leads:
            if self._export is not None:
                self._export()
            self.run_folder.set_status("finished", step=summary.steps, summary=dataclasses.asdict(summary))
        self._ranks.from_lead(0)  # the others stay until all is written
        return summary

    def _take_best(self) -> None:
        """Give the task the state of the best evaluation back."""
        step = self._notes.best_step
        if self.config.patience is None or step is None or step == self._notes.step:
            return
        try:
            self.task.load_state(load_step(self.run_folder.checkpoints, step).arrays)
        except DataError as error:
            raise DataError(
                f"the best state, of step {step:,}, is lost: {error}",
                where=str(self.run_folder.path),
                hint="Run the same command again without --patience to keep the last state.",
            ) from error
        self._progress.message(f"the state of step {step:,} is kept, which was the best")

    def _note_failure(self, error: BaseException) -> None:
        states: dict[type[BaseException], State] = {Interrupted: "interrupted", DivergedError: "diverged"}
        state = states.get(type(error), "failed")
        reason = str(error) or type(error).__name__
        # The status is a courtesy: where it cannot be written, the error itself is what people must see.
        with contextlib.suppress(TextsslError):
            self._set_status(state, step=self._notes.step, reason=reason)
