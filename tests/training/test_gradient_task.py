"""The task of methods with automatic differentiation, on a small corpus of pairs."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.kernels.reference import reference_window_step
from textssl.errors import DataError
from textssl.models.word2vec import Word2Vec
from textssl.objectives.base import GradientParts, Optimisation
from textssl.objectives.base_reference import ReferenceWindows
from textssl.text.windows import WindowSettings, block_windows
from textssl.training.gradient_task import GradientTask
from textssl.training.task import Task

VOCABULARY, WIDTH = 12, 8


def objective(**changes) -> ReferenceWindows:
    """Documents of three words: two that always stand together, and one that does not care."""
    generator = np.random.default_rng(0)
    first = 2 * generator.integers(0, 5, 400)
    ids = np.stack([first, first + 1, generator.integers(10, 12, 400)], 1).ravel().astype(np.uint16)
    settings = WindowSettings(
        seed=3, window=2, width="fixed", keep_thresholds=np.full(VOCABULARY, 2**32, np.uint64), num_negatives=4,
        noise_accept=np.full(VOCABULARY, 2**32 - 1, np.uint32), noise_alias=np.arange(VOCABULARY),
    )  # fmt: skip
    plain = ReferenceWindows(
        ids=ids, offsets=np.arange(0, len(ids) + 1, 3), settings=settings, method="skipgram", noise_weight=1.0,
        subwords=None, paths=None, block_words=100, num_epochs=5,
    )  # fmt: skip
    return replace(plain, **changes)


def task(blocks: ReferenceWindows, *, learning_rate: float = 0.2, dtype: torch.dtype = torch.float32) -> GradientTask:
    start = np.random.default_rng(1).uniform(-0.5 / WIDTH, 0.5 / WIDTH, (VOCABULARY, WIDTH))
    model = Word2Vec(torch.tensor(start, dtype=dtype), torch.zeros(VOCABULARY, WIDTH, dtype=dtype))
    optimisation = Optimisation("sparse_sgd", learning_rate, final_fraction=1e-4, reduction="sum", precision="float32")
    return GradientTask(GradientParts(blocks, model, optimisation))


def run(chosen: Task, start: int = 0, stop: int | None = None) -> list[float]:
    results = [chosen.step(index) for index in range(start, chosen.num_steps if stop is None else stop)]
    assert all(result.applied for result in results)
    return [result.total / result.count for result in results]


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_words_that_stand_together_are_told_from_noise(method):
    chosen = task(objective(method=method))
    losses = run(chosen)
    assert losses[0] == pytest.approx(5 * np.log(2), rel=0.15)  # less where noise equals the centre
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    scores = chosen.model.input_table.detach() @ chosen.model.output_table.detach().T
    partners = [int(scores[word, :10].argmax()) for word in range(0, 10, 2)]
    assert partners == [1, 3, 5, 7, 9]


def test_small_batches_move_the_tables_as_one_window_after_the_other_does():
    blocks = objective(block_words=3, num_epochs=1)
    chosen = task(blocks, dtype=torch.float64)
    chosen.set_decay_steps(10**9)  # so that the learning rate does not fall
    before = [table.copy() for table in chosen.state().values()]
    results = [chosen.step(index) for index in range(20)]
    windows = block_windows(blocks.ids, blocks.offsets, 0, 60, settings=blocks.settings, epoch=0)
    inputs, _, total, pairs = reference_window_step(*before, windows, method="skipgram", learning_rate=0.2)
    assert sum(result.count for result in results) == pairs
    # Equal to first order only: the three windows of a batch share rows.
    assert sum(result.total for result in results) == pytest.approx(total, rel=0.02)
    moves = chosen.state()["input_table"] - before[0], inputs - before[0]
    assert np.corrcoef(*(move.ravel() for move in moves))[0, 1] > 0.98


def test_steps_count_words_and_the_learning_rate_follows_them():
    chosen = task(objective())
    assert chosen.unit == "words"
    assert (chosen.num_steps, chosen.decay_steps) == (60, 60)
    assert chosen.step(0).units == 100
    assert chosen.units_before(60) == 6000
    assert chosen.epoch(18) == 1.5
    assert [chosen.learning_rate(step) for step in (0, 30, 60)] == pytest.approx([0.2, 0.1, 0.2e-4])
    chosen.set_decay_steps(30)
    assert [chosen.learning_rate(step) for step in (0, 15, 30, 60)] == pytest.approx([0.2, 0.1, 0.2e-4, 0.2e-4])


def test_resume_is_identical_to_uninterrupted():
    whole, first, second = (task(objective()) for _ in range(3))
    run(whole)
    run(first, stop=23)
    second.load_state({name: array.copy() for name, array in first.state().items()})
    run(second, start=23)
    for name, array in whole.state().items():
        assert np.array_equal(array, second.state()[name])


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_not_applied(poison):
    chosen = task(objective())
    with torch.no_grad():
        chosen.model.input_table[4] = poison
    before = {name: array.copy() for name, array in chosen.state().items()}
    result = chosen.step(0)
    assert not result.applied
    assert not np.isfinite(result.total)
    for name, array in chosen.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_block_without_windows_is_a_step_that_changes_nothing():
    blocks = objective(offsets=np.arange(1201), block_words=7)
    chosen = task(blocks)
    before = chosen.state()["input_table"].copy()
    result = chosen.step(0)
    assert (result.total, result.count, result.units, result.applied) == (0, 0, 7, True)
    assert np.array_equal(chosen.state()["input_table"], before)


def test_gradients_of_a_batch_and_of_its_parts_are_equal():
    chosen = task(objective(), dtype=torch.float64)
    blocks, parameters = chosen.objective, tuple(chosen.model.parameters())
    whole_batch, parts = replace(blocks, block_words=99), replace(blocks, block_words=33)  # both end with a document
    whole = blocks.loss(chosen.model, whole_batch.batch(0))
    first, second, third = (blocks.loss(chosen.model, parts.batch(step)) for step in range(3))
    joined = first + second + third
    assert joined.count == whole.count
    for ours, theirs in zip(*(torch.autograd.grad(loss.mean, parameters) for loss in (joined, whole)), strict=True):
        torch.testing.assert_close(ours.to_dense(), theirs.to_dense(), rtol=1e-10, atol=1e-14)


def test_a_state_of_another_shape_is_refused():
    chosen = task(objective())
    state = dict(chosen.state(), output_table=np.zeros((3, 2), np.float32))
    message = (
        "the state must hold {'input_table': (12, 8), 'output_table': (12, 8)}, "
        "got {'input_table': (12, 8), 'output_table': (3, 2)}\nStart anew, or resume the run it is from."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        chosen.load_state(state)
