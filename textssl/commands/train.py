"""Train an objective on a corpus: text, table, images, built-in corpus; the same command again resumes.

Examples:
  textssl train skipgram corpus.txt --out runs/news
  textssl train cbow reviews.csv --text-field review --tokenizer words --out runs/reviews
  textssl train skipgram corpus.txt --out runs/subwords --min-n 3 --max-n 6
  textssl train skipgram corpus.txt --out runs/quick --max-minutes 2 --threads 4
  textssl train masked_lm corpus.txt --out runs/lm --preset tiny --patience 3
  textssl train simclr images/ --out runs/views --encoder resnet --device cuda
  textssl train simclr digits --out runs/digits --epochs 30
  torchrun --nproc-per-node 8 -m textssl train masked_lm corpus.txt --out runs/lm     on eight GPUs
  textssl train skipgram corpus.txt --dry-run           what would be done, without doing it

The line of progress ends, for networks, with "% of peak": the operations that
the model needs, as a share of the most that this device does in the same time.
The rest goes to making batches, to copying, and to products of small matrices.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands._sources import FOR_TEXT, opened_source, what_was_mended
from textssl.commands._train_options import TrainOptions, resolve_options
from textssl.commands.base import duration_text, existing, gives_own_errors, next_commands, open_vectors, printable
from textssl.errors import UsageError
from textssl.run_folder import RunFolder
from textssl.training.lines import losses_text
from textssl.training.notes import TrainSummary
from textssl.training.ranks import OneRank, Ranks

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.objectives.base import Prepared, Setting, Start
    from textssl.training.gradient_task import GradientTask
    from textssl.training.kernel_task import KernelTask

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


@gives_own_errors
def train(
    objective: str,
    corpus: str | Path | Iterable[str] | Iterable[Sequence[str]] | Any,
    *,
    out: str | Path | None = None,
    **given: Any,
) -> TrainResult:
    """Train an objective on a corpus.

    Args:
        objective: its name (textssl list objectives).
        corpus: a file, a folder, the name of a built-in corpus, or "hub:owner/name"; from Python also a list (or any
            object that can be read more than once) of texts or of lists of tokens, or an array of images.
        out: run folder; made when missing, gone on with when unfinished.
        given: options of the objective and of TrainOptions, by name; `encoder` of a method for images may be a module
            of your own (see `models.base_own_encoder`), whose weights are where it begins.

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
    given, own_encoder = _named_encoder(given, method)
    options, config = resolve_options(objective, method, given)
    if out is None and not options.dry_run:
        raise UsageError("the run needs a folder", hint=f"Give --out, for instance --out runs/{objective}.")
    ranks, device = _ranks_and_device(options, method)
    options = replace(options, device=device)
    asked = {"objective": objective, **asdict(config), **_that_matter(options, method)}
    if out is not None:
        RunFolder.refuse_early(Path(out), asked)
    source = opened_source(corpus, options, method, config)
    prepared = _prepared(method, source, config, _setting(options, method, own_encoder), ranks)
    notes = [*what_was_mended(source), *prepared.describe(), *options.describe(prepared.unit)]
    for line in notes if ranks.leads and not options.dry_run else ():  # a dry run prints them as its result
        _note_to_screen(line)
    if out is None or options.dry_run:
        return TrainResult(None, objective, None, tuple(notes))
    data = {"corpus": source.name, **prepared.data()}
    with contextlib.ExitStack() as stack:
        if ranks.leads:
            command = _command(objective, corpus, out, given)
            run = stack.enter_context(RunFolder.open(Path(out), asked, command, data=data))
        ranks.from_lead(0)  # now there is a run folder to look at
        summary = _run(prepared, run if ranks.leads else RunFolder.view(Path(out)), options, ranks)
    if ranks.count > 1:
        from textssl.training.distributed import leave_ranks

        leave_ranks()
    return TrainResult(Path(out), objective, summary, tuple(notes))


def task_of(
    prepared: Prepared,
    options: TrainOptions,
    ranks: Ranks | None = None,
    *,
    num_parts: int | None = None,
    note: Callable[[str], None] | None = None,
) -> KernelTask | GradientTask:
    """The updates of an objective that has read its corpus.

    Args:
        prepared: the objective.
        options: seed, device, precision and so on; `device` is one that this machine has.
        ranks: the processes that train together.
        num_parts: in which a network's batch is computed; None for what the objective and the options say.
        note: takes lines for people; None: the error stream.
    """
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
    import torch

    from textssl.training.gradient_task import GradientTask

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    parts = prepared.gradients()
    asked: dict[str, Any] = {"compile": parts.optimisation.compile or options.compile}
    if options.precision != "auto":
        asked["precision"] = options.precision
    if num_parts is not None or options.batch == "auto":
        asked["num_parts"] = num_parts or "auto"
    return GradientTask(
        replace(parts, optimisation=replace(parts.optimisation, **asked)),
        device=options.device,
        seed=options.seed,
        loader_threads=options.loader_threads,
        ranks=ranks,
        note=(note or _note_to_screen) if ranks is None or ranks.leads else None,
    )


def prepared_by(method: Any, corpus: str, config: Any, options: TrainOptions) -> Prepared:
    """An objective with a corpus read, by the class of the objective and its options."""
    source = opened_source(corpus, options, method, config)
    prepared: Prepared = method().prepare(source, config, _setting(options, method))
    return prepared


def show(result: TrainResult, console: Console) -> None:
    """Print where the run lies, how it went, and what to type next."""
    if result.summary is None or result.run is None:
        for line in result.notes:
            console.print(line)
        console.print("nothing was trained (--dry-run)")
        return
    summary = result.summary
    console.print(f"{result.run}: {summary.units:,} {summary.unit} in {duration_text(summary.elapsed_s)}, "
                  f"{summary.units_per_s:,.0f} {summary.unit}/s")  # fmt: skip
    method: Any = registry.load("objectives", result.objective)
    terms = "nats per pair" if _is_word_vectors(method) else "nats"
    console.print(f"loss per epoch ({terms}): {losses_text(summary.epoch_losses or (summary.loss_nats,))}")
    if summary.scores:
        which = "evaluation" if summary.best_step is None else f"best evaluation, at step {summary.best_step:,}"
        console.print(f"{which}: {'  '.join(f'{name} {score:.4g}' for name, score in summary.scores.items())}")
    console.print("next: " + "    ".join(map(printable, next_commands(result.run))))


def _run(prepared: Prepared, run: RunFolder, options: TrainOptions, ranks: Ranks) -> TrainSummary:
    from textssl.training.compiling import told_when_compiling
    from textssl.training.kernel_task import KernelTask
    from textssl.training.progress import SilentProgress, make_progress
    from textssl.training.trackers import make_tracker
    from textssl.training.trainer import Insight, Trainer

    if run.status()["state"] == "finished":
        if ranks.leads:
            _note_to_screen(f"{run.path} is finished already; its result again:")
        return TrainSummary.from_json(run.status()["summary"])
    progress = make_progress() if ranks.leads else SilentProgress()
    with told_when_compiling(progress.message, "train"):
        task = task_of(prepared, options, ranks, note=progress.message)
        task.warm_up()
    network = None if isinstance(task, KernelTask) else task
    track = [options.track] if options.track and ranks.leads else []
    trainer = Trainer(
        task,
        run,
        config=options,
        evaluate=network.evaluate if network and _is_evaluated(network, options) else None,
        progress=progress,
        export=lambda: prepared.save(run.model, task.state()),
        insight=Insight(network.utilisation, network.diagnosis) if network else None,
        trackers=[make_tracker(name, run.path, run.config(), warn=progress.message) for name in track],
        ranks=ranks,
    )
    try:
        return trainer.run()
    finally:
        if network:
            network.close()


def _is_evaluated(task: GradientTask, options: TrainOptions) -> bool:
    """Whether there are scores; patience needs a loss of what is held back, gauges are none."""
    return task.has_evaluation or (task.has_gauges and options.patience is None)


def _prepared(method: Any, source: Any, config: Any, setting: Setting, ranks: Ranks) -> Prepared:
    """The objective with its corpus read: first by the process that leads, then by the others from the cache."""
    from textssl.training.compiling import told_when_compiling

    if not ranks.leads:
        ranks.from_lead(0)
    with told_when_compiling(_note_to_screen if ranks.leads else lambda _: None, "read the corpus"):
        prepared: Prepared = method().prepare(source, config, setting)
    if ranks.leads:
        ranks.from_lead(0)
    return prepared


def _that_matter(options: TrainOptions, method: Any) -> dict[str, Any]:
    """As `TrainOptions.that_matter`; a network may go on on another device, and images have no options of text."""
    asked = options.that_matter()
    if not _is_word_vectors(method):
        del asked["device"]
    for name in FOR_TEXT if method.FAMILY == "images" else ():
        del asked[name]
    return asked


def _is_word_vectors(method: Any) -> bool:
    return bool(method.FAMILY == "word_vectors")


def _named_encoder(given: Mapping[str, Any], method: Any) -> tuple[dict[str, Any], Any]:
    """The options with a name in place of a module for images, and that module; None where there is none."""
    encoder = given.get("encoder")
    if method.FAMILY != "images" or encoder is None or isinstance(encoder, str):
        return dict(given), None
    from torch import nn

    from textssl.models.base_images import OWN

    if not isinstance(encoder, nn.Module):
        raise UsageError(f"encoder must be the name of a network, or an nn.Module; got {type(encoder).__name__}")
    return {**given, "encoder": OWN}, encoder


def _setting(options: TrainOptions, method: Any, own_encoder: Any = None) -> Setting:
    from textssl.objectives.base import Setting

    threads = options.threads or min(len(os.sched_getaffinity(0)), MAX_DEFAULT_THREADS)
    start = start_of(options.from_, method) if options.from_ else None
    return Setting(options.seed, threads, options.device, options.cache, start, own_encoder)


def _ranks_and_device(options: TrainOptions, method: Any) -> tuple[Ranks, str]:
    """The processes that torchrun started, and the device of this one; word vectors on the CPU need no torch."""
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    if _is_word_vectors(method) and not alone:
        raise UsageError("word vectors are trained by one process", hint="Start it without torchrun, with --threads.")
    if options.device == "cpu" or (options.device == "auto" and _is_word_vectors(method)):
        device = "cpu"
    else:
        device = _device(options.device)
    if alone:
        return OneRank(), device
    from textssl.training.distributed import join_ranks

    ranks, device = join_ranks(device)
    if not ranks.leads:
        sys.stdout = io.StringIO()  # the result is printed once
    return ranks, device


def _device(given: str) -> str:
    """The device, if this machine has it."""
    try:
        from textssl.training.devices import chosen_device
    except ImportError as error:
        raise UsageError(f"the device {given} needs torch", hint='Install it: pip install "textssl[torch]"') from error
    return chosen_device(given)


def start_of(path: Path, method: Any) -> Start:
    """What to start from: for word vectors those of a folder or file, for networks a folder that the objective opens.

    Of a run also its options and the tables of its newest checkpoint.

    Raises:
        DataError: nothing stands at that path, or no vectors where vectors are needed.
    """
    from textssl.objectives.base import Start
    from textssl.training.checkpoint import load_newest

    if _is_word_vectors(method):
        vectors = open_vectors(path)
    else:
        vectors, path = None, existing(path, what="run folder or model folder")
    if not RunFolder.is_run(path):
        return Start(vectors, None, {}, str(path), path)
    run = RunFolder.view(path)
    checkpoint = load_newest(run.checkpoints, warn=_note_to_screen)
    tables = checkpoint.arrays if checkpoint else None
    return Start(vectors, tables, run.config(), str(path), run.model if run.model.is_dir() else path)


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


def _note_to_screen(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
