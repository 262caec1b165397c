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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands._train_options import TrainOptions, resolve_options
from textssl.errors import UsageError
from textssl.run_folder import RunFolder
from textssl.training.notes import TrainSummary

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.objectives.base import Prepared, Setting, Start
    from textssl.training.task import Task

MAX_DEFAULT_THREADS = 16
THREE_VALUED = ("lowercase",)
"""Options that can be switched off on the command line; the other switches are off where they are not given."""
TRAIN_OPTIONS = TrainOptions


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
        return {
            "run": str(self.run) if self.run else None,
            "objective": self.objective,
            "notes": list(self.notes),
            "summary": asdict(self.summary) if self.summary else None,
        }


def train(
    objective: str,
    corpus: str | Path | Iterable[str] | Iterable[Sequence[str]],
    *,
    out: str | Path | None = None,
    **given: Any,
) -> TrainResult:
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
    options, config = resolve_options(objective, method, given)
    if out is None and not options.dry_run:
        raise UsageError("the run needs a folder", hint=f"Give --out, for instance --out runs/{objective}.")
    asked = {"objective": objective, **asdict(config), **options.that_matter()}
    if out is not None:
        RunFolder.refuse_early(Path(out), asked)
    source = _source(corpus, options)
    prepared = method().prepare(source, config, _setting(options))
    notes = [*_skipped(source), *prepared.describe()]
    for line in notes:
        _note_to_screen(line)
    if out is None or options.dry_run:
        return TrainResult(None, objective, None, tuple(notes))
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
    trainer = Trainer(
        task, run, config=options, progress=make_progress(), export=lambda: prepared.save(run.model, task.state())
    )
    return trainer.run()


def _task(prepared: Prepared, options: TrainOptions) -> Task:
    engine = prepared.blocks()
    if engine is not None:
        from textssl.training.kernel_task import KernelTask

        return KernelTask(
            engine,
            unit=prepared.unit,
            num_epochs=prepared.num_epochs,
            learning_rate=prepared.learning_rate,
            seed=options.seed,
        )
    from textssl.training.gradient_task import GradientTask
    from textssl.training.sparse_sgd import SparseSgd

    objective, model, max_visits = prepared.gradients()
    optimizer = SparseSgd(model.parameters(), learning_rate=prepared.learning_rate, max_visits=max_visits)
    return GradientTask(objective, model, optimizer, learning_rate=prepared.learning_rate, device=options.device)


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
    kind, _, number = device.partition(":")
    if kind not in ("cuda", "mps") or (number and not number.isdecimal()):
        raise UsageError(f"device must be cpu, cuda, cuda:N or mps, got {device!r}")
    try:
        import torch
    except ImportError as error:
        raise UsageError(f"the device {device} needs torch", hint='Install it: pip install "textssl[torch]"') from error
    count = torch.cuda.device_count() if kind == "cuda" else int(torch.backends.mps.is_available())
    if int(number or 0) >= count:
        raise UsageError(f"this machine has no {device} that torch can use", hint="Give --device cpu.")
    return device


def _start(path: Path) -> Start:
    """The vectors of a folder or file, and of a run also its options and the tables of its newest checkpoint."""
    from textssl.commands.base import open_vectors
    from textssl.objectives.base import Start
    from textssl.training.checkpoint import load_newest

    vectors = open_vectors(path)
    if not RunFolder.is_run(path):
        return Start(vectors, None, {}, str(path))
    run = RunFolder.view(path)
    checkpoint = load_newest(run.checkpoints, warn=_note_to_screen)
    return Start(vectors, checkpoint.arrays if checkpoint else None, run.config(), str(path))


def _command(objective: str, corpus: Any, out: str | Path, given: Mapping[str, Any]) -> list[str]:
    """The command line that does the same, for command.txt; DOCUMENTS stands for what came from Python."""
    name_of_corpus = str(corpus) if isinstance(corpus, str | Path) else "DOCUMENTS"
    words = ["textssl", "train", objective, name_of_corpus, "--out", str(out)]
    for name, value in given.items():
        flag = name.strip("_").replace("_", "-")
        if isinstance(value, bool):
            words += [f"--{flag}"] if value else [f"--no-{flag}"] if name in THREE_VALUED else []
        elif value is not None:
            words += [f"--{flag}", str(value)]
    return words


def _skipped(source: Any) -> list[str]:
    report = source.report() if hasattr(source, "report") else {}
    return [f"{number:,} {what} skipped or mended" for what, number in report.items()]


def _note_to_screen(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
