"""What an objective may do around an update: gradients dropped, state kept up to date, gauges and warnings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.training.small_network import (
    PLAIN,
    SmallNetwork,
    SmallObjective,
    assert_same_bits,
    copied,
    small_task,
    train_steps,
)  # fmt: skip
from textssl.errors import UsageError
from textssl.objectives.base import GradientParts
from textssl.training.gradient_task import GradientTask
from textssl.training.ranks import OneRank

BAD_STEP = 3


class NormedNetwork(SmallNetwork):
    """With running statistics, a mean of its head that lags behind, and room for what a loss leaves for later."""

    def __init__(self) -> None:
        super().__init__()
        self.batch_norm = nn.BatchNorm1d(self.head.in_features, dtype=torch.float64)
        self.register_buffer("lagging", self.head.weight.detach().clone())

    def scores(self, ids_BT):
        hidden_BTD = self.embeddings(ids_BT)
        return self.head(self.batch_norm(hidden_BTD.transpose(1, 2)).transpose(1, 2))


class Lagging(SmallObjective):
    """Keeps a mean of the head, and has one step whose loss is no number."""

    additive = False
    has_gauges = True

    def __init__(self, *, bad_step: int | None = None, **options) -> None:
        super().__init__(**options)
        self.bad_step = bad_step
        self.seen: list[tuple[int, int]] = []

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        bad = model.training and self.batches_made[-1][0] == self.bad_step
        return type(loss)(loss.total * float("nan"), loss.count) if bad else loss

    def before_update(self, model, step):
        if step < 2:
            model.embeddings.weight.grad = None

    def after_step(self, model, step, num_steps):
        assert not torch.is_grad_enabled()
        self.seen.append((step, num_steps))
        model.lagging.lerp_(model.head.weight, 0.5)

    def gauges(self, model, device):
        assert not model.training
        assert not torch.is_grad_enabled()
        return {"width": float(model.head.in_features), "on_cpu": float(device.type == "cpu")}

    def warnings(self, scores):
        return [f"the width is {scores['width']:.0f}"]


def lagging_task(objective: Lagging | None = None, **options) -> GradientTask:
    parts = GradientParts(objective or Lagging(), NormedNetwork(), PLAIN)
    return GradientTask(parts, loader_threads=0, **options)


def test_what_is_kept_beside_the_parameters_follows_every_update():
    task = lagging_task()
    expected = task.model.head.weight.detach().clone()
    for step in range(3):
        task.step(step)
        expected = 0.5 * expected + 0.5 * task.model.head.weight.detach()
    assert torch.equal(task.model.lagging, expected)
    assert task.objective.seen == [(0, 12), (1, 12), (2, 12)]


def test_schedules_end_where_the_learning_rate_does():
    task = lagging_task()
    task.set_decay_steps(5)
    task.step(0)
    assert task.objective.seen == [(0, 5)]


def test_dropped_gradients_leave_a_parameter_and_the_norm_alone():
    task = lagging_task()
    before = task.model.embeddings.weight.detach().clone()
    norm = task.step(0).gradient_norm
    rest = [part.grad for name, part in task.model.named_parameters() if not name.startswith("embeddings")]
    assert torch.equal(task.model.embeddings.weight, before)
    unclipped = float(torch.nn.utils.get_total_norm([part for part in rest if part is not None]))
    assert unclipped == pytest.approx(min(norm, 1.0))
    task.step(1)
    task.step(2)
    assert not torch.equal(task.model.embeddings.weight, before)


def test_step_that_is_not_applied_leaves_no_trace():
    task = lagging_task(Lagging(bad_step=BAD_STEP))
    train_steps(task, stop=BAD_STEP)
    before = copied(task.state())
    assert not task.step(BAD_STEP).applied
    assert_same_bits(copied(task.state()), before)
    assert task.objective.seen[-1][0] == BAD_STEP - 1


def test_resume_with_running_statistics_and_kept_state_is_exact():
    whole, first, second = (lagging_task() for _ in range(3))
    train_steps(whole)
    train_steps(first, stop=5)
    second.load_state(copied(first.state()))
    train_steps(second, start=5)
    assert_same_bits(copied(second.state()), copied(whole.state()))


def test_gauges_stand_beside_the_loss_and_warnings_go_to_the_note():
    lines: list[str] = []
    task = lagging_task(note=lines.append)
    scores = task.evaluate()
    assert list(scores) == ["loss_nats", "terms", "width", "on_cpu"]
    assert (scores["width"], scores["on_cpu"]) == (8.0, 1.0)
    assert lines == ["WARNING: the width is 8"]
    assert task.has_gauges
    assert task.model.training


def test_an_evaluation_does_not_change_what_is_trained():
    watched, plain = lagging_task(), lagging_task()
    for step in range(4):
        watched.step(step)
        watched.evaluate()
        plain.step(step)
    assert_same_bits(copied(watched.state()), copied(plain.state()))


def test_objective_without_hooks_has_no_gauges():
    task = small_task()
    assert not task.has_gauges
    assert list(task.evaluate()) == ["loss_nats", "terms"]


def test_gauges_alone_are_an_evaluation_too():
    class Unheld(Lagging):
        def evaluation(self):
            return None

    task = lagging_task(Unheld())
    assert not task.has_evaluation
    assert list(task.evaluate()) == ["width", "on_cpu"]


class TwoRanks(OneRank):
    count = 2


def test_processes_share_a_batch_when_the_loss_gathers(monkeypatch):
    monkeypatch.setattr("textssl.training.distributed.share_parameters", lambda *_: None)
    message = r"^the loss of Lagging depends on the whole batch at once, so it .* \(num_parts 1, 2 processes\)"
    with pytest.raises(UsageError, match=message):
        lagging_task(ranks=TwoRanks())
    gathering = Lagging()
    gathering.across_ranks = True
    assert lagging_task(gathering, ranks=TwoRanks()).num_parts == 1
