"""Batches of views: pure functions of seed and step, made by threads or on the device, the same either way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.objectives.small_images import images, prepared, task_of


def test_a_batch_is_a_function_of_seed_and_step():
    first, second = (prepared().gradients().objective for _ in range(2))
    other = prepared(seed=2).gradients().objective
    for one, two in zip(first.batch(4, 0, 1).made, second.batch(4, 0, 1).made, strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.batch(4, 0, 1).made[0], first.batch(5, 0, 1).made[0])
    assert not torch.equal(first.batch(4, 0, 1).made[0], other.batch(4, 0, 1).made[0])


def test_two_views_of_an_image_differ_and_another_epoch_has_others():
    objective = prepared(batch_images=50).gradients().objective
    first, second = objective.batch(0, 0, 1).made
    assert first.shape == second.shape == (50, 3, 8, 8)
    assert (first != second).flatten(1).any(1).all()
    numbers = objective.order.numbers
    epochs = [objective.images_batch(numbers, seed=1, epoch=epoch, step=epoch).made[0] for epoch in (0, 1)]
    assert (epochs[0] != epochs[1]).flatten(1).any(1).all()


def test_slices_of_a_batch_are_the_views_of_the_whole():
    objective = prepared().gradients().objective
    whole = objective.batch(3, 0, 1).made[1]
    assert torch.equal(torch.cat([objective.batch(3, part, 2).made[1] for part in range(2)]), whole)


def test_views_made_on_the_device_are_those_that_threads_make():
    made = prepared().gradients().objective.batch(2, 0, 1)
    lazy_objective = prepared(device="meta").gradients().objective
    lazy = lazy_objective.batch(2, 0, 1)
    assert lazy.made == ()
    assert lazy.pixels.dtype == torch.uint8
    assert len(made.pixels) == 0
    for one, two in zip(made.made, lazy_objective.views(lazy), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(threads):
    alone, several = task_of(prepared()), task_of(prepared(), loader_threads=threads)
    assert [alone.step(step).total for step in range(6)] == [several.step(step).total for step in range(6)]
    several.close()


def test_a_batch_moves_with_its_views():
    from textssl.training import devices

    batch = prepared().gradients().objective.batch(0, 0, 1)
    moved = batch.to("meta")
    assert {part.device.type for part in (moved.pixels, *moved.made)} == {"meta"}
    doubled = devices._with_tensors(batch, lambda tensor: tensor * 2)
    assert torch.equal(doubled.made[0], batch.made[0] * 2)
    assert doubled.keys is batch.keys
    assert dataclasses.is_dataclass(doubled)


def test_larger_views_than_the_encoder_takes_are_not_asked_for():
    run = prepared(of=images(size=12), view_size=6)
    assert run.gradients().objective.batch(0, 0, 1).made[0].shape == (16, 3, 6, 6)
    assert run.encoder.config.image_size == 6


def test_images_far_from_square_are_told_what_becomes_of_them():
    square, wide = images(size=8), images(size=8)
    wide = dataclasses.replace(wide, pixels=np.concatenate([wide.pixels, wide.pixels], axis=2))
    lines = prepared(of=wide).objective.describe()
    assert any("far from square" in line and "--image-size 8" in line for line in lines), lines
    assert not any("far from square" in line for line in prepared(of=square).objective.describe())
