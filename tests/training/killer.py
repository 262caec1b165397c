"""Trains the small task in children that are killed at random times: python -m tests.training.killer FOLDER KILLS SEED

A program of its own, since only a process without threads may fork. Prints the newest checkpoint after every kill.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import safetensors.numpy  # noqa: F401  (imported before forking, so that the kill falls into training)

from tests.training.small_task import SmallTask, train
from textssl.run_folder import RunFolder

NUM_STEPS = 60


def main(folder: Path, kills: int, seed: int) -> None:
    """Start and kill; stop when a child has come to the end."""
    source = random.Random(seed)
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            train(folder, SmallTask(num_steps=NUM_STEPS, pause_s=0.001), checkpoint_every="2steps")
            os._exit(0)
        while not is_training(folder, child):
            time.sleep(0.001)
        time.sleep(0.15 * source.random())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(max((path.name for path in folder.glob("checkpoints/step-*")), default="none"))
        if RunFolder.view(folder).status()["state"] == "finished":
            return


def is_training(folder: Path, child: int) -> bool:
    """Whether the status names the child, which writes it when it has restored its state."""
    return (folder / "STATUS").exists() and RunFolder.view(folder).status().get("process") == child


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
