"""Fine-tuning on images as a run: labels, split, a classifier for each seed, and what it is held against.

runs/classes/             as of texts (see `seeds`)
runs/classes/untrained/   the same network untrained, trained on the same images; inside seed-N where there are several
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from textssl.finetuning.image_study import ImageStudy
from textssl.finetuning.options import FinetuneOptions
from textssl.finetuning.results import RESULTS, FinetuneResult
from textssl.finetuning.seed_study import Sets
from textssl.finetuning.seeds import Making, sizes_text, train_seeds, weights_sha256
from textssl.image_features import ImageModel
from textssl.plural import first_names
from textssl.run_folder import RunFolder
from textssl.training.progress import Progress, SilentProgress
from textssl.vision.images import ImageSet
from textssl.vision.labelled import LabelledImages, cut_off, labelled, num_shared


def finetune_images(
    source: ImageModel,
    train: ImageSet,
    *,
    out: Path,
    options: FinetuneOptions,
    dev: ImageSet | None = None,
    test: ImageSet | None = None,
    settings: Mapping[str, Any] = {},
    command: Sequence[str] = (),
    note: Callable[[str], None] = lambda _: None,
    make_progress: Callable[[], Progress] = SilentProgress,
    pages: bool = True,
) -> FinetuneResult:
    """Fine-tune a network on labelled images, or go on, or give the result of a run that is finished.

    Args:
        source: the pre-trained network.
        train: what is learnt from; images without a label are left out.
        out: the run folder.
        options: how to train; those of texts do nothing.
        dev: what decides when to stop; None: a share of the training images.
        test: what is scored at the end, or None.
        settings: of the command, for config.toml.
        command: its words, for command.txt.
        note: takes lines for people.
        make_progress: shows how training goes.
        pages: write the pictures and report.html.

    Raises:
        DataError: there are no labels, one only, labels that the training images do not have, or one image of each
            label where some are to be kept back.
        UsageError: an option does not fit, the images are not of the network's kind, or `out` holds another run.
        ResourceError, DivergedError, Interrupted: as the trainer raises them.
    """
    options.refuse_idle("images")
    sets = split_images(source, train, dev, test, options)
    every = (("train", train), ("dev", dev), ("test", test))
    given = {name: _data_of(each) for name, each in every if each is not None}
    config = {"command": "finetune", "model": str(source.path), **settings, **options.that_matter("images")}
    size = {"height": train.height, "width": train.width, "channels": train.channels}
    data = {"model_sha256": weights_sha256(source.path), **size, **given}
    with RunFolder.open(out, config, command, data=data) as run:
        if run.status()["state"] == "finished" and (out / RESULTS).exists():
            note(f"{out} is finished already; its result again:")
            result = FinetuneResult.load(out)
            for line in result.notes:
                note(line)
            return result
        study = ImageStudy(source, sets, options, make_progress=make_progress, note=note)
        notes = [*_notes_of(study.learnt_from), *_notes_of_batches(study)]
        for line in [_summary_of(study), *notes]:
            note(line)
        making = Making(run, config, data, make_progress, note)
        return train_seeds(study, making, notes=notes, pages=pages)


def split_images(
    source: ImageModel, train: ImageSet, dev: ImageSet | None, test: ImageSet | None, options: FinetuneOptions
) -> Sets[LabelledImages]:
    """The sets of a run; a dev set is cut off where none is given and the options ask for one.

    Raises:
        DataError, UsageError: as of `finetune_images`.
    """
    for images in filter(None, (train, dev, test)):
        source.check(images)
    every = labelled(train)
    others = [None if images is None else labelled(images, every.names) for images in (dev, test)]
    if dev is not None or not options.dev_share:
        return Sets(every, *others)
    hint = "Give --dev-share 0, or a dev set with --dev."
    stay, kept = cut_off(every, share=options.dev_share, seed=options.seed, hint=hint)
    return Sets(every.take(stay), every.take(kept), others[1])


def _summary_of(study: ImageStudy) -> str:
    names = study.labels.names
    sizes = sizes_text(study.num_examples, study.options)
    return f"{sizes} images; {len(names)} labels: {first_names(names)}"


def _notes_of(sets: Sets[LabelledImages]) -> Iterator[str]:
    seen: list[LabelledImages] = []
    for each in sets.named().values():
        without = int((each.images.labels < 0).sum()) if each.images.labels is not None else 0
        if without and each.images not in [other.images for other in seen]:
            have = "image of {} has no label and is" if without == 1 else "images of {} have no label and are"
            yield f"{without:,} {have.format(each.name)} left out"
        seen.append(each)
    if sets.test is not None:
        shared = num_shared(sets.train, sets.test)
        if shared:
            stand = "test image stands" if shared == 1 else "test images stand"
            yield f"{shared:,} {stand} in the training set too, pixel by pixel"


def _notes_of_batches(study: ImageStudy) -> Iterator[str]:
    left_out, batch = study.left_out
    if left_out:
        images, are = ("image makes", "is") if left_out == 1 else ("images make", "are")
        yield f"{left_out:,} training {images} no full batch of {batch} and {are} left out, others in each epoch"


def _data_of(images: ImageSet) -> dict[str, Any]:
    labels = b"" if images.labels is None else images.labels.tobytes()
    digest = hashlib.sha256(images.fingerprint.encode() + labels).hexdigest()
    return {"source": images.name, "images": images.num_images, "sha256": digest}
