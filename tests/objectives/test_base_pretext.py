"""What methods that ask questions share: batches, the loss, right answers on held-back images, resuming."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.objectives.small_images import images, prepared, task_of
from tests.training.small_network import assert_same_bits, copied

METHODS = ("rotation", "jigsaw", "frame_order")


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_a_function_of_seed_and_step(method):
    first, second, other = (prepared(method, seed=seed).objective.batch(2, 0, 1) for seed in (1, 1, 2))
    assert torch.equal(first.made[0], second.made[0])
    assert torch.equal(first.answers, second.answers)
    assert not torch.equal(first.made[0], other.made[0])
    assert not torch.equal(first.made[0], prepared(method).objective.batch(1, 0, 1).made[0])


@pytest.mark.parametrize("method", METHODS)
def test_slices_of_a_batch_make_it_up(method):
    objective = prepared(method).objective
    whole, parts = objective.batch(1, 0, 1), [objective.batch(1, part, 2) for part in range(2)]
    assert torch.equal(torch.cat([part.made[0] for part in parts]), whole.made[0])
    assert torch.equal(torch.cat([part.answers for part in parts]), whole.answers)


@pytest.mark.parametrize("method", METHODS)
def test_pictures_made_on_the_device_are_those_that_threads_make(method):
    made = prepared(method).objective.batch(1, 0, 1)
    lazy_objective = prepared(method, device="meta").objective
    lazy = lazy_objective.batch(1, 0, 1)
    assert lazy.made == ()
    assert lazy.pixels.dtype == torch.uint8
    assert len(made.pixels) == 0
    assert torch.equal(lazy_objective.pictures(lazy.pixels, lazy.streams), made.made[0])
    assert {part.device.type for part in (made.to("meta").answers, *made.to("meta").made)} == {"meta"}


@pytest.mark.parametrize("method", METHODS)
def test_loss_is_the_cross_entropy_of_the_right_answers(method):
    run = prepared(method)
    objective, model = run.objective, run.model
    batch = objective.batch(0, 0, 1)
    found = objective.loss(model, batch)
    scores = model.classes(objective.hidden(model, batch.made[0], batch.answers))
    expected = torch.nn.functional.cross_entropy(scores.double(), batch.answers, reduction="sum")
    assert found.count.item() == len(batch.answers)
    assert scores.shape[1] == objective.num_answers
    torch.testing.assert_close(found.total.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_ends_in_the_same_bits(method):
    whole, resumed = task_of(prepared(method)), task_of(prepared(method))
    for step in range(4):
        if step == 2:
            resumed.load_state(copied(whole.state()))
        whole.step(step)
    for step in (2, 3):
        resumed.step(step)
    assert_same_bits(copied(whole.state()), copied(resumed.state()))


@pytest.mark.parametrize("method", METHODS)
def test_accuracy_is_the_share_of_right_answers_about_held_back_images(method):
    run = prepared(method, images(120), validation_share=0.4, batch_images=16)
    task = task_of(run)
    task.step(0)
    with torch.no_grad():
        run.model.classes.weight.zero_()
        run.model.classes.bias.zero_()
        run.model.classes.bias[1] = 5.0  # always says 1
    objective = run.objective
    batch = objective.images_batch(objective.validation, seed=0, epoch=0, step=0)
    scores = task.evaluate()
    assert scores["pretext_accuracy"] == pytest.approx((batch.answers == 1).float().mean().item())
    assert list(scores)[:2] == ["loss_nats", "pretext_accuracy"]
    assert {"feature_spread", "feature_cosine", "feature_rank"} <= scores.keys()


def test_answers_no_better_than_chance_are_warned_of_with_a_remedy():
    objective = prepared("rotation", images(200), validation_share=0.5).objective
    healthy = {"feature_spread": 0.9, "feature_cosine": 0.2, "feature_rank": 5.0}
    message = "26.0% of the answers are right, hardly above chance (25.0%). Train longer (--epochs), or make"
    (line,) = objective.warnings({**healthy, "pretext_accuracy": 0.26})
    assert line.startswith(message)
    assert objective.warnings({**healthy, "pretext_accuracy": 0.5}) == []
    assert objective.warnings(healthy) == [], "nothing was held back"
    assert objective.warnings({**healthy, "feature_spread": 0.18}) == [], "features share a mean"
    (line,) = objective.warnings({**healthy, "feature_spread": 0.01, "feature_cosine": 1.0})
    assert line.startswith("the features have collapsed: spread 0.010")


@pytest.mark.parametrize("method", METHODS)
def test_nothing_held_back_leaves_the_gauges(method):
    scores = task_of(prepared(method, validation_share=0.0)).evaluate()
    assert "pretext_accuracy" not in scores
    assert scores["feature_rank"] > 1


@pytest.mark.parametrize(
    ("method", "answers"), [("rotation", 4), ("jigsaw", 100), ("frame_order", 12)], ids=METHODS
)
def test_an_untrained_network_knows_about_nothing(method, answers):
    run = prepared(method)
    loss = run.objective.loss(run.model, run.objective.batch(0, 0, 1))
    assert abs(loss.total.item() / loss.count.item() - math.log(answers)) < 0.6
    assert run.objective.chance == pytest.approx(1 / answers)


def test_draws_of_an_image_do_not_tell_of_each_other():
    streams = prepared("rotation").objective.batch(0, 0, 1).streams
    assert len(np.unique(np.stack(streams))) == 16 * len(streams)


def test_large_images_are_shown_smaller_unless_a_size_is_given():
    large = images(40, size=100)
    for method, size in (("rotation", 100), ("jigsaw", 96), ("frame_order", 64)):
        assert prepared(method, large).encoder.config.image_size == size
        assert prepared(method, large, view_size=32).encoder.config.image_size == 32
        assert prepared(method).encoder.config.image_size == 8
