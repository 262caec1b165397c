"""What an objective promises: its options, and how it turns a corpus into something that trains and is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.text.sources import Source


@dataclass(frozen=True)
class Setting:
    """Where and how an objective runs, beside its own options.

    Args:
        seed: of every random number.
        num_threads: of the CPU kernels and readers.
        device: "cpu", "cuda" and so on.
        cache: folder of the token stores; None for the user's cache.
        start: tables of an earlier run to go on from, by name, with the words of their rows; None for a fresh start.
    """

    seed: int
    num_threads: int
    device: str
    cache: Path | None
    start: Start | None


@dataclass(frozen=True)
class Start:
    """Words, and for each of them a row in every table.

    Args:
        words: W words.
        tables: "inputs" float32 (W, D) and perhaps "outputs" (W, D).
        source: where they come from, for messages.
    """

    words: list[str]
    tables: Mapping[str, NDArray[np.float32]]
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
    """A method by name. `Config` is a frozen dataclass made with `config.option`, `PRESETS` named sets of its options."""

    Config: type
    PRESETS: Mapping[str, Mapping[str, Any]]

    def prepare(self, source: Source, config: Any, setting: Setting) -> Prepared:
        """Read the corpus and make everything ready."""
        ...
