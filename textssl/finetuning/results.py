"""What a fine-tuning found: the scores of its seeds beside the baselines; results.json and pictures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textssl.disk import reading
from textssl.errors import DataError
from textssl.evaluators.base import CLASS_COLUMNS
from textssl.finetuning.labels import Task
from textssl.report import Table, write_report
from textssl.run_folder import RunFolder
from textssl.storage import commit_file

RESULTS, CONFUSION, LEARNING = "results.json", "confusion.png", "learning.png"


@dataclass(frozen=True)
class Score:
    """Mean of a score over seeds, and its standard deviation (of a sample; 0 for one seed)."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Method:
    """A method and its scores.

    Args:
        name: what was trained.
        scores: by name, the one that counts first.
    """

    name: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class SeedRow:
    """One training.

    Args:
        seed: its seed.
        epochs: made, with fraction.
        kept_epoch: of the state that is kept.
        elapsed_s: time of training, all sessions.
        units_per_s: tokens or images read while training, evaluations within the time.
        dev, test: scores by name; empty where there is no such set.
    """

    seed: int
    epochs: float
    kept_epoch: float
    elapsed_s: float
    units_per_s: float
    dev: Mapping[str, float]
    test: Mapping[str, float]


@dataclass(frozen=True)
class FinetuneResult:
    """What a fine-tuning found.

    Args:
        run: the folder; its model/ is the classifier of the best seed.
        task: what the labels are.
        names: of the outputs.
        primary: the score that counts.
        scored_on: "test", or "dev" where there is no test set, or "" where there is neither.
        num_examples: by set; of the training set what each seed learns from.
        methods: the model first, then the baselines.
        seeds: one row for each.
        best_seed: whose model is kept: the best on the dev set, the first among equals.
        classes: name, precision, recall, F1 and number of examples of each class, by the best seed.
        notes: what a reader of the numbers should know.
        example, unit: what is labelled and what is read, in the plural.
    """

    run: Path
    task: Task
    names: tuple[str, ...]
    primary: str
    scored_on: str
    num_examples: Mapping[str, int]
    methods: tuple[Method, ...]
    seeds: tuple[SeedRow, ...]
    best_seed: int
    classes: tuple[tuple[str, float, float, float, int], ...]
    notes: tuple[str, ...]
    example: str = "texts"
    unit: str = "tokens"

    def as_dict(self) -> dict[str, Any]:
        """For --json and results.json."""
        classes = [dict(zip(CLASS_COLUMNS, each, strict=True)) for each in self.classes]
        return {**dataclasses.asdict(self), "run": str(self.run), "classes": classes}

    def save(self) -> None:
        """Write results.json into the run folder."""
        commit_file(self.run / RESULTS, json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, run: Path) -> FinetuneResult:
        """Read results.json of a run folder.

        Raises:
            DataError: it is damaged.
        """
        file = run / RESULTS
        with reading(file):
            content = file.read_bytes()
        try:
            found = json.loads(content)
            methods = tuple(
                Method(each["name"], {name: Score(**score) for name, score in each["scores"].items()})
                for each in found["methods"]
            )
            more = {
                "run": run,
                "methods": methods,
                "seeds": tuple(SeedRow(**each) for each in found["seeds"]),
                "classes": tuple(tuple(each[name] for name in CLASS_COLUMNS) for each in found["classes"]),
                "names": tuple(found["names"]),
                "notes": tuple(found["notes"]),
            }
            return cls(**{**found, **more})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                "is damaged", where=str(file), hint="Remove it and run the same command again: it is made anew."
            ) from error


def score_text(score: Score, *, several: bool) -> str:
    """A score for people.

    >>> score_text(Score(0.91234, 0.0021), several=True)
    '0.912 ± 0.002'
    """
    return f"{score.mean:.3f} ± {score.deviation:.3f}" if several else f"{score.mean:.3f}"


def write_pages(result: FinetuneResult, confusion: Any, curves: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
    """Write the pictures and report.html into the run folder.

    Args:
        result: what was found.
        confusion: int64 (C, C) of the best seed, or None where there are no single classes.
        curves: training loss and dev score of each seed, as `draw_learning` takes them.
    """
    from textssl.finetuning.figures import draw_confusion, draw_learning

    name = result.run.name
    if confusion is not None:
        title = f"{name}: what {result.scored_on} {result.example} were taken for"
        commit_file(result.run / CONFUSION, draw_confusion(confusion, result.names, title=title))
    losses, scores = curves
    if losses:
        title = f"fine-tuning of {name}"
        commit_file(result.run / LEARNING, draw_learning(losses, scores, title=title, score=result.primary))
    write_report(result.run, tables=_tables(result), warnings=result.notes)


def curves_of_seeds(runs: Mapping[int, Path], primary: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Training loss and dev score along the epochs, from the metrics of the seeds."""
    losses: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for seed, folder in runs.items():
        records = RunFolder.view(folder).read_metrics()
        trained = [record for record in records if record["kind"] == "train"]
        judged = [record for record in records if record["kind"] == "evaluation"]
        if trained:
            losses[f"seed {seed}"] = _curve(trained, [record["loss_nats"] for record in trained])
        if judged:
            scores[f"seed {seed}"] = _curve(judged, [record["scores"][primary] for record in judged])
    return losses, scores


def _curve(records: Sequence[Mapping[str, Any]], values: list[float]) -> tuple[list[float], list[float]]:
    return [record["epoch"] for record in records], values


def _tables(result: FinetuneResult) -> list[Table]:
    tables = []
    if result.methods and result.methods[0].scores:
        names = list(result.methods[0].scores)
        several = len(result.seeds) > 1
        rows = [
            (method.name, *(score_text(method.scores[name], several=several) for name in names))
            for method in result.methods
        ]
        tables.append(Table(f"Scores on the {result.scored_on} set", ("method", *names), rows))
    if result.classes:
        columns = ("class", "precision", "recall", "F1", result.example)
        tables.append(Table(f"Classes (seed {result.best_seed})", columns, result.classes))
    headings = (
        "seed",
        f"dev {result.primary}",
        f"test {result.primary}",
        "epochs",
        "kept epoch",
        "seconds",
        f"{result.unit}/s",
    )
    rows_of_seeds = [
        (str(row.seed), row.dev.get(result.primary), row.test.get(result.primary), row.epochs, row.kept_epoch,
         row.elapsed_s, row.units_per_s)
        for row in result.seeds
    ]  # fmt: skip
    tables.append(Table("Seeds", headings, rows_of_seeds))
    return tables
