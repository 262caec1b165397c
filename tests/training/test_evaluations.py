"""When the loop evaluates, patience and the best state, and budgets of units."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.training.small_task import SmallTask, records
from tests.training.test_trainer import Clock, TimedTask
from textssl.errors import DataError, Interrupted, UsageError
from textssl.run_folder import RunFolder
from textssl.training.checkpoint import load_newest
from textssl.training.notes import Watched
from textssl.training.progress import SilentProgress
from textssl.training.trainer import Trainer, TrainerConfig

SCORES = (5.0, 4.0, 3.0, 3.5, 3.0, 2.9, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6)


class Scored(SmallTask):
    """Its scores are a list over the steps, so that tests know the best."""

    stop: int | None = None

    def step(self, index):
        if index == self.stop:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().step(index)

    def loss(self) -> dict[str, float]:
        step = len(self.steps_made) + self.before
        return {"loss_nats": SCORES[step // 2 - 1], "step": float(step)}

    before = 0


def run(folder, task, *, watched=None, kept=None, evaluate="loss", **options):
    """Train; `kept` gets the weights that are exported."""
    options = {"evaluate_every": "2steps", **options}
    with RunFolder.open(folder, {}, ["test"], data={}) as opened:
        return Trainer(
            task,
            opened,
            config=TrainerConfig(**options),
            evaluate=getattr(task, evaluate) if evaluate else None,
            progress=SilentProgress(),
            watched=watched,
            export=lambda: kept.append(task.weights.copy()) if kept is not None else None,
        ).run()


def evaluated(folder) -> list[int]:
    return [record["step"] for record in records(folder) if record["kind"] == "evaluation"]


def test_evaluation_comes_by_steps_and_at_the_end(tmp_path):
    run(tmp_path, SmallTask(), evaluate="scores", evaluate_every="7steps")
    assert evaluated(tmp_path) == [7, 14, 21, 24]


def test_evaluation_comes_by_the_clock(tmp_path, monkeypatch):
    run(tmp_path, TimedTask(Clock(monkeypatch), 10.0), evaluate="scores", evaluate_every="45s")
    assert evaluated(tmp_path) == [5, 10, 15, 20, 24]


def test_patience_stops_and_exports_the_best_state(tmp_path):
    kept = []
    task = Scored()
    summary = run(tmp_path / "patient", task, patience=4, kept=kept)
    # 2.9 at step 12 is the best; those of steps 14, 16, 18 and 20 are worse
    assert (summary.steps, summary.best_step, summary.ended_by) == (20, 12, "patience")
    assert summary.scores == {"loss_nats": 2.9, "step": 12.0}
    again = Scored()
    for index in range(12):
        again.step(index)
    assert kept[0].tobytes() == again.weights.tobytes()
    assert load_newest(tmp_path / "patient" / "checkpoints", warn=pytest.fail).notes["step"] == 20


def test_equal_scores_are_no_better(tmp_path):
    assert run(tmp_path, Scored(), patience=2).best_step == 6  # 3.5 and 3.0 after 3.0


def test_higher_may_be_better(tmp_path):
    summary = run(tmp_path, Scored(), patience=5, watched=Watched("step", "higher"))
    assert (summary.best_step, summary.ended_by) == (24, "epochs")


def test_best_checkpoint_outlives_the_rotation(tmp_path):
    run(tmp_path, Scored(), patience=4, checkpoint_every="1steps", keep_checkpoints=1)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["step-00000012", "step-00000020"]


@pytest.mark.parametrize("stop", [3, 11, 12, 15, 19])
def test_stopped_run_finds_the_same_best_state(tmp_path, stop):
    kept, task = [], Scored()
    expected = run(tmp_path / "whole", task, patience=4, kept=kept)
    stopped = Scored()
    stopped.stop = stop
    with pytest.raises(Interrupted):
        run(tmp_path / "stopped", stopped, patience=4)
    resumed = Scored()
    resumed.before = stop + 1
    summary = run(tmp_path / "stopped", resumed, patience=4, kept=kept)
    assert (summary.best_step, summary.steps, summary.scores) == (12, 20, expected.scores)
    assert kept[0].tobytes() == kept[1].tobytes()
    assert records(tmp_path / "stopped") == records(tmp_path / "whole")


def test_lost_best_state_is_not_passed_over(tmp_path):
    class Losing(Scored):
        def loss(self):
            scores = super().loss()
            if scores["step"] == 20:
                (tmp_path / "checkpoints" / "step-00000012" / "manifest.json").unlink()
            return scores

    message = r"the best state, of step 12, is lost: .*\nRun the same command again without --patience to keep the last"
    with pytest.raises(DataError, match=message):
        run(tmp_path, Losing(), patience=4)


def test_patience_needs_evaluations_that_come_by_steps(tmp_path):
    message = "patience needs evaluations, and nothing of the data is held back for them\nHold some back for validation"
    with pytest.raises(UsageError, match=re.escape(message)):
        run(tmp_path, SmallTask(), patience=1, evaluate=None)
    message = (
        "with patience, evaluations come by epochs or steps, got evaluate_every '30s': the clock would decide what is "
        "learnt\nGive --evaluate-every epoch, or for instance 500steps."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        TrainerConfig(patience=1, evaluate_every="30s")
    with pytest.raises(UsageError, match=r"evaluate_every must be a time or a number of steps, got 'often'"):
        TrainerConfig(evaluate_every="often")


def test_watched_score_must_be_there(tmp_path):
    with pytest.raises(UsageError, match=r"^the evaluation must give accuracy, got loss_nats, step$"):
        run(tmp_path, Scored(), patience=1, watched=Watched("accuracy", "higher"))


@pytest.mark.parametrize(("units", "steps", "ended"), [(1, 1, "max_units"), (95, 10, "max_units"), (900, 24, "epochs")])
def test_units_are_a_budget_and_the_end_of_the_decay(tmp_path, units, steps, ended):
    task = SmallTask()
    summary = run(tmp_path, task, evaluate=None, max_units=units)
    assert (summary.steps, summary.ended_by) == (steps, ended)
    assert task.decay_steps == steps
