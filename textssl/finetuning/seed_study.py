"""What the seeds of a fine-tuning share, of texts or of images: sets, the rows of each seed, the network untrained.

.../untrained/       inside a seed's run: the same network untrained, trained on the same examples
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from textssl.finetuning.examples import drawn
from textssl.finetuning.labels import Labels
from textssl.finetuning.metrics import spread
from textssl.finetuning.options import FinetuneOptions
from textssl.finetuning.results import Method, Score
from textssl.run_folder import RunFolder
from textssl.training.notes import TrainSummary
from textssl.training.progress import Progress

UNTRAINED = "untrained"
"""Folder, inside that of a seed, with the run of the same network untrained."""
SourceT = TypeVar("SourceT")


class Rows(Protocol):
    """N labelled texts or images."""

    def __len__(self) -> int:
        """N."""

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Those with these numbers, in this order."""


RowsT = TypeVar("RowsT", bound=Rows)


@dataclass(frozen=True)
class Sets(Generic[RowsT]):
    """The labelled texts or images of a run, split.

    Args:
        train: what is learnt from.
        dev: what decides when to stop, or None.
        test: what is never looked at before the end, or None.
    """

    train: RowsT
    dev: RowsT | None
    test: RowsT | None

    def named(self) -> dict[str, RowsT]:
        """Those there are, by name."""
        every = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: rows for name, rows in every.items() if rows is not None}


@dataclass(frozen=True)
class SeedResult:
    """A classifier of one seed and what it scores.

    Args:
        seed: of order, initialisation, dropout and the draw of training rows.
        folder: the run.
        num_examples: it learnt from.
        summary: how training went.
        dev_scores: of the state that is kept; None without a dev set.
        test_scores: None without a test set.
        decided: what it says of the rows of dev and test, by the name of the set.
    """

    seed: int
    folder: Path
    num_examples: int
    summary: TrainSummary
    dev_scores: dict[str, float] | None
    test_scores: dict[str, float] | None
    decided: dict[str, NDArray[Any]]


class SeedStudy(ABC, Generic[SourceT, RowsT]):
    """The training and scoring of seeds, and what they are held against.

    Args:
        source: the pre-trained network.
        sets: what is labelled.
        labels: their meaning.
        targets: of each set there is, by name.
        options: how to train.
        make_progress: shows how the training of the untrained network goes.
        note: takes lines for people.

    Raises:
        UsageError: the limit of the training rows is out of its range.
    """

    example: ClassVar[Literal["texts", "images"]]
    unit: ClassVar[str]

    def __init__(
        self,
        source: SourceT,
        sets: Sets[RowsT],
        labels: Labels,
        targets: Mapping[str, NDArray[Any]],
        options: FinetuneOptions,
        *,
        make_progress: Callable[[], Progress],
        note: Callable[[str], None],
    ) -> None:
        self.source, self.sets, self.labels, self.targets, self.options = source, sets, labels, targets, options
        self._rows = {seed: self._drawn(seed) for seed in options.seed_numbers()}
        rows = np.unique(np.concatenate(list(self._rows.values())))
        self.learnt_from = dataclasses.replace(sets, train=sets.train.take(rows))
        """The sets, the first without the rows from which no seed learns."""
        self._make_progress, self._note = make_progress, note
        self._untrained: list[SeedResult] = []

    @property
    def num_examples(self) -> dict[str, int]:
        """By the name of each set there is: train, dev, test."""
        return {name: len(each) for name, each in self.sets.named().items()}

    def train(self, seed: int, run: RunFolder, progress: Progress) -> SeedResult:
        """Train the network, then the same one untrained where asked for; or go on; or take what is finished."""
        result = self._trained(self.source, seed, run, progress)
        if self.options.has_untrained(self.example):
            self._note(f"the same network untrained, on the same {self.example}:")
            config = {**run.config(), "start": UNTRAINED}
            with RunFolder.open(run.path / UNTRAINED, config, ["textssl", "finetune"], data=run.data()) as folder:
                self._untrained.append(self._trained(self._fresh(seed), seed, folder, self._make_progress()))
        return result

    def methods(self, found: Sequence[SeedResult], scored_on: str) -> Iterator[Method]:
        """The network and what it is held against; `scored_on` is "test", "dev" or "" for neither."""
        full, beside = self.options.method == "full", "the same network untrained"
        name = self._name()
        yield Method(f"fine-tuned {name}" if full else f"probe of {name}", spread_of(found, scored_on))
        if self._untrained:
            name = f"{beside}, fine-tuned" if full else f"probe of {beside}"
            yield Method(name, spread_of(self._untrained, scored_on))
        by_name: dict[str, list[Mapping[str, float]]] = {}
        same_rows = self.options.train_limit is None
        for seed in self.options.seed_numbers()[: 1 if same_rows else None] if scored_on else ():
            for simple, scores in self._simple(seed, scored_on):
                by_name.setdefault(simple, []).append(scores)
        for simple, runs in by_name.items():
            yield Method(simple, spread_scores(runs))

    def training_rows(self, seed: int) -> RowsT:
        """What a seed learns from: all rows, or those that it draws."""
        return self.sets.train.take(self._rows[seed])

    @abstractmethod
    def _name(self) -> str:
        """Of the network, for people."""

    @abstractmethod
    def _fresh(self, seed: int) -> SourceT:
        """The same network untrained."""

    @abstractmethod
    def _trained(self, source: SourceT, seed: int, run: RunFolder, progress: Progress) -> SeedResult:
        """Train, or go on, or take the classifier that is finished; then score it."""

    @abstractmethod
    def _simple(self, seed: int, scored_on: str) -> Iterable[tuple[str, Mapping[str, float]]]:
        """Simple methods, fitted on the rows of a seed, with their scores."""

    def _drawn(self, seed: int) -> NDArray[np.int64]:
        num_rows, limit = len(self.sets.train), self.options.train_limit
        if limit is None:
            return np.arange(num_rows, dtype=np.int64)
        classes = self.targets["train"] if self.labels.task == "single_label" else None
        return drawn(num_rows, size=limit, classes=classes, seed=seed, what=self.example)


def spread_of(found: Sequence[SeedResult], scored_on: str) -> dict[str, Score]:
    """The scores of seeds on a set, with their spread; empty where there is no such set."""
    runs = [each.test_scores if scored_on == "test" else each.dev_scores for each in found]
    return spread_scores([scores for scores in runs if scores is not None])


def spread_scores(runs: Sequence[Mapping[str, float]]) -> dict[str, Score]:
    """Scores with mean and deviation over runs."""
    return {name: Score(*pair) for name, pair in spread(runs).items()} if runs else {}
