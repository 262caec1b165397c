"""DINO: loss, centre, teacher and frozen layer against the formulas; signs of its two ways of collapse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.objectives.small_images import prepared, start_at, task_of
from tests.training.small_network import assert_same_bits, copied
from textssl.models.base_momentum import momentum_at


def small(**options):
    return prepared("dino", **{"outputs": 12, "hidden_width": 16, "projector_width": 6, **options})


@pytest.mark.parametrize("num_small", [0, 2])
def test_loss_is_the_cross_entropy_with_the_teachers_other_view(num_small):
    run = small(num_small_crops=num_small)
    model, objective = run.model, run.objective
    batch = objective.batch(0, 0, 1)
    torch.manual_seed(0)
    model.centre.mean.copy_(torch.randn(12))
    loss = objective.loss(model, batch)
    learner = [model.prototypes(part).double() for part in objective.projections(model, objective.views(batch))]
    teacher = model.teacher(torch.cat(batch.made[:2])).double().chunk(2)
    total = 0.0
    for coded, outputs in enumerate(teacher):
        targets = ((outputs - model.centre.mean.double()) / 0.04).softmax(1)
        for view, scores in enumerate(learner):
            if view != coded:
                total -= (targets * (scores / 0.1).log_softmax(1)).sum().item()
    assert loss.count.item() == 16 * 2 * (len(learner) - 1)
    assert loss.total.item() == pytest.approx(total, rel=1e-5)


def test_teacher_centre_and_last_layer_change_after_the_step_as_the_formulas_say():
    run = small(momentum=0.9, centre_momentum=0.7, freeze_epochs=0.0)
    task, model = task_of(run), run.model
    outputs = []
    model.teacher.register_forward_hook(lambda _, __, made: outputs.append(made.clone()))
    for step in range(3):
        before = [part.clone() for part in model.teacher.parameters()]
        centre = model.centre.mean.clone()
        task.step(step)
        own = [*model.encoder.parameters(), *model.projector.parameters(), *model.prototypes.parameters()]
        rate = momentum_at(step + 1, 6, 0.9)
        for teacher, earlier, online in zip(model.teacher.parameters(), before, own, strict=True):
            expected = earlier * rate + online.detach() * (1 - rate)
            is_last = online is model.prototypes.weight
            torch.testing.assert_close(teacher, F.normalize(expected, dim=1) if is_last else expected)
        torch.testing.assert_close(model.centre.mean, 0.7 * centre + 0.3 * outputs[-1].mean(0))
        torch.testing.assert_close(model.prototypes.weight.norm(dim=1), torch.ones(12))
    assert all(part.grad is None for part in model.teacher.parameters())


def test_last_layer_stays_in_the_first_epoch():
    run = small(freeze_epochs=1.0)
    task = task_of(run)
    first = run.model.prototypes.weight.detach().clone()
    for step in range(4):
        task.step(step)
        assert torch.allclose(run.model.prototypes.weight, first, atol=1e-6) == (step < 3)


def test_interrupted_run_goes_on_to_the_same_bits():
    whole, before, after = (task_of(small(num_small_crops=1)) for _ in range(3))
    for step in range(6):
        whole.step(step)
    for step in range(4):
        before.step(step)
    after.load_state(copied(before.state()))
    for step in range(4, 6):
        after.step(step)
    state = copied(whole.state())
    assert np.abs(state["centre.mean"]).max() > 0
    assert_same_bits(copied(after.state()), state)


@pytest.mark.parametrize("saved", ["learner", "teacher"])
def test_saved_model_is_the_one_asked_for_and_a_start_gives_it_to_both(saved, tmp_path):
    from textssl.models.base_image_folder import load_image_model

    run = small(saved=saved)
    task = task_of(run)
    task.step(0)
    run.save(tmp_path / "model", task.state())
    encoder, _ = load_image_model(tmp_path / "model")
    both = {"learner": task.model.encoder.state_dict(), "teacher": task.model.teacher.model.encoder.state_dict()}
    assert all(torch.equal(part, both[saved][name]) for name, part in encoder.state_dict().items())
    assert any(not torch.equal(part, both["teacher"][name]) for name, part in both["learner"].items())
    started = small(start=start_at(tmp_path / "model")).model
    for name, part in encoder.state_dict().items():
        assert torch.equal(started.encoder.state_dict()[name], part)
        assert torch.equal(started.teacher.model.encoder.state_dict()[name], part)


def test_gauges_tell_the_two_ways_of_collapse_apart():
    lines: list[str] = []
    run = small()
    task = task_of(run, note=lines.append)
    with torch.no_grad():
        run.model.teacher.model.prototypes.weight.zero_()
    scores = task.evaluate()
    assert scores["teacher_entropy"] == pytest.approx(1.0)
    assert any("the teacher says nearly the same of all images: entropy 100.0% of ln K" in line for line in lines)
    assert any(line.endswith("Give a lower --teacher-temperature.") for line in lines)
    lines.clear()
    with torch.no_grad():
        run.model.centre.mean[1:] = 100.0
    scores = task.evaluate()
    assert scores["teacher_entropy"] == pytest.approx(0.0, abs=1e-6)
    assert scores["prototype_use"] == pytest.approx(1 / 12)
    assert any("few prototypes are used: 8.3%" in line for line in lines)


def test_description_says_the_loss_of_nothing_learnt_and_what_the_teacher_costs():
    run = small(num_small_crops=4)
    assert "12 outputs; a loss that stays at ln 12 = 2.485 has learnt nothing" in run.describe()
    assert run.objective.views_per_image == pytest.approx(2 + 4 / 4 + 2 / 3)
