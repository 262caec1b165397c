"""The set of images that is learnt from."""

from dataclasses import replace

import numpy as np
import pytest

import corpora
from textssl.errors import DataError
from textssl.vision import images
from textssl.vision.images import ImageSet, image_set


def random_pixels(*shape, dtype=np.uint8, seed=1):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def test_image_set_is_the_corpus_with_its_sizes():
    source = corpora.load_images("digits-test")
    found = image_set(source)
    assert (found.num_images, found.height, found.width, found.channels, found.scale) == (500, 8, 8, 1, 255.0)
    assert (found.name, found.fingerprint) == ("digits-test", source.fingerprint())
    assert found.label_names == tuple("0123456789")
    assert found.labels is source.labels
    assert found.pixels is source.pixels


def test_take_copies_in_the_order_of_the_indices():
    found = ImageSet(random_pixels(5, 4, 3, 2))
    taken = found.take(np.array([3, 0, 3]))
    assert np.array_equal(taken, found.pixels[[3, 0, 3]])
    assert taken.flags.c_contiguous
    assert not np.shares_memory(taken, found.pixels)
    with pytest.raises(IndexError):
        found.take([5])


def test_take_reads_a_mapped_file(tmp_path):
    np.save(tmp_path / "a.npy", random_pixels(5, 4, 3, 2))
    found = image_set(corpora.load_images(tmp_path / "a.npy"))
    taken = found.take([4, 1])
    assert not isinstance(taken, np.memmap)
    assert taken.flags.writeable


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_channel_statistics_equal_those_of_numpy(dtype, channels, monkeypatch):
    monkeypatch.setattr(images, "_BLOCK_BYTES", 1000)
    found = ImageSet(random_pixels(50, 6, 5, channels, dtype=dtype))
    scaled = found.pixels / found.scale
    mean_C, std_C = found.channel_statistics()
    assert mean_C.dtype == std_C.dtype == np.float32
    np.testing.assert_allclose(mean_C, scaled.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std_C, scaled.std((0, 1, 2)), rtol=1e-6)


def test_channel_statistics_come_from_images_spread_over_the_set(monkeypatch):
    monkeypatch.setattr(images, "MAX_SAMPLE_IMAGES", 5)
    pixels = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 2, 2, 1))
    mean_C, _ = ImageSet(pixels).channel_statistics()
    assert mean_C * 255 == pytest.approx(np.mean([0, 2, 4, 6, 8]))
    monkeypatch.setattr(images, "MAX_SAMPLE_BYTES", 1)
    assert ImageSet(pixels).channel_statistics()[0] == 0


def test_channel_statistics_of_one_colour_may_be_divided_by():
    mean_C, std_C = ImageSet(np.full((3, 2, 2, 1), 51, np.uint8)).channel_statistics()
    assert mean_C == pytest.approx(0.2)
    assert std_C == pytest.approx(1 / 255)


def test_labels_in_the_names_of_another_set():
    found = ImageSet(random_pixels(4, 2, 2, 1), np.array([0, 1, -1, 2]), ("cat", "cow", "dog"))
    assert found.labels_in(("dog", "bird", "cat")).tolist() == [2, -1, -1, 0]
    with pytest.raises(DataError, match="no label is among bird; there are cat, cow, dog"):
        found.labels_in(("bird",))
    with pytest.raises(DataError, match="the images have no labels") as caught:
        ImageSet(random_pixels(4, 2, 2, 1)).labels_in(("cat",))
    assert "--labels FILE.csv" in caught.value.hint


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"pixels": random_pixels(5, 2, 2)}, r"the pixels are uint8 \(5, 2, 2\), expected uint8 or uint16 \(images,"),
        ({"pixels": np.zeros((5, 2, 2, 1))}, "the pixels are float64"),
        ({"pixels": random_pixels(0, 2, 2, 1)}, "there is no image"),
        ({"labels": np.zeros(4, np.int64)}, r"labels has the shape \(4,\); one for each of 5 images is expected"),
        ({"frame": np.zeros(6, np.int64)}, r"frame has the shape \(6,\)"),
    ],
)
def test_source_that_does_not_keep_its_promise_is_refused(changed, match):
    source = corpora.Images("mine", random_pixels(5, 2, 2, 1))
    with pytest.raises(DataError, match=match):
        image_set(replace(source, **changed))
