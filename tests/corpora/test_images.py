"""`corpora.load_images`: built-in images, what is refused before anything is read, fingerprints."""

import hashlib
import os

import numpy as np
import pytest

import corpora
from tests.corpora.images_made import gradient, refused, save


def test_built_in_images_are_those_of_their_cards():
    assert corpora.names("images") == ["digits", "digits-train", "digits-test"]
    assert corpora.names() == corpora.names("text") + corpora.names("images")
    for name in corpora.names("images"):
        images, card = corpora.load_images(name), corpora.card(name)
        assert (images.name, images.fingerprint(), images.pixels.nbytes) == (name, card.sha256, card.size)
        assert card.content == "images"
        assert card.description.endswith(".")


def test_digits_are_those_of_scikit_learn_in_two_parts():
    from sklearn.datasets import load_digits

    whole, train, test = map(corpora.load_images, corpora.names("images"))
    assert (len(whole), len(train), len(test)) == (1797, 1297, 500)
    assert np.array_equal(whole.pixels, np.concatenate([train.pixels, test.pixels]))
    assert np.array_equal(whole.labels, load_digits().target)
    assert np.abs(whole.pixels[..., 0] / 255 * 16 - load_digits().images).max() < 0.04
    assert whole.label_names == tuple("0123456789")
    assert corpora.load_images("digits", limit=9, image_size=16).pixels.shape == (9, 16, 16, 1)


def test_built_in_corpora_point_to_each_other():
    with pytest.raises(corpora.CorpusError, match="'digits' holds images, text is expected") as caught:
        corpora.load("digits")
    assert "textssl train simclr digits --out RUN; in Python: corpora.load_images('digits')" in caught.value.hint
    error = refused("facts", "the built-in corpus 'facts' holds text, images are expected")
    assert "textssl train skipgram facts --out RUN; in Python: corpora.load('facts')" in error.hint
    assert "digits-train" in error.hint


def test_built_in_name_takes_no_format_and_gives_way_to_a_path(tmp_path, monkeypatch):
    error = refused("digits", "format 'npz' was given with the built-in images 'digits'", format="npz")
    assert "./digits" in error.hint
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "digits" / "a.png", gradient())
    assert len(corpora.load_images("./digits")) == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"image_size": 0}, "image_size must be at least 1 pixel, got 0"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"format": "nzp"}, "format must be one of folder, clips, npz, .*, got 'nzp'"),
        ({"on_bad": "skp"}, "on_bad must be one of error, skip, got 'skp'"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    assert refused("digits", match, **options).hint


def test_path_that_is_missing_names_the_nearest(tmp_path):
    save(tmp_path / "pictures.png", gradient())
    error = refused(tmp_path / "picturs.png", "no such file or folder")
    assert error.hint == "did you mean pictures.png?\nbuilt-in corpora: digits, digits-train, digits-test"


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("some words")
    assert "Parquet" in refused(path, r"no images are found in a file of this kind \(\.txt\)").hint
    path.write_text("")
    refused(path, "the file is empty")
    import gzip

    path.write_bytes(gzip.compress(b"\x93NUMPY and so on"))
    assert refused(path, "a packed npy file cannot be read").hint == "unpack it first"
    refused(tmp_path, "a folder was given, npz is a file", format="npz")
    refused(tmp_path, "format 'hub' takes a name, not a Path", format="hub")
    refused("https://example.org/a.png", "an address on the web was given")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "neither a file nor a folder")


def test_fingerprint_is_of_what_was_read(tmp_path):
    pixels = np.stack([gradient(start=place) for place in range(3)])
    np.save(tmp_path / "a.npy", pixels)
    for place in range(3):
        save(tmp_path / "folder" / f"{place}.png", pixels[place])
    first = corpora.load_images(tmp_path / "a.npy").fingerprint()
    assert first == corpora.load_images(tmp_path / "folder").fingerprint()
    assert len(first) == 64
    assert first != corpora.load_images(tmp_path / "a.npy", limit=2).fingerprint()
    assert first != corpora.load_images(tmp_path / "a.npy", image_size=4).fingerprint()
    np.savez(tmp_path / "b.npz", images=pixels, labels=[0, 0, 0])
    assert first != corpora.load_images(tmp_path / "b.npz").fingerprint()


def test_fingerprint_does_not_depend_on_its_blocks(monkeypatch):
    images = corpora.load_images("digits", limit=50)
    whole = images.fingerprint()
    monkeypatch.setattr("corpora.images.HASH_BYTES", 100)
    assert images.fingerprint() == whole
    assert whole != hashlib.sha256(images.pixels.tobytes()).hexdigest()
