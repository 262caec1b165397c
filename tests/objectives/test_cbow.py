"""The objective cbow: what its class promises; how it learns stands in test_word_vectors."""

from __future__ import annotations

import pytest

from textssl import registry
from textssl.config import resolve
from textssl.objectives.base import Setting
from textssl.text.sources import from_iterable


@pytest.fixture
def method():
    return registry.load("objectives", "cbow")


def test_presets_of_cbow_are_options_of_it(method):
    assert method.PRESETS
    for preset in method.PRESETS.values():
        config, origins = resolve(method.Config, {}, preset=preset)
        assert {name for name, origin in origins.items() if origin == "preset"} == set(preset)
        assert all(getattr(config, name) == value for name, value in preset.items())


def test_cbow_prepares_a_corpus(method, tmp_path):
    config, _ = resolve(method.Config, {"min_count": 1, "dim": 4})
    prepared = method().prepare(from_iterable([["a", "b", "a"]]), config, Setting(1, 1, "cpu", tmp_path, None))
    assert prepared.method == "cbow"
    assert (prepared.num_epochs, prepared.learning_rate, prepared.unit) == (5, 0.05, "words")
    assert prepared.data()["num_tokens"] == 3
    assert any("cbow, 4 dimensions, negative sampling" in line for line in prepared.describe())
