"""The linear probe: its solution, its choice of a penalty, and what stands beside it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.objectives.small_images import images
from tests.small_image_models import save_network
from textssl.errors import DataError
from textssl.evaluators.base_features import compared_vectors
from textssl.evaluators.base_probe import chosen_probe, fitted_probe
from textssl.evaluators.linear_probe import LinearProbe
from textssl.image_features import open_image_model
from textssl.vision.labelled import labelled


def clouds(num, *, spread=1.0, seed=0, width=5):
    source = np.random.default_rng(seed)
    targets = source.integers(0, 3, num)
    middles = np.random.default_rng(9).normal(size=(3, width)) * 2 + 5
    return (middles[targets] + spread * source.normal(size=(num, width))).astype(np.float32), targets


@pytest.mark.parametrize("penalty", [1.0, 1e-2, 1e-4])
def test_probe_equals_the_logistic_regression_of_scikit_learn(penalty):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, targets = clouds(120, spread=3.0)
    probe = fitted_probe(features, targets, 3, penalty=penalty)
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (penalty * 120), tol=1e-8, max_iter=2000))
    expected = reference.fit(features.astype(np.float64), targets).predict_proba(features)
    found = probe.scores(features)
    found = np.exp(found - found.max(1, keepdims=True))
    np.testing.assert_allclose(found / found.sum(1, keepdims=True), expected, atol=2e-3)


def test_constant_features_do_no_harm_and_labels_that_do_not_occur_are_never_predicted():
    features, targets = clouds(60)
    features = np.concatenate([features, np.full((60, 1), 7, np.float32)], axis=1)
    probe = fitted_probe(features, targets, 5)
    assert np.isfinite(probe.weight_CF).all()
    assert np.isfinite(probe.bias_C).all()
    assert not probe.weight_CF[:, -1].any()
    assert set(probe.predict(features)) <= {0, 1, 2}
    assert np.mean(probe.predict(features) == targets) > 0.9


def test_penalty_is_the_best_on_the_images_kept_back_and_the_largest_of_equal_ones():
    features, targets = clouds(40, spread=4.0, width=30)
    other = clouds(400, spread=4.0, width=30, seed=1)
    found = chosen_probe(features, targets, 3, validation=other, penalties=(100.0, 1.0, 1e-5))
    each = {penalty: fitted_probe(features, targets, 3, penalty=penalty) for penalty in (100.0, 1.0, 1e-5)}
    accuracies = {penalty: np.mean(probe.predict(other[0]) == other[1]) for penalty, probe in each.items()}
    assert found.accuracy == pytest.approx(max(accuracies.values()), abs=0.02)
    easy, names = clouds(40, spread=0.01)
    assert chosen_probe(easy, names, 3, validation=(easy, names), penalties=(1.0, 0.1)).penalty == 1.0


def test_linear_probe_tells_stripes_apart_and_shows_every_way(tmp_path):
    model = open_image_model(save_network(tmp_path / "network", channels=3))
    compared = compared_vectors(model, labelled(images(80)), labelled(images(40, seed=1)))
    found = LinearProbe().evaluate(compared)
    assert found.primary_value > 0.8
    assert [row[0] for row in found.rows][-2:] == ["the same network untrained", "raw pixels"]
    assert found.columns[2:] == ("accuracy", "macro F1", "penalty", "accuracy kept back")
    assert [each[0] for each in found.classes] == ["rows", "columns"]
    assert sum(each[4] for each in found.classes) == 40
    assert found.as_dict()["classes"][0].keys() == {"class", "precision", "recall", "f1", "support"}
    assert found.settings["validation_images"] == 16


def test_one_image_of_each_label_is_refused(tmp_path):
    model = open_image_model(save_network(tmp_path / "network", channels=3))
    every = labelled(images(20))
    two = every.take(np.array([np.flatnonzero(every.targets == label)[0] for label in (0, 1)]))
    with pytest.raises(DataError, match="there is one image of each of 2 labels"):
        LinearProbe().evaluate(compared_vectors(model, two, every))
