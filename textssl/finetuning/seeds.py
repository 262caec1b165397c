"""The seeds of a fine-tuning, of texts or of images: trained one after the other, scored, the best one kept.

runs/stars/          config.toml data.json STATUS model/ results.json confusion.png learning.png report.html
runs/stars/seed-2/   a run of its own for each seed, where there are several; else runs/stars is that run
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textssl.errors import DataError, DivergedError, Interrupted
from textssl.finetuning.metrics import PRIMARY, confusion, per_class
from textssl.finetuning.options import FinetuneOptions
from textssl.finetuning.results import FinetuneResult, SeedRow, curves_of_seeds, write_pages
from textssl.finetuning.seed_study import SeedResult, SeedStudy
from textssl.run_folder import RunFolder, State
from textssl.storage import commit_folder
from textssl.training.progress import Progress


@dataclass(frozen=True)
class Making:
    """Where the seeds are trained, and who hears of it.

    Args:
        run: the folder, open.
        config, data: of the run, as it was opened with.
        make_progress: shows how training goes, one for each seed.
        note: takes lines for people.
    """

    run: RunFolder
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    make_progress: Callable[[], Progress]
    note: Callable[[str], None]


def train_seeds(study: SeedStudy[Any, Any], making: Making, *, notes: Sequence[str], pages: bool) -> FinetuneResult:
    """Train and score every seed, keep the model of the best, and write results.json.

    Args:
        study: what they share.
        making: where.
        notes: what a reader of the numbers should know.
        pages: write the pictures and report.html.
    """
    run, several = making.run, study.options.seeds > 1
    with _whole(run, several):
        found = _trained(study, making)
        result = _result(study, found, notes, run.path)
        _keep_best(found, result.best_seed, run)
    result.save()
    if pages:
        curves = curves_of_seeds({each.seed: each.folder for each in found}, result.primary)
        write_pages(result, _confusion(study, found, result), curves)
    if several:
        run.set_status("finished", summary={"seeds": study.options.seeds, "best_seed": result.best_seed})
    return result


def sizes_text(num_examples: Mapping[str, int], options: FinetuneOptions) -> str:
    """How much is learnt from and scored: "100 of 900 train (drawn by each seed), 100 dev, 50 test"."""
    sizes = {name: f"{number:,} {name}" for name, number in num_examples.items()}
    if options.train_limit is not None:
        each = " (drawn by each seed)" if options.seeds > 1 else ""
        sizes["train"] = f"{options.train_limit:,} of {sizes['train']}{each}"
    return ", ".join(sizes.values())


def weights_sha256(folder: Path) -> str:
    """A hash of the weights of a model folder.

    Raises:
        DataError: it holds none.
    """
    digest = hashlib.sha256()
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError("holds no weights (*.safetensors)", where=str(folder))
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _trained(study: SeedStudy[Any, Any], making: Making) -> list[SeedResult]:
    options = study.options
    if options.seeds == 1:
        return [study.train(options.seed, making.run, making.make_progress())]
    found = []
    for number, seed in enumerate(options.seed_numbers(), 1):
        making.note(f"seed {seed} ({number} of {options.seeds})")
        own = {**making.config, "seed": seed, "seeds": 1}
        folder = making.run.path / f"seed-{seed}"
        with RunFolder.open(folder, own, ["textssl", "finetune"], data=making.data) as run:
            found.append(study.train(seed, run, making.make_progress()))
    return found


@contextmanager
def _whole(run: RunFolder, several: bool) -> Iterator[None]:
    """Keep the status of a run that has runs inside; a run of one seed has the trainer's."""
    if not several:
        yield
        return
    run.set_status("running")
    try:
        yield
    except BaseException as error:
        states: dict[type[BaseException], State] = {Interrupted: "interrupted", DivergedError: "diverged"}
        run.set_status(states.get(type(error), "failed"), reason=str(error) or type(error).__name__)
        raise


def _result(study: SeedStudy[Any, Any], found: Sequence[SeedResult], notes: Sequence[str], out: Path) -> FinetuneResult:
    primary = PRIMARY[study.labels.task]
    sizes = study.num_examples
    scored_on = next((name for name in ("test", "dev") if name in sizes), "")
    best = max(found, key=lambda each: (each.dev_scores or {}).get(primary, 0.0))
    classes = []
    if scored_on:
        table = per_class(study.labels, study.targets[scored_on], best.decided[scored_on])
        classes = [(each.name, each.precision, each.recall, each.f1, each.support) for each in table]
    return FinetuneResult(
        run=out,
        task=study.labels.task,
        names=study.labels.names,
        primary=primary,
        scored_on=scored_on,
        num_examples={**sizes, "train": found[0].num_examples},
        methods=tuple(study.methods(found, scored_on)),
        seeds=tuple(_row(each) for each in found),
        best_seed=best.seed,
        classes=tuple(classes),
        notes=tuple(notes),
        example=study.example,
        unit=study.unit,
    )


def _row(each: SeedResult) -> SeedRow:
    summary = each.summary
    steps = summary.best_step if summary.best_step is not None else summary.steps
    return SeedRow(
        seed=each.seed,
        epochs=summary.epochs,
        kept_epoch=summary.epochs * steps / max(summary.steps, 1),
        elapsed_s=summary.elapsed_s,
        units_per_s=summary.units_per_s,
        dev=each.dev_scores or {},
        test=each.test_scores or {},
    )


def _confusion(study: SeedStudy[Any, Any], found: Sequence[SeedResult], result: FinetuneResult) -> Any:
    if result.task != "single_label" or not result.scored_on:
        return None
    best = next(each for each in found if each.seed == result.best_seed)
    return confusion(study.labels, study.targets[result.scored_on], best.decided[result.scored_on])


def _keep_best(found: Sequence[SeedResult], best_seed: int, run: RunFolder) -> None:
    """Copy the model of the best of several seeds to where a run's model lies."""
    if len(found) == 1:
        return
    best = next(each for each in found if each.seed == best_seed)

    def copy(target: Path) -> None:
        for file in RunFolder.view(best.folder).model.iterdir():
            if file.name != "manifest.json":
                shutil.copyfile(file, target / file.name)

    commit_folder(run.model, copy, metadata={"seed": best_seed}, replace=True)
