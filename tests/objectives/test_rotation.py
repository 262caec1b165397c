"""Rotation: exact quarter turns, their answers, and what it learns."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch

import corpora
from tests.objectives.small_images import images, prepared, task_of
from textssl.errors import DataError
from textssl.vision.images import ImageSet, image_set


def test_turning_back_by_the_answer_gives_the_image_back():
    run = prepared("rotation", images(20, size=10))
    batch = run.objective.batch(0, 0, 1)
    pictures, answers = batch.made[0], batch.answers
    assert pictures.shape == (64, 3, 10, 10)
    assert answers.tolist() == [0, 1, 2, 3] * 16
    back = [torch.rot90(picture, -answer, (1, 2)) for picture, answer in zip(pictures, answers.tolist(), strict=True)]
    upright = pictures[answers == 0].repeat_interleave(4, dim=0)
    assert torch.equal(torch.stack(back), upright)
    assert (pictures[1::4] != pictures[0::4]).flatten(1).any(1).all()


def test_whole_views_are_the_images_themselves():
    run = prepared("rotation", images(20), crop_min=1.0, flip=0.0)
    batch, config = run.objective.batch(0, 0, 1), run.encoder.config
    _, numbers = run.objective.order.images(0, 0, 1)
    plain = torch.from_numpy(run.images.take(numbers)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in (config.mean, config.std))
    torch.testing.assert_close(batch.made[0][batch.answers == 0], (plain - mean) / std, atol=1e-4, rtol=1e-4)


def test_images_that_are_not_square_are_refused():
    square = images()
    oblong = dataclasses.replace(square, pixels=np.ascontiguousarray(square.pixels[:, :6]))
    message = (
        "stripes: images must be square to be turned, got 8 x 6 pixels\n"
        "Give --image-size 6, which brings them to 6 x 6."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        prepared("rotation", oblong)


def digits() -> ImageSet:
    return image_set(corpora.load_images("digits-train"))


def test_it_learns_which_way_up_digits_are():
    options = {"width": 16, "depth": 3, "batch_images": 64, "epochs": 6, "learning_rate": 0.01}
    run = prepared("rotation", digits(), crop_min=0.9, flip=0.0, **options)
    task = task_of(run)
    assert len(run.objective.validation) > 80
    for step in range(task.num_steps):
        task.step(step)
    scores = task.evaluate()
    assert scores["pretext_accuracy"] > 0.8  # 25 % by chance
    assert scores["loss_nats"] < 0.5


def test_description_says_what_is_asked():
    line = "4 turns of a view of 8 x 8 an image; by chance 25% of the answers are right"
    assert line in prepared("rotation").describe()
