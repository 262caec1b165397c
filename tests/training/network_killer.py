"""Trains the small network in children that are killed: python -m tests.training.network_killer FOLDER KILLS SEED

Half of the kills come at random times of training, half in the middle of a write. A program of its own, since only a
process without threads may fork; the children need not import torch again. Prints the newest checkpoint each time.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.training.killer import is_training
from tests.training.small_network import SmallObjective, small_task, train_network
from textssl.objectives.base import Optimisation
from textssl.run_folder import RunFolder
from textssl.storage import TEMPORARY_PREFIX

NUM_STEPS = 60
MUON = Optimisation("muon", 0.01, weight_decay=0.1, warmup=0.2, clip_norm=1.0, num_parts=2, precision="float32")
LONGEST_S, WRITES, LONGEST_WRITE_S = 0.3, 8, 0.003


class Unmeasured(SmallObjective):
    """Without counted operations: to show their share of the peak, a run would measure that first."""

    flops_per_unit = None


def train(folder: Path) -> None:
    """The run that is killed: dropout, an optimizer with two kinds of state, evaluations whose best state is kept."""
    task = small_task(MUON, objective=Unmeasured(num_steps=NUM_STEPS), dropout=0.2, loader_threads=2)
    train_network(folder, task, checkpoint_every="1steps", evaluate_every="7steps", patience=NUM_STEPS)
    task.close()


def main(folder: Path, kills: int, seed: int) -> None:
    """Start and kill; stop when a child has come to the end."""
    source = random.Random(seed)
    small_task(MUON, loader_threads=0).step(0)  # imports what a first step needs, which takes a second
    for number in range(kills):
        child = os.fork()
        if child == 0:
            train(folder)
            os._exit(0)
        while not is_training(folder, child):
            time.sleep(0.0005)
        if number % 2:
            wait_for_writes(folder / "checkpoints", source.randint(1, WRITES))
            time.sleep(LONGEST_WRITE_S * source.random())
        else:
            time.sleep(LONGEST_S * source.random())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(max((path.name for path in folder.glob("checkpoints/step-????????")), default="none"))
        if RunFolder.view(folder).status()["state"] == "finished":
            return


def wait_for_writes(folder: Path, number: int) -> None:
    """Until so many things more have been begun, or for a second."""
    end, seen = time.monotonic() + 1, set(folder.glob(f"{TEMPORARY_PREFIX}*"))
    while number > 0 and time.monotonic() < end:
        new = set(folder.glob(f"{TEMPORARY_PREFIX}*")) - seen
        seen |= new
        number -= len(new)
        time.sleep(0.0005)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
