"""A small network of the kinds of parameters that real ones have, and an objective whose parts have unequal counts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from textssl.losses.core import LossTensor, fenchel_young
from textssl.objectives.base import GradientHooks, GradientParts, Optimisation
from textssl.run_folder import RunFolder
from textssl.training.gradient_task import GradientTask
from textssl.training.progress import SilentProgress
from textssl.training.ranks import OneRank, Ranks
from textssl.training.trainer import Insight, Trainer, TrainerConfig, TrainSummary

WORDS, WIDTH, LENGTH = 11, 8, 5


@dataclass(frozen=True)
class Rows:
    """Rows of words and the targets of their positions, -1 where none."""

    ids_BT: Tensor
    targets_BT: Tensor
    note: str = "not a tensor"

    def to(self, device: torch.device | str) -> Self:
        return replace(self, ids_BT=self.ids_BT.to(device), targets_BT=self.targets_BT.to(device))


class SmallNetwork(nn.Module):
    """Embeddings, two layers with dropout, a norm and an output table."""

    def __init__(self, *, dropout: float = 0.0, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.embeddings = nn.Embedding(WORDS, WIDTH, dtype=dtype)
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH, dtype=dtype) for _ in range(2)])
        self.norm = nn.LayerNorm(WIDTH, dtype=dtype)
        self.head = nn.Linear(WIDTH, WORDS, bias=False, dtype=dtype)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            for name, part in self.named_parameters():
                if not name.startswith("norm"):
                    part.copy_(torch.randn(part.shape, generator=generator, dtype=torch.float64) * 0.3)

    def scores(self, ids_BT: Tensor) -> Tensor:
        hidden_BTD = self.embeddings(ids_BT)
        for layer in self.layers:
            hidden_BTD = hidden_BTD + self.dropout(torch.tanh(layer(hidden_BTD)))
        return self.head(self.norm(hidden_BTD))


class SmallObjective(GradientHooks):
    """Predict the next word of made-up rows; most positions of some rows are not scored."""

    unit = "words"
    additive = True
    flops_per_unit: float | None = 1000.0

    def __init__(self, *, num_steps: int = 12, rows: int = 7) -> None:
        self.num_steps, self.rows = num_steps, rows
        self.batches_made: list[tuple[int, int, int]] = []

    def units_before(self, step: int) -> int:
        return step * self.rows * LENGTH

    def epoch(self, step: int) -> float:
        return 2 * step / self.num_steps

    def batch(self, step: int, part: int, num_parts: int) -> Rows:
        self.batches_made.append((step, part, num_parts))
        whole = self._rows(step)
        cut = slice(self.rows * part // num_parts, self.rows * (part + 1) // num_parts)
        return Rows(whole.ids_BT[cut], whole.targets_BT[cut])

    def loss(self, model: SmallNetwork, batch: Rows) -> LossTensor:
        return fenchel_young(model.scores(batch.ids_BT), batch.targets_BT, kind="softmax")

    def evaluation(self) -> Iterator[Rows]:
        return (self._rows(1000 + number) for number in range(3))

    def scores(self, loss: LossTensor) -> dict[str, float]:
        return {"loss_nats": float(loss.mean), "terms": float(loss.count)}

    def _rows(self, step: int) -> Rows:
        source = np.random.default_rng(step)
        ids = source.integers(0, WORDS, (self.rows, LENGTH))
        targets = (ids * 3 + 1) % WORDS
        scored = source.random((self.rows, LENGTH)) < np.linspace(0.05, 1, self.rows)[:, None]
        return Rows(torch.from_numpy(ids), torch.from_numpy(np.where(scored, targets, -1)))


PLAIN = Optimisation("adamw", 0.01, weight_decay=0.1, warmup=0.2, clip_norm=1.0, precision="float32")


def small_task(
    optimisation: Optimisation = PLAIN,
    *,
    objective: SmallObjective | None = None,
    dropout: float = 0.0,
    dtype: torch.dtype = torch.float64,
    **options,
) -> GradientTask:
    model = SmallNetwork(dropout=dropout, dtype=dtype)
    return GradientTask(GradientParts(objective or SmallObjective(), model, optimisation), **options)


def train_steps(task: GradientTask, start: int = 0, stop: int | None = None) -> list[float]:
    """The mean losses of some steps."""
    results = [task.step(index) for index in range(start, task.num_steps if stop is None else stop)]
    assert all(result.applied for result in results)
    return [result.total / result.count for result in results]


def copied(state) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in state.items()}


def assert_same_bits(first, second) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].tobytes() == second[name].tobytes(), name


def train_network(folder: Path, task: GradientTask, *, ranks: Ranks | None = None, **options) -> TrainSummary:
    """Run the task in the folder as the command does; among several ranks, only one of them writes."""
    ranks = ranks or OneRank()
    with contextlib.ExitStack() as stack:
        if ranks.leads:
            opened = RunFolder.open(folder, {"steps": task.num_steps}, ["test"], data={"name": "same"})
            run = stack.enter_context(opened)
        ranks.from_lead(0)
        return Trainer(
            task,
            run if ranks.leads else RunFolder.view(folder),
            config=TrainerConfig(**options),
            evaluate=task.evaluate,
            progress=SilentProgress(),
            insight=Insight(task.utilisation, task.diagnosis),
            ranks=ranks,
        ).run()
