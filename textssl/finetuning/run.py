"""Fine-tuning on texts as a run: split, train a classifier for each seed, score it, hold it against the baselines."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from textssl.errors import UsageError
from textssl.finetuning.embedding import TextModel
from textssl.finetuning.examples import Examples, contradictions, cut_off, overlaps, places_text, shows_its_label
from textssl.finetuning.labels import Labels, labels_of
from textssl.finetuning.options import FinetuneOptions, checked_length
from textssl.finetuning.results import RESULTS, FinetuneResult
from textssl.finetuning.seed_study import Sets
from textssl.finetuning.seeds import Making, sizes_text, train_seeds, weights_sha256
from textssl.finetuning.study import Study
from textssl.plural import first_names
from textssl.run_folder import RunFolder
from textssl.training.progress import Progress, SilentProgress
from textssl.word_vectors import WordVectors

Note = Callable[[str], None]
MOST_DEVIATIONS = 5
"""Between 0 and the mean of numbers that a last layer without a bias is to predict."""


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
    labels = labels_of(train, task=options.task, name=label_name)
    sets = split(train, dev, test, options, labels)
    # Numbers are scaled by what is learnt from.
    if labels.task == "regression":
        labels = labels_of(sets.train, task="regression", name=label_name)
    if source.is_decoder:  # its last layer has no bias, which the mean of numbers would need
        _check_without_bias(labels)
        labels = dataclasses.replace(labels, mean=0.0)
    config = {"command": "finetune", "model": str(source.path), **settings, **options.that_matter()}
    given = {name: _data_of(each) for name, each in _given(train, dev, test)}
    data = {"model_sha256": weights_sha256(source.path), **given}
    with RunFolder.open(out, config, command, data=data) as run:
        if run.status()["state"] == "finished" and (out / RESULTS).exists():
            note(f"{out} is finished already; its result again:")
            result = FinetuneResult.load(out)
            for line in result.notes:
                note(line)
            return result
        study = Study(
            source, sets, labels, options, length=length, vectors=vectors, make_progress=make_progress, note=note
        )
        notes = [*_notes_of_dev(study), *_notes_of_sets(study.learnt_from), *_notes_of_length(study)]
        for line in [_summary_of(study), *notes]:
            note(line)
        making = Making(run, config, data, make_progress, note)
        return train_seeds(study, making, notes=notes, pages=pages)


def split(
    train: Examples, dev: Examples | None, test: Examples | None, options: FinetuneOptions, labels: Labels
) -> Sets[Examples]:
    """The sets of a run; a dev set is cut off where none is given and the options ask for one."""
    if dev is None and options.dev_share > 0:
        classes = labels.encode(train) if labels.task == "single_label" else None
        train, dev = cut_off(train, share=options.dev_share, seed=options.seed, classes=classes)
    return Sets(train, dev, test)


def _check_without_bias(labels: Labels) -> None:
    """Refuse numbers whose mean no last layer without a bias reaches in a usual fine-tuning."""
    if labels.task == "regression" and abs(labels.mean) > MOST_DEVIATIONS * labels.deviation:
        raise UsageError(
            f"the labels are around {labels.mean:.4g} with a deviation of {labels.deviation:.4g}, "
            "and a decoder's last layer has no bias that could reach them",
            hint=f"Subtract {labels.mean:.4g} from the labels, or fine-tune an encoder (masked_lm).",
        )


def _summary_of(study: Study) -> str:
    labels = study.labels
    sizes = sizes_text(study.num_examples, study.options)
    what = {"single_label": "classes", "multi_label": "labels, any number of them", "regression": "number"}[labels.task]
    return f"{sizes} texts; {labels.num_outputs} {what}: {first_names(labels.names)}"


def _notes_of_dev(study: Study) -> Iterator[str]:
    """The classes that nothing in the dev set stands for, so that the best state is chosen without them."""
    if study.labels.task != "single_label" or "dev" not in study.targets:
        return
    present = set(study.targets["dev"].tolist())
    missing = [name for number, name in enumerate(study.labels.names) if number not in present]
    if missing:
        have = "has" if len(missing) == 1 else "have"
        yield (
            f"{len(missing):,} of {study.labels.num_outputs:,} classes {have} no row in the dev set, by which the best "
            f"state is chosen: {first_names(missing)}"
        )


def _notes_of_sets(sets: Sets[Examples]) -> Iterator[str]:
    yield from map(str, overlaps(sets.named()))
    rows = contradictions(sets.train)
    if rows:
        stand = "text stands" if len(rows) == 1 else "texts stand"
        yield f"{len(rows):,} training {stand} there twice with different labels: {places_text(sets.train, rows)}"
    if sets.test is None and sets.dev is not None:
        yield "without a test set the scores are those of the dev set, by which the best state is chosen: too good"
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
