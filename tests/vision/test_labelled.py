"""Images with labels: which have one, draws in proportion, what is kept back, what stands in two sets."""

import dataclasses

import numpy as np
import pytest

from textssl.errors import DataError
from textssl.vision.images import ImageSet
from textssl.vision.labelled import cut_off, drawn, labelled, num_shared


def image_set(labels, names=("a", "b", "c"), *, seed=0, files=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 2, 2, 1), np.uint8)
    return ImageSet(pixels, np.array(labels, dtype=np.int64), names, name="set", file_names=files)


def test_labelled_takes_the_images_that_have_a_label_and_the_labels_that_occur():
    found = labelled(image_set([2, -1, 0, 2]))
    assert found.names == ("a", "c")
    assert found.places.tolist() == [0, 2, 3]
    assert found.targets.tolist() == [1, 0, 1]
    assert (len(found), found.num_left_out, found.counts.tolist()) == (3, 1, [1, 2])
    np.testing.assert_array_equal(found.pixels(np.array([2, 0])), found.images.pixels[[3, 0]])
    assert found.take(np.array([1])).places.tolist() == [2]


def test_labelled_numbers_follow_the_names_of_another_set():
    found = labelled(image_set([0, 1, 1], ("c", "a")), ("a", "b", "c"))
    assert found.targets.tolist() == [2, 0, 0]
    assert found.counts.tolist() == [2, 0, 1]


def test_images_without_labels_are_refused():
    for images in (image_set([-1, -1]), dataclasses.replace(image_set([0, 1]), labels=None)):
        with pytest.raises(DataError, match="set: the images have no labels\nPut them into sub-folders") as caught:
            labelled(images)
        assert "--labels FILE.csv" in caught.value.hint


def test_one_label_only_is_refused():
    with pytest.raises(DataError, match=r"every image has the same label \('b'\), at least two are expected"):
        labelled(image_set([1, 1, -1]))


def test_one_label_is_enough_where_the_names_are_given():
    assert labelled(image_set([1, 1]), ("a", "b")).targets.tolist() == [1, 1]


def test_unseen_labels_are_named_with_their_image():
    with pytest.raises(DataError) as caught:
        labelled(image_set([0, 1, 2, 2]), ("a", "b"))
    assert caught.value.message == (
        "2 images have labels that the training images do not have, the first is 'c' (number 3); they have a, b"
    )
    with pytest.raises(DataError, match=r"1 image has a label .* is 'cat' \(x/2.png\).*\nDid you mean 'cats'?"):
        labelled(image_set([0, 1], ("dog", "cat"), files=("x/1.png", "x/2.png")), ("cats", "dog"))


def test_draw_keeps_the_proportions_and_at_least_one_of_each():
    targets = np.repeat([0, 1, 2], [60, 30, 2])
    assert np.bincount(targets[drawn(targets, 46, seed=1)]).tolist() == [30, 15, 1]
    assert np.bincount(targets[drawn(targets, 3, seed=1)]).tolist() == [1, 1, 1]
    assert drawn(targets, 92, seed=1).tolist() == list(range(92))
    assert len(drawn(targets, 0, seed=1)) == 0


def test_draw_depends_on_the_seed_alone():
    targets = np.arange(50) % 3
    assert drawn(targets, 9, seed=1).tolist() == drawn(targets, 9, seed=1).tolist()
    assert drawn(targets, 9, seed=1).tolist() != drawn(targets, 9, seed=2).tolist()
    assert set(drawn(targets, 9, seed=1)) <= set(drawn(targets, 20, seed=1))


def test_cut_off_parts_the_images_and_leaves_one_of_each_label():
    found = labelled(image_set([0] * 20 + [1] * 9 + [2]))
    stay, kept = cut_off(found, share=0.2, seed=0)
    assert sorted([*stay, *kept]) == list(range(30))
    assert len(kept) == 6
    assert found.take(stay).counts.min() >= 1
    assert found.take(kept).counts[2] == 0


def test_cut_off_keeps_one_back_of_few():
    stay, kept = cut_off(labelled(image_set([0, 1, 1])), share=0.1, seed=0)
    assert (len(stay), len(kept)) == (2, 1)


def test_one_image_of_each_label_leaves_nothing_to_keep_back():
    with pytest.raises(DataError, match="there is one image of each of 3 labels, so that none can be kept back"):
        cut_off(labelled(image_set([0, 1, 2])), share=0.2, seed=0)


def test_shared_images_are_those_with_equal_pixels():
    first = image_set([0, 1, 0, 1])
    pixels = np.concatenate([first.pixels[[2, 2]], first.pixels[:1] ^ 1])
    second = ImageSet(pixels, np.array([0, 0, 1]), ("a", "b"))
    assert num_shared(labelled(first), labelled(second)) == 2
    assert num_shared(labelled(first), labelled(ImageSet(pixels.repeat(2, axis=1), second.labels, ("a", "b")))) == 0
