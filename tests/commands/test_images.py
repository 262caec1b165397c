"""Evaluate, embed, plot, finetune and predict with a network for images, by the command line."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from tests.small_image_models import NAMES, save_network, trained_run, write_folder, write_npz
from tests.small_language_models import trained
from textssl.commands._images import is_for_images

PNG = b"\x89PNG\r\n\x1a\n"
FAST = ("--epochs", "1", "--batch", "16", "--device", "cpu")


@pytest.fixture
def views(tmp_path):
    """A copy of the trained run, which may be written into."""
    shutil.copytree(trained_run(), tmp_path / "views")
    return "views"


@pytest.fixture
def test_images(tmp_path):
    write_npz(tmp_path / "test.npz", 30, seed=1)
    return "test.npz"


def test_evaluate_shows_all_ways_beside_each_other(run, views, test_images):
    done = run("evaluate", views, "--images", test_images)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "views: 30 test images of test.npz, 64 training images, 2 labels"
    table = [line.split("  ")[0] for line in lines[3:8]]
    assert table == ["vectors", "features", "its projection", "the same network untrained", "raw pixels"]
    assert "k 20, T 0.07" in lines[3]
    assert "k 200, T 0.1" in lines[3]
    for word in ("projection spread", "near 1", "feature rank", "rows", "columns", "map: views/images-pca.png"):
        assert word in done.out


def test_evaluate_as_json_has_every_number(run, views, test_images, tmp_path):
    write_npz(tmp_path / "train.npz", 50, seed=2)
    done = run("evaluate", views, "--images", test_images, "--train-images", "train.npz", "--json")
    found = json.loads(done.out)
    assert (found["num_train"], found["num_test"], found["labels"]) == (50, 30, sorted(NAMES))
    neighbors, probe = found["results"]
    assert neighbors["primary_metric"] == "accuracy_k20"
    known = {"accuracy_k20", "accuracy_k200", "untrained_accuracy_k20", "pixels_accuracy_k20"}
    assert known <= set(neighbors["metrics"])
    assert {"accuracy", "macro_f1", "untrained_accuracy", "pixels_accuracy", "penalty"} <= set(probe["metrics"])
    assert set(found["gauges"]) == {"projection_spread", "projection_cosine", "projection_rank", "feature_rank"}
    assert (tmp_path / found["map"]).read_bytes().startswith(PNG)


def test_evaluate_reads_labels_that_lie_apart(run, views, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for number, file in enumerate(sorted(write_folder(tmp_path / "by-label", 12).rglob("*.png"))):
        shutil.copy(file, folder / f"{file.parent.name}-{number}.png")
    rows = [f"{file.name},{file.name.partition('-')[0]}" for file in sorted(folder.iterdir())]
    (tmp_path / "labels.csv").write_text("file,label\n" + "\n".join(rows) + "\n")
    done = run("evaluate", views, "--images", "flat", "--labels", "labels.csv")
    assert done.code == 0, done.err
    assert "12 test images of flat" in done.out


def test_evaluate_asks_for_the_labels_of_the_runs_own_images_and_takes_them(run, views, test_images, tmp_path):
    write_npz(tmp_path / "bare.npz", 64, labels=None)
    (tmp_path / views / "command.txt").write_text("textssl train simclr bare.npz --out views\n")
    done = run("evaluate", views, "--images", test_images)
    assert done.code == 3
    assert "bare.npz: the images have no labels" in done.err
    assert "Name their labels with --train-labels FILE.csv" in done.err
    missing = run("evaluate", views, "--images", test_images, "--train-labels", "gone.csv")
    assert missing.code == 3
    assert "gone.csv" in missing.err
    with np.load(write_npz(tmp_path / "labelled.npz", 64)) as made:
        (tmp_path / "labels.csv").write_text("\n".join(made["labels"].tolist()), encoding="utf-8")
    done = run("evaluate", views, "--images", test_images, "--train-labels", "labels.csv")
    assert done.code == 0, done.err
    assert "30 test images of test.npz, 64 training images, 2 labels" in done.out
    assert "has changed" not in done.err


def test_evaluate_leaves_images_without_a_label_out_and_says_how_many(run, views, test_images, tmp_path):
    write_npz(tmp_path / "half.npz", 40, labels=["rows", "columns", "", "rows"] * 10, seed=2)
    done = run("evaluate", views, "--images", test_images, "--train-images", "half.npz")
    assert done.code == 0, done.err
    assert "30 training images" in done.out
    assert "note: 10 images of half.npz have no label and are left out" in done.out


def test_evaluate_names_images_that_stand_in_both_sets(run, views, tmp_path):
    write_npz(tmp_path / "same.npz", 64)
    done = run("evaluate", views, "--images", "same.npz")
    assert "note: 64 test images stand among the training images too, pixel by pixel" in done.out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"labels": None}, 3, "bad.npz: the images have no labels"),
        ({"labels": ["diagonals"] * 40}, 3, "40 images have labels that the training images do not have, the first is"),
        ({"channels": 3}, 2, "bad.npz: the images have 3 channels of 8 bits, views was trained on 1 channel of 8"),
        ({"size": 10}, 2, "bad.npz: the images are 10 x 10, views was trained on 8 x 8"),
        ({"dtype": np.uint16}, 2, "bad.npz: the images have 1 channel of 16 bits, views was trained on 1 channel of 8"),
    ],
)
def test_evaluate_refuses_images_of_another_kind(run, views, tmp_path, options, code, message):
    write_npz(tmp_path / "bad.npz", 40, **options)
    done = run("evaluate", views, "--images", "bad.npz")
    assert done.code == code, done.err
    assert message in done.err


def test_evaluate_brings_images_to_the_size_of_the_network(run, views, tmp_path):
    write_npz(tmp_path / "large.npz", 20, size=10)
    assert run("evaluate", views, "--images", "large.npz", "--image-size", "8").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["rows"] * 40}, "every image has the same label ('rows'), at least two are expected"),
        ({"num": 2, "labels": ["rows", "columns"]}, "there is one image of each of 2 labels"),
        ({"labels": None}, "train.npz: the images have no labels"),
    ],
)
def test_evaluate_refuses_training_images_that_teach_nothing(run, views, test_images, tmp_path, options, message):
    write_npz(tmp_path / "train.npz", **{"num": 40, **options})
    done = run("evaluate", views, "--images", test_images, "--train-images", "train.npz")
    assert done.code == 3, done.err
    assert message in done.err


def test_evaluate_without_the_images_of_the_run_asks_for_others(run, views, test_images, tmp_path):
    command = tmp_path / views / "command.txt"
    command.write_text("textssl train simclr DOCUMENTS --out views\n")
    done = run("evaluate", views, "--images", test_images)
    assert done.code == 3
    assert "was trained from Python on images that no file holds" in done.err
    assert "--train-images" in done.err
    command.write_text("textssl train simclr gone.npz --out views\n")
    assert "was trained on gone.npz, which cannot be read now" in run("evaluate", views, "--images", test_images).err
    model = run("evaluate", f"{views}/model", "--images", test_images)
    assert "is no run, so nobody knows what it was trained on" in model.err
    write_npz(tmp_path / "other.npz", 40)
    command.write_text("textssl train simclr other.npz --out views\n")
    assert "other.npz has changed since views was trained on it" in run("evaluate", views, "--images", test_images).err


def test_evaluate_of_one_kind_with_the_measures_of_the_other_says_what_to_type(run, views, vectors, tmp_path):
    nothing = run("evaluate", views)
    assert nothing.code == 2
    assert "nothing to measure" in nothing.err
    assert "textssl evaluate views --images test/" in nothing.err
    (tmp_path / "q.txt").write_text(": a\na b c d\n")
    both = run("evaluate", views, "--analogies", "q.txt")
    assert both.code == 2
    assert "analogies and texts measure no images" in both.err
    words = run("evaluate", vectors, "--images", "test.npz")
    assert words.code == 3
    assert "holds no network for images" in words.err
    assert "--analogies" in words.err


def test_query_fill_and_words_of_a_network_for_images_say_what_to_type(run, views):
    for words in (("query", views, "paris"), ("export", views, "vectors.bin")):
        done = run(*words)
        assert done.code == 3, done.err
        assert "holds a network for images" in done.err
    done = run("fill", views, "the [MASK]")
    assert "holds a network for images, not one for text" in done.err
    assert "textssl embed views images/" in done.err


def test_embed_writes_a_vector_for_each_image(run, views, test_images, tmp_path):
    done = run("embed", views, test_images, "--out", "v.npy")
    assert done.code == 0, done.err
    assert done.out.startswith("30 vectors of 8 numbers: v.npy (")
    assert not (tmp_path / "v.names.txt").exists()
    vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    raw = json.loads(run("embed", views, test_images, "--no-normalise", "--json").out)
    found = np.array(raw["vectors"])
    np.testing.assert_allclose(found / np.linalg.norm(found, axis=1, keepdims=True), vectors, atol=1e-4)
    projection = json.loads(run("embed", views, test_images, "--projection", "--json").out)
    assert (projection["num_images"], projection["width"], projection["files"]) == (30, 128, None)


def test_embed_of_a_folder_follows_the_names_of_its_files(run, views, tmp_path):
    write_folder(tmp_path / "stripes", 6)
    done = run("embed", views, "stripes", "--json")
    found = json.loads(done.out)
    assert found["files"] == sorted(found["files"])
    assert len(found["vectors"]) == 6
    assert (
        "in the order of their names: v.tsv, names: v.names.txt ("
        in run("embed", views, "stripes", "--out", "v.tsv").out
    )
    assert (tmp_path / "v.names.txt").read_text().splitlines() == found["files"]
    written = json.loads(run("embed", views, "stripes", "--out", "w.npy", "--json").out)
    assert written["names_out"] == "w.names.txt"
    assert len(run("embed", views, "stripes").out.splitlines()) == 6


def test_embed_of_text_by_a_network_for_images_and_the_other_way_about(run, views, test_images, tmp_path):
    (tmp_path / "texts.txt").write_text("a\n")
    for given in ("texts.txt", "a fine film"):
        done = run("embed", views, given)
        assert done.code == 3, done.err
        assert f"is a network for images, and text was given ({given})" in done.err
        assert "textssl embed views images/ --out vectors.npy" in done.err
    done = run("embed", trained("masked_lm"), test_images)
    assert done.code == 3
    assert "holds a model of text, and images were given (test.npz)" in done.err
    assert "textssl embed runs/views test.npz --out vectors.npy" in done.err


def test_embed_refuses_options_of_the_other_kind_and_an_empty_folder(run, views, test_images, vectors, tmp_path):
    done = run("embed", views, test_images, "--pooling", "cls")
    assert (done.code, "pooling is an option for texts, and images are embedded here" in done.err) == (2, True)
    (tmp_path / "t.txt").write_text("paris\n")
    done = run("embed", vectors, "t.txt", "--projection")
    assert (done.code, "projection is an option for images, and texts are embedded here" in done.err) == (2, True)
    (tmp_path / "empty").mkdir()
    done = run("embed", views, "empty")
    assert done.code == 3
    assert "empty: there is no image in it" in done.err


def test_projection_of_a_network_without_one_is_refused(run, test_images, tmp_path):
    save_network(tmp_path / "bare", projector=False)
    done = run("embed", "bare", test_images, "--projection")
    assert done.code == 3
    assert "has no projector" in done.err


def test_plot_draws_a_map_and_nearest_images_into_the_run(run, views, test_images, tmp_path):
    done = run("plot", views, "--images", test_images)
    assert done.code == 0, done.err
    assert done.out == "views/images-pca.png\nviews/images-nearest.png\n"
    for name in done.out.split():
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_plot_takes_the_images_of_the_run_and_those_without_labels(run, views, tmp_path):
    found = json.loads(run("plot", views, "--method", "tsne", "--most-images", "40", "--json").out)
    assert (found["num_images"], found["num_labels"]) == (40, 2)
    assert found["map"] == "views/images-tsne.png"
    write_npz(tmp_path / "bare.npz", 12, labels=None)
    found = json.loads(run("plot", f"{views}/model", "--images", "bare.npz", "--out", "m.png", "--json").out)
    assert (found["num_labels"], found["map"], found["nearest"]) == (0, "m.png", "m-nearest.png")


def test_plot_refuses_what_does_not_fit(run, views, vectors, tmp_path):
    done = run("plot", views, "paris")
    assert (done.code, "words is for word vectors, this is a network for images" in done.err) == (2, True)
    done = run("plot", vectors, "--images", "test.npz")
    assert (done.code, "holds no network for images" in done.err) == (3, True)
    write_npz(tmp_path / "few.npz", 3)
    done = run("plot", views, "--images", "few.npz", "--method", "tsne")
    assert (done.code, "a map by tsne needs at least 4 images, there are 3" in done.err) == (3, True)
    done = run("plot", views, "--most-images", "1")
    assert (done.code, "most_images must be at least 2, got 1" in done.err) == (2, True)
    assert run("plot", views, "--curves").code == 0


def test_finetune_and_predict_of_a_folder(run, views, tmp_path):
    write_folder(tmp_path / "labelled", 40)
    write_folder(tmp_path / "test", 20, seed=1)
    words = ("finetune", views, "labelled", "--test", "test", "--out", "classes", *FAST)
    done = run(*words, "--seeds", "2", "--train-limit", "30")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "20 test images, 30 training images, mean ± deviation of 2 seeds"
    for name in ("fine-tuned views", "the same network untrained, fine-tuned", "raw pixels + logistic", "majority"):
        assert name in done.out
    assert "images/s" in done.out
    assert "next: textssl predict classes images/" in done.out
    assert "30 of 36 train (drawn by each seed), 4 dev, 20 test images; 2 labels: columns, rows" in done.err
    assert (tmp_path / "classes/confusion.png").read_bytes().startswith(PNG)
    done = run("predict", "classes", "test", "--out", "p.csv")
    assert done.out == "20 predictions: p.csv\n"
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert [int(row["image"]) for row in rows] == list(range(1, 21))
    assert rows[0]["file"].startswith("columns")
    for row in rows:
        assert float(row["p(rows)"]) + float(row["p(columns)"]) == pytest.approx(1, abs=1e-4)
    headings = run("predict", "classes", "test").out.splitlines()[0].split()
    assert headings == ["image", "prediction", "probability", "file"]
    assert run("evaluate", "classes", "--images", "test").code == 0
    assert is_for_images(tmp_path / "classes")


def test_finetune_takes_built_in_images_to_test_on(run, tmp_path):
    save_network(tmp_path / "network")
    words = ("network", "digits-train", "--test", "digits-test", "--out", "classes", "--method", "probe")
    done = run("finetune", *words, "--train-limit", "30", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["num_examples"] == {"train": 30, "dev": 130, "test": 500}
    assert found["methods"][0]["name"] == "probe of network"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--length", "12"), 2, "length is an option for texts, and images are learnt from here"),
        (("--text", "review"), 2, "text is an option for texts, and images are learnt from here"),
        (("--test", "odd.npz"), 3, "labels that the training images do not have, the first is 'wood'"),
        (("--test", "nothing.npz"), 3, "nothing.npz"),
    ],
)
def test_finetune_refuses_what_does_not_fit_images(run, views, tmp_path, options, code, message):
    write_npz(tmp_path / "train.npz", 30)
    write_npz(tmp_path / "odd.npz", 30, labels=["wood"] * 30)
    done = run("finetune", views, "train.npz", "--out", "x", *FAST, *options)
    assert done.code == code, done.err
    assert message in done.err


def test_finetune_of_the_other_kind_says_what_to_type(run, views, tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\na,b\n")
    done = run("finetune", views, "reviews.csv", "--out", "x")
    assert (done.code, "is a network for images, and text was given (reviews.csv)" in done.err) == (3, True)
    write_npz(tmp_path / "train.npz", 30)
    done = run("finetune", trained("masked_lm"), "train.npz", "--out", "x")
    assert (done.code, "holds a model of text, and images were given (train.npz)" in done.err) == (3, True)
    (tmp_path / "more.csv").write_text("text,label\n" + "a,b\nc,d\n" * 10)
    done = run("finetune", trained("masked_lm"), "more.csv", "--out", "x", "--image-size", "8")
    assert (done.code, "image_size is an option for images, and texts are learnt from here" in done.err) == (2, True)


def test_predict_by_a_network_that_was_only_pretrained_is_refused(run, views, test_images):
    done = run("predict", views, test_images)
    assert done.code == 3
    assert "is no classifier, it is a network that was only pre-trained" in done.err


def test_unfinished_run_of_images_is_known_as_one(run, views, tmp_path, test_images):
    shutil.rmtree(tmp_path / views / "model")
    assert is_for_images(views)
    done = run("evaluate", views, "--images", test_images)
    assert done.code == 3
    assert "has no model any more" in done.err
