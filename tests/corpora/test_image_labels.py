"""Labels that lie apart from the images, and labels that are no labels."""

import numpy as np
import pytest

import corpora
from tests.corpora.images_made import gradient, refused, save

PIXELS = np.stack([gradient(start=place) for place in range(3)])


@pytest.fixture
def folder(tmp_path):
    for place, name in enumerate(["a/1.png", "a/2.png", "b/1.png"]):
        save(tmp_path / "images" / name, PIXELS[place])
    return tmp_path / "images"


def write(folder, name, content):
    path = folder.parent / name
    path.write_text(content)
    return path


def test_labels_by_file_take_the_place_of_the_folders(folder):
    path = write(folder, "labels.csv", "label,file,more\nrain,b/1.png,x\nsun,2.png,x\nsun,a/9.png,x\n")
    images = corpora.load_images(folder, labels=path)
    assert (images.labels.tolist(), images.label_names) == ([-1, 1, 0], ("rain", "sun"))
    assert images.report() == {"labels of files that are not there": 1, "images without a label": 1}


def test_labels_by_file_must_be_clear_and_name_an_image(folder):
    path = write(folder, "labels.csv", "file,label\n1.png,sun\n")
    error = refused(folder, r"'1\.png' is the name of 2 images; with the folder it is clear", labels=path)
    assert error.where.endswith("labels.csv, line 2")
    assert error.hint == "for example 'a/1.png'"
    path = write(folder, "labels.csv", "file,label\nzzz.png,sun\n")
    assert "for example 'a/1.png'" in refused(folder, "none of its 1 files is among the images", labels=path).hint
    refused("digits", "the labels are given by file, but the images are no files", labels=path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "sun\nrain\nsun\n"),
        ("labels.csv", "id,label\n1,sun\n2,rain\n3,sun\n"),
        ("labels.txt", "sun\nrain\nsun\n"),
        ("labels", "sun\nrain\nsun\n"),
        ("labels.jsonl", '{"label": "sun"}\n{"label": "rain"}\n{"label": "sun"}\n'),
    ],
)
def test_labels_in_order(folder, name, content):
    images = corpora.load_images(folder, labels=write(folder, name, content))
    assert (images.labels.tolist(), images.label_names) == ([1, 0, 1], ("rain", "sun"))


def test_labels_in_order_count_images_that_are_skipped_or_past_the_limit(folder):
    (folder / "a/1.png").write_bytes(b"")
    path = write(folder, "labels.txt", "sun\nrain\nwind\n")
    images = corpora.load_images(folder, labels=path, on_bad="skip", limit=2)
    assert [images.label_names[label] for label in images.labels] == ["wind"], "the first of each folder"


def test_labels_of_another_number_or_layout_are_refused(folder):
    path = write(folder, "labels.txt", "sun\nrain\n")
    error = refused(folder, "there are 2 labels for 3 images", labels=path)
    assert (error.where, error.hint.split(",")[0]) == (str(path), "give columns file")
    path = write(folder, "labels.csv", "name,kind\na,b\n")
    refused(folder, "the columns are name, kind; file and label are expected", labels=path)
    refused(folder, "no such file or folder", labels=folder / "labels.csv")
    np.save(folder.parent / "labels.npy", [1, 0])
    refused(folder, "there are 2 labels for 3 images", labels=folder.parent / "labels.npy")


def test_labels_of_an_array_file(folder):
    np.save(folder.parent / "labels.npy", [1, -1, 0])
    images = corpora.load_images(folder, labels=folder.parent / "labels.npy")
    assert (images.labels.tolist(), images.label_names) == ([1, -1, 0], ("0", "1"))


def test_texts_are_numbered_in_natural_order(folder):
    images = corpora.load_images(folder, labels=write(folder, "labels.txt", "class 10\nclass 9\nclass 10\n"))
    assert images.label_names == ("class 9", "class 10")


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([0, 1], "there are 2 labels for 3 images"),
        ([0, 1, 2, 3], "there are 4 labels for 3 images"),
        (np.zeros((3, 2), int), r"the labels have the shape \(3, 2\); one per image is expected"),
        ([0.5, 1, 2], "the labels are float64; whole numbers or text are expected"),
        ([np.inf, 1, 2], "the labels are float64; whole numbers"),
        ([0, 1, -2], "the labels reach from -2 to 1; 0 to 65,535 is expected, -1 for none"),
        ([0, 1, 10**6], "the labels reach from 0 to 1000000"),
    ],
)
def test_labels_of_an_npz_that_are_no_labels_are_refused(tmp_path, labels, match):
    np.savez(tmp_path / "a.npz", images=PIXELS, labels=labels)
    refused(tmp_path / "a.npz", match)


def test_labels_as_whole_floats_are_numbers(tmp_path):
    np.savez(tmp_path / "a.npz", images=PIXELS, labels=[0.0, 2.0, -1.0])
    images = corpora.load_images(tmp_path / "a.npz")
    assert (images.labels.tolist(), images.label_names) == ([0, 2, -1], ("0", "1", "2"))
    assert images.labels.dtype == np.int64
