"""Small runs over images, also in processes of their own: python -m tests.objectives.image_runs METHOD... FOLDER WHAT


"whole" trains in the folder with a checkpoint at every step, so that it may be killed at any time. "ranks" makes the
steps of one method after the other with the other processes, started as torchrun does, and writes the states that they
end with.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

from tests.objectives.small_images import images, prepared, task_of
from tests.training.small_network import train_network
from textssl.training.distributed import join_ranks, leave_ranks

STEPS_OF_RANKS = 3
PAUSE_S = 0.02


class StoppedError(Exception):
    """Ends a run as a fault would."""


def whole(method: str, folder: Path, *, pause_s: float = 0.0, stop_at: int | None = None) -> None:
    """A run to its end, with a pause at every step so that a signal can meet it, or to a step at which it fails."""
    run = prepared(method, images(96), epochs=6)
    run.gradients()
    task = task_of(run, loader_threads=2)
    task.objective.flops_per_unit = None  # else the speed of the chip is measured first
    step = task.step

    def slow_step(index: int):
        if index == stop_at:
            raise StoppedError
        time.sleep(pause_s)
        return step(index)

    task.step = slow_step  # type: ignore[method-assign]
    train_network(folder, task, checkpoint_every="1steps", evaluate_every="5steps")
    task.close()
    run.save(folder / "model", task.state())


def of_ranks(method: str, folder: Path) -> None:
    """Some steps in float64, by as many processes as there are."""
    ranks, _ = join_ranks("cpu")
    run = prepared(method, images(80), validation_share=0.4)
    run.encoder.register_forward_pre_hook(lambda _, inputs: tuple(part.double() for part in inputs))
    run.model.double()
    task = task_of(run, ranks=ranks)
    results = [task.step(step) for step in range(STEPS_OF_RANKS)]
    scores = task.evaluate()
    arrays = {name: np.array(array) for name, array in task.state().items()}
    arrays |= {"losses": np.array([result.total / result.count for result in results])}
    arrays |= {f"scores/{name}": np.array(value) for name, value in scores.items()}
    np.savez(folder / f"{method}-rank{ranks.rank}.npz", **arrays)


if __name__ == "__main__":
    torch.set_num_threads(1)
    *methods, folder, what = sys.argv[1:]
    for method in methods:
        if what == "ranks":
            of_ranks(method, Path(folder))
        else:
            whole(method, Path(folder), pause_s=PAUSE_S)
    if what == "ranks":
        leave_ranks()
