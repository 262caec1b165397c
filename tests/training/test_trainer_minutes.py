"""The trainer with a budget of minutes: the decay is fixed before the first step, and restarts add up."""

import os
import signal

import pytest

from tests.training.small_task import Clock, SmallTask, TimedTask, records, train
from textssl.errors import Interrupted


class StoppedTask(TimedTask):
    """Steps of a second each; the process gets a signal when so many were made."""

    def __init__(self, clock: Clock, *, after: int, number: signal.Signals) -> None:
        super().__init__(clock, 1.0, num_steps=1000)
        self.after, self.number = after, number

    def step(self, index):
        if len(self.steps_made) == self.after:
            os.kill(os.getpid(), self.number)
        return super().step(index)


def test_minutes_fix_the_decay_before_the_first_step(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    task = TimedTask(clock, 1.0, num_steps=1000)
    summary = train(tmp_path, task, max_minutes=2.0)
    # 5 % of 120 s: 6 steps are measured; 95 % of the other 114 s: 108 steps
    assert task.decays == [108]
    assert task.steps_made == [*range(6), *range(108)]
    assert (summary.steps, summary.ended_by) == (108, "max_minutes")
    assert summary.elapsed_s == pytest.approx(114.0)


def test_run_of_minutes_equals_a_run_of_as_many_steps(tmp_path, monkeypatch):
    task = TimedTask(Clock(monkeypatch), 1.0, num_steps=1000)
    train(tmp_path / "minutes", task, max_minutes=2.0)
    other = SmallTask(num_steps=1000)
    train(tmp_path / "steps", other, max_steps=108)
    assert task.weights.tobytes() == other.weights.tobytes()
    assert records(tmp_path / "minutes") == records(tmp_path / "steps")


def test_minutes_add_up_over_restarts(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)

    restarts = 0
    while True:
        clock.now += 5000.0  # time between the sessions does not count
        task = StoppedTask(clock, after=40, number=signal.SIGTERM)
        try:
            summary = train(tmp_path, task, max_minutes=2.0)
            break
        except Interrupted as error:
            assert error.exit_code == 143
            restarts += 1
            assert task.decay_steps == 108
    assert restarts == 2
    assert summary.steps == 108
    assert summary.elapsed_s == pytest.approx(114.0)


def test_minutes_end_a_run_that_became_slower(tmp_path, monkeypatch):
    class Slowing(TimedTask):
        def step(self, index):
            self.step_s = 1.0 if len(self.steps_made) < 30 else 4.0
            return super().step(index)

    summary = train(tmp_path, Slowing(Clock(monkeypatch), 1.0, num_steps=1000), max_minutes=2.0)
    assert summary.ended_by == "max_minutes"
    assert 120.0 <= summary.elapsed_s <= 124.0
    assert summary.steps < 108


def test_minutes_that_are_enough_for_all_epochs_change_nothing(tmp_path, monkeypatch, uninterrupted):
    task = TimedTask(Clock(monkeypatch), 1.0)
    summary = train(tmp_path, task, max_minutes=10.0)
    assert summary.ended_by == "epochs"
    assert task.weights.tobytes() == uninterrupted[1].weights.tobytes()


def test_stop_while_measuring_leaves_a_run_that_measures_again(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)

    with pytest.raises(Interrupted):
        train(tmp_path, StoppedTask(clock, after=3, number=signal.SIGINT), max_minutes=2.0)
    task = TimedTask(clock, 1.0, num_steps=1000)
    assert train(tmp_path, task, max_minutes=2.0).steps == 108


def test_budget_shorter_than_one_step_makes_one(tmp_path, monkeypatch):
    task = TimedTask(Clock(monkeypatch), 100.0, num_steps=1000)
    summary = train(tmp_path, task, max_minutes=10.0)
    assert task.decays == [3]
    assert summary.steps == 3
