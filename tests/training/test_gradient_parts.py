"""The gradient task on a small network: parts that add up, exact resume, memory, divergence, evaluation."""

from __future__ import annotations

import gc
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.small_network import (
    PLAIN,
    SmallNetwork,
    SmallObjective,
    assert_same_bits,
    copied,
    small_task,
    train_steps,
)  # fmt: skip
from textssl.errors import DataError, ResourceError, UsageError
from textssl.objectives.base import GradientParts
from textssl.training import devices
from textssl.training.gradient_task import GradientTask

MUON = replace(PLAIN, method="muon")
AUTO = replace(PLAIN, num_parts="auto")


class FullMemory(SmallObjective):
    """Runs out of memory whenever a part has more rows than fit."""

    def __init__(self, fits: int, error: type[BaseException] = torch.OutOfMemoryError, **options) -> None:
        super().__init__(**options)
        self.fits, self.error = fits, error

    def loss(self, model, batch):
        if len(batch.ids_BT) > self.fits:
            raise self.error("CUDA out of memory. Tried to allocate 2 GiB\nmore lines")
        return super().loss(model, batch)


@pytest.mark.parametrize("num_parts", [2, 3, 7, 9])
def test_parts_of_unequal_counts_equal_the_whole_batch(num_parts):
    """9 parts of 7 rows: some are empty. The last batch is one like all others."""
    whole, parts = small_task(), small_task(replace(PLAIN, num_parts=num_parts))
    assert train_steps(parts) == pytest.approx(train_steps(whole), rel=1e-12)
    for name, array in whole.state().items():
        np.testing.assert_allclose(parts.state()[name], array, rtol=1e-6, atol=1e-9)


def test_gradient_is_that_of_the_mean_over_all_counted_terms():
    task = small_task(replace(PLAIN, num_parts=3, clip_norm=None))
    objective, model = task.objective, task.model
    whole = objective.loss(model, objective.batch(0, 0, 1))
    expected = torch.autograd.grad(whole.mean, list(model.parameters()))
    result = task.step(0)
    assert (result.total, result.count) == pytest.approx((float(whole.total.detach()), float(whole.count)))
    for part, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(part.grad, gradient, rtol=1e-9, atol=1e-12)
    norm = torch.sqrt(sum((gradient**2).sum() for gradient in expected))
    assert result.gradient_norm == pytest.approx(float(norm))


def test_long_gradients_are_clipped_to_the_norm_and_short_ones_are_not():
    task = small_task(replace(PLAIN, clip_norm=0.01))
    assert task.step(0).gradient_norm > 0.01
    assert float(torch.nn.utils.get_total_norm([part.grad for part in task.model.parameters()])) == pytest.approx(0.01)
    wide, free = small_task(replace(PLAIN, clip_norm=1e9)), small_task(replace(PLAIN, clip_norm=None))
    train_steps(wide, stop=3)
    train_steps(free, stop=3)
    assert_same_bits(wide.state(), free.state())


def test_objective_that_is_not_additive_is_refused_in_parts():
    class Contrast(SmallObjective):
        additive = False

    small_task(objective=Contrast())
    message = (
        "the loss of Contrast depends on the whole batch at once, so it cannot be computed in parts (num_parts {}, 1 "
        "processes)\nTrain it with one process and in one part; a smaller batch needs less memory."
    )
    for num_parts in (2, "auto"):
        with pytest.raises(UsageError, match=f"^{re.escape(message.format(num_parts))}$"):
            small_task(replace(PLAIN, num_parts=num_parts), objective=Contrast())


@pytest.mark.parametrize("optimisation", [PLAIN, MUON, replace(PLAIN, schedule="stable", decay=0.3)])
def test_resume_with_dropout_is_bit_identical_at_any_step_and_with_any_loaders(optimisation):
    whole = small_task(optimisation, dropout=0.3, dtype=torch.float32)
    losses = train_steps(whole)
    task, found = small_task(optimisation, dropout=0.3, dtype=torch.float32), []
    for start, loaders in ((0, 0), (1, 3), (5, 1), (6, 2)):
        other = small_task(optimisation, dropout=0.3, dtype=torch.float32, loader_threads=loaders)
        other.load_state(copied(task.state()))
        task = other
        torch.manual_seed(start)  # the numbers drawn elsewhere change nothing
        found += train_steps(task, start, {0: 1, 1: 5, 5: 6, 6: None}[start])
    assert found == losses
    assert_same_bits(task.state(), whole.state())


def test_dropout_depends_on_the_seed_and_the_step():
    still = replace(PLAIN, learning_rate=1e-30)
    first, same, other = (small_task(still, dropout=0.5, seed=seed) for seed in (1, 1, 2))
    losses = train_steps(first, stop=3)
    assert train_steps(same, stop=3) == losses
    assert train_steps(other, stop=3) != losses


def test_training_learns_the_rule_and_evaluation_changes_nothing():
    objective = SmallObjective(num_steps=300, rows=32)
    task = small_task(replace(PLAIN, learning_rate=0.02, weight_decay=0.0), objective=objective, dropout=0.1)
    before = task.evaluate()
    assert before["loss_nats"] == pytest.approx(np.log(11), abs=1)
    train_steps(task, stop=40)
    state = copied(task.state())
    scores = task.evaluate()
    assert scores == task.evaluate()
    assert scores["terms"] == before["terms"] > 100
    assert task.model.training
    assert_same_bits(task.state(), state)
    train_steps(task, 40)
    assert task.evaluate()["loss_nats"] < 0.1


def test_nothing_held_back_gives_no_scores():
    class AllUsed(SmallObjective):
        def evaluation(self):
            return None

    assert small_task(objective=AllUsed()).evaluate() == {}
    assert not small_task(objective=AllUsed()).has_evaluation
    assert small_task().has_evaluation


def test_a_batch_without_terms_changes_nothing():
    class Empty(SmallObjective):
        def batch(self, step, part, num_parts):
            batch = super().batch(step, part, num_parts)
            return replace(batch, targets_BT=torch.full_like(batch.targets_BT, -1))

    task = small_task(objective=Empty())
    before = copied(task.state())
    result = task.step(0)
    assert (result.total, result.count, result.applied) == (0, 0, True)
    assert_same_bits(task.state(), before)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_not_applied_and_named(poison):
    class Poisoned(SmallObjective):
        def loss(self, model, batch):
            loss = super().loss(model, batch)
            model.layers[1].weight.register_hook(lambda gradient: gradient * poison)
            return loss

    task = small_task(replace(PLAIN, num_parts=2), objective=Poisoned())
    before = copied(task.state())
    result = task.step(0)
    assert not result.applied
    assert np.isfinite(result.total)
    assert not np.isfinite(result.gradient_norm)
    assert_same_bits(task.state(), before)
    found = task.diagnosis()
    assert found["parameters_with_bad_gradients"] == ["layers.1.weight"]
    assert (found["bad_parameters"], found["bad_parts"], found["num_parts"]) == ([], [], 2)


def test_a_loss_that_is_not_finite_is_named_by_its_part():
    task = small_task(replace(PLAIN, num_parts=7))
    with torch.no_grad():
        task.model.head.weight[4] = float("inf")
    assert not task.step(0).applied
    found = task.diagnosis()
    assert found["bad_parts"]
    assert found["bad_parameters"] == ["head.weight"]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_full_memory_halves_the_parts_aloud_and_the_result_is_equal(error):
    lines = []
    task = small_task(AUTO, objective=FullMemory(2, error), note=lines.append)
    losses = train_steps(task)
    assert task.num_parts == 4
    assert lines == [
        "the memory does not suffice: the batch is computed in 2 parts, with equal results",
        "the memory does not suffice: the batch is computed in 4 parts, with equal results",
    ]
    whole = small_task()
    assert losses == pytest.approx(train_steps(whole), rel=1e-12)
    for name, array in whole.state().items():
        np.testing.assert_allclose(task.state()[name], array, rtol=1e-6, atol=1e-9)


def test_number_of_parts_found_is_kept_in_the_state():
    first = small_task(AUTO, objective=FullMemory(2), dtype=torch.float32)
    train_steps(first, stop=4)
    lines = []
    second = small_task(AUTO, objective=FullMemory(2), dtype=torch.float32, note=lines.append)
    second.load_state(copied(first.state()))
    assert second.num_parts == 4
    train_steps(first, 4)
    train_steps(second, 4)
    assert lines == []
    assert_same_bits(first.state(), second.state())


def test_full_memory_without_auto_or_later_says_what_to_type():
    message = (
        "the memory of cpu does not suffice for a step: CUDA out of memory. Tried to allocate 2 GiB\n"
        "Choose a smaller batch, length or model; textssl train --batch auto computes a batch in smaller parts."
    )
    with pytest.raises(ResourceError, match=f"^{re.escape(message)}$"):
        small_task(objective=FullMemory(2)).step(0)
    late = FullMemory(100)
    task = small_task(AUTO, objective=late)
    train_steps(task, stop=3)
    late.fits = 2
    with pytest.raises(ResourceError, match=r"Choose a smaller batch"):
        task.step(3)
    with pytest.raises(ResourceError, match=r"not even with the batch in 1024 parts"):
        small_task(AUTO, objective=FullMemory(-1)).step(0)


def test_full_memory_leaves_nothing_of_the_failed_try_behind():
    task = small_task(AUTO, objective=FullMemory(2))
    task.step(0)
    gc.collect()
    assert not [item for item in gc.get_objects() if type(item) is torch.OutOfMemoryError]


def test_other_errors_of_a_step_are_passed_on():
    class Broken(SmallObjective):
        def loss(self, model, batch):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        small_task(AUTO, objective=Broken()).step(0)


def test_bfloat16_is_used_where_asked_and_chosen_by_the_state():
    lower = small_task(replace(PLAIN, precision="bfloat16"), dtype=torch.float32)
    whole = small_task(dtype=torch.float32)
    losses = train_steps(lower, stop=3)
    assert losses != train_steps(whole, stop=3)
    assert losses == pytest.approx(train_steps(small_task(), stop=3), rel=0.02)
    assert {array.dtype for array in lower.state().values()} == {np.dtype("float32")}
    auto = small_task(replace(PLAIN, precision="auto"), dtype=torch.float32)
    state = copied(auto.state())
    state["task/bfloat16"] = np.array(auto.precision != "bfloat16")
    again = small_task(replace(PLAIN, precision="auto"), dtype=torch.float32)
    again.load_state(state)
    assert again.precision != auto.precision


def test_state_of_another_network_is_refused():
    task = small_task()
    state = copied(task.state())
    del state["norm.bias"]
    with pytest.raises(DataError, match=r"the state must hold .*'norm.bias'.*\nStart anew, or resume the run it is fr"):
        task.load_state(state)


def test_utilisation_is_the_share_of_the_measured_peak(monkeypatch):
    monkeypatch.setattr(devices, "peak_flops", lambda device, precision: 4e6)
    task = small_task()
    assert task.utilisation(1000.0) == pytest.approx(0.25)
    task.objective.flops_per_unit = None
    assert task.utilisation(1000.0) is None


def test_compiling_without_a_compiler_says_so(monkeypatch):
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    message = (
        "compiling for the CPU needs a C++ compiler, and this machine has none\nInstall g++ or clang++, or leave out"
    )
    with pytest.raises(ResourceError, match=re.escape(message)):
        small_task(replace(PLAIN, compile=True))


def test_compiled_loss_is_the_one_that_is_trained(monkeypatch):
    compiled = []
    monkeypatch.setattr(devices, "require_compiler", lambda device: None)
    monkeypatch.setattr(torch, "compile", lambda function: compiled.append(function) or function)
    task = small_task(replace(PLAIN, compile=True))
    assert compiled == [task.objective.loss]
    task.step(0)


def test_threads_end_with_the_task():
    task = small_task(loader_threads=2)
    task.step(0)
    task.close()
    task.close()


def test_names_of_the_state_are_those_of_the_model():
    model = SmallNetwork()
    names = set(model.state_dict())
    task = GradientTask(GradientParts(SmallObjective(), model, PLAIN))
    assert set(task.state()) == names
    task.step(0)
    assert {name for name in task.state() if not name.startswith("optimizer/")} == names
