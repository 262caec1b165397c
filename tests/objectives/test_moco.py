"""MoCo: its losses against their formulas, the copy, the queue, and the groups of the norms."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import distributed
from torch.nn import functional as F

from tests.objectives.small_images import images, prepared, task_of
from textssl.config import resolve
from textssl.errors import UsageError
from textssl.models.base_momentum import momentum_at
from textssl.objectives.base_teacher import keys_of_all, own_groups
from textssl.objectives.moco import MoCo, MoCoConfig


def units(vectors: torch.Tensor) -> torch.Tensor:
    return (vectors / vectors.norm(dim=1, keepdim=True)).double()


def loss_and_views(run):
    """The loss of the first batch, the model as it was before, and the views."""
    parts = run.gradients()
    before = copy.deepcopy(parts.model)
    batch = parts.objective.batch(0, 0, 1)
    return parts.objective.loss(parts.model, batch), before, batch.made


def test_loss_is_the_cross_entropy_over_the_own_key_and_the_queue():
    loss, model, (first, second) = loss_and_views(prepared("moco", temperature=0.3, norm_groups=1, queue=20))
    queries = units(model.projector(model.encoder(first)))
    keys = units(model.teacher(second))
    scores = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ model.queue.rows.double().T], 1) / 0.3
    expected = F.cross_entropy(scores, torch.zeros(16, dtype=torch.int64), reduction="sum")
    assert loss.count.item() == 16
    torch.testing.assert_close(loss.total.double(), expected, rtol=1e-5, atol=1e-4)


def test_loss_among_the_batch_goes_both_ways_and_is_scaled():
    loss, model, views = loss_and_views(prepared("moco", keys="batch", temperature=0.4))
    queries = [units(model.predictor(model.projector(model.encoder(view)))) for view in views]
    keys = [units(model.teacher(view)) for view in views]
    right = torch.arange(16)
    both = ((queries[0] @ keys[1].T, right), (queries[1] @ keys[0].T, right))
    expected = sum(0.8 * F.cross_entropy(scores / 0.4, own, reduction="sum") for scores, own in both)
    assert loss.count.item() == 16
    torch.testing.assert_close(loss.total.double(), expected, rtol=1e-5, atol=1e-4)
    assert not hasattr(model, "queue")


@pytest.mark.parametrize("options", [{}, {"keys": "batch"}], ids=["queue", "batch"])
def test_copy_starts_as_the_network_and_gets_no_gradient(options):
    run = prepared("moco", **options)
    model = run.model
    online = [*model.encoder.parameters(), *model.projector.parameters()]
    assert all(torch.equal(own, other) for own, other in zip(model.teacher.parameters(), online, strict=True))
    loss, _, _ = loss_and_views(run)
    loss.total.backward()
    assert all(part.grad is not None for part in online)
    assert all(part.grad is None and not part.requires_grad for part in model.teacher.parameters())


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_copy_follows_the_parameters_after_each_update(schedule):
    run = prepared("moco", momentum=0.6, momentum_schedule=schedule)
    task, model = task_of(run), run.model
    expected = [part.clone() for part in model.teacher.parameters()]
    for step in range(3):
        task.step(step)
        kept = momentum_at(step + 1, task.num_steps, 0.6) if schedule == "cosine" else 0.6
        online = [*model.encoder.parameters(), *model.projector.parameters()]
        expected = [kept * own + (1 - kept) * part.detach() for own, part in zip(expected, online, strict=True)]
        torch.testing.assert_close(list(model.teacher.parameters()), expected)


def test_queue_holds_the_last_keys_in_order():
    run = prepared("moco", queue=40)
    task, model = task_of(run), run.model
    before, pushed, push = model.queue.rows.clone(), [], model.queue.push
    model.queue.push = lambda keys: (pushed.append(keys), push(keys))
    for step in range(2):
        task.step(step)
    assert torch.equal(model.queue.rows[:32], torch.cat(pushed))
    assert torch.equal(model.queue.rows[32:], before[32:])
    task.step(2)
    assert torch.equal(model.queue.rows[32:], pushed[2][:8])
    assert torch.equal(model.queue.rows[:8], pushed[2][8:])
    torch.testing.assert_close(model.queue.rows.norm(dim=1), torch.ones(40))
    assert not model.kept


def test_key_depends_on_the_images_of_its_group_alone_and_comes_back_in_order():
    model = prepared("moco", norm_groups=4).model
    views = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    keys = keys_of_all(model, views, seed=1, step=5)
    other = views.clone()
    other[3] += 1
    moved = (keys_of_all(model, other, seed=1, step=5) - keys).norm(dim=1) > 1e-6
    next_keys, next_other = (keys_of_all(model, each, seed=1, step=6) for each in (views, other))
    assert moved[3]
    assert moved.sum() == 4
    assert moved.nonzero().flatten().tolist() != [0, 1, 2, 3], "not the group of the query"
    assert (((next_other - next_keys).norm(dim=1) > 1e-6) != moved).any()
    model.eval()
    torch.testing.assert_close(keys_of_all(model, views, seed=1, step=5), F.normalize(model.teacher(views), dim=1))


def test_copy_that_keeps_nothing_is_the_network_of_the_last_step():
    run = prepared("moco", momentum=0.0)
    task_of(run).step(0)
    online = [*run.model.encoder.parameters(), *run.model.projector.parameters()]
    assert all(torch.equal(own, part) for own, part in zip(run.model.teacher.parameters(), online, strict=True))


def test_queue_is_half_the_images_or_a_batch_at_least():
    assert len(prepared("moco", images(50)).model.queue.rows) == 25
    assert len(prepared("moco", images(20)).model.queue.rows) == 16
    assert len(prepared("moco", queue=77).model.queue.rows) == 77
    line = prepared("moco", queue=77).objective.describe()[-1]
    assert line == "a queue of 77 keys, random at first: the loss may rise until step 5"


def test_projector_and_predictor_have_the_widths_asked_for():
    assert prepared("moco").model.projector.options["widths"] == (8, 8, 128)
    assert prepared("moco", hidden_width=0).model.projector.options["widths"] == (8, 128)
    third = prepared("moco", keys="batch", hidden_width=10, projector_width=6).model
    assert third.projector.options["widths"] == (8, 10, 6)
    assert third.predictor.options["widths"] == (6, 10, 6)
    assert (third.projector.options["last_norm"], third.predictor.options["last_norm"]) == ("plain", "none")
    assert third.predictor.last.bias is None


def test_third_version_of_a_vit_has_one_more_layer_and_a_norm_behind_the_predictor():
    sizes = {"encoder": "vit", "width": 64, "depth": 1, "patch": 4, "hidden_width": 10, "projector_width": 6}
    model = prepared("moco", images(size=8), keys="batch", **sizes).model
    assert model.projector.options["widths"] == (64, 10, 10, 6)
    assert model.predictor.options["widths"] == (6, 10, 6)
    assert model.predictor.options["last_norm"] == "plain"


@pytest.mark.parametrize("preset", MoCo.PRESETS)
def test_presets_are_valid(preset):
    resolve(MoCoConfig, {}, preset=MoCo.PRESETS[preset])


def test_sizes_that_do_not_fit_are_refused(monkeypatch):
    with pytest.raises(UsageError, match="batch_images must be a multiple of norm_groups, got 20 and 8\nGive "):
        prepared("moco", batch_images=20)
    prepared("moco", batch_images=20, keys="batch")
    with pytest.raises(UsageError, match=r"queue must be at least batch_images, got 15 and 16\nGive a longer "):
        prepared("moco", queue=15)
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 3)
    with pytest.raises(UsageError, match=r"norm_groups must be 1 or a multiple of the 3 processes, got 8\nGive .* 9\."):
        own_groups(8)
    assert (own_groups(1), own_groups(9)) == (1, 3)
