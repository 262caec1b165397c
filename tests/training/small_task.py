"""A small task of numpy alone whose state depends on every step; also a program, to be killed by tests.

python -m tests.training.small_task FOLDER PAUSE_S
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from textssl.errors import TextsslError
from textssl.randomness import Purpose, random_bits, stream_key, uniform
from textssl.run_folder import RunFolder
from textssl.training import budget, trainer
from textssl.training.progress import PlainProgress, SilentProgress
from textssl.training.task import StepResult
from textssl.training.trainer import Trainer, TrainerConfig, TrainSummary

UNITS_PER_STEP = 10


class SmallTask:
    """A weight vector that walks; the loss is its squared length."""

    unit = "words"

    def __init__(self, num_steps: int = 24, epochs: int = 3, pause_s: float = 0.0, bad_step: int | None = None):
        self.num_steps = num_steps
        self.decay_steps = num_steps
        self.epochs = epochs
        self.pause_s = pause_s
        self.bad_step = bad_step
        self.bad_total = float("nan")
        self.applies_bad = False
        self.weights = np.arange(8, dtype=np.float32)
        self.counter = np.zeros((), dtype=np.int64)
        self.steps_made: list[int] = []
        self.decays: list[int] = []

    def set_decay_steps(self, steps: int) -> None:
        assert int(self.counter) == 0 or not self.decays
        self.decays.append(steps)
        self.decay_steps = steps

    def step(self, index: int) -> StepResult:
        time.sleep(self.pause_s)
        self.steps_made.append(index)
        if index == self.bad_step:
            if self.applies_bad:
                self.weights[3] = np.inf
            return StepResult(self.bad_total, 4.0, UNITS_PER_STEP, applied=False)
        key = stream_key(1, Purpose.SAMPLE, index)
        gradient = self.weights + uniform(key, np.arange(8)).astype(np.float32)
        self.weights -= np.float32(self.learning_rate(index)) * gradient
        self.counter += int(random_bits(key, 0)) % 7
        return StepResult(float((self.weights**2).sum()), 4.0, UNITS_PER_STEP)

    def units_before(self, index: int) -> int:
        return index * UNITS_PER_STEP

    def learning_rate(self, index: int) -> float:
        return 0.1 * max(1 - self.units_before(index) / self.units_before(self.decay_steps), 1e-4)

    def epoch(self, index: int) -> float:
        return self.epochs * index / self.num_steps

    def state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights, "counter": self.counter}

    def load_state(self, arrays) -> None:
        self.weights[...] = arrays["weights"]
        self.counter[...] = arrays["counter"]

    def scores(self) -> dict[str, float]:
        return {"length": float(np.linalg.norm(self.weights))}


def train(folder: Path, task: SmallTask, *, progress=None, export=None, data: str = "same", **options) -> TrainSummary:
    """Run the task in the folder, as a command does."""
    config = TrainerConfig(**options)
    with RunFolder.open(folder, {"num_steps": task.num_steps}, ["test"], data={"name": data}) as run_folder:
        return Trainer(
            task,
            run_folder,
            config=config,
            evaluate=task.scores,
            progress=progress or SilentProgress(),
            export=export,
        ).run()


def records(folder: Path) -> list[dict]:
    """The metrics without what the clock decides."""
    clock = ("elapsed_s", "words_per_s")
    return [
        {key: value for key, value in record.items() if key not in clock}
        for record in RunFolder.view(folder).read_metrics()
    ]


if __name__ == "__main__":
    task = SmallTask(num_steps=60, pause_s=float(sys.argv[2]))
    try:
        train(Path(sys.argv[1]), task, progress=PlainProgress(sys.stderr), checkpoint_every="3steps")
    except TextsslError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    print(task.weights.tobytes().hex())


class Clock:
    """A clock that only steps move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(trainer.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(budget.time, "monotonic", lambda: self.now)


class TimedTask(SmallTask):
    """Every step takes the same time on the clock."""

    def __init__(self, clock, step_s, **options):
        super().__init__(**options)
        self.clock = clock
        self.step_s = step_s

    def step(self, index):
        self.clock.now += self.step_s
        return super().step(index)
