"""One of several processes that train the small network together: python -m tests.training.two_ranks FOLDER

Started with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT as torchrun sets them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from tests.training.small_network import PLAIN, SmallNetwork, SmallObjective, small_task, train_network
from textssl.errors import TextsslError
from textssl.objectives.base import GradientParts
from textssl.training.distributed import join_ranks, leave_ranks
from textssl.training.gradient_task import GradientTask

AUTO = replace(PLAIN, num_parts="auto")


class Stopping(SmallObjective):
    """The second process gets a signal while it makes the batch of step 5."""

    def batch(self, step, part, num_parts):
        if (step, part) == (5, 1):
            os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(step, part, num_parts)


class Diverging(SmallObjective):
    """In step 3 the part of the second process has a loss that is no number."""

    def batch(self, step, part, num_parts):
        batch = super().batch(step, part, num_parts)
        return replace(batch, note="bad") if (step, part) == (3, 1) else batch

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        return replace(loss, total=loss.total * float("nan")) if batch.note == "bad" else loss


class Narrow(SmallObjective):
    """Only the second process has too little memory for more than three rows."""

    def loss(self, model, batch):
        if len(batch.ids_BT) > 3 and os.environ["RANK"] == "1":
            raise MemoryError
        return super().loss(model, batch)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    ranks, device = join_ranks("cpu")
    options = {"device": device, "ranks": ranks, "dropout": 0.2, "loader_threads": 0}
    found = {"rank": ranks.rank, "leads": ranks.leads, "largest": ranks.largest([ranks.rank, 3 - ranks.rank])}
    codes = {}
    for name, objective in (("stopped", Stopping()), ("diverged", Diverging())):
        try:
            train_network(folder / name, small_task(objective=objective, **options), ranks=ranks)
        except TextsslError as error:
            codes[name] = error.exit_code
    narrow = small_task(AUTO, objective=Narrow(), **options)
    narrow.step(0)
    model = SmallNetwork(dropout=0.2)
    with torch.no_grad():
        model.norm.bias += ranks.rank  # of no effect: all take those of the process that leads
    task = GradientTask(GradientParts(SmallObjective(), model, PLAIN), device=device, ranks=ranks)
    summary = train_network(folder / "whole", task, ranks=ranks, max_minutes=1.0)
    found |= {"codes": codes, "num_parts": narrow.num_parts, "steps": summary.steps, "scores": summary.scores}
    leave_ranks()
    (folder / f"rank{found['rank']}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
