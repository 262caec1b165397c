"""What an objective promises: its options, and how it turns a corpus into something that trains and is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.text.sources import Source

if TYPE_CHECKING:
    from textssl.embeddings import Embeddings


@dataclass(frozen=True)
class Setting:
    """Where and how an objective runs, beside its own options.

    Args:
        seed: of every random number.
        num_threads: of the CPU kernels and readers.
        device: "cpu", "cuda" and so on.
        cache: folder of the token stores; None for the user's cache.
        start: what to go on from; None for a fresh start.
    """

    seed: int
    num_threads: int
    device: str
    cache: Path | None
    start: Start | None


@dataclass(frozen=True)
class Start:
    """What an earlier run, a folder or a file holds.

    Args:
        vectors: words and their vectors.
        tables: the state of the run's task by name, or None where there is no run.
        config: the options of the run; empty where there is none.
        source: where all this comes from, for messages.
    """

    vectors: Embeddings
    tables: Mapping[str, NDArray[Any]] | None
    config: Mapping[str, Any]
    source: str


class Prepared(Protocol):
    """An objective with its corpus read: ready to train."""

    num_epochs: int
    learning_rate: float
    unit: str

    def describe(self) -> list[str]:
        """What will be trained, as lines for people."""
        ...

    def data(self) -> dict[str, Any]:
        """What stands in data.json of the run; JSON values."""
        ...

    def blocks(self) -> Any:
        """A `BlockEngine` for `KernelTask`, or None when the objective is trained by gradients."""
        ...

    def gradients(self) -> Any:
        """(objective, model, optimizer) for `GradientTask`; asked for when `blocks` gives None."""
        ...

    def save(self, folder: Path, tables: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Write what the run is for, made from the task's state."""
        ...


class Objective(Protocol):
    """A method by name; `Config` is a frozen dataclass made with `config.option`, `PRESETS` are sets of options."""

    Config: type
    PRESETS: Mapping[str, Mapping[str, Any]]

    def prepare(self, source: Source, config: Any, setting: Setting) -> Prepared:
        """Read the corpus and make everything ready."""
        ...
