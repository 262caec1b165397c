"""The first compilation of kernels is told, and is no part of the time of training."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from tests.objectives.topics import SMALL, documents
from textssl.config import resolve
from textssl.objectives.base import Setting
from textssl.objectives.cbow import Cbow
from textssl.objectives.skipgram import SkipGram
from textssl.text.sources import from_iterable
from textssl.training.compiling import told_when_compiling
from textssl.training.kernel_task import KernelTask


def test_a_compilation_is_told_once_and_only_when_it_happens():
    @numba.njit
    def one():
        return 1

    @numba.njit
    def two():
        return 2

    lines: list[str] = []
    with told_when_compiling(lines.append, "train"):
        assert lines == []
        one()
        two()
    assert lines == ["compiling the kernels that train: some seconds, the next runs find them compiled"]
    with told_when_compiling(lines.append, "train"):
        one()
    assert len(lines) == 1


@pytest.mark.parametrize("method", [SkipGram, Cbow])
@pytest.mark.parametrize("output", ["negative_sampling", "hierarchical_softmax"])
def test_warming_up_leaves_the_tables_as_they_are(method, output, tmp_path):
    small = {name: value for name, value in SMALL.items() if name != "threads"}
    config, _ = resolve(method.Config, {**small, "output": output})
    prepared = method().prepare(from_iterable(documents(50)), config, Setting(1, 1, "cpu", tmp_path, None))
    engine = prepared.blocks()
    task = KernelTask(engine, unit="words", num_epochs=1, learning_rate=0.05, seed=1)
    before = {name: np.array(table) for name, table in task.state().items()}
    task.warm_up()
    for name, table in task.state().items():
        np.testing.assert_array_equal(table, before[name])


def test_a_run_with_a_cold_cache_says_so_and_its_time_is_that_of_training(tmp_path):
    (tmp_path / "corpus.txt").write_text("one two three four\n" * 500)
    options = ["--min-count", "1", "--subsample", "0", "--dim", "7", "--epochs", "1"]
    command = ["-m", "textssl", "train", "cbow", "corpus.txt", "--out", "run", *options]
    environment = {**os.environ, "TEXTSSL_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path.cwd())}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = re.findall("compiling the kernels that (.*): some seconds", done.stderr)
    assert told == ["read the corpus", "train"]
    summary = json.loads((tmp_path / "run" / "STATUS").read_text())["summary"]
    assert summary["elapsed_s"] < 1.0  # compiling takes several
