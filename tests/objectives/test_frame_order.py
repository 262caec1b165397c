"""Frame order: questions about windows of clips, their answers, what gives nothing away, and what it learns."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch

from tests.objectives.small_images import images, prepared, task_of
from textssl.errors import DataError, UsageError
from textssl.vision.frames import order_classes
from textssl.vision.images import ImageSet

STILL = {"crop_min": 1.0, "flip": 0.0, "frame_jitter": 0, "keep_channels": True}


def growing(clips: int = 32, length: int = 16) -> ImageSet:
    """Clips of a bright bar on noise, one column wider in each frame."""
    frame, source = np.tile(np.arange(length), clips), np.random.default_rng(0)
    pixels = source.integers(0, 60, (clips * length, 16, 16, 3), dtype=np.uint8)
    pixels[np.broadcast_to(np.arange(16) <= frame[:, None, None], pixels.shape[:3])] = 200
    return ImageSet(pixels, sequence=np.repeat(np.arange(clips), length), frame=frame, name="growing")


def frames_told_by_brightness(num: int = 60) -> ImageSet:
    """One clip whose frame t is gray of value 4 t."""
    pixels = np.broadcast_to(4 * np.arange(num, dtype=np.uint8)[:, None, None, None], (num, 8, 8, 3))
    return ImageSet(pixels.copy(), sequence=np.zeros(num, np.int64), frame=np.arange(num), name="gray")


def times(run, batch) -> np.ndarray:
    """The frame numbers of what a batch shows, (B, L)."""
    value = batch.made[0][:, :, 0, 0, 0] * run.encoder.config.std[0] + run.encoder.config.mean[0]
    return (value * 255 / 4).round().long().numpy()


@pytest.mark.parametrize("stride", [1, 2])
def test_sorting_by_the_answer_gives_the_film_forwards_or_backwards(stride):
    run = prepared("frame_order", frames_told_by_brightness(), stride=stride, **STILL)
    batch = run.objective.batch(0, 0, 1)
    orders, forwards = order_classes(4)[batch.answers.numpy()], times(run, batch)
    backwards = forwards[:, ::-1]
    steps = np.stack([np.diff(np.take_along_axis(shown, orders.argsort(1), 1)) for shown in (forwards, backwards)])
    right = (steps == stride).all(axis=2)
    assert right.any(axis=0).all()
    assert right.any(axis=1).all(), "both directions are shown"


def test_triples_are_in_order_where_the_answer_says_so():
    run = prepared("frame_order", frames_told_by_brightness(), question="verify", in_order=0.5, **STILL)
    batch = run.objective.batch(1, 0, 1)
    first, middle, last = times(run, batch).T
    assert np.array_equal((first < middle) & (middle < last), batch.answers.numpy() == 1)
    assert (last - first == 2).all()
    assert run.objective.num_answers == 2
    assert (prepared("frame_order", question="verify").objective.chance, run.objective.chance) == (0.75, 0.5)


def test_frames_of_a_question_are_the_same_view_and_move_by_themselves():
    still = frames_told_by_brightness()
    columns = np.broadcast_to(np.arange(8, dtype=np.uint8)[None, None, :, None] * 30, still.pixels.shape)
    still = dataclasses.replace(still, pixels=columns.copy())
    (alike,) = prepared("frame_order", still, frame_jitter=0, crop_min=0.3).objective.batch(0, 0, 1).made
    assert torch.equal(alike, alike[:, :1].expand_as(alike))
    assert (alike[0] != alike[1]).any()
    (moved,) = prepared("frame_order", still, frame_jitter=1, crop_min=1.0, flip=0.0).objective.batch(0, 0, 1).made
    assert moved.shape == alike.shape
    assert (moved != moved[:, :1]).flatten(1).any(1).float().mean() > 0.5


def test_one_channel_stands_for_all_in_all_frames_of_a_question():
    (alone,) = prepared("frame_order", images(60)).objective.batch(0, 0, 1).made
    assert torch.equal(alone, alone[:, :, :1].expand_as(alone))
    (kept,) = prepared("frame_order", images(60), keep_channels=True).objective.batch(0, 0, 1).made
    assert not torch.equal(kept, kept[:, :, :1].expand_as(kept))
    chosen = [(alone[:, frame, 0] == kept[:, frame].transpose(0, 1)).flatten(2).all(2) for frame in range(4)]  # (C, B)
    assert all(torch.equal(found, chosen[0]) for found in chosen)
    assert (chosen[0].sum(0) == 1).all()
    assert (chosen[0].sum(1) > 0).all()


def test_a_window_begins_each_image_once_an_epoch():
    run = prepared("frame_order", images(80), batch_images=8)
    objective = run.objective
    assert set(objective.order.numbers) == set(objective.windows.images(objective.windows.training))
    assert set(objective.validation) == set(objective.windows.images(objective.windows.held_back))
    assert not set(objective.validation) & set(objective.order.numbers)


def test_motion_decides_what_is_asked_about_and_not_what_is_held_back():
    moving = frames_told_by_brightness()
    moving = dataclasses.replace(moving, pixels=np.maximum(moving.pixels, 4 * 30))
    run = prepared("frame_order", moving, motion=True, **STILL)
    shown = np.concatenate([times(run, run.objective.batch(step, 0, 1)) for step in range(4)])
    assert (shown.max(1) > 30).all(), "nothing moves before"
    still = prepared("frame_order", moving, **STILL).objective
    numbers = still.validation
    batches = [one.images_batch(numbers, seed=0, epoch=0, step=0) for one in (run.objective, still)]
    assert torch.equal(batches[0].made[0], batches[1].made[0])


def test_frames_with_no_order_are_refused():
    message = "these images have no order: each needs the clip that it comes from and its place there\nGive a folder"
    for part in ("sequence", "frame"):
        with pytest.raises(DataError, match=f"^{re.escape(message)}"):
            prepared("frame_order", dataclasses.replace(images(), **{part: None}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "a tuple needs 4 frames of one clip in order, the longest clip has 3\nGive longer clips, or a smaller"),
        ({"question": "verify"}, "a tuple needs 5 frames of one clip in order, the longest clip has 3"),
        ({"stride": 5}, "a tuple needs 16 frames of one clip in order, the longest clip has 3"),
    ],
)
def test_clips_shorter_than_a_question_are_refused(options, message):
    short = dataclasses.replace(images(30), sequence=np.arange(30) // 3)
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        prepared("frame_order", short, **options)


def test_a_batch_of_more_windows_than_there_are_is_refused():
    message = "stripes: a batch of 16 windows is larger than the 14 there are to learn from\nGive a smaller --batch-im"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        prepared("frame_order", images(17), validation_share=0.0)


@pytest.mark.parametrize(("question", "least"), [("sort", 0.5), ("verify", 0.9)])
def test_it_learns_where_time_goes(question, least):
    options = {"width": 8, "epochs": 10, "learning_rate": 0.01, "crop_min": 0.9, "in_order": 0.5, "stride": 3}
    task = task_of(prepared("frame_order", growing(), question=question, **options))
    for step in range(task.num_steps):
        task.step(step)
    assert task.evaluate()["pretext_accuracy"] > least  # by chance 8 % and 50 %


def test_description_says_windows_frames_and_chance():
    lines = prepared("frame_order", images(80)).describe()
    told = re.compile(r"\d+ windows of frames to learn from, \d+ in whole stretches held back")
    assert any(map(told.fullmatch, lines))
    assert "4 frames of 8 x 8, 12 answers; by chance 8.3% of the answers are right" in lines
