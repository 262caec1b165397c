"""Train an objective on a corpus: text file, folder, table, built-in corpus; the same command again resumes.

Examples:
  textssl train skipgram corpus.txt --out runs/news
  textssl train cbow reviews.csv --text-field review --tokenizer words --out runs/reviews
  textssl train skipgram corpus.txt --out runs/subwords --min-n 3 --max-n 6
  textssl train skipgram corpus.txt --out runs/quick --max-minutes 2 --threads 4
  textssl train skipgram corpus.txt --dry-run           what would be done, without doing it
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl import registry
from textssl.config import option, resolve, validate
from textssl.errors import UsageError, did_you_mean
from textssl.run_folder import RunFolder
from textssl.training.budget import TrainerConfig
from textssl.training.notes import TrainSummary

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.objectives.base import Prepared, Setting, Start
    from textssl.training.task import Task

MAX_DEFAULT_THREADS = 16
INPUT_NAMES = ("inputs", "input_table")


@dataclass(frozen=True)
class TrainOptions:
    """What every objective takes beside its own options."""

    from_: Path | None = option(None, "Start from the weights of this run, or from a vector file or folder.")
    preset: str | None = option(None, "A named set of the objective's options (textssl list presets).")
    config: Path | None = option(None, "A TOML file with options of the objective; flags come before it.")
    seed: int = option(1, "Of every random number.", minimum=0)
    threads: int | None = option(None, "Threads of the CPU kernels; by default every processor.", minimum=1)
    device: str = option("cpu", "cpu, or cuda for the engine reference.")
    max_minutes: float | None = option(None, "Stop after this many minutes, restarts added up.", above=0)
    max_steps: int | None = option(None, "Stop after this many updates.", minimum=1)
    checkpoint_every: str = option("60s", "Time or steps between checkpoints: 30s, 5m, 2h or 100steps.")
    keep_checkpoints: int = option(2, "Checkpoints that are kept.", minimum=1)
    cache: Path | None = option(None, "Folder of the token stores; by default that of the user.")
    format: str | None = option(
        None, "Of the corpus: text, jsonl, csv, tsv, parquet, wikiextractor, hub; else found out."
    )
    text_field: str = option("text", "Column or field that holds the text.")
    encoding: str = option("utf-8", "Of text files.")
    on_bad: Literal["error", "skip"] = option("error", "Stop at the first fault of the corpus, or skip and count them.")
    limit: int | None = option(None, "Read this many documents at most.", minimum=1)
    dry_run: bool = option(False, "Read the corpus and say what would be trained, without training.")

    def __post_init__(self) -> None:
        validate(self)


TRAIN_OPTIONS = TrainOptions
_ONLY_HOW = {"threads", "max_minutes", "max_steps", "checkpoint_every", "keep_checkpoints", "cache", "dry_run", "config", "preset"}  # fmt: skip
"""Options that do not change what is learnt; a resumed run may have others."""


@dataclass(frozen=True)
class TrainResult:
    """What was trained, and where it lies.

    Args:
        run: the run folder; None after a dry run.
        objective: its name.
        summary: how it went; None after a dry run.
        notes: what was read and trained, as lines.
    """

    run: Path | None
    objective: str
    summary: TrainSummary | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        summary = asdict(self.summary) if self.summary else None
        return {"run": str(self.run) if self.run else None, "objective": self.objective, "notes": list(self.notes), "summary": summary}  # fmt: skip


def train(
    objective: str, corpus: str | Path | Iterable[str] | Iterable[Sequence[str]], *, out: str | Path | None = None, **given: Any
) -> TrainResult:  # fmt: skip
    """Train an objective on a corpus.

    Args:
        objective: its name (textssl list objectives).
        corpus: a file, a folder, the name of a built-in corpus, or "hub:owner/name"; from Python also a list (or any
            object that can be read more than once) of texts or of lists of tokens.
        out: run folder; made when missing, gone on with when unfinished.
        given: options of the objective and of TrainOptions, by name.

    Returns:
        The run and how it went; for a finished run what it gave before.

    Raises:
        UsageError: an option is unknown or out of range, or `out` holds another run.
        DataError: the corpus has nothing to learn from.
        ResourceError: the disk is full or not writable.
        DivergedError: the loss is not finite.
        Interrupted: by a signal, after a checkpoint was saved.
    """
    method = registry.load("objectives", objective)
    options, config = _options(objective, method, given)
    if out is None and not options.dry_run:
        raise UsageError("the run needs a folder", hint=f"Give --out, for instance --out runs/{objective}.")
    note = _note_to_screen
    source = _source(corpus, options)
    prepared = method().prepare(source, config, _setting(options))
    notes = [*_skipped(source), *prepared.describe()]
    for line in notes:
        note(line)
    if out is None or options.dry_run:
        return TrainResult(None, objective, None, tuple(notes))
    asked = {"objective": objective, **asdict(config), **_what(options)}
    data = {"corpus": source.name, **prepared.data()}
    with RunFolder.open(Path(out), asked, _command(objective, corpus, out, given), data=data) as run:
        summary = _run(prepared, run, options)
    return TrainResult(Path(out), objective, summary, tuple(notes))


def show(result: TrainResult, console: Console) -> None:
    """Print where the run lies, how it went, and what to type next."""
    from textssl.commands.base import duration_text

    if result.summary is None:
        for line in result.notes:
            console.print(line)
        console.print("nothing was trained (--dry-run)")
        return
    summary = result.summary
    console.print(f"{result.run}: {summary.units:,} {summary.unit} in {duration_text(summary.elapsed_s)}, "
                  f"{summary.units_per_s:,.0f} {summary.unit}/s")  # fmt: skip
    losses = "  ".join(f"{loss:.4f}" for loss in summary.epoch_losses)
    console.print(f"loss per epoch (nats per pair): {losses or f'{summary.loss_nats:.4f}'}")
    console.print(f'next: textssl query {result.run} WORD    textssl query {result.run} "paris - france + italy"')


def _run(prepared: Prepared, run: RunFolder, options: TrainOptions) -> TrainSummary:
    from textssl.training.progress import make_progress
    from textssl.training.trainer import Trainer

    if run.status()["state"] == "finished":
        _note_to_screen(f"{run.path} is finished already; its result again:")
        return TrainSummary.from_json(run.status()["summary"])
    task = _task(prepared, options)
    names = {field.name for field in fields(TrainerConfig)}
    config = TrainerConfig(**{name: value for name, value in asdict(options).items() if name in names})
    trainer = Trainer(
        task, run, config=config, progress=make_progress(), export=lambda: prepared.save(run.model, task.state())
    )
    return trainer.run()


def _task(prepared: Prepared, options: TrainOptions) -> Task:
    engine = prepared.blocks()
    if engine is not None:
        from textssl.training.kernel_task import KernelTask

        return KernelTask(
            engine, unit=prepared.unit, num_epochs=prepared.num_epochs, learning_rate=prepared.learning_rate, seed=options.seed
        )  # fmt: skip
    from textssl.training.gradient_task import GradientTask
    from textssl.training.sparse_sgd import SparseSgd

    objective, model, max_visits = prepared.gradients()
    optimizer = SparseSgd(model.parameters(), learning_rate=prepared.learning_rate, max_visits=max_visits)
    return GradientTask(objective, model, optimizer, learning_rate=prepared.learning_rate, device=options.device)


def _options(objective: str, method: Any, given: Mapping[str, Any]) -> tuple[TrainOptions, Any]:
    """The options of the trainer and of the objective: defaults < preset < file < given."""
    common = {field.name for field in fields(TrainOptions)}
    own = {field.name for field in fields(method.Config)}
    for name in given:
        if name not in common | own:
            raise UsageError(
                f"{name} is no option of {objective}",
                hint=did_you_mean(name, sorted(common | own)) or f"See textssl train {objective} --help.",
            )
    options, _ = resolve(TrainOptions, {name: value for name, value in given.items() if name in common})
    preset = None
    if options.preset is not None:
        if options.preset not in method.PRESETS:
            known = ", ".join(method.PRESETS) or "none"
            raise UsageError(f"{objective} has no preset {options.preset!r}", hint=f"Its presets: {known}.")
        preset = method.PRESETS[options.preset]
    rest = {name: value for name, value in given.items() if name in own - common}
    config, _ = resolve(method.Config, rest, file=options.config, preset=preset)
    return options, config


def _what(options: TrainOptions) -> dict[str, Any]:
    """The options that decide what is learnt, for config.toml."""
    return {name.strip("_"): value for name, value in asdict(options).items() if name not in _ONLY_HOW}


def _source(corpus: Any, options: TrainOptions) -> Any:
    if not isinstance(corpus, str | Path):
        from textssl.text.sources import from_iterable

        return from_iterable(corpus)
    import corpora

    return corpora.load(
        corpus,
        format=options.format,  # type: ignore[arg-type]  # corpora checks the name and says which there are
        text_field=options.text_field,
        encoding=options.encoding,
        on_bad=options.on_bad,
        limit=options.limit,
    )


def _setting(options: TrainOptions) -> Setting:
    from textssl.objectives.base import Setting

    threads = options.threads or min(len(os.sched_getaffinity(0)), MAX_DEFAULT_THREADS)
    start = _start(options.from_) if options.from_ else None
    return Setting(options.seed, threads, _checked_device(options.device), options.cache, start)


def _checked_device(device: str) -> str:
    """The device, if this machine has it; torch is asked only about other devices than the CPU."""
    if device == "cpu":
        return device
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"the device {device} needs torch", hint='Install it: pip install "textssl[torch]"') from error
    kind = device.partition(":")[0]
    if kind not in ("cuda", "mps"):
        raise UsageError(f"device must be cpu, cuda, cuda:N or mps, got {device!r}")
    present = torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()
    if not present:
        raise UsageError(f"this machine has no {device} that torch can use", hint="Give --device cpu.")
    return device


def _start(path: Path) -> Start:
    """The tables of a run's newest checkpoint, or the vectors of a folder or file."""
    import numpy as np

    from textssl.commands.base import open_vectors
    from textssl.objectives.base import Start
    from textssl.training.checkpoint import load_newest

    vectors = open_vectors(path)
    words = list(vectors.words)
    checkpoint = load_newest(path / "checkpoints", warn=_note_to_screen) if RunFolder.is_run(path) else None
    if checkpoint is not None:
        inputs = next(checkpoint.arrays[name] for name in INPUT_NAMES if name in checkpoint.arrays)
        outputs = next(checkpoint.arrays[name] for name in ("outputs", "output_table") if name in checkpoint.arrays)
        return Start(
            words, {"inputs": np.asarray(inputs, np.float32), "outputs": np.asarray(outputs, np.float32)}, str(path)
        )
    tables = {"inputs": np.asarray(vectors.vectors)}
    if vectors.context is not None:
        tables["outputs"] = np.asarray(vectors.context)
    return Start(words, tables, str(path))


def _command(objective: str, corpus: Any, out: str | Path, given: Mapping[str, Any]) -> list[str]:
    """The command line that would do the same, for command.txt."""
    words = [
        "textssl",
        "train",
        objective,
        str(corpus) if isinstance(corpus, str | Path) else "DOCUMENTS",
        "--out",
        str(out),
    ]
    for name, value in given.items():
        flag = "--" + name.strip("_").replace("_", "-")
        words += [flag] if value is True else [flag, str(value)]
    return words


def _skipped(source: Any) -> list[str]:
    report = source.report() if hasattr(source, "report") else {}
    return [f"{number:,} {what} skipped or mended" for what, number in report.items()]


def _note_to_screen(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
