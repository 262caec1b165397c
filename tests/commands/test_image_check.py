"""`textssl check` of images."""

import json

import numpy as np
import pytest

import textssl
from tests.corpora.images_made import gradient, save


@pytest.fixture
def folder(tmp_path):
    """Two labels of three images, 8 x 6 and of three channels."""
    for label in ("cats", "dogs"):
        for number in range(3):
            save(tmp_path / "pets" / label / f"{number}.png", gradient(6, 8, start=number, channels=3))
    return tmp_path / "pets"


def test_images_are_counted_and_the_command_to_train_is_named(run, folder):
    done = run("check", "pets")
    assert done.code == 0
    rows = dict(line.split(maxsplit=1) for line in done.out.splitlines() if line.strip())
    assert rows["images"] == "6"
    assert rows["size"] == "8 x 6, 3 channels of 8 bits"
    assert (rows["cats"], rows["dogs"]) == ("3", "3")
    assert rows["next:"] == "textssl train simclr pets --out runs/pets"


def test_every_file_that_cannot_be_read_is_named_and_the_code_is_3(run, folder):
    (folder / "cats" / "1.png").write_bytes((folder / "cats" / "1.png").read_bytes()[:45])
    (folder / "dogs" / "2.png").write_text("no image")
    done = run("check", "pets")
    assert done.code == 3
    assert "problem: 2 images cannot be read: cats/1.png, dogs/2.png\n" in done.out
    assert "leave it out and count it with --on-bad skip" in done.out
    skipped = run("check", "pets", "--on-bad", "skip", "--json")
    assert skipped.code == 0
    found = json.loads(skipped.out)
    assert found["unreadable"] == ["cats/1.png", "dogs/2.png"]
    assert found["command"] == "textssl train simclr pets --on-bad skip --out runs/pets"


def test_images_of_two_sizes_are_a_problem_that_one_size_mends(run, folder):
    save(folder / "dogs" / "9.png", gradient(5, 5, channels=3))
    done = run("check", "pets")
    assert done.code == 3
    assert "the image is 8 x 6 pixels, but 5 x 5 in" in done.out
    mended = textssl.check(str(folder), image_size=5)
    assert (mended.exit_code, mended.height, mended.width, mended.num_images) == (0, 5, 5, 7)
    assert "pets --image-size 5 --out" in mended.command


def test_a_folder_without_a_readable_image_names_them(run, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("no image")
    found = json.loads(run("check", "broken", "--json").out)
    assert found["unreadable"] == ["a.png"]
    assert "there is no image in it" in found["problem"]


def test_arrays_and_built_in_images_are_told_from_text(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.array([1, 1, 7, -1]))
    found = textssl.check(str(tmp_path / "some.npz"))
    assert found.labels == {"1": 2, "7": 1}
    assert (found.num_images, found.num_unlabelled, found.channels) == (4, 1, 1)
    assert textssl.check("digits").num_images == 1797
    assert textssl.check("facts", limit=5).as_dict()["kind"] == "corpus"


def test_frames_of_clips_lead_to_the_method_for_clips(run, tmp_path):
    for clip in "ab":
        for number in range(3):
            save(tmp_path / "clips" / clip / f"{number}.png", gradient(8, 8, start=number))
    done = run("check", "clips", "--format", "clips")
    assert "next: textssl train frame_order clips --format clips --out runs/clips" in done.out


def test_options_of_the_other_kind_are_refused(run, folder, tmp_path):
    done = run("check", "pets", "--encoding", "latin-1")
    assert done.code == 2
    assert "encoding is an option for text, and images are read here" in done.err
    (tmp_path / "c.txt").write_text("some words")
    done = run("check", "c.txt", "--image-size", "5")
    assert done.code == 2
    assert "image_size is an option for images, and text is read here" in done.err
