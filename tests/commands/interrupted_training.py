"""Runs the command line in children that are ended by a signal at random times, until one comes to its end.

python -m tests.commands.interrupted_training SIGNAL TIMES SEED OUT WORD ...

The words are a command line of `textssl`. A program of its own, since only a process without threads may fork; forking
spares every child the imports. Prints the exit code of every child and its newest checkpoint.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import textssl.commands.train
import textssl.kernels.engine_cpu
import textssl.objectives.skipgram
import textssl.text.counting
import textssl.text.encoding
import textssl.text.selection
import textssl.training.kernel_task
import textssl.training.trainer  # noqa: F401  (imported before forking, so that the signal falls into training)
from textssl.cli import main
from textssl.run_folder import RunFolder

LONGEST_S = 0.25


def run(number: signal.Signals, times: int, seed: int, out: Path, words: list[str]) -> None:
    """Start and interrupt, at most so many times; the last child is left alone."""
    source = random.Random(seed)
    for signals_left in range(times, -1, -1):
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            os._exit(main(words))
        if signals_left:
            interrupt(child, number, out, LONGEST_S * source.random())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, max((path.name for path in out.glob("checkpoints/step-????????")), default="none"), flush=True)
        if code == 0:
            return


def interrupt(child: int, number: signal.Signals, out: Path, after_s: float) -> None:
    """Send the signal some time after the child has begun to train, unless it has ended before."""
    while not is_training(out, child):
        if has_ended(child):
            return
        time.sleep(0.001)
    time.sleep(after_s)
    os.kill(child, number)  # a child that has ended takes no notice; its number is its own until it is waited for


def has_ended(child: int) -> bool:
    """Whether the child is done; its exit code can still be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def is_training(out: Path, child: int) -> bool:
    """Whether the status names the child, which writes it when it has restored its state."""
    return (out / "STATUS").exists() and RunFolder.view(out).status().get("process") == child


if __name__ == "__main__":
    run(signal.Signals[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
