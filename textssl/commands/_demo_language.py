"""The second half of the demonstration: a small masked language model, what it fills in, and fine-tuning on few labels.

The labels are packages of Python's standard library, the texts their docstrings (`corpora.labelled_docs`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands.base import print_table
from textssl.storage import commit_file

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.finetuning.results import FinetuneResult
    from textssl.report import Table

MODEL, UNTRAINED, LABELS, LABELS_UNTRAINED = "lm", "untrained", "packages", "packages-untrained"
"""Folders inside the run's."""
TRAIN_TABLE, TEST_TABLE = "packages-train.csv", "packages-test.csv"
SETTINGS: dict[str, Any] = {
    "layers": 2,
    "width": 128,
    "heads": 4,
    "length": 32,
    "vocabulary_size": 4_096,
    "batch_rows": 32,
    "epochs": 1,
    "max_units": 600_000,
    "optimizer": "muon",
    "learning_rate": 4e-3,
}
"""A fifth of the preset tiny: half a minute is enough to learn which kind of word stands where, seldom which one."""
FINETUNE_SETTINGS: dict[str, Any] = {"dev_share": 0.0, "seeds": 2}
"""No dev set: 180 texts are too few to give some away. Two seeds, since so few texts leave much to chance."""
ASKED = (
    "the capital of [MASK] is paris",
    "[MASK] is the capital of egypt",
    "in sweden people pay with the [MASK]",
    "houston is a city in [MASK]",
    "last week they [MASK] the house",
    "return the [MASK] of the file",
)
NUM_ANSWERS = 3


@dataclass(frozen=True)
class FilledText:
    """A text with [MASK] in it, and the most probable tokens there with their probabilities, best first."""

    text: str
    answers: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class MethodScore:
    """How a method that saw the same labels scores on the test texts, as a mean over seeds; share of right answers."""

    method: str
    accuracy: float
    deviation: float


@dataclass(frozen=True)
class LanguageAnswers:
    """What the language model learnt and what it is good for.

    Args:
        run: folder of the model.
        num_parameters: of it.
        num_tokens: read in training.
        duration_s: of training.
        loss_nats: per hidden token of documents that were held back.
        filled: some texts with answers.
        labels: folder of the fine-tuned model.
        num_train, num_test: labelled texts.
        classes: names of the labels.
        scores: of the fine-tuned model, of the same network untrained, and of simple methods; the best first.
    """

    run: Path
    num_parameters: int
    num_tokens: int
    duration_s: float
    loss_nats: float
    filled: tuple[FilledText, ...]
    labels: Path
    num_train: int
    num_test: int
    classes: tuple[str, ...]
    scores: tuple[MethodScore, ...]


@dataclass(frozen=True)
class TrainedModel:
    """A masked language model and how its training went."""

    run: Path
    num_parameters: int
    num_tokens: int
    duration_s: float
    loss_nats: float


def train_language(run: Path, corpus: str, *, threads: int, seed: int) -> TrainedModel:
    """Train the masked language model, or open the one that is finished.

    Args:
        run: folder of the demonstration.
        corpus: what it reads.
        threads: to train with.
        seed: of every random number.
    """
    from textssl.finetuning.embedding import open_text_model

    train = registry.module("commands", "train").train
    target = run / MODEL
    summary = train("masked_lm", corpus, out=target, threads=threads, seed=seed, device="cpu", **SETTINGS).summary
    size = sum(parameter.numel() for parameter in open_text_model(target).model.parameters())
    return TrainedModel(target, size, summary.units, summary.elapsed_s, summary.scores["loss_nats"])


def fill_texts(model: Path) -> tuple[FilledText, ...]:
    """Ask the model for what is hidden in some sentences."""
    fill = registry.module("commands", "fill").fill
    found = []
    for text in ASKED:
        (answer,) = fill(model, text, topn=NUM_ANSWERS, device="cpu").answers
        found.append(FilledText(text, tuple((each.token, each.probability) for each in answer.masks[0])))
    return tuple(found)


def fine_tune(run: Path, *, seed: int) -> tuple[FinetuneResult, FinetuneResult]:
    """Fine-tune the model and the same network untrained on the same labelled texts, which are left in the run folder.

    Args:
        run: folder of the demonstration, with word vectors and the model.
        seed: of every random number.

    Returns:
        What the model found, then what the untrained network found.
    """
    from corpora.labelled_docs import labelled_docs

    finetune = registry.module("commands", "finetune").finetune
    sets = labelled_docs()
    for name, rows in ((TRAIN_TABLE, sets.train), (TEST_TABLE, sets.test)):
        commit_file(run / name, _as_csv(rows, ("text", "package")))
    _save_untrained(run / MODEL, run / UNTRAINED, seed=seed)
    tables = {"data": run / TRAIN_TABLE, "test": run / TEST_TABLE, "label": "package"}
    shared: dict[str, Any] = {**tables, "seed": seed, "device": "cpu", **FINETUNE_SETTINGS}
    return (
        finetune(run / MODEL, out=run / LABELS, vectors=run, **shared),
        finetune(run / UNTRAINED, out=run / LABELS_UNTRAINED, **shared),
    )


def scores_beside(result: FinetuneResult, untrained: FinetuneResult) -> tuple[MethodScore, ...]:
    """The two networks and the simple methods by their score, the best first."""
    model, *simple = result.methods
    named = [
        ("this model, fine-tuned", model),
        ("the same network untrained, fine-tuned", untrained.methods[0]),
        *((method.name, method) for method in simple),
    ]
    scores = [
        MethodScore(name, method.scores[result.primary].mean, method.scores[result.primary].deviation)
        for name, method in named
    ]
    return tuple(sorted(scores, key=lambda score: -score.accuracy))


def language_answers(
    model: TrainedModel, filled: Sequence[FilledText], results: Sequence[FinetuneResult]
) -> LanguageAnswers:
    """Everything that there is to tell about the model."""
    result, untrained = results
    return LanguageAnswers(
        run=model.run,
        num_parameters=model.num_parameters,
        num_tokens=model.num_tokens,
        duration_s=model.duration_s,
        loss_nats=model.loss_nats,
        filled=tuple(filled),
        labels=result.run,
        num_train=result.num_examples["train"],
        num_test=result.num_examples["test"],
        classes=result.names,
        scores=scores_beside(result, untrained),
    )


def show_language(answers: LanguageAnswers, console: Console) -> None:
    """Print what the model fills in, and what its fine-tuning is worth beside simple methods."""
    console.print(
        f"\nMASKED LANGUAGE MODEL: {answers.num_parameters:,} parameters, {answers.num_tokens:,} tokens read "
        f"in {answers.duration_s:.0f} s, loss {answers.loss_nats:.2f} nats per hidden token."
    )
    console.print("\nFilling in: the most probable tokens at [MASK].")
    console.print("So small a model learns which kind of word stands there, seldom which one.")
    print_table(console, ("", ""), [("  " + each.text, _answers_text(each)) for each in answers.filled])
    console.print(
        f"\nFINE-TUNING on few labels: of which package is a docstring? {len(answers.classes)} packages, "
        f"{answers.num_train:,} labelled texts to learn from, {answers.num_test:,} to test with."
    )
    console.print(
        "Texts that name their package are left out. Vectors and model have read the docstrings before, without labels."
    )
    scores = [(f"  {each.method}", accuracy_text(each)) for each in answers.scores]
    print_table(console, ("  method", "right answers"), scores, right=(1,))


def tables_of_language(answers: LanguageAnswers) -> Sequence[Table]:
    """The same for the report."""
    from textssl.report import Table

    filled = [(each.text, _answers_text(each)) for each in answers.filled]
    scores = [(each.method, accuracy_text(each)) for each in answers.scores]
    return (
        Table("Masked language model: filled in", ("text", "answers"), filled),
        Table(
            f"Packages of docstrings: {answers.num_train} texts to learn from, {answers.num_test} to test with",
            ("method", "right answers"),
            scores,
        ),
    )


def figures_of_language(answers: LanguageAnswers) -> dict[str, bytes]:
    """Loss of the masked language model, and what the fine-tuned one took packages for, by caption."""
    from textssl.figures import draw_curves
    from textssl.finetuning.results import CONFUSION
    from textssl.report import along, curves_of
    from textssl.run_folder import RunFolder

    records = RunFolder.view(answers.run).read_metrics()
    losses = {name: curve for name, curve in curves_of(records).items() if name == "loss_nats"}
    found = {"Fine-tuning: packages of the test texts": (answers.labels / CONFUSION).read_bytes()}
    if losses:
        title = "masked language model: nats per hidden token"
        found = {"Masked language model": draw_curves(losses, title=title, along=along(records)), **found}
    return found


def accuracy_text(score: MethodScore) -> str:
    """A share of right answers in percent, with its deviation over seeds where there is one."""
    spread = f" ± {100 * score.deviation:.1f}" if score.deviation else ""
    return f"{100 * score.accuracy:.1f}{spread} %"


def _answers_text(filled: FilledText) -> str:
    return ", ".join(f"{token} {probability:.2f}" for token, probability in filled.answers)


def _as_csv(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([columns, *rows])
    return written.getvalue()


def _save_untrained(model: Path, target: Path, *, seed: int) -> None:
    """Write the network of a run as it was before its training; only once, since a run beside was started from it."""
    from textssl.finetuning.embedding import open_text_model, untrained
    from textssl.models.base_folder import save_model

    if not target.is_dir():
        fresh = untrained(open_text_model(model), seed=seed)
        save_model(target, fresh.model, fresh.tokenizer)
