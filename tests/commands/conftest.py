"""A command line run in this process, and small vectors to run it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import textssl.numba_cache  # noqa: F401  (keeps compiled kernels where they are while tests move TEXTSSL_CACHE)
from tests.objectives.topics import documents
from textssl.cli import main

COUNTRIES = (("france", "paris"), ("italy", "rome"), ("spain", "madrid"), ("japan", "tokyo"), ("russia", "moscow"))


@dataclass(frozen=True)
class Finished:
    """Exit code and both streams of one command."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Finished]:
    """Runs `textssl` with the words given, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEXTSSL_DEBUG", raising=False)

    def call(*words: str | Path) -> Finished:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The small corpus as a file, a document a line."""
    path = tmp_path / "c.txt"
    path.write_text("".join(" ".join(words) + "\n" for words in documents()))
    return path


def country_vectors() -> tuple[list[str], np.ndarray]:
    """Words and vectors (V, 8) in which capital - country is the same for all pairs, and 20 words besides."""
    random = np.random.default_rng(3)
    countries = random.normal(size=(len(COUNTRIES), 8))
    capitals = countries + random.normal(size=8) * 2
    words = [country for country, _ in COUNTRIES] + [capital for _, capital in COUNTRIES]
    others = [f"so-called-{number}" for number in range(20)]
    vectors = np.concatenate([countries, capitals, random.normal(size=(20, 8)) * 0.1])
    return words + others, vectors.astype(np.float32)


@pytest.fixture(scope="session")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vector folder with COUNTRIES in it."""
    from textssl.embeddings import Embeddings

    words, rows = country_vectors()
    folder = tmp_path_factory.mktemp("vectors") / "countries"
    Embeddings(words, rows, counts=np.arange(len(words), 0, -1)).save(folder)
    return folder


@pytest.fixture
def finished_run(tmp_path: Path) -> Path:
    """A run folder as training leaves it, with COUNTRIES as its model."""
    from textssl.embeddings import Embeddings
    from textssl.run_folder import RunFolder

    words, rows = country_vectors()
    config = {"objective": "skipgram", "dim": 8}
    with RunFolder.open(tmp_path / "news", config, ["textssl", "train"], data={"corpus": "<b>.txt"}) as folder:
        for step in range(1, 6):
            folder.append_metrics(
                {"step": step, "words": step * 10_000, "loss_nats": 3.0 / step, "learning_rate": 0.05}
            )
        Embeddings(words, rows).save(folder.model)
        folder.set_status("finished")
    return tmp_path / "news"
