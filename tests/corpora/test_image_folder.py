"""Folders of image files: labels, clips, kinds of pixels, sizes, damaged files."""

import numpy as np
import pytest
from PIL import Image

import corpora
from corpora.readers import base_pillow
from tests.corpora.images_made import encoded, gradient, refused, save


def test_folder_is_read_in_natural_order_with_sub_folders_as_labels(tmp_path):
    for place, name in enumerate(["cat/2.png", "cat/10.png", "dog/deep/1.png", "dog/3.png"]):
        save(tmp_path / name, gradient(start=place))
    images = corpora.load_images(tmp_path)
    assert images.file_names == ("cat/2.png", "cat/10.png", "dog/deep/1.png", "dog/3.png")
    assert images.pixels.shape == (4, 8, 8, 1)
    assert images.pixels.dtype == np.uint8
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.label_names == ("cat", "dog")
    assert images.sequence is None
    assert images.report() == {}
    assert len(images) == 4
    assert images.name == tmp_path.name


def test_folder_without_sub_folders_has_no_labels_and_counts_what_it_leaves_out(tmp_path):
    save(tmp_path / "a.png", gradient())
    save(tmp_path / ".hidden.png", gradient())
    (tmp_path / "notes.txt").write_text("x")
    images = corpora.load_images(str(tmp_path))
    assert (images.labels, images.label_names) == (None, ())
    assert images.report() == {"files that are no images left out": 1}


def test_folder_image_beside_the_labels_has_none(tmp_path):
    save(tmp_path / "a" / "1.png", gradient())
    save(tmp_path / "b.png", gradient())
    assert corpora.load_images(tmp_path).labels.tolist() == [0, -1]


def test_one_image_file_is_a_set_of_one(tmp_path):
    images = corpora.load_images(save(tmp_path / "cat" / "a.png", gradient()))
    assert (len(images), images.labels, images.file_names) == (1, None, ("a.png",))


def test_folder_empty_or_of_other_files_says_what_is_in_it(tmp_path):
    assert "its sub-folders are labels" in refused(tmp_path, "there is no image in it").hint
    (tmp_path / "notes.txt").write_text("x")
    error = refused(tmp_path, r"there is no image in it \(1 files that are no images left out\)")
    assert error.hint.endswith("found .txt")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
    (tmp_path / "deep").mkdir()
    np.savez(tmp_path / "deep" / "b.npz", images=[1])
    hint = refused(tmp_path, "there is no image").hint
    assert hint == "give one of its files: deep/b.npz, train-images-idx3-ubyte.gz"


KINDS = {
    "gray": (Image.fromarray(gradient()), "png", (1, np.uint8, {})),
    "gray JPEG": (Image.fromarray(gradient()), "jpg", (1, np.uint8, {})),
    "16-bit gray": (Image.fromarray(gradient().astype(np.uint16) * 257), "png", (1, np.uint16, {})),
    "16-bit gray TIFF": (Image.fromarray(gradient().astype(np.uint16) * 257), "tif", (1, np.uint16, {})),
    "32-bit gray TIFF": (Image.fromarray(gradient().astype(np.int32) * 257), "tif", (1, np.uint16, {})),
    "1-bit": (Image.fromarray(gradient()).convert("1"), "png", (1, np.uint8, {})),
    "RGB": (Image.fromarray(gradient(channels=3)), "png", (3, np.uint8, {})),
    "palette": (Image.fromarray(gradient(channels=3)).quantize(256), "png", (3, np.uint8, {})),
    "RGBA": (Image.fromarray(gradient(channels=4)), "png", (3, np.uint8, {"alpha channels dropped": 1})),
    "gray with alpha": (
        Image.fromarray(gradient(channels=4)).convert("LA"),
        "png",
        (1, np.uint8, {"alpha channels dropped": 1}),
    ),
    "CMYK": (Image.fromarray(gradient(channels=3)).convert("CMYK"), "tif", (3, np.uint8, {})),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_of_a_kind_of_image(tmp_path, kind):
    image, suffix, (channels, dtype, notes) = KINDS[kind]
    path = save(tmp_path / f"a.{suffix}", image)
    images = corpora.load_images(path)
    assert (images.pixels.shape, images.pixels.dtype, images.report()) == ((1, 8, 8, channels), dtype, notes)
    assert corpora.load_images(path, image_size=4).pixels.shape == (1, 4, 4, channels)
    if suffix == "jpg" or kind in ("1-bit", "gray with alpha", "CMYK"):
        return
    plain = np.asarray(image.convert("RGB") if kind == "palette" else image).reshape(8, 8, -1)
    assert np.array_equal(images.pixels[0], plain[:, :, :channels])


def test_palette_with_transparency_is_rgb_without_a_warning(tmp_path):
    palette = Image.fromarray(gradient(channels=3)).quantize(8)
    images = corpora.load_images(save(tmp_path / "a.png", palette, transparency=bytes(range(8))))
    assert np.array_equal(images.pixels[0], np.asarray(palette.convert("RGB")))
    assert images.report() == {"alpha channels dropped": 1}


def test_gray_beyond_16_bits_and_fractions_are_refused(tmp_path):
    path = save(tmp_path / "a.tif", np.full((4, 4), 70_000, np.int32))
    refused(path, "gray values reach from 70000 to 70000, 0 to 65535 is expected")
    path = save(tmp_path / "b.tif", np.full((4, 4), 0.5, np.float32))
    refused(path, "gray values are fractions; whole numbers of 8 or 16 bits are expected")


def test_16_bit_colour_read_with_8_bits_is_counted(tmp_path):
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([1, 0, 2, 0, 3, 0]) * 2 for _ in range(2))
    head = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    images = corpora.load_images(path)
    assert images.pixels[0, 0, 0].tolist() == [1, 2, 3]
    assert images.report() == {"images of 16 bits a colour read with 8": 1}


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.fromarray(gradient(start=start)) for start in (0, 50)]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    images = corpora.load_images(path)
    assert images.pixels.shape[1:3] == (8, 8)
    assert images.report() == {"animations of which only the first frame is read": 1}


def test_photograph_is_turned_as_its_exif_note_says(tmp_path):
    note = Image.Exif()
    note[0x0112] = 6  # turn by 90 degrees clockwise
    path = save(tmp_path / "a.png", gradient(4, 8), exif=note)
    assert np.array_equal(corpora.load_images(path).pixels[0, :, :, 0], np.rot90(gradient(4, 8), -1))


def test_mixed_sizes_name_two_images_and_image_size_mends_it(tmp_path):
    save(tmp_path / "a.png", gradient(8, 8))
    save(tmp_path / "b.png", gradient(8, 6))
    error = refused(tmp_path, r"the image is 8 x 8 pixels, but 6 x 8 in .*b\.png; one size is expected")
    assert error.where == str(tmp_path / "a.png")
    assert error.hint == "to bring all to one size: --image-size 6"
    refused(tmp_path, "one size is expected", on_bad="skip")
    assert corpora.load_images(tmp_path, image_size=6).pixels.shape == (2, 6, 6, 1)


def test_image_size_takes_the_central_square(tmp_path):
    pixels = np.zeros((4, 12), np.uint8)
    pixels[:, 4:8] = gradient(4, 4)
    path = save(tmp_path / "a.png", pixels)
    assert np.array_equal(corpora.load_images(path, image_size=4).pixels[0, :, :, 0], gradient(4, 4))


def test_image_size_of_a_large_jpeg_is_near_that_of_the_whole(tmp_path):
    ramp = np.add.outer(np.linspace(0, 120, 256), np.linspace(0, 120, 256)).astype(np.uint8)
    path = save(tmp_path / "a.jpg", ramp, quality=95)
    small = corpora.load_images(path, image_size=16).pixels[0, :, :, 0].astype(int)
    whole = ramp.reshape(16, 16, 16, 16).mean((1, 3))
    assert np.abs(small - whole).max() <= 3


def test_mixed_channels_name_two_images(tmp_path):
    save(tmp_path / "a.png", gradient())
    save(tmp_path / "b.png", gradient(channels=3))
    error = refused(tmp_path, r"1 channel of 8 bits, but 3 channels of 8 bits in .*b\.png; all images must be of one")
    assert error.hint == "convert them to gray or to RGB first"


def test_truncated_jpeg_is_named_or_skipped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(base_pillow, "IMAGES_AT_A_TIME", 2)
    names = [f"{'ab'[place % 2]}/{place}.jpg" for place in range(30)]
    for place, name in enumerate(names):
        save(tmp_path / name, np.full((16, 16), place, np.uint8), quality=100)
    (tmp_path / "b/5.jpg").write_bytes(encoded(gradient(64, 64), "JPEG")[:-60])
    (tmp_path / "b/7.jpg").write_bytes(b"")
    error = refused(tmp_path, "the image cannot be read: image file is truncated")
    assert error.where == str(tmp_path / "b/5.jpg")
    assert error.hint == "to leave such images out and count them: --on-bad skip"
    images = corpora.load_images(tmp_path, on_bad="skip")
    assert images.report() == {"images skipped that cannot be read": 2}
    expected = [*range(0, 30, 2), *(place for place in range(1, 30, 2) if place not in (5, 7))]
    assert images.pixels[:, 3, 3, 0].tolist() == expected
    assert images.labels.tolist() == [place % 2 for place in expected]
    assert images.file_names == tuple(f"{'ab'[place % 2]}/{place}.jpg" for place in expected)


def test_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "a.png").write_text("not an image")
    refused(tmp_path, "the image cannot be read: its content is no image that Pillow knows")
    error = refused(tmp_path, r"there is no image in it \(1 images skipped that cannot be read\)", on_bad="skip")
    assert "--on-bad error" in error.hint


def test_folder_beyond_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    save(tmp_path / "a.png", gradient())
    monkeypatch.setattr("os.sysconf", lambda name: 7)
    error = refused(tmp_path, r"1 images of 8 x 8 x 1 take 0\.0 GB, the machine has 0\.0 GB of memory")
    assert "--image-size" in error.hint


def test_limit_reads_the_first_images(tmp_path):
    for place in range(5):
        save(tmp_path / "a" / f"{place}.png", gradient(start=place))
    (tmp_path / "a" / "3.png").write_bytes(b"damaged, but past the limit")
    images = corpora.load_images(tmp_path, limit=3)
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert images.labels.tolist() == [0, 0, 0]


def test_limit_reads_as_many_images_of_each_label(tmp_path):
    for label, number in (("a", 5), ("b", 1), ("c", 4)):
        for place in range(number):
            save(tmp_path / label / f"{place}.png", gradient(start=place))
    images = corpora.load_images(tmp_path, limit=6)
    assert [images.label_names[label] for label in images.labels] == ["a", "a", "a", "b", "c", "c"]
    assert images.file_names == ("a/0.png", "a/1.png", "a/2.png", "b/0.png", "c/0.png", "c/1.png")
    assert len(corpora.load_images(tmp_path, limit=100)) == 10


def test_clips_have_numbers_and_frames_in_natural_order(tmp_path):
    for clip, name in enumerate(["walk/one", "walk/two", "run/one"]):
        for frame in (10, 9, 11):
            save(tmp_path / name / f"{frame}.png", np.full((4, 4), 20 * clip + frame, np.uint8))
    images = corpora.load_images(tmp_path, format="clips")
    assert images.pixels[:, 0, 0, 0].tolist() == [49, 50, 51, 9, 10, 11, 29, 30, 31]
    assert images.sequence.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert images.frame.tolist() == [0, 1, 2] * 3
    assert images.label_names == ("run", "walk")
    assert corpora.load_images(tmp_path / "walk", format="clips").labels is None


def test_clips_skip_a_bad_frame_and_keep_the_places_of_the_others(tmp_path):
    for frame in range(3):
        save(tmp_path / "clip" / f"{frame}.png", gradient(start=frame))
    (tmp_path / "clip" / "1.png").write_bytes(b"")
    images = corpora.load_images(tmp_path, format="clips", on_bad="skip")
    assert (images.sequence.tolist(), images.frame.tolist()) == ([0, 0], [0, 2])


def test_clips_need_a_folder_per_clip(tmp_path):
    path = save(tmp_path / "a.png", gradient())
    refused(tmp_path, r"the image a\.png lies in no sub-folder, so it belongs to no clip", format="clips")
    refused(path, "clips are read from a folder", format="clips")
