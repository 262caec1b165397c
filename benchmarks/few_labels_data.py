"""What `few_labels` learns from: tables of AG News and SST-2, their text without labels, and an untrained network.

AG News: 20,000 rows of the official training set, balanced, of which 2,000 are the dev set; the official test set.
SST-2: phrases of GLUE's training set, of which 2,000 are the dev set; GLUE's dev set is the test.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CONTESTANTS = {
    "pretrained": "pre-trained, fine-tuned",
    "untrained": "the same network untrained, fine-tuned",
    "probe": "pre-trained and frozen, last layer trained",
}
DEV_ROWS = 2_000
DEV_SEED = 0
Row = tuple[str, str]
"""Text and label."""


@dataclass(frozen=True)
class Task:
    """A data set.

    Args:
        title: for people.
        train, test: its files below the data folder.
        text, label: columns.
        test_text: columns of the test file, where they differ.
        test_has_header: whether the test file names its columns; else they are those of the training file.
        sizes: numbers of labels to learn from.
        num_seeds: how often.
    """

    title: str
    train: str
    test: str
    text: tuple[str, ...]
    label: str
    test_text: tuple[str, ...]
    test_has_header: bool
    sizes: tuple[int, ...]
    num_seeds: int


TASKS = {
    "agnews": Task(
        "AG News", "agnews/train_subset_20k.csv.xz", "agnews/test.csv.xz", ("title", "description"), "class_index",
        ("title", "description"), False, (200, 2_000, 18_000), 5,
    ),
    "sst2": Task(
        "SST-2", "sst2/train.tsv.xz", "sst2/dev.tsv.xz", ("sentence",), "label", ("content",), True,
        (200, 2_000, 20_000), 10,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """Where the tables of a task lie: CSV with the columns text and label."""

    train: Path
    dev: Path
    test: Path


def write_tables(task: str, data: Path, work: Path, *, num_dev: int = DEV_ROWS, num_tests: int | None = None) -> Tables:
    """Write the tables of a task; the dev set is the same at every call.

    Args:
        task: name in `TASKS`.
        data: folder with the data sets.
        work: folder to write to.
        num_dev: training rows that are the dev set.
        num_tests: rows of the test that are taken, the first ones; None for all.
    """
    from textssl.evaluators.classification import draw

    rows = training_rows(TASKS[task], data)
    is_dev = np.zeros(len(rows), dtype=bool)
    is_dev[draw(np.array([label for _, label in rows]), num_dev, DEV_SEED)] = True
    tables = Tables(*(work / f"{task}-{name}.csv" for name in ("train", "dev", "test")))
    _write(tables.train, [row for row, kept in zip(rows, is_dev, strict=True) if not kept])
    _write(tables.dev, [row for row, kept in zip(rows, is_dev, strict=True) if kept])
    _write(tables.test, _test_rows(TASKS[task], data)[:num_tests])
    return tables


def write_unlabelled(target: Path, data: Path, wiki: Path | None, num_articles: int) -> int:
    """Write what is pre-trained on: all training texts of both tasks, and some articles, as JSONL.

    Args:
        target: the file.
        data: folder with the data sets.
        wiki: a corpus that textssl reads, or None.
        num_articles: of it.

    Returns:
        The number of texts.
    """
    count = 0
    with target.open("w", encoding="utf-8") as file:
        for text in _unlabelled(data, wiki, num_articles):
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            count += 1
    return count


def save_untrained(model: Path, target: Path) -> None:
    """Write the network of a run with the weights of a new one, once."""
    from textssl.finetuning.embedding import open_text_model
    from textssl.models.base import initialise, small_deviation
    from textssl.models.base_folder import save_model

    opened = open_text_model(model)
    config = opened.model.config
    initialise(opened.model, seed=1, num_layers=config.layers, deviation=small_deviation(config.width))
    save_model(target, opened.model, opened.tokenizer, replace=True)


def pretraining_of(model: Path) -> dict[str, Any] | None:
    """How much a run was trained and what it reached; None for a model folder."""
    status = model / "STATUS"
    if not status.exists():
        return None
    summary = json.loads(status.read_text(encoding="utf-8"))["summary"]
    return {name: summary[name] for name in ("steps", "units", "elapsed_s", "scores")}


def training_rows(task: Task, data: Path) -> list[Row]:
    """All rows of the training file."""
    return _rows(data / task.train, task.text, task.label)


def _test_rows(task: Task, data: Path) -> list[Row]:
    names = () if task.test_has_header else (task.label, *task.text)
    return _rows(data / task.test, task.test_text, task.label, names=names)


def _rows(path: Path, text: tuple[str, ...], label: str, *, names: tuple[str, ...] = ()) -> list[Row]:
    from corpora.rows import TableOptions, load_rows

    options = TableOptions(header=not names, names=names)
    found = load_rows(path, columns=[*text, label], options=options)
    return [(_clean(" ".join(map(str, row.cells[:-1]))), str(row.cells[-1])) for row in found]


def _clean(text: str) -> str:
    """AG News has a backslash where there was a line end."""
    return " ".join(text.replace("\\", " ").split())


def _unlabelled(data: Path, wiki: Path | None, num_articles: int) -> Iterator[str]:
    import corpora

    for task in TASKS.values():
        yield from (text for text, _ in training_rows(task, data))
    if wiki is not None:
        yield from corpora.load(wiki, limit=num_articles)


def _write(target: Path, rows: list[Row]) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["text", "label"])
        table.writerows(rows)
