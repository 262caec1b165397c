"""The benchmarks of images: their data, contestants and numbers; peers need libraries of their own and are not run."""

import argparse
import gzip
import json
import struct

import numpy as np
import pytest

from benchmarks.measure import spread
from benchmarks.tables import TABLES
from benchmarks.targets import targets
from benchmarks.vision_contestants import ON_FRAMES, PEER_METHODS, VARIANTS, Work, _encoder, _saved_encoder, contestants
from benchmarks.vision_data import camvid_tiles, few_of_each, saved
from benchmarks.vision_quality import PIXELS, _measure, collected, summary
from benchmarks.vision_scores import features_scores
from benchmarks.vision_speed import training_speed
from benchmarks.vision_views import measured, statistics_of
from tests.small_image_models import save_network, write_npz
from textssl import registry
from textssl.commands.evaluate import evaluate

RECORD = {
    "machine": {"processor": "p", "cores": 2, "memory_gb": 1},
    "versions": dict.fromkeys(("python", "numpy", "numba"), "1"),
    "protocol": "how",
    "date": "today",
    "command": "c",
}


@pytest.fixture
def work(tmp_path):
    """A folder with twelve images of Fashion-MNIST's layout."""
    data = tmp_path / "data" / "fashion_mnist"
    data.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    header = struct.pack(">HBBIII", 0, 8, 3, 12, 28, 28)
    for part in ("train", "t10k"):
        (data / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pixels.tobytes()))
        labels = bytes(number % 3 for number in range(12))
        head = struct.pack(">HBBI", 0, 8, 1, 12)
        (data / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(head + labels))
    return Work(tmp_path / "work", tmp_path / "data", 10, 8, 1, (3,), 1, None)


def test_images_are_the_first_ones_with_their_labels(work):
    train = np.load(work.train_images)
    assert train["images"].shape == (10, 28, 28, 1)
    assert train["labels"].tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert np.load(work.test_images)["images"].shape == (8, 28, 28, 1)


def test_few_images_are_as_many_of_each_label_and_depend_on_the_seed(work, tmp_path):
    seeds = enumerate((1, 1, 2))
    found = [np.load(few_of_each(work.train_images, tmp_path / f"{n}.npz", count=6, seed=seed)) for n, seed in seeds]
    assert sorted(found[0]["labels"]) == [0, 0, 1, 1, 2, 2]
    assert np.array_equal(found[0]["images"], found[1]["images"])
    assert not np.array_equal(found[0]["images"], found[2]["images"])
    with pytest.raises(SystemExit, match="7 images cannot be as many of each of 3 labels"):
        few_of_each(work.train_images, tmp_path / "few.npz", count=7, seed=1)


def test_frames_are_cut_into_tiles_in_order(tmp_path):
    frames = np.arange(2 * 70 * 64 * 3, dtype=np.int64).reshape(2, 70, 64, 3).astype(np.uint8)
    tiles = np.load(camvid_tiles(saved(tmp_path / "frames.npz", frames, None), tmp_path / "tiles.npz"))["images"]
    assert tiles.shape == (8, 32, 32, 3)
    assert np.array_equal(tiles[0], frames[0, :32, :32])
    assert np.array_equal(tiles[1], frames[0, :32, 32:])
    assert np.array_equal(tiles[6], frames[1, 32:64, :32])


def test_contestants_are_every_method_for_images_and_the_peers():
    names = contestants()
    images = [name for name in registry.names("objectives") if registry.load("objectives", name).FAMILY == "images"]
    assert {f"textssl {name}" for name in images} <= set(names)
    assert {f"lightly {name}" for name in PEER_METHODS} <= set(names)
    assert names[0] == "untrained"
    assert len(set(names)) == len(names)


def test_variants_and_methods_on_frames_are_methods_with_such_options():
    for name, (method, options) in VARIANTS.items():
        config = registry.load("objectives", method).Config
        assert options.keys() - {"preset"} <= set(config.__dataclass_fields__), name
    assert set(ON_FRAMES) <= set(registry.names("objectives"))


def test_weights_of_a_peer_become_a_model_folder_that_is_scored(work, tmp_path):
    from textssl.models.base_image_folder import load_image_model

    weights = tmp_path / "peer.npz"
    state = _encoder(7, work).state_dict()
    np.savez(weights, **{name: part.numpy() for name, part in state.items()})
    encoder, _ = load_image_model(_saved_encoder(tmp_path / "model", 1, work, weights))
    assert encoder.config.channels == 1
    for name, part in encoder.state_dict().items():
        assert np.array_equal(part.numpy(), state[name].numpy()), name


def test_speed_leaves_the_first_steps_out(tmp_path):
    records = [
        {"kind": "train", "step": 1, "images": 10, "elapsed_s": 5.0},
        {"kind": "train", "step": 10, "images": 100, "elapsed_s": 6.0},
        {"kind": "evaluation", "step": 10, "images": 100, "elapsed_s": 6.5, "scores": {}},
        {"kind": "train", "step": 30, "images": 300, "elapsed_s": 10.0},
    ]
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert training_speed(metrics, 10) == 50
    with pytest.raises(SystemExit, match="too few records after 20 steps; give more --steps"):
        training_speed(metrics, 20)


def test_own_views_are_timed():
    pixels = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), dtype=np.uint8)
    assert measured("textssl", pixels, 0.01) > 0
    mean, std = statistics_of(pixels)
    assert mean == pytest.approx([0.5] * 3, abs=0.02)
    assert std == pytest.approx([0.289] * 3, abs=0.02)


def test_pieces_are_collected_by_contestant_and_pixels_stand_apart(tmp_path):
    knn = "nearest_neighbors.accuracy_k200"
    pixels = {"nearest_neighbors.pixels_accuracy_k200": 0.7, "nearest_neighbors.untrained_accuracy_k200": 0.5}
    pieces = [("textssl simclr", 1, 0.8), ("textssl simclr", 2, 0.9), ("untrained", 1, 0.5)]
    for number, (name, seed, value) in enumerate(pieces):
        piece = {"contestant": name, "seed": seed, "numbers": {knn: value, **pixels}}
        (tmp_path / f"{number}.json").write_text(json.dumps(piece))
    found = {name: summary(numbers) for name, numbers in collected(tmp_path).items()}
    assert list(found) == ["untrained", "textssl simclr", PIXELS]
    assert found["textssl simclr"] == {knn: spread([0.8, 0.9])}
    assert summary([{"a": 0.1, "b": 0.3}, {"a": 0.2}]) == {"a": spread([0.1, 0.2]), "b": spread([0.3])}
    assert found[PIXELS] == {knn: spread([0.7])}


def test_contestant_that_fails_is_left_out_and_one_that_was_measured_is_not_measured_again(work, monkeypatch, capsys):
    calls = []

    def numbers(name, seed, _):
        calls.append(name)
        if name == "textssl byol":
            raise SystemExit("textssl train byol ended with 2")
        return {"a": float(seed)}

    monkeypatch.setattr("benchmarks.vision_quality.measured", numbers)
    arguments = argparse.Namespace(seeds=[1], peer_python=None)
    for _ in range(2):
        _measure(arguments, work, ["untrained", "textssl byol", "textssl moco", "lightly moco"])
    assert calls == ["untrained", "textssl byol", "textssl moco", "textssl byol"]
    assert sorted(file.name for file in work.pieces.iterdir()) == ["textssl_moco-1.json", "untrained-1.json"]
    said = capsys.readouterr().err
    assert "left out, since it failed: textssl train byol ended with 2" in said
    assert "lightly moco is left out: it was not given" in said


def test_tables_and_targets_of_images():
    def scores(*values):
        return {name: spread(values) for name in ("nearest_neighbors.accuracy_k200", "linear_probe.accuracy")}

    speed = {
        **RECORD,
        "setting": {"images": "gray images"},
        "images_per_s": {"textssl": spread([4000]), "lightly": spread([1000])},
        "ratios": {"lightly": spread([4.0])},
        "best_peers": {"lightly": "lightly", "kornia": None, "albumentations": None},
        "views_per_s": {"textssl": spread([50_000]), "lightly": spread([1000])},
    }
    quality = {
        **RECORD,
        "summary": {
            "untrained": scores(0.5), "textssl simclr": scores(0.80, 0.82), "lightly simclr": scores(0.81, 0.83),
            "textssl moco": {**scores(0.7), "finetuned_100": spread([0.5, 0.6])}, "textssl triplet": scores(0.6),
            "raw pixels": scores(0.75),
        },
    }  # fmt: skip
    parity = {**RECORD, "largest": {"float64": 1e-15, "float32": 6e-7}, "libraries": {"torch": "2"}, "cases": {}}
    parity["cases"]["a"] = {
        "value_float64": 1e-16, "gradient_float64": 1e-15, "value_float32": 2e-7, "gradient_float32": 6e-7,
        "our_rounding": 4e-7, "their_rounding": 5e-7,
    }  # fmt: skip
    results = {"vision_speed_gray": speed, "vision_quality": quality, "vision_parity": parity}
    assert "| lightly | 1,000 | 4.00 |" in TABLES["vision_speed_gray"](results)
    assert "| lightly | 1,000 | 50.0 |" in TABLES["vision_speed_gray"](results)
    assert "| textssl simclr | 2 |  | 81.0 ± 1.4 | 81.0 ± 1.4 |  |  |  |" in TABLES["vision_quality"](results)
    assert "| textssl moco | 2 |  | 70.0 (1) | 70.0 (1) | 55.0 ± 7.1 |  |  |" in TABLES["vision_quality"](results)
    assert "| a | 1.0e-16 | 1.0e-15 | 2.0e-07 | 6.0e-07 | 4.0e-07 | 5.0e-07 |" in TABLES["vision_parity"](results)
    rows = {row[0]: row[2:] for row in targets(results)}
    assert rows["SimCLR, gray, images/s over those of lightly"] == ["4.00", "yes"]
    assert rows["SimCLR, gray, images/s over those of lightly with kornia's views"] == ["not measured", ""]
    parity_row = "losses for images, largest difference from the libraries in float{}, 1e-6"
    assert rows[parity_row.format(64)] == ["1e-09", "yes"]
    assert rows[parity_row.format(32)] == ["0.6", "yes"]
    assert rows["k-NN, the worst method that lightly has, points above it and the seed spread"] == ["+0.4", "yes"]
    assert rows["k-NN, the worst contrastive method, points above the untrained network"] == ["+10.0", "yes"]
    assert rows["linear probe, DirectPred, points above a linear predictor that learns"] == ["not measured", ""]


def test_scores_of_the_features_are_those_of_the_command(tmp_path):
    train, test = write_npz(tmp_path / "train.npz", 60), write_npz(tmp_path / "test.npz", 30)
    network = save_network(tmp_path / "network")
    told = evaluate(network, images=test, train_images=train)
    all_numbers = {f"{part.name}.{metric}": value for part in told.results for metric, value in part.metrics.items()}
    found = features_scores(network, train, test)
    assert {"nearest_neighbors.accuracy_k20", "linear_probe.accuracy"} < set(found)
    assert found == {name: all_numbers[name] for name in found}
    assert not any("pixels" in name or "untrained" in name for name in found)
