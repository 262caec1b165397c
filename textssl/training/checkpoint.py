"""Checkpoints of a run: the arrays of a task and the notes of the trainer, committed as one folder per step.

checkpoints/step-00000123/state.safetensors  state.json  manifest.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.storage import commit_folder, newest_valid, numbered, remove_folder, verify_folder
from textssl.tensor_file import open_tensors, pieces_of, save_tensors

PREFIX = "step-"
TENSORS = "state.safetensors"
NOTES = "state.json"
_FINITE_AT_ONCE_BYTES = 1 << 18


@dataclass(frozen=True)
class Checkpoint:
    """A state that was saved.

    Args:
        path: its folder.
        notes: what the trainer noted.
        arrays: the state of the task, memory-mapped and read-only.
    """

    path: Path
    notes: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def save_checkpoint(
    folder: Path,
    *,
    step: int,
    arrays: Mapping[str, NDArray[Any]],
    notes: Mapping[str, Any],
    keep: int,
    best_step: int | None = None,
) -> Path:
    """Commit a checkpoint, then remove all but the newest ones.

    Args:
        folder: the folder of checkpoints.
        step: steps that are done.
        arrays: the state of the task.
        notes: JSON values.
        keep: how many stay, 1 or more.
        best_step: one that stays beside them, however old it is.

    Returns:
        The folder of the checkpoint.

    Raises:
        ResourceError: it cannot be written; the earlier ones stay.
    """

    def write(path: Path) -> None:
        save_tensors(path / TENSORS, arrays)
        (path / NOTES).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")

    num_bytes = sum(array.nbytes for array in arrays.values())
    target = step_folder(folder, step)
    commit_folder(target, write, expected_bytes=num_bytes, metadata={"step": step}, replace=True)
    for old in numbered(folder, PREFIX)[:-keep]:
        if best_step is None or old != step_folder(folder, best_step):
            remove_folder(old)
    return target


def load_newest(folder: Path, *, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint whose hashes are right; damaged ones are set aside with a line to `warn`.

    Raises:
        DataError: its hashes are right, yet it cannot be read.
    """
    path = newest_valid(folder, PREFIX, warn=warn)
    return None if path is None else _opened(path)


def load_step(folder: Path, step: int) -> Checkpoint:
    """The checkpoint of a step that this or another process of the run has verified or written.

    Raises:
        DataError: it is missing, incomplete, or cannot be read.
    """
    path = step_folder(folder, step)
    verify_folder(path, hashes=False)
    return _opened(path)


def step_folder(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"{PREFIX}{step:08d}"


def _opened(path: Path) -> Checkpoint:
    try:
        notes = json.loads((path / NOTES).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError("is no checkpoint of a training run", where=str(path)) from error
    return Checkpoint(path, notes, open_tensors(path / TENSORS).tensors)


def first_not_finite(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """The name of the first array with a value that is not finite; needs little memory whatever the size."""
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.floating):
            continue
        if not all(np.isfinite(piece).all() for piece in pieces_of(array, _FINITE_AT_ONCE_BYTES)):
            return name
    return None
