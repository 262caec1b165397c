"""Frames: tuples of one clip, in the order that the label says; shares; and every message."""

import numpy as np
import pytest

from textssl.errors import DataError, UsageError
from textssl.vision.draws import view_keys
from textssl.vision.frames import (
    order_classes,
    order_clips,
    shuffled_frames,
    triples,
    weighted_windows,
    window_motion,
    window_starts,
)

# Three clips of 8, 3 and 6 frames, the images in disorder.
SEQUENCE = np.repeat([4, 7, 9], [8, 3, 6])
FRAME = np.concatenate([np.arange(8) * 2, np.arange(3), [0, 1, 2, 50, 51, 52]])
SHUFFLE = np.random.default_rng(0).permutation(17)
CLIPS = order_clips(SEQUENCE[SHUFFLE], FRAME[SHUFFLE])
KEYS = view_keys(1, 0, np.arange(3), 0)


def frames_of(images):
    return SEQUENCE[SHUFFLE][images], FRAME[SHUFFLE][images]


def starts_and_keys(span, num_tuples=4000, **options):
    starts = window_starts(CLIPS, span, **options)
    return starts[np.arange(num_tuples) % len(starts)], view_keys(1, 0, np.arange(num_tuples), 0)


def test_clips_are_sorted_by_sequence_and_frame():
    sequence, frame = frames_of(CLIPS.rows)
    assert np.array_equal(sequence, SEQUENCE)
    assert np.array_equal(frame, FRAME)


def test_windows_stay_in_one_clip():
    assert window_starts(CLIPS, 5).tolist() == [0, 1, 2, 3, 11, 12]
    assert window_starts(CLIPS, 3, stride=2).tolist() == [0, 1, 2, 3, 11, 12]
    assert window_starts(CLIPS, 3, max_gap=10).tolist() == [0, 1, 2, 3, 4, 5, 8, 11, 14]
    assert window_starts(CLIPS, 1).tolist() == list(range(17))


def test_triples_are_in_order_where_the_label_says_so():
    starts, keys = starts_and_keys(5)
    images, labels = triples(CLIPS, starts, keys)
    sequence, frame = frames_of(images)
    assert (sequence == sequence[:, :1]).all()
    between = (frame[:, 0] < frame[:, 1]) & (frame[:, 1] < frame[:, 2])
    assert np.array_equal(between, labels == 1)
    assert (frame[:, 0] < frame[:, 2]).all()
    assert abs(labels.mean() - 0.25) < 0.035  # 5 standard deviations
    before = frame[labels == 0][:, 1] < frame[labels == 0][:, 0]
    assert abs(before.mean() - 0.5) < 0.05
    assert np.array_equal(triples(CLIPS, starts[7:9], keys[7:9])[0], images[7:9])


def test_triples_can_all_be_right_or_wrong():
    starts, keys = starts_and_keys(5)
    assert (triples(CLIPS, starts, keys, right=1)[1] == 1).all()
    assert (triples(CLIPS, starts, keys, right=0)[1] == 0).all()


def test_orders_of_four_frames_have_twelve_classes():
    classes = order_classes(4)
    assert classes.shape == (12, 4)
    together = {tuple(row) for row in classes.tolist()} | {tuple(row[::-1]) for row in classes.tolist()}
    assert len(together) == 24
    assert classes[0].tolist() == [0, 1, 2, 3]
    assert len(order_classes(2)) == 1


@pytest.mark.parametrize("stride", [1, 2])
def test_shuffled_frames_come_in_the_order_of_their_class(stride):
    length = 4 if stride == 1 else 3
    starts, keys = starts_and_keys(length, stride=stride)
    images, labels = shuffled_frames(CLIPS, starts, keys, length=length, stride=stride)
    sequence, frame = frames_of(images)
    assert (sequence == sequence[:, :1]).all()
    ranks = frame.argsort(axis=1).argsort(axis=1)
    forward = (ranks == order_classes(length)[labels]).all(axis=1)
    backward = (ranks[:, ::-1] == order_classes(length)[labels]).all(axis=1)
    assert (forward ^ backward).all()
    assert abs(forward.mean() - 0.5) < 0.04
    counts = np.bincount(labels, minlength=len(order_classes(length)))
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 31.3  # 99.9 % point of 11 degrees of freedom


def test_windows_are_drawn_by_weight():
    keys = view_keys(1, 0, np.arange(8000), 0)
    counts = np.bincount(weighted_windows(np.array([0.0, 1.0, 0.0, 3.0, 0.0]), keys), minlength=5)
    assert counts[[0, 2, 4]].tolist() == [0, 0, 0]
    assert abs(counts[3] / 8000 - 0.75) < 0.025


def test_motion_is_the_mean_change_over_a_window():
    pixels = np.zeros((17, 2, 2, 1), dtype=np.uint8)
    pixels[CLIPS.rows[3]] = 40  # appears and vanishes
    starts = window_starts(CLIPS, 3)
    motion = window_motion(CLIPS, starts, 3, 1, pixels)
    assert motion[:5].tolist() == [0, 20, 40, 20, 0]
    assert motion[5:].tolist() == [0] * (len(starts) - 5)


def test_images_without_order_are_refused():
    with pytest.raises(DataError, match=r"(?s)these images have no order: each needs the clip.*one folder of frames"):
        order_clips(None, None)
    with pytest.raises(DataError, match=r"images 1 and 2 are both frame 5 of clip 0"):
        order_clips(np.array([0, 0, 0]), np.array([4, 5, 5]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: window_starts(CLIPS, 9), "a tuple needs 9 frames of one clip in order, the longest clip has 8"),
        (lambda: window_starts(CLIPS, 30), "a tuple needs 30 frames of one clip in order, the longest clip has 8"),
        (lambda: window_starts(order_clips(SEQUENCE[:0], FRAME[:0]), 2), "needs 2 frames .* the longest clip has 0"),
        (lambda: window_starts(CLIPS, 0), "span must be at least 1, got 0"),
        (lambda: window_starts(CLIPS, 2, stride=0), "stride must be at least 1, got 0"),
        (lambda: weighted_windows(np.zeros(3), KEYS[:2]), "weights of windows must be at least"),
        (lambda: triples(CLIPS, np.zeros(2, int), KEYS), "got 3 keys for 2 windows"),
        (lambda: triples(CLIPS, np.zeros(0, int), KEYS[:0], right=2), "right must be at least 0"),
        (lambda: order_classes(8), "length must be at least 2 and at most 7, got 8"),
    ],
)
def test_frames_refuse(call, message):
    with pytest.raises((UsageError, DataError), match=message):
        call()
