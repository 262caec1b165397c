"""Windows of clips: held back in whole stretches, named by their first image, drawn by motion."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.errors import DataError
from textssl.objectives.base_frame_windows import split_windows
from textssl.vision.draws import view_keys
from textssl.vision.frames import order_clips


def windows(lengths=(120, 60, 3), *, span=4, stride=1, max_gap=None, share=0.2, step=1):
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    frame = np.concatenate([np.arange(length) * step for length in lengths])
    return split_windows(order_clips(sequence, frame), span, stride=stride, max_gap=max_gap, share=share)


def frames_of(starts, reach):
    return set((starts[:, None] + np.arange(reach)).ravel().tolist())


@pytest.mark.parametrize("stride", [1, 2])
def test_no_frame_is_in_windows_of_both_parts(stride):
    found, reach = windows(stride=stride), 3 * stride + 1
    held_back = frames_of(found.held_back, reach)
    assert len(found.held_back)
    assert not held_back & frames_of(found.training, reach)
    runs = np.split(sorted(held_back), np.flatnonzero(np.diff(sorted(held_back)) != 1) + 1)
    assert all(len(run) >= reach + 3 for run in runs), "stretches, not single windows"


def test_windows_stay_in_their_clip():
    found = windows()
    for starts in (found.training, found.held_back):
        assert (found.clips.sequence[starts] == found.clips.sequence[starts + 3]).all()
    assert not np.isin(found.clips.sequence[found.training], 2).any(), "the third clip is too short"


def test_many_short_clips_are_held_back_as_a_whole():
    found = windows(lengths=(6,) * 40)
    parts = [set(found.clips.sequence[starts]) for starts in (found.training, found.held_back)]
    assert not parts[0] & parts[1]
    assert len(parts[0]) + len(parts[1]) == 40
    assert 2 <= len(parts[1]) <= 16
    assert len(found.training) == 3 * len(parts[0])


def test_one_short_clip_has_nothing_to_hold_back():
    found = windows(lengths=(6,))
    assert found.training.tolist() == [0, 1, 2]
    assert len(found.held_back) == 0
    assert len(windows(share=0.0).held_back) == 0


def test_the_split_is_the_same_every_time():
    assert np.array_equal(windows().held_back, windows().held_back)


def test_a_window_is_named_by_its_first_image():
    order = np.random.default_rng(0).permutation(100)
    clips = order_clips(np.zeros(100, np.int64)[order], np.arange(100)[order])
    found = split_windows(clips, 4, stride=1, max_gap=None, share=0.2)
    images = found.images(found.training)
    assert np.array_equal(order[images], found.training)
    keys = view_keys(1, 0, images)
    assert np.array_equal(found.asked(images, keys), found.training)


def test_windows_that_move_are_asked_about_more_often():
    found = windows(lengths=(100,))
    pixels = np.zeros((100, 2, 2, 1), np.uint8)
    pixels[found.training[20] + 1] = 200  # seen by the windows around it
    moving = found.by_motion(4, 1, pixels)
    images = np.repeat(found.images(found.training), 20)
    asked = moving.asked(images, view_keys(1, 0, np.arange(len(images))))
    assert set(asked) <= set(found.training[16:22])
    held_back = found.images(found.held_back)
    assert np.array_equal(moving.asked(held_back, view_keys(1, 0, held_back)), found.held_back), "those stay"


def test_gaps_are_not_crossed():
    clips = order_clips(np.zeros(40, np.int64), np.r_[np.arange(20), 1000 + np.arange(20)])
    found = split_windows(clips, 4, stride=1, max_gap=5, share=0.0)
    assert found.training.tolist() == [*range(17), *range(20, 37)]


def test_clips_shorter_than_a_window_are_refused():
    with pytest.raises(DataError, match="a tuple needs 9 frames of one clip in order, the longest clip has 6"):
        windows(lengths=(6, 5), span=5, stride=2)
