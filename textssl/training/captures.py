"""What is kept of a step whose loss or gradient was not finite: the state before it and what was wrong; its replay.

captures/step-00000123/state.safetensors  state.json  manifest.json

A batch and its dropout are functions of seed and step, so that the state and the step number are all that it takes to
make the step again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from textssl.errors import DataError
from textssl.storage import commit_folder, numbered, verify_folder
from textssl.tensor_file import open_tensors, save_tensors
from textssl.training.checkpoint import NOTES, PREFIX, TENSORS
from textssl.training.task import Task

CAPTURES = "captures"


class Diagnosed(Task, Protocol):
    """A task that can say what was not finite."""

    def diagnosis(self) -> dict[str, Any]:
        """What was not finite in the last step, which was not applied: JSON values."""
        ...


@dataclass(frozen=True)
class Capture:
    """A step that was not applied.

    Args:
        path: its folder.
        step: its number, from 0.
        learning_rate: that it would have been made with.
        decay_steps: where the learning rate was to end.
        diagnosis: what was not finite.
    """

    path: Path
    step: int
    learning_rate: float
    decay_steps: int
    diagnosis: dict[str, Any]


@dataclass(frozen=True)
class Replay:
    """A captured step that was made again.

    Args:
        capture: what was kept of it.
        total, count: of its loss now.
        reproduced: whether the same is not finite again.
        diagnosis: what is not finite now; empty when all is.
    """

    capture: Capture
    total: float
    count: float
    reproduced: bool
    diagnosis: dict[str, Any]


def save_capture(run: Path, task: Task, *, step: int, diagnosis: Mapping[str, Any]) -> Path:
    """Commit the state before a step and what was wrong with it; one of the same step is replaced.

    Args:
        run: the run folder.
        task: in the state before the step.
        step: number of the step, from 0.
        diagnosis: what was not finite, JSON values.

    Raises:
        ResourceError: it cannot be written.
    """
    arrays = task.state()
    rate, decay = task.learning_rate(step), task.decay_steps
    notes = {"step": step, "learning_rate": rate, "decay_steps": decay, "diagnosis": diagnosis}

    def write(path: Path) -> None:
        save_tensors(path / TENSORS, arrays)
        (path / NOTES).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")

    num_bytes = sum(array.nbytes for array in arrays.values())
    target = run / CAPTURES / f"{PREFIX}{step:08d}"
    return commit_folder(target, write, expected_bytes=num_bytes, metadata={"step": step}, replace=True)


def newest_capture(run: Path) -> Capture | None:
    """The capture of the highest step of a run, or None.

    Raises:
        DataError: it is damaged.
    """
    found = numbered(run / CAPTURES, PREFIX)
    if not found:
        return None
    verify_folder(found[-1], hashes=True)
    notes = json.loads((found[-1] / NOTES).read_bytes())
    return Capture(found[-1], notes["step"], notes["learning_rate"], notes["decay_steps"], notes["diagnosis"])


def replay(capture: Capture, make_task: Callable[[], Diagnosed]) -> Replay:
    """Make a captured step again, in a new task.

    Args:
        capture: what was kept.
        make_task: the task as the run made it: same corpus, options and seed.

    Raises:
        DataError: the state is not of such a task.
    """
    task = make_task()
    if not 0 <= capture.step < task.num_steps:
        raise DataError(
            f"is of step {capture.step:,}, the run has {task.num_steps:,} steps",
            where=str(capture.path),
            hint="Replay it with the corpus and the options of the run.",
        )
    task.set_decay_steps(capture.decay_steps)
    task.load_state({name: np.asarray(part) for name, part in open_tensors(capture.path / TENSORS).tensors.items()})
    result = task.step(capture.step)
    diagnosis = {} if result.applied else task.diagnosis()
    names = ("parameters_with_bad_gradients", "bad_parts")
    same = all(diagnosis.get(name) == capture.diagnosis.get(name) for name in names)
    return Replay(capture, result.total, result.count, not result.applied and same, diagnosis)
