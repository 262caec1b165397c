"""What every method for images shares: order, batches, options, errors, the saved model, and a start from it."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch

from tests.objectives.small_images import SIZE, images, prepared, start_at, task_of
from textssl.errors import UsageError
from textssl.objectives.base_image_config import ImageConfig
from textssl.objectives.base_image_objective import ImageOrder
from textssl.objectives.base_views import ViewConfig


def order(num: int = 50, batch: int = 16, epochs: int = 3, seed: int = 1) -> ImageOrder:
    return ImageOrder(np.arange(num, dtype=np.int64), batch, epochs, seed)


def test_an_epoch_takes_every_image_once_in_full_batches_and_leaves_the_rest_out():
    found = order()
    assert (found.steps_per_epoch, found.left_out) == (3, 2)
    epochs = [np.concatenate([found.images(epoch * 3 + step, 0, 1)[1] for step in range(3)]) for epoch in range(3)]
    assert all(len(set(numbers)) == 48 for numbers in epochs)
    left = {frozenset(set(range(50)) - set(numbers)) for numbers in epochs}
    assert len(left) == 3  # other images in each epoch
    assert [found.images(step, 0, 1)[0] for step in (0, 2, 3, 8)] == [0, 0, 1, 2]


def test_slices_of_a_batch_are_equal_and_make_it_up():
    found = order()
    slices = [found.images(4, part, 4)[1] for part in range(4)]
    assert [len(numbers) for numbers in slices] == [4] * 4
    assert np.array_equal(np.concatenate(slices), found.images(4, 0, 1)[1])
    message = "batch_images must be a multiple of the 3 processes, got 16\nGive --batch-images 18."
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        found.images(0, 0, 3)


def test_order_is_a_function_of_seed_and_epoch():
    assert np.array_equal(order().images(4, 0, 1)[1], order().images(4, 0, 1)[1])
    assert not np.array_equal(order().images(4, 0, 1)[1], order(seed=2).images(4, 0, 1)[1])


def test_steps_count_images_of_full_batches():
    objective = prepared().gradients().objective
    assert (objective.unit, objective.num_steps, objective.units_before(4)) == ("images", 6, 64)
    assert [objective.epoch(step) for step in (0, 3, 6)] == [0, 1, 2]


def test_description_says_images_views_parameters_memory_and_steps():
    run = prepared(of=images(channels=1))
    objective, lines = run.objective, run.describe()
    number = sum(part.numel() for part in run.encoder.parameters())
    assert lines[0] == "stripes: 50 images of 8 x 8, 1 channel of 8 bits, 2 labels"
    assert lines[1].startswith("2 views of 8 x 8 an image: crops of 8% to 100%, flip 0.5, jitter 0.8")
    assert lines[2] == "saturation, hue, gray do nothing: they are for 3 channels, the images have 1"
    assert lines[3].startswith(f"small_cnn, width 4, depth 2: {number:,} parameters, 8 features; ")
    assert lines[3].endswith(" with projector")
    assert re.fullmatch(r"[\d.]+ million operations an image, forward and backward; about \d+ MiB on cpu", lines[4])
    assert lines[5].startswith(
        "2 epochs of 3 steps, each of 16 images (2 images make no full batch and are left out, others in each epoch)"
    )
    assert objective.order.left_out == 2
    assert "left out" not in prepared(of=images(48)).describe()[-1]


def test_operations_of_an_image_are_those_of_the_convolutions():
    """3 x 3 filters, 3 -> 4 channels at 4 x 4 places, 4 -> 8 at 2 x 2; a multiplication and an addition each."""
    forward = 2 * 9 * (3 * 4 * 16 + 4 * 8 * 4)
    run = prepared()
    assert run.gradients().objective.flops_per_unit == 3 * forward * 2  # forward and twice as much back, of two views


@pytest.mark.parametrize(
    ("options", "num", "message"),
    [
        ({"batch_images": 1}, 50, "batch_images must be at least 2, got 1"),
        (
            {"batch_images": 64},
            50,
            "stripes: a batch of 64 images is larger than the 50 there are to learn from\nGive --batch-images 50.",
        ),
        (
            {"batch_images": 64},
            1,
            "stripes: a batch of 64 images is larger than the 1 there are to learn from\nA method needs 2 images",
        ),
        ({"crop_min": 0.9, "crop_max": 0.5}, 50, "crop_min must be at most crop_max, got 0.9 and 0.5"),
        ({"temperature": 0.0}, 50, "temperature must be above 0, got 0.0"),
        ({"encoder": "small_cn"}, 50, "encoder must be one of .*; got 'small_cn'"),
        ({"gauge_images": 1}, 50, "gauge_images must be at least 2, got 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, num, message):
    pattern = message if ".*" in message else re.escape(message)
    with pytest.raises(UsageError, match=f"^{pattern}"):
        prepared(of=images(num), **options)


def test_optimisation_holds_what_the_options_say():
    found = ImageConfig(optimizer="sgd", learning_rate=0.1, sgd_momentum=0.8, clip_norm=2.0).optimisation
    assert (found.method, found.learning_rate, found.momentum, found.clip_norm) == ("sgd", 0.1, 0.8, 2.0)


def test_views_are_drawn_as_the_options_say():
    found = ViewConfig(crop_min=0.3, hue=0.2, blur=0.5, solarise=0.1).views(12)
    assert (found.size, found.crop_min, found.hue, found.blur, found.solarise) == (12, 0.3, 0.2, 0.5, 0.1)


def test_held_back_images_are_scored_in_full_batches_of_views_that_never_change():
    runs = [prepared(validation_share=0.3, batch_images=8, seed=seed) for seed in (1, 2)]
    objectives = [run.gradients().objective for run in runs]
    held_back = objectives[0].validation
    assert np.array_equal(held_back, objectives[1].validation)
    assert not set(held_back) & set(objectives[0].order.numbers)
    batches = [list(objective.evaluation()) for objective in objectives]
    assert len(batches[0]) == len(held_back) // 8
    assert all(torch.equal(one.made[1], other.made[1]) for one, other in zip(*batches, strict=True))
    assert f"held back to evaluate on: {len(held_back)} images" in runs[0].describe()
    assert list(task_of(runs[0]).evaluate())[0] == "loss_nats"
    assert runs[0].data()["num_images_held_back"] == len(held_back)


def test_few_held_back_images_make_one_smaller_batch():
    objective = prepared(validation_share=0.1).gradients().objective
    assert 2 <= len(objective.validation) < 16
    assert [len(batch.made[0]) for batch in objective.evaluation()] == [len(objective.validation)]


def test_saved_model_gives_the_features_of_the_trained_one(tmp_path):
    from textssl.models.base_image_folder import load_image_model
    from textssl.models.base_projection import load_projector

    run = prepared()
    task = task_of(run)
    task.step(0)
    run.save(tmp_path / "model", task.state())
    encoder, about = load_image_model(tmp_path / "model")
    assert about["trained_on"] == "stripes"
    assert encoder.config == run.encoder.config
    some = torch.randn(4, 3, SIZE, SIZE)
    trained = task.model.eval()
    with torch.no_grad():
        assert torch.equal(encoder(some), trained.encoder(some))
        projector = load_projector(tmp_path / "model")
        assert torch.equal(projector(encoder(some)), trained.projector(trained.encoder(some)))
    run.save(tmp_path / "model", task.state())  # a second time, as after a restart


def test_start_takes_over_encoder_and_projector_and_how_images_are_normalised(tmp_path):
    first = prepared(seed=5)
    task = task_of(first)
    task.step(0)
    first.save(tmp_path / "model", task.state())
    second = prepared(of=images(60, seed=9), width=16, start=start_at(tmp_path / "model"))
    assert second.encoder.config == first.encoder.config
    for name, array in task.state().items():
        if name.startswith(("encoder.", "projector.")):
            assert np.array_equal(second.model.state_dict()[name].numpy(), array), name
    assert f"its weights are those of {tmp_path / 'model'}; options of its size do not count" in second.describe()
    other = prepared(projector_width=5, start=start_at(tmp_path / "model"))
    assert other.model.projector.width == 5
    message = "an encoder of images with 3 channels of 8 bits, those of stripes have 1 channel of 8 bits\nStart"
    with pytest.raises(UsageError, match=message):
        prepared(of=images(channels=1), start=start_at(tmp_path / "model"))
    with pytest.raises(UsageError, match="those of stripes have 3 channels of 16 bits"):
        prepared(of=images(dtype=np.uint16), start=start_at(tmp_path / "model"))


def test_images_of_many_bands_and_16_bits_are_trained_on_as_they_are():
    task = task_of(prepared(of=images(channels=5, dtype=np.uint16)))
    assert task.step(0).applied
    assert task.model.encoder.config.scale == 65535
    assert task.model.encoder.config.channels == 5


def test_neighbours_vote_during_training_where_it_is_asked_for():
    run = prepared(knn_images=40)
    task = task_of(run)
    assert 0.0 <= task.evaluate()["knn"] <= 1.0
    assert "knn" not in task_of(prepared()).evaluate()
    numbers, labels = run.objective.voters
    assert len(numbers) == 40
    assert np.array_equal(labels, images().labels[numbers])
    some = dataclasses.replace(images(), labels=np.where(np.arange(50) % 2, images().labels, -1))
    assert (prepared(of=some, knn_images=100).objective.voters[0] % 2 == 1).all(), "those with a label only"


def test_neighbours_cannot_vote_without_labels():
    for labels, number in ((None, "none"), (np.where(np.arange(50) == 3, 0, -1), "1")):
        with pytest.raises(UsageError, match=f"knn_images needs labelled images, and {number} of them has a label"):
            prepared(of=dataclasses.replace(images(), labels=labels), knn_images=10)
