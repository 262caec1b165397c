"""Blocks of a kernel: each trained once an epoch, in an order and at rates that threads do not change."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tests.objectives.topics import SMALL, documents
from textssl.config import resolve
from textssl.errors import DataError
from textssl.objectives.base import Setting
from textssl.objectives.skipgram import SkipGram
from textssl.text.sources import from_iterable
from textssl.training import kernel_task
from textssl.training.kernel_task import FINAL_FRACTION, KernelTask

RATE = 0.1
SIZES = [1, 2, 499, 500, 501, 3_333, 31_999, 32_001, 65_000, 700_000, 2_345_678]


class RecordingEngine:
    """Notes what it is asked to train; its table depends on the order of all blocks."""

    work_per_unit = 2e5

    def __init__(self, num_units: int, num_threads: int = 1, loss: float = 2.0, pause_s: float = 0.0) -> None:
        self.num_units, self.num_threads, self.loss, self.pause_s = num_units, num_threads, loss, pause_s
        self.calls: list[tuple[int, int, int, float, int]] = []
        self.table = np.zeros((3, 2), np.float32)
        self._lock = threading.Lock()

    def train_block(self, start, stop, *, epoch, learning_rate, thread):
        time.sleep(self.pause_s)
        with self._lock:
            self.calls.append((start, stop, epoch, learning_rate, thread))
            self.table = (self.table * np.float32(0.9) + np.float32(start % 97 + learning_rate)).astype(np.float32)
        return self.loss * (stop - start), stop - start

    def tables(self):
        return {"table": self.table}


def task_of(engine, *, num_epochs=2, seed=1, unit="words") -> KernelTask:
    return KernelTask(engine, unit=unit, num_epochs=num_epochs, learning_rate=RATE, seed=seed)


def run(task, steps=None):
    return [task.step(index) for index in (range(task.num_steps) if steps is None else steps)]


def blocks_of(engine, epoch):
    return [(start, stop) for start, stop, of_epoch, *_ in engine.calls if of_epoch == epoch]


@pytest.mark.parametrize("num_units", SIZES)
@pytest.mark.parametrize("num_threads", [1, 2, 7])
def test_every_unit_is_trained_once_an_epoch(num_units, num_threads):
    engine = RecordingEngine(num_units, num_threads)
    results = run(task_of(engine))
    for epoch in (0, 1):
        blocks = sorted(blocks_of(engine, epoch))
        assert blocks[0][0] == 0
        assert blocks[-1][1] == num_units
        assert all(stop == start for (_, stop), (start, _) in zip(blocks, blocks[1:], strict=False))
    assert sum(result.units for result in results) == 2 * num_units
    assert sum(result.total for result in results) == pytest.approx(2 * num_units * engine.loss)
    assert sum(result.count for result in results) == 2 * num_units
    assert all(result.applied for result in results)


@pytest.mark.parametrize("num_units", SIZES)
def test_blocks_and_rates_do_not_depend_on_the_threads(num_units):
    engines = [RecordingEngine(num_units, threads) for threads in (1, 4)]
    for engine in engines:
        run(task_of(engine))
    one, four = (sorted(call[:4] for call in engine.calls) for engine in engines)
    assert one == four
    assert {call[4] for call in engines[0].calls} == {0}
    assert {call[4] for call in engines[1].calls} <= set(range(4))


def test_all_threads_take_part():
    engine = RecordingEngine(200_000, 3, pause_s=0.002)
    run(task_of(engine, num_epochs=1))
    assert {call[4] for call in engine.calls} == {0, 1, 2}


@pytest.mark.parametrize("num_units", SIZES)
def test_learning_rate_falls_with_the_units_scheduled(num_units):
    engine = RecordingEngine(num_units)
    task = task_of(engine)
    run(task)
    scheduled = 0
    for start, stop, _, rate, _ in engine.calls:
        assert rate == pytest.approx(RATE * max(1 - scheduled / (2 * num_units), FINAL_FRACTION))
        scheduled += stop - start
    assert [task.learning_rate(step) for step in range(task.num_steps)] == sorted(
        (task.learning_rate(step) for step in range(task.num_steps)), reverse=True
    )


def test_learning_rate_reaches_its_end_at_the_step_that_was_fixed():
    task = task_of(RecordingEngine(700_000), num_epochs=3)
    assert task.decay_steps == task.num_steps
    task.set_decay_steps(5)
    assert task.decay_steps == 5
    assert task.learning_rate(0) == RATE
    assert task.learning_rate(5) == RATE * FINAL_FRACTION
    assert task.learning_rate(7) == RATE * FINAL_FRACTION
    assert task.learning_rate(2) == pytest.approx(RATE * (1 - task.units_before(2) / task.units_before(5)))


@pytest.mark.parametrize("num_units", SIZES)
def test_units_and_epochs_before_a_step_are_those_trained(num_units):
    engine = RecordingEngine(num_units)
    task = task_of(engine, num_epochs=3)
    trained = 0
    for step in range(task.num_steps):
        assert task.units_before(step) == trained
        assert task.epoch(step) == pytest.approx(trained / num_units)
        trained += task.step(step).units
    assert task.units_before(task.num_steps) == trained == 3 * num_units
    assert task.epoch(task.num_steps) == 3.0


def test_order_changes_with_epoch_and_seed_alone():
    first, same, other = RecordingEngine(100_000), RecordingEngine(100_000), RecordingEngine(100_000)
    for engine, seed in ((first, 1), (same, 1), (other, 2)):
        run(task_of(engine, seed=seed))
    assert first.calls == same.calls
    assert blocks_of(first, 0) != blocks_of(first, 1)
    assert blocks_of(first, 0) != blocks_of(other, 0)
    assert sorted(blocks_of(first, 0)) == sorted(blocks_of(other, 0))


def test_small_corpora_are_not_cut_to_pieces():
    engine = RecordingEngine(400)
    run(task_of(engine, num_epochs=1))
    assert blocks_of(engine, 0) == [(0, 400)]


@pytest.mark.parametrize("resume_at", [0, 1, 2, 3, 7, 11, 12])
def test_resuming_at_any_step_gives_the_same_table(resume_at):
    whole = RecordingEngine(800_000)
    task = task_of(whole)
    run(task)
    assert task.num_steps == 12
    first = RecordingEngine(800_000)
    run(task_of(first), range(resume_at))
    second = RecordingEngine(800_000)
    resumed = task_of(second)
    resumed.load_state({"table": first.table})
    run(resumed, range(resume_at, task.num_steps))
    assert np.array_equal(second.table, whole.table)
    assert first.calls + second.calls == whole.calls


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_not_applied(loss):
    assert not task_of(RecordingEngine(1000, loss=loss)).step(0).applied


@pytest.mark.parametrize("num_threads", [1, 3])
def test_an_error_in_a_block_reaches_the_caller(num_threads, monkeypatch):
    engine = RecordingEngine(100_000, num_threads)
    monkeypatch.setattr(engine, "train_block", lambda *block, **options: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        task_of(engine).step(0)


def test_another_table_is_refused():
    task = task_of(RecordingEngine(1000))
    with pytest.raises(DataError, match=r"the checkpoint's table table must have shape \(3, 2\), found \(2, 2\)"):
        task.load_state({"table": np.zeros((2, 2))})
    with pytest.raises(DataError, match=r"must have shape \(3, 2\), found nothing"):
        task.load_state({})


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(kernel_task, "BLOCK_UNITS", (100, 200))
    monkeypatch.setattr(kernel_task, "STEP_UNITS", (300, 500))


@pytest.mark.parametrize("options", [{}, {"min_n": 3, "max_n": 4}, {"output": "hierarchical_softmax"}])
def test_kernels_resume_at_any_step_to_the_same_bits(options, tmp_path, small_steps):
    config, _ = resolve(SkipGram.Config, {**{k: v for k, v in SMALL.items() if k != "threads"}, "epochs": 2, **options})
    corpus = from_iterable(documents(60))

    def fresh():
        prepared = SkipGram().prepare(corpus, config, Setting(3, 1, "cpu", tmp_path, None))
        return KernelTask(prepared.blocks(), unit="words", num_epochs=2, learning_rate=RATE, seed=3)

    whole = fresh()
    states = [{name: table.copy() for name, table in whole.state().items()}]
    for step in range(whole.num_steps):
        whole.step(step)
        states.append({name: table.copy() for name, table in whole.state().items()})
    assert whole.num_steps >= 4
    for stop in range(whole.num_steps):
        resumed = fresh()
        resumed.load_state(states[stop])
        run(resumed, range(stop, whole.num_steps))
        for name, table in states[-1].items():
            assert np.array_equal(resumed.state()[name], table), f"{name} after resuming at step {stop}"
