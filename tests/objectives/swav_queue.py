"""SwAV with a queue, by as many processes as there are: python -m tests.objectives.swav_queue RESULT.npz"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from tests.objectives.small_images import images, prepared, task_of
from textssl.objectives.base_images import ImageRun
from textssl.training.distributed import join_ranks, leave_ranks

OPTIONS = {"batch_images": 16, "queue": 34, "queue_epoch": 0.5, "freeze_epochs": 0.5, "prototypes": 20, "epochs": 3}


def queue_run(*, double: bool = False) -> ImageRun:
    """Ready to train; the queue holds no whole number of batches."""
    run = prepared("swav", images(50), num_small_crops=1, **OPTIONS)
    if double:
        run.encoder.register_forward_pre_hook(lambda _, inputs: tuple(part.double() for part in inputs))
        run.model.double()
    return run


def main(out: Path) -> None:
    """Six steps in float64."""
    ranks, _ = join_ranks("cpu")
    task = task_of(queue_run(double=True), ranks=ranks)
    losses = [task.step(step) for step in range(6)]
    np.savez(out, losses=np.array([loss.total / loss.count for loss in losses]), **task.state())
    leave_ranks()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
