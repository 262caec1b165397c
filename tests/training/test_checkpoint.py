"""Checkpoints: what goes in comes out."""

import os

import numpy as np
import pytest

from textssl.errors import DataError, ResourceError
from textssl.storage import commit_folder
from textssl.training.checkpoint import first_not_finite, load_newest, save_checkpoint


def silent(line):
    raise AssertionError(line)


def test_checkpoint_gives_back_arrays_and_notes(tmp_path):
    arrays = {
        "vectors": np.arange(12, dtype=np.float32).reshape(3, 4).T,  # not contiguous
        "counter": np.array(2**40, dtype=np.int64),
        "bits": np.array([2**64 - 1], dtype=np.uint64),
        "empty": np.zeros((0, 3), dtype=np.float64),
    }
    notes = {"loss": 0.1 + 0.2, "nested": {"a": [1, None]}}
    path = save_checkpoint(tmp_path / "checkpoints", step=12, arrays=arrays, notes=notes, keep=2)
    assert path.name == "step-00000012"
    loaded = load_newest(tmp_path / "checkpoints", warn=silent)
    assert loaded.path == path
    assert loaded.notes == notes
    assert set(loaded.arrays) == set(arrays)
    for name, array in arrays.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert np.array_equal(loaded.arrays[name], array)


def test_only_the_newest_stay_and_a_step_is_saved_again(tmp_path):
    for step in (1, 2, 9, 10, 10):
        save_checkpoint(tmp_path, step=step, arrays={"x": np.array([step])}, notes={}, keep=2)
    assert sorted(os.listdir(tmp_path)) == ["step-00000009", "step-00000010"]
    assert load_newest(tmp_path, warn=silent).arrays["x"][0] == 10


def test_no_checkpoint_is_none(tmp_path):
    assert load_newest(tmp_path / "checkpoints", warn=silent) is None


def test_folder_that_is_no_checkpoint_is_named(tmp_path):
    commit_folder(tmp_path / "step-1", lambda folder: (folder / "a").write_text("a"))
    with pytest.raises(DataError, match=r"step-1: is no checkpoint of a training run"):
        load_newest(tmp_path, warn=silent)


def test_too_little_space_is_refused_with_the_bytes_needed(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, step=1, arrays={"x": np.zeros(10)}, notes={}, keep=1)
    monkeypatch.setattr("textssl.disk._free_bytes", lambda target: 1000)
    with pytest.raises(ResourceError, match=r"the disk is full: 9\.6 kB needed, 1\.0 kB free"):
        save_checkpoint(tmp_path, step=2, arrays={"x": np.zeros(1000)}, notes={}, keep=1)
    assert os.listdir(tmp_path) == ["step-00000001"]


def test_first_not_finite_names_the_array():
    good = np.zeros(3_000_000, dtype=np.float32)
    assert first_not_finite({"ids": np.array([1]), "good": good}) is None
    bad = good.copy()
    bad[-1] = np.inf
    assert first_not_finite({"good": good, "bad": bad.reshape(3, -1)}) == "bad"
