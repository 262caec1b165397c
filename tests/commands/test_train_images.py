"""The command train on images: sources, resuming, starts, dry runs, and what is refused."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest

import textssl
from tests.objectives.small_images import images
from textssl.errors import UsageError
from textssl.run_folder import RunFolder
from textssl.training.checkpoint import load_newest

FLAGS = {"--width": "4", "--depth": "2", "--batch-images": "16", "--epochs": "2", "--gauge-images": "24"}
FLAGS |= {"--threads": "1", "--checkpoint-every": "1steps"}


@pytest.fixture
def train_line(run, tmp_path):
    """Runs `textssl train simclr images.npz --out OUT FLAGS ...`."""
    small = images()
    np.savez(tmp_path / "images.npz", images=small.pixels, labels=small.labels)

    def call(*more: str, source: str = "images.npz", out: str | None = "run"):
        usual = [word for name, value in FLAGS.items() if name not in more for word in (name, value)]
        return run("train", "simclr", source, *(("--out", out) if out else ()), *usual, *more)

    return call


def model_bytes(folder) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_train_on_images_writes_a_run(train_line, tmp_path):
    done = train_line()
    assert done.code == 0, done.err
    assert done.out.startswith("run: 96 images in ")
    assert "textssl evaluate run --images" in done.out
    assert "images.npz: 50 images of 8 x 8, 3 channels of 8 bits, 2 labels" in done.err
    assert "2 images make no full batch and are left out" in done.err
    found = RunFolder.view(tmp_path / "run")
    assert found.status()["summary"]["unit"] == "images"
    assert found.config()["batch_images"] == 16
    assert not {"text_field", "encoding"} & found.config().keys()
    assert found.data()["num_images"] == 50
    evaluations = [record["scores"] for record in found.read_metrics() if record["kind"] == "evaluation"]
    assert [list(scores) for scores in evaluations] == [
        ["projection_spread", "projection_cosine", "projection_rank", "feature_rank"]
    ] * 2


def test_stopped_run_goes_on_to_the_same_bits(train_line, tmp_path, monkeypatch):
    from textssl.training.gradient_task import GradientTask

    assert train_line(out="whole").code == 0
    step = GradientTask.step

    def stopping(task, index):
        if index == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(task, index)

    with monkeypatch.context() as patch:
        patch.setattr(GradientTask, "step", stopping)
        stopped = train_line()
    assert stopped.code == 130
    assert "Run the same command again to go on." in stopped.err
    done = train_line()
    assert done.code == 0
    assert "resumed at step 4 of 6" in done.err
    assert model_bytes(tmp_path / "run") == model_bytes(tmp_path / "whole")


def test_dry_run_says_what_would_be_trained(train_line, tmp_path):
    done = train_line("--dry-run", out=None)
    assert done.code == 0
    for words in ("50 images of 8 x 8", "parameters", "MiB on", "2 epochs of 3 steps", "nothing was trained"):
        assert words in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.npz"]


def test_json_holds_scores_and_notes(train_line):
    result = json.loads(train_line("--json").out)
    assert result["summary"]["units"] == 96
    assert result["summary"]["scores"]["feature_rank"] > 1
    assert any("small_cnn" in note for note in result["notes"])


def test_digits_and_folders_are_sources_too(train_line, tmp_path):
    from PIL import Image

    assert "digits: 64 images of 8 x 8, 1 channel" in train_line("--dry-run", "--limit", "64", source="digits").out
    for number, pixels in enumerate(images(18).pixels):
        folder = tmp_path / "folder" / ("rows", "columns")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    assert "folder: 18 images of 8 x 8, 3 channels of 8 bits, 2 labels" in train_line("--dry-run", source="folder").out
    small = train_line("--dry-run", "--image-size", "6", source="folder")
    assert "18 images of 6 x 6" in small.out


def test_run_starts_from_the_weights_of_another(train_line, tmp_path):
    assert train_line().code == 0
    done = train_line("--from", "run", "--learning-rate", "1e-12", "--epochs", "1", "--weight-decay", "0", out="next")
    assert done.code == 0, done.err
    assert "its weights are those of run; options of its size do not count" in done.err
    states = [load_newest(tmp_path / name / "checkpoints", warn=pytest.fail).arrays for name in ("run", "next")]
    weights = [state["encoder.conv1.weight"] for state in states]
    np.testing.assert_allclose(*weights, atol=1e-9)


def test_run_folder_of_other_images_is_refused(train_line, tmp_path):
    assert train_line().code == 0
    np.savez(tmp_path / "images.npz", images=images(seed=3).pixels)
    done = train_line()
    assert done.code == 2
    assert "fingerprint" in done.err


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--batch-images", "64"], 2, "a batch of 64 images is larger than the 50 there are to learn from"),
        (["--batch-images", "1"], 2, "batch_images must be at least 2, got 1"),
        (["--text-field", "review"], 2, "text_field is an option for text, and images are read here"),
        (["--patience", "2"], 2, "patience needs evaluations, and nothing of the data is held back for them"),
        (["--batch", "auto"], 2, "depends on the whole batch at once"),
        (["--encoder", "resnett"], 2, "encoder must be one of"),
        (["--view-size", "0"], 2, "view_size must be at least 1, got 0"),
        (["--image-field", "pictures"], 3, "no field 'pictures'"),
    ],
)
def test_mistakes_are_refused_before_training(train_line, more, code, words):
    done = train_line(*more)
    assert (done.code, words in done.err) == (code, True), done.err


def test_missing_images_are_a_fault_of_the_data(train_line):
    done = train_line(source="imagse.npz")
    assert done.code == 3
    assert "images.npz" in done.err


def test_images_come_from_python_too(tmp_path, capsys):
    options = {"width": 4, "depth": 2, "batch_images": 16, "epochs": 1, "threads": 1}
    gray = images(channels=1).pixels[..., 0]
    result = textssl.train("simclr", gray, out=tmp_path / "run", **options)
    assert result.summary.units == 48
    assert "images: 50 images of 8 x 8, 1 channel of 8 bits" in capsys.readouterr().err
    message = r"images must be an array \(N, H, W\) or \(N, H, W, C\), got list\nGive a NumPy array"
    with pytest.raises(UsageError, match=message):
        textssl.train("simclr", [1, 2], out=tmp_path / "other", **options)
