"""Fine-tuning on images: scores beside the untrained network and the pixels, going on, probes, refusals."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tests.objectives.small_images import images
from tests.small_image_models import save_network
from textssl.errors import DataError, Interrupted, UsageError
from textssl.finetuning.image_classifier import open_image_classifier
from textssl.finetuning.image_run import finetune_images
from textssl.finetuning.options import FinetuneOptions
from textssl.finetuning.results import FinetuneResult
from textssl.image_features import open_image_model
from textssl.run_folder import RunFolder

FAST = {"epochs": 3, "batch": 16, "learning_rate": 1e-2, "dropout": 0.0, "device": "cpu", "crop_min": 1.0}
SIMPLE = ["raw pixels + logistic regression", "majority"]
METHODS = ["fine-tuned network", "the same network untrained, fine-tuned", *SIMPLE]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_image_model(save_network(tmp_path_factory.mktemp("models") / "network", channels=3))


def tuned(source, out, train=None, *, test=None, notes=None, **options):
    found = FinetuneOptions(**{**FAST, **options})
    note = (lambda _: None) if notes is None else notes.append
    return finetune_images(source, train or images(60), out=out, options=found, test=test, note=note)


def test_scores_stand_beside_the_untrained_network_and_the_pixels(source, tmp_path):
    result = tuned(source, tmp_path / "run", test=images(40, seed=1), epochs=25)
    assert [method.name for method in result.methods] == METHODS
    assert result.num_examples == {"train": 54, "dev": 6, "test": 40}
    assert result.notes == ("6 training images make no full batch of 16 and are left out, others in each epoch",)
    assert (result.primary, result.scored_on, result.example, result.unit) == ("accuracy", "test", "images", "images")
    assert result.methods[0].scores["accuracy"].mean > 0.9
    assert [row[0] for row in result.classes] == ["rows", "columns"]
    run = RunFolder.view(tmp_path / "run")
    assert run.status()["state"] == "finished"
    assert (run.data()["height"], run.data()["channels"]) == (8, 3)
    assert {"length", "pooling", "task"}.isdisjoint(run.config())
    assert run.config()["crop_min"] == 1.0
    for name in ("confusion.png", "learning.png", "report.html", "results.json", "untrained/STATUS"):
        assert (tmp_path / "run" / name).is_file(), name
    assert FinetuneResult.load(tmp_path / "run") == result


def test_the_untrained_network_is_left_out_where_simple_baselines_are_asked_for(source, tmp_path):
    result = tuned(source, tmp_path / "run", test=images(40, seed=1), epochs=1, baselines="simple")
    assert [method.name for method in result.methods] == [METHODS[0], *SIMPLE]
    assert not (tmp_path / "run" / "untrained").exists()


def test_fine_tuning_starts_at_the_probe_and_leaves_the_statistics_of_the_norms(source, tmp_path):
    test, all_learn = images(40, seed=1), {"dev_share": 0.0}
    tuned(source, tmp_path / "probe", method="probe", baselines="simple", **all_learn)
    tuned(source, tmp_path / "run", epochs=4, learning_rate=1e-9, **all_learn)
    probe, run = (open_image_classifier(tmp_path / name) for name in ("probe", "run"))
    np.testing.assert_allclose(run.probabilities(test), probe.probabilities(test), atol=1e-5)
    before, after = source.encoder.state_dict(), run.model.encoder.state_dict()
    statistics = [name for name in before if "running" in name]
    assert statistics
    assert all(before[name].equal(after[name]) for name in statistics)
    anew = open_image_classifier(tmp_path / "run" / "untrained").model.encoder.state_dict()
    assert not any(before[name].equal(anew[name]) for name in statistics)


def test_saved_classifier_says_what_the_scores_say_and_serves_as_a_network(source, tmp_path):
    test = images(40, seed=1)
    result = tuned(source, tmp_path / "run", test=test)
    opened = open_image_classifier(tmp_path / "run")
    assert opened.names == ("rows", "columns")
    found = opened.probabilities(test)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert np.mean(found.argmax(1) == test.labels) == result.seeds[0].test["accuracy"]
    assert open_image_model(tmp_path / "run").name == "run"
    with pytest.raises(UsageError, match="the images have 1 channel"):
        opened.probabilities(images(2, channels=1))


def test_finished_run_gives_its_result_again(source, tmp_path):
    first = tuned(source, tmp_path / "run", epochs=1)
    notes = []
    assert tuned(source, tmp_path / "run", notes=notes, epochs=1) == first
    assert "is finished already" in notes[0]
    with pytest.raises(UsageError, match="holds a run with another configuration"):
        tuned(source, tmp_path / "run", epochs=2)
    with pytest.raises(UsageError, match="holds a run with other data"):
        tuned(source, tmp_path / "run", dataclasses.replace(images(60), fingerprint="2"), epochs=1)


def test_several_seeds_have_a_spread_and_draw_their_images(source, tmp_path):
    given = {"seeds": 2, "train_limit": 8, "epochs": 1, "dev_share": 0.0}
    notes = []
    result = tuned(source, tmp_path / "run", test=images(40, seed=1), notes=notes, **given)
    assert notes[0] == "8 of 60 train (drawn by each seed), 40 test images; 2 labels: rows, columns"
    assert [row.seed for row in result.seeds] == [1, 2]
    assert result.num_examples["train"] == 8
    assert len({(tmp_path / "run" / f"seed-{seed}" / "model/model.safetensors").read_bytes() for seed in (1, 2)}) == 2
    assert (tmp_path / "run/seed-2/untrained/model/classifier.safetensors").is_file()
    assert json.loads((tmp_path / "run/results.json").read_text())["num_examples"]["train"] == 8


def test_probe_learns_the_last_layer_alone(source, tmp_path):
    result = tuned(source, tmp_path / "run", test=images(40, seed=1), method="probe")
    assert result.notes == ()
    assert [method.name for method in result.methods][:2] == ["probe of network", "probe of the same network untrained"]
    kept = open_image_classifier(tmp_path / "run").model.encoder.state_dict()
    for name, values in source.encoder.state_dict().items():
        assert (kept[name] == values).all(), name
    assert result.methods[0].scores["accuracy"].mean > 0.8
    assert tuned(source, tmp_path / "again", test=images(40, seed=1), method="probe").methods == result.methods


def test_interrupted_run_goes_on_to_the_same_bits(source, tmp_path, monkeypatch):
    from textssl.training import trainer

    tuned(source, tmp_path / "whole")
    monkeypatch.setattr(trainer.Trainer, "run", stopped_once(trainer.Trainer.run))
    with pytest.raises(Interrupted):
        tuned(source, tmp_path / "run")
    assert RunFolder.view(tmp_path / "run").status()["state"] == "finished"
    monkeypatch.undo()
    tuned(source, tmp_path / "run")
    for name in ("model/model.safetensors", "untrained/model/classifier.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def stopped_once(run):
    """The training of the second network, the untrained one, is interrupted before it begins."""
    calls = []

    def stopped(self):
        calls.append(self)
        if len(calls) == 2:
            raise Interrupted(2, where="run")
        return run(self)

    return stopped


def test_images_without_a_label_are_left_out_and_counted(source, tmp_path):
    train, test = images(40), images(20, seed=1)
    half = dataclasses.replace(train, labels=np.where(np.arange(40) < 30, train.labels, -1))
    notes = []
    known = dataclasses.replace(test, pixels=train.pixels[:20])
    result = tuned(source, tmp_path / "run", half, test=known, notes=notes, epochs=1)
    assert result.num_examples == {"train": 27, "dev": 3, "test": 20}
    assert "10 images of stripes have no label and are left out" in notes
    assert any("test images stand in the training set too, pixel by pixel" in note for note in result.notes)


def test_more_labels_than_a_batch_and_a_batch_larger_than_the_images(source, tmp_path):
    result = tuned(source, tmp_path / "run", images(10), batch=64, epochs=2, dev_share=0.0, class_weights="balanced")
    assert result.num_examples == {"train": 10}
    assert result.scored_on == ""


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": None}, DataError, "the images have no labels"),
        ({"labels": np.zeros(60, np.int64)}, DataError, "every image has the same label"),
        ({"channels": 1}, UsageError, "the images have 1 channel of 8 bits, network was trained on 3"),
        ({"size": 9}, UsageError, "the images are 9 x 9, network was trained on 8 x 8"),
    ],
)
def test_images_that_teach_nothing_are_refused(source, tmp_path, change, error, message):
    made = {name: value for name, value in change.items() if name != "labels"}
    train = images(60, **made)
    with pytest.raises(error, match=message):
        tuned(source, tmp_path / "run", dataclasses.replace(train, **{**change} if not made else {}))
    assert not (tmp_path / "run").exists()


def test_one_image_of_each_label_needs_no_dev_set(source, tmp_path):
    two = dataclasses.replace(images(2), labels=np.array([0, 1]))
    with pytest.raises(DataError, match="there is one image of each of 2 labels, so.*\nGive --dev-share 0"):
        tuned(source, tmp_path / "run", two)
    assert tuned(source, tmp_path / "run", two, dev_share=0.0, epochs=1).num_examples == {"train": 2}


def test_labels_of_the_test_set_that_nobody_learnt_are_refused(source, tmp_path):
    test = dataclasses.replace(images(20, seed=1), label_names=("rows", "diagonals"))
    with pytest.raises(DataError, match="labels that the training images do not have, the first is 'diagonals'"):
        tuned(source, tmp_path / "run", test=test)


def test_options_of_texts_and_limits_out_of_range_are_refused(source, tmp_path):
    with pytest.raises(UsageError, match="length is an option for texts, and images are learnt from here"):
        tuned(source, tmp_path / "run", length=12)
    with pytest.raises(UsageError, match="crop_min is an option for images, and texts are learnt from here"):
        FinetuneOptions(crop_min=0.5).refuse_idle("texts")
    message = "train_limit must be from 2, one for each class, to 54, the number of training images, got 1"
    with pytest.raises(UsageError, match=message):
        tuned(source, tmp_path / "run", train_limit=1)


def test_network_that_was_only_pretrained_is_no_classifier(tmp_path):
    folder = save_network(tmp_path / "network")
    with pytest.raises(DataError, match=r"is no classifier, it is a network that was only pre-trained\nMake one of it"):
        open_image_classifier(folder)
