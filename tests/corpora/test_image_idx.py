"""idx files of the MNIST family, and the labels beside them."""

import gzip

import numpy as np
import pytest

import corpora
from corpora.readers import image_idx
from tests.corpora.images_made import gradient, idx, refused

PIXELS = np.stack([gradient(6, 5, start=place) for place in range(4)])
LABELS = np.array([3, 0, 1, 3], np.uint8)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("label_suffix", ["", ".gz"])
@pytest.mark.parametrize("names", [("train-images-idx3-ubyte", "train-labels-idx1-ubyte")])
def test_idx_finds_its_labels_beside_it(tmp_path, suffix, label_suffix, names):
    for name, content, packed in zip(names, (idx(PIXELS), idx(LABELS)), (suffix, label_suffix), strict=True):
        (tmp_path / (name + packed)).write_bytes(gzip.compress(content) if packed else content)
    images = corpora.load_images(tmp_path / (names[0] + suffix))
    assert np.array_equal(images.pixels[..., 0], PIXELS)
    assert images.labels.tolist() == [3, 0, 1, 3]
    assert images.label_names == ("0", "1", "2", "3")
    assert corpora.load_images(tmp_path / (names[0] + suffix), limit=2).labels.tolist() == [3, 0]
    assert corpora.load_images(tmp_path / (names[0] + suffix), image_size=3).pixels.shape == (4, 3, 3, 1)


def test_idx_without_labels_and_with_colour(tmp_path):
    (tmp_path / "colour.idx").write_bytes(idx(np.zeros((2, 4, 4, 3), np.uint8)))
    images = corpora.load_images(tmp_path / "colour.idx")
    assert (images.pixels.shape, images.labels) == ((2, 4, 4, 3), None)


def test_idx_of_labels_or_other_numbers_is_refused(tmp_path):
    path = tmp_path / "a-idx1-ubyte"
    path.write_bytes(idx(LABELS))
    assert "give the file of the images" in refused(path, r"the file holds labels \(1 axes\), images have 3 or 4").hint
    path.write_bytes(idx(PIXELS[0]))
    refused(path, r"the file holds a table \(2 axes\)")
    path.write_bytes(idx(PIXELS.astype(">f4"), type_=0x0D))
    refused(path, r"the file holds numbers of type 0x0d; bytes without sign \(0x08\) are expected")
    path.write_bytes(idx(PIXELS[:0]))
    refused(path, "there is no image in it")
    path.write_bytes(b"something else")
    refused(path, r"no idx file \(it does not begin like one\)", format="idx")


def test_idx_whose_header_lies_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a-idx3-ubyte"
    content = idx(PIXELS)
    path.write_bytes(content[:-1])
    refused(path, "the header promises 120 bytes, the file has 119")
    path.write_bytes(content + b"x")
    refused(path, "the header promises 120 bytes, the file has more")
    path.write_bytes(content[:4] + b"\xff\xff\xff\x00" + content[8:])
    refused(path, r"the header promises 128,849,011,200 bytes|the header promises [\d,]+ bytes, the file has 136 bytes")
    path.write_bytes(gzip.compress(content[:-1]))
    refused(path, "the header promises 120 bytes, the file has 119")
    monkeypatch.setattr(image_idx, "ALWAYS_ALLOWED", 10)
    monkeypatch.setattr(image_idx, "MAX_RATIO", 1)
    path.write_bytes(gzip.compress(idx(np.zeros((9, 99, 99), np.uint8))))
    refused(path, r"the header promises 88,209 bytes, the file has [\d,]+ bytes")


def test_idx_whose_labels_are_too_few_is_refused(tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:3]))
    refused(tmp_path / "t10k-images-idx3-ubyte", "there are 3 labels for 4 images")


def test_fashion_mnist_is_read_as_it_is(real_data):
    folder = real_data / "fashion_mnist"
    images = corpora.load_images(folder / "t10k-images-idx3-ubyte.gz")
    assert images.pixels.shape == (10_000, 28, 28, 1)
    assert np.bincount(images.labels).tolist() == [1000] * 10
    refused(folder, r"there is no image in it \(4 files")


def test_camvid_frames_have_clips(real_data):
    images = corpora.load_images(real_data / "camvid_frames" / "camvid_160x120.npz")
    assert images.pixels.shape == (701, 120, 160, 3)
    assert len(set(images.sequence.tolist())) == 4
    assert (np.diff(images.frame)[np.diff(images.sequence) == 0] > 0).all()
