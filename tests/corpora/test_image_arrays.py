"""Images in .npy and .npz files, and headers that lie."""

import io
import zipfile

import numpy as np
import pytest

import corpora
from corpora.readers import image_arrays
from tests.corpora.images_made import encoded, gradient, refused

GRAY = np.stack([gradient(6, 5, start=place) for place in range(4)])
RGB = np.stack([gradient(6, 5, start=place, channels=3) for place in range(4)])


def test_npy_is_mapped(tmp_path):
    np.save(tmp_path / "a.npy", GRAY)
    images = corpora.load_images(tmp_path / "a.npy")
    assert isinstance(images.pixels.base, np.memmap) or isinstance(images.pixels, np.memmap)
    assert np.array_equal(images.pixels[..., 0], GRAY)
    assert (images.labels, images.file_names, images.name) == (None, None, "a.npy")
    assert not images.pixels.flags.writeable


@pytest.mark.parametrize("bands", [1, 2, 3, 12])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2"])
def test_npz_keeps_bands_and_bits(tmp_path, bands, dtype):
    pixels = np.arange(4 * 6 * 5 * bands).reshape(4, 6, 5, bands).astype(dtype)
    np.savez_compressed(tmp_path / "a.npz", images=pixels, labels=np.array([[2], [0], [1], [2]]))
    images = corpora.load_images(tmp_path / "a.npz")
    assert np.array_equal(images.pixels, pixels)
    assert images.pixels.dtype == (np.uint8 if dtype == np.uint8 else np.uint16)
    assert images.labels.tolist() == [2, 0, 1, 2]
    assert images.label_names == ("0", "1", "2")
    small = corpora.load_images(tmp_path / "a.npz", image_size=3, limit=2)
    assert (small.pixels.shape, small.labels.tolist()) == ((2, 3, 3, bands), [2, 0])


def test_npz_field_by_another_name(tmp_path):
    np.savez(tmp_path / "a.npz", train_images=RGB, train_labels=np.array(["b", "a", "", "b"]))
    images = corpora.load_images(tmp_path / "a.npz", image_field="train_images", label_field="train_labels")
    assert (images.labels.tolist(), images.label_names) == ([1, 0, -1, 1], ("a", "b"))
    assert corpora.load_images(tmp_path / "a.npz", image_field="train_images").labels is None
    error = refused(tmp_path / "a.npz", "no field 'image' or 'images'; the fields are: train_images, train_labels")
    assert error.hint == "did you mean train_images? (--image-field)"
    error = refused(
        tmp_path / "a.npz", "no field 'classes' or 'classess'", image_field="train_images", label_field="classes"
    )
    assert error.hint == "name the one to read (--label-field)"


def test_npz_of_encoded_images_with_clips_out_of_order(tmp_path):
    files = [encoded(gradient(start=place)) for place in range(4)]
    np.savez(
        tmp_path / "a.npz",
        jpeg=np.frombuffer(b"".join(files), np.uint8),
        offsets=np.cumsum([0, *map(len, files)]),
        sequence=np.array(["late", "early", "late", "early"]),
        frame=np.array([30, 5, 10, 7], np.int32),
    )
    images = corpora.load_images(tmp_path / "a.npz")
    assert images.sequence.tolist() == [0, 0, 1, 1]
    assert images.frame.tolist() == [10, 30, 5, 7]
    assert images.pixels[:, 0, 0, 0].tolist() == [2, 0, 1, 3]
    assert len(corpora.load_images(tmp_path / "a.npz", limit=3)) == 3


def test_npz_of_encoded_images_names_the_bad_one(tmp_path):
    files = [encoded(gradient()), b"no image", encoded(gradient())]
    content = np.frombuffer(b"".join(files), np.uint8)
    offsets = np.cumsum([0, *map(len, files)])
    np.savez(tmp_path / "a.npz", jpeg=content, offsets=offsets)
    assert refused(tmp_path / "a.npz", "no image that Pillow knows").where.endswith("a.npz, image 1")
    assert corpora.load_images(tmp_path / "a.npz", on_bad="skip").report() == {"images skipped that cannot be read": 1}
    for wrong in (offsets[::-1], offsets + 1, offsets - 1):
        np.savez(tmp_path / "b.npz", jpeg=content, offsets=wrong)
        refused(tmp_path / "b.npz", "the offsets do not rise from 0 to the .* bytes of jpeg")
    np.savez(tmp_path / "b.npz", jpeg=content.astype(float), offsets=offsets)
    refused(tmp_path / "b.npz", "jpeg is float64 .* bytes in a row and whole numbers are expected")
    np.savez(tmp_path / "b.npz", jpeg=content, offsets=[0])
    refused(tmp_path / "b.npz", "there is no image in it")


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        (GRAY.astype(np.float32), "the pixels are float32, uint8 or uint16 is expected"),
        (GRAY.astype(bool), "the pixels are bool, uint8 or uint16"),
        (GRAY[0], r"the shape is \(6, 5\); \(images, height, width\) or"),
        (GRAY[:0], "there is no image in it"),
        (np.zeros((4, 3, 32, 32), np.uint8), r"\(4, 3, 32, 32\): the channels seem to stand before height and width"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, pixels, match):
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "a.npz", images=pixels)
    assert refused(tmp_path / "a.npy", match).hint
    assert refused(tmp_path / "a.npz", match).where.endswith("a.npz, images")


def test_object_arrays_are_never_opened(tmp_path):
    objects = np.array([GRAY[0], GRAY[1][:3]], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", images=objects)
    for name in ("a.npy", "a.npz"):
        refused(tmp_path / name, "the array holds Python objects, which are pickles and never opened")


def lying_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("shape", [(10**6, 10**4, 10**4), (4, 6, 4), (4, -6, -5)])
def test_header_that_does_not_fit_the_file_is_refused_before_memory_is_asked_for(tmp_path, shape):
    content = lying_header(shape) + GRAY.tobytes()
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", content)
    for name in ("a.npy", "a.npz"):
        refused(tmp_path / name, r"the header promises [\d,]+ bytes of uint8 .*, the file has 120")


def test_header_of_a_later_version_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", GRAY)
    content = bytearray((tmp_path / "a.npy").read_bytes())
    content[6] = 9
    (tmp_path / "a.npy").write_bytes(content)
    refused(tmp_path / "a.npy", r"version 9\.0 of the NumPy format is not read")


def test_zip_that_promises_more_than_it_can_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(image_arrays, "SMALL_BYTES", 100)
    monkeypatch.setattr(image_arrays, "MAX_RATIO", 10)
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((10, 100, 100), np.uint8))
    refused(tmp_path / "a.npz", r"[\d,]+ packed bytes cannot hold the 100,128 bytes that are promised")


def test_damaged_archives_and_arrays_are_named(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=np.random.default_rng(1).integers(0, 255, GRAY.shape, np.uint8))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    (tmp_path / "short.npz").write_bytes(content[:-40])
    refused(tmp_path / "short.npz", "the npz file is damaged: ")
    content[120:160] = bytes(40)
    (tmp_path / "a.npz").write_bytes(content)
    refused(tmp_path / "a.npz", "the npz file is damaged: ")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01")
    refused(tmp_path / "a.npy", "the npy file is damaged: ")


def test_npz_clips_must_fit_the_images(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=GRAY, sequence=[0, 0, 1])
    refused(path, r"sequence has the shape \(3,\); one for each of 4 images is expected")
    np.savez(path, images=GRAY, frame=[0.5, 1, 2, 3])
    refused(path, "frame is float64; whole numbers are expected")
    np.savez(path, images=GRAY, sequence=[4, 4, 7, 7], frame=[1, 1, 1, 2])
    error = refused(path, "frame 1 stands twice in clip number 0, so its frames have no order")
    assert error.hint == "give each frame of a clip a number of its own"
    np.savez(path, images=GRAY, sequence=[4, 4, 7, 7])
    images = corpora.load_images(path)
    assert (images.sequence.tolist(), images.frame.tolist()) == ([0, 0, 1, 1], [0, 1, 2, 3])
    np.savez(path, images=GRAY, frame=[3, 2, 1, 0])
    images = corpora.load_images(path)
    assert (images.sequence.tolist(), images.pixels[:, 0, 0, 0].tolist()) == ([0] * 4, [3, 2, 1, 0])
