"""The weighted vote of nearest neighbours, against a slow definition and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.objectives.small_images import images
from tests.small_image_models import save_network
from textssl.errors import UsageError
from textssl.evaluators.base_features import ComparedVectors, Vectors, compared_vectors
from textssl.evaluators.nearest_neighbors import NearestNeighbors
from textssl.image_features import open_image_model
from textssl.vision.images import ImageSet
from textssl.vision.labelled import LabelledImages, labelled


def labelled_rows(targets, num_labels=3):
    names = tuple(map(str, range(num_labels)))
    pixels = np.zeros((len(targets), 1, 1, 1), np.uint8)
    found = ImageSet(pixels, np.asarray(targets, np.int64), names, name="rows")
    return LabelledImages(found, np.arange(len(targets)), found.labels, names)


def compared(bank, bank_targets, queries, targets):
    vectors = Vectors(np.asarray(bank, np.float32), np.asarray(queries, np.float32))
    return ComparedVectors(labelled_rows(bank_targets), labelled_rows(targets), {"features": vectors})


def test_vote_equals_the_definition():
    source = np.random.default_rng(1)
    bank, queries = source.normal(size=(40, 5)), source.normal(size=(12, 5))
    bank_targets, targets = source.integers(0, 3, 40), source.integers(0, 3, 12)
    found = NearestNeighbors().evaluate(compared(bank, bank_targets, queries, targets), settings=((7, 0.1), (30, 0.5)))
    for k, temperature in ((7, 0.1), (30, 0.5)):
        hits = 0
        for query, target in zip(queries, targets, strict=True):
            cosines = bank @ query / np.linalg.norm(bank, axis=1) / np.linalg.norm(query)
            votes = np.zeros(3)
            for number in np.argsort(-cosines)[:k]:
                votes[bank_targets[number]] += np.exp(cosines[number] / temperature)
            hits += votes.argmax() == target
        assert found.metrics[f"accuracy_k{k}"] == hits / 12
    assert found.primary_metric == "accuracy_k7"
    assert found.rows == [("features", 5, found.metrics["accuracy_k7"], found.metrics["accuracy_k30"])]


def test_near_few_outvote_far_many_at_low_temperature():
    bank = [[1, 0.01], [0, 1], [0, 1], [0, 1]]
    one = compared(bank, [0, 1, 1, 1], [[1, 0.05]], [0])
    found = NearestNeighbors().evaluate(one, settings=((4, 0.05), (4, 10.0)))
    assert [row[2:] for row in found.rows] == [(0.0,)] or found.rows[0][2] in (0.0, 1.0)
    assert NearestNeighbors().evaluate(one, settings=((4, 0.05),)).primary_value == 1.0
    assert NearestNeighbors().evaluate(one, settings=((4, 10.0),)).primary_value == 0.0


def test_more_neighbours_than_images_takes_all():
    found = NearestNeighbors().evaluate(compared(np.eye(3), [0, 1, 2], np.eye(3), [0, 1, 2]), settings=((200, 0.1),))
    assert found.primary_value == 1.0


@pytest.mark.parametrize("settings", [(), ((0, 0.1),), ((5, 0.0),)])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UsageError, match="k must be at least 1 and the temperature above 0"):
        NearestNeighbors().evaluate(compared(np.eye(3), [0, 1, 2], np.eye(3), [0, 1, 2]), settings=settings)


def test_untrained_network_and_pixels_stand_beside_the_features(tmp_path):
    model = open_image_model(save_network(tmp_path / "network", channels=3))
    train, test = labelled(images(30)), labelled(images(20, seed=1))
    found = NearestNeighbors().evaluate(compared_vectors(model, train, test))
    assert [row[0] for row in found.rows] == [
        "features", "its projection", "the same network untrained", "raw pixels"
    ]  # fmt: skip
    assert [row[1] for row in found.rows] == [8, 6, 8, 192]
    for prefix in ("", "projection_", "untrained_", "pixels_"):
        assert 0 <= found.metrics[f"{prefix}accuracy_k20"] <= 1
    assert found.settings["training_images"] == 30
