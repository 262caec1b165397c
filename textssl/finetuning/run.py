"""Fine-tuning as a run: split, train a classifier for each seed, score it, and hold it against the baselines.

runs/stars/          config.toml data.json STATUS model/ results.json confusion.png learning.png report.html
runs/stars/seed-2/   a run of its own for each seed, where there are several; else runs/stars is that run
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textssl.errors import DataError, DivergedError, Interrupted
from textssl.finetuning.baselines import baselines
from textssl.finetuning.embedding import TextModel
from textssl.finetuning.examples import Examples, contradictions, cut_off, overlaps, places_text, shows_its_label
from textssl.finetuning.labels import labels_of
from textssl.finetuning.metrics import PRIMARY, confusion, per_class, spread
from textssl.finetuning.options import FinetuneOptions, checked_length
from textssl.finetuning.results import RESULTS, FinetuneResult, Method, Score, SeedRow, curves_of_seeds, write_pages
from textssl.finetuning.study import SeedResult, Sets, Study
from textssl.run_folder import RunFolder, State
from textssl.storage import commit_folder
from textssl.training.progress import Progress, SilentProgress
from textssl.word_vectors import WordVectors

Note = Callable[[str], None]


def finetune_run(
    source: TextModel,
    train: Examples,
    *,
    out: Path,
    options: FinetuneOptions,
    dev: Examples | None = None,
    test: Examples | None = None,
    vectors: WordVectors | None = None,
    label_name: str = "label",
    settings: Mapping[str, Any] = {},
    command: Sequence[str] = (),
    note: Note = lambda _: None,
    make_progress: Callable[[], Progress] = SilentProgress,
    pages: bool = True,
) -> FinetuneResult:
    """Fine-tune a model on labelled texts, or go on, or give the result of a run that is finished.

    Args:
        source: the pre-trained model.
        train: what is learnt from.
        out: the run folder.
        options: how to train.
        dev: what decides when to stop; None: a share of the training rows.
        test: what is scored at the end, or None.
        vectors: word vectors for the third baseline.
        label_name: the column of the labels.
        settings: of the command, for config.toml.
        command: its words, for command.txt.
        note: takes lines for people.
        make_progress: shows how training goes, one for each seed.
        pages: write the pictures and report.html.

    Raises:
        DataError: labels are missing, unseen, or of one class only; rows are named.
        UsageError: an option does not fit, or `out` holds another run.
        ResourceError, DivergedError, Interrupted: as the trainer raises them.
    """
    length = checked_length(options.length, source.length)
    sets = split(train, dev, test, options)
    # Of all rows, so that a rare class may fall into the dev set; numbers are scaled by what is learnt from.
    labels = labels_of(train, task=options.task, name=label_name)
    if labels.task == "regression":
        labels = labels_of(sets.train, task="regression", name=label_name)
    if source.is_decoder:  # its last layer has no bias, which the mean of numbers would need
        labels = dataclasses.replace(labels, mean=0.0)
    config = {"command": "finetune", "model": str(source.path), **settings, **options.that_matter()}
    given = {name: _data_of(each) for name, each in _given(train, dev, test)}
    data = {"model_sha256": _model_sha256(source.path), **given}
    with RunFolder.open(out, config, command, data=data) as run:
        if run.status()["state"] == "finished" and (out / RESULTS).exists():
            note(f"{out} is finished already; its result again:")
            return FinetuneResult.load(out)
        study = Study(source, sets, labels, options, length=length)
        notes = [*_notes_of_sets(sets), *_notes_of_length(study)]
        for line in [*_summary_of(study), *notes]:
            note(line)
        with _whole(run, options):
            found = _train_seeds(study, run, config, data, make_progress, note)
            result = _result(study, found, vectors, notes, out)
            _keep_best(found, result.best_seed, run)
        result.save()
        if pages:
            curves = curves_of_seeds({each.seed: each.folder for each in found}, result.primary)
            write_pages(result, _confusion(study, found, result), curves)
        if options.seeds > 1:
            run.set_status("finished", summary={"seeds": options.seeds, "best_seed": result.best_seed})
    return result


def split(train: Examples, dev: Examples | None, test: Examples | None, options: FinetuneOptions) -> Sets:
    """The sets of a run; a dev set is cut off where none is given and the options ask for one."""
    if dev is None and options.dev_share > 0:
        train, dev = cut_off(train, share=options.dev_share, seed=options.seed)
    return Sets(train, dev, test)


def _train_seeds(
    study: Study,
    run: RunFolder,
    config: Mapping[str, Any],
    data: Mapping[str, Any],
    make_progress: Callable[[], Progress],
    note: Note,
) -> list[SeedResult]:
    if study.options.seeds == 1:
        return [study.train(study.options.seed, run, make_progress())]
    found = []
    for number, seed in enumerate(study.options.seed_numbers(), 1):
        note(f"seed {seed} ({number} of {study.options.seeds})")
        own = {**config, "seed": seed, "seeds": 1}
        with RunFolder.open(run.path / f"seed-{seed}", own, ["textssl", "finetune"], data=data) as folder:
            found.append(study.train(seed, folder, make_progress()))
    return found


@contextmanager
def _whole(run: RunFolder, options: FinetuneOptions) -> Iterator[None]:
    """Keep the status of a run that has runs inside; a run of one seed has the trainer's."""
    if options.seeds == 1:
        yield
        return
    run.set_status("running")
    try:
        yield
    except BaseException as error:
        states: dict[type[BaseException], State] = {Interrupted: "interrupted", DivergedError: "diverged"}
        run.set_status(states.get(type(error), "failed"), reason=str(error) or type(error).__name__)
        raise


def _result(
    study: Study, found: Sequence[SeedResult], vectors: WordVectors | None, notes: Sequence[str], out: Path
) -> FinetuneResult:
    primary = PRIMARY[study.labels.task]
    scored_on = next((name for name in ("test", "dev") if name in study.encoded), "")
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
        num_texts={**{name: len(each) for name, each in study.sets.named().items()}, "train": found[0].num_texts},
        methods=tuple(_methods(study, found, scored_on, vectors)),
        seeds=tuple(_row(each) for each in found),
        best_seed=best.seed,
        classes=tuple(classes),
        notes=tuple(notes),
    )


def _methods(
    study: Study, found: Sequence[SeedResult], scored_on: str, vectors: WordVectors | None
) -> Iterator[Method]:
    """The model and the baselines, each fitted on the rows of the same seeds."""
    what = "fine-tuned" if study.options.method == "full" else "probe of"
    name = f"{what} {study.source.path.parent.name if study.source.path.name == 'model' else study.source.path.name}"
    runs = [each.test_scores if scored_on == "test" else each.dev_scores for each in found]
    yield Method(name, _spread([scores for scores in runs if scores is not None]))
    if not scored_on:
        return
    scored, targets = study.sets.named()[scored_on], study.targets[scored_on]
    same_rows = study.options.train_limit is None
    by_name: dict[str, list[dict[str, float]]] = {}
    for seed in study.options.seed_numbers()[: 1 if same_rows else None]:
        train, _, train_targets = study.training_rows(seed)
        for each in baselines(study.labels, train, train_targets, scored, targets, vectors=vectors):
            by_name.setdefault(each.name, []).append(each.scores)
    for name, scores in by_name.items():
        yield Method(name, _spread(scores))


def _spread(runs: Sequence[Mapping[str, float]]) -> dict[str, Score]:
    return {name: Score(*pair) for name, pair in spread(runs).items()} if runs else {}


def _row(each: SeedResult) -> SeedRow:
    summary = each.summary
    steps = summary.best_step if summary.best_step is not None else summary.steps
    return SeedRow(
        seed=each.seed,
        epochs=summary.epochs,
        kept_epoch=summary.epochs * steps / max(summary.steps, 1),
        elapsed_s=summary.elapsed_s,
        tokens_per_s=summary.units_per_s,
        dev=each.dev_scores or {},
        test=each.test_scores or {},
    )


def _confusion(study: Study, found: Sequence[SeedResult], result: FinetuneResult) -> Any:
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


def _summary_of(study: Study) -> Iterator[str]:
    labels = study.labels
    sizes = ", ".join(f"{len(each):,} {name}" for name, each in study.sets.named().items())
    shown = ", ".join(labels.names[:10]) + (", ..." if len(labels.names) > 10 else "")
    what = {"single_label": "classes", "multi_label": "labels, any number of them", "regression": "number"}[labels.task]
    yield f"{sizes} texts; {labels.num_outputs} {what}: {shown}"


def _notes_of_sets(sets: Sets) -> Iterator[str]:
    yield from map(str, overlaps(sets.named()))
    rows = contradictions(sets.train)
    if rows:
        stand = "text stands" if len(rows) == 1 else "texts stand"
        yield f"{len(rows):,} training {stand} there twice with different labels: {places_text(sets.train, rows)}"
    if shows_its_label(sets.train):
        yield "nearly every text holds its label as a word: the scores say little"


def _notes_of_length(study: Study) -> Iterator[str]:
    for name, encoded in study.encoded.items():
        if encoded.num_truncated:
            share = encoded.num_lost / encoded.num_tokens
            are = "is" if encoded.num_truncated == 1 else "are"
            yield (
                f"{encoded.num_truncated:,} of {len(encoded):,} {name} texts {are} longer than {study.length} tokens "
                f"and {are} cut: {encoded.num_lost:,} of {encoded.num_tokens:,} tokens ({share:.1%}) are lost"
            )


def _given(train: Examples, dev: Examples | None, test: Examples | None) -> list[tuple[str, Examples]]:
    every = (("train", train), ("dev", dev), ("test", test))
    return [(name, each) for name, each in every if each is not None]


def _data_of(examples: Examples) -> dict[str, Any]:
    digest = hashlib.sha256()
    for at in range(len(examples)):
        pair = "" if examples.pairs is None else examples.pairs[at]
        digest.update(repr((examples.texts[at], pair, examples.labels[at])).encode())
    return {"source": examples.source, "rows": len(examples), "sha256": digest.hexdigest()}


def _model_sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError("holds no weights (*.safetensors)", where=str(folder))
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
