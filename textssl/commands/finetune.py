"""Fine-tune a pre-trained model on labelled texts or images, and show simple methods beside its scores.

Examples:
  textssl finetune runs/lm reviews.csv --text review --label stars --test test.csv --out runs/stars
  textssl finetune runs/lm news.csv --text title body --label topic --seeds 5 --vectors runs/news --out runs/topics
  textssl finetune runs/lm pairs.tsv --text premise --text-pair hypothesis --label relation --out runs/pairs
  textssl finetune runs/lm reviews.csv --text review --label stars --method probe --train-limit 200 --out runs/few
  textssl finetune runs/lm reviews.csv --text review --label stars --baselines all --out runs/beside
  textssl finetune runs/views labelled/ --test test.npz --out runs/classes --seeds 3
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl.commands._images import is_for_images, note, refuse_given, refuse_images
from textssl.commands._tables import TableContent, TableSettings, read_examples
from textssl.commands.base import duration_text, gives_own_errors, next_commands, open_vectors, print_table, printable
from textssl.config import resolve
from textssl.errors import UsageError
from textssl.finetuning.options import FinetuneOptions
from textssl.option_names import option_hint

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.finetuning.results import FinetuneResult

FINETUNE_OPTIONS = FinetuneOptions
Set = Literal["train", "dev", "test"]


@gives_own_errors
def finetune(
    model: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    text: Sequence[str] = ("text",),
    text_pair: str | None = None,
    label: str = "label",
    label_separator: str | None = None,
    dev: Path | None = None,
    test: Path | None = None,
    headerless: Sequence[Set] = (),
    format: Literal["csv", "tsv", "jsonl", "parquet", "first_word"] | None = None,
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
    vectors: Path | None = None,
    labels: Path | None = None,
    test_labels: Path | None = None,
    image_field: str = "image",
    image_size: int | None = None,
    **given: Any,
) -> FinetuneResult:
    """Fine-tune a pre-trained model on labelled texts or images.

    Args:
        model: a run of masked_lm or next_token or of a method for images, or a model folder.
        data: the labelled training texts: CSV, TSV, JSONL or Parquet, packed or not; or images: a folder with a
            sub-folder for each label, .npz, idx, Parquet or a built-in name.
        out: run folder; made when missing, gone on with when unfinished.
        text: column of the texts; several are joined by spaces.
        text_pair: column of the second text, where labels are about two.
        label: column or field of the labels.
        label_separator: between the names in a cell that may hold several labels.
        dev: table to stop early by; without it a share of the training rows is kept back.
        test: table to score at the end.
        headerless: sets whose file has no header: train, dev, test. Their columns are those of the training file, or
            have numbers from 1 on.
        format: of the tables, where their names do not tell; first_word: lines of a label and a text.
        encoding: of text files.
        on_bad: stop at the first faulty row or image, or skip and count them.
        vectors: run or file of word vectors, for a baseline on their averages.
        labels: of images, a file of the labels where these lie apart.
        test_labels: of the test images, likewise.
        image_field: the field or column that holds the images.
        image_size: bring every image to this side, in pixels.
        given: options of FinetuneOptions, by name.

    Returns:
        Scores with mean and spread over the seeds, baselines, and what to know about the data.

    Raises:
        UsageError: an option is unknown or does not fit, or `out` holds another run.
        DataError: a label is missing or unseen, a text is missing, there is one class only, the model is none.
        ResourceError: the disk or the memory does not suffice.
        DivergedError: the loss is not finite.
        Interrupted: by a signal, after a checkpoint was saved.
    """
    options = _options(given)
    shared: dict[str, Any] = {"label": label, "dev": dev, "test": test, "on_bad": on_bad}
    texts = {"text": [text] if isinstance(text, str) else list(text), "text_pair": text_pair,
             "label_separator": label_separator, "headerless": list(headerless), "format": format,
             "encoding": encoding, "vectors": vectors}  # fmt: skip
    images = {"labels": labels, "test_labels": test_labels, "image_field": image_field, "image_size": image_size}
    if is_for_images(model):
        from textssl.commands._finetune_images import finetune_on_images

        refuse_given(finetune, texts, what="texts", because="images are learnt from")
        asked = {**shared, **images}
        command = _command(model, data, out, {**asked, **given})
        return finetune_on_images(model, data, out=Path(out), options=options, asked=asked, command=command)
    options.refuse_idle("texts")
    refuse_given(finetune, images, what="images", because="texts are learnt from")
    asked = {**texts, **shared}
    return _on_texts(model, data, Path(out), options, asked, _command(model, data, out, {**asked, **given}))


def show(result: FinetuneResult, console: Console) -> None:
    """Print the scores beside the baselines, the classes, and what to type next."""
    from textssl.finetuning.results import score_text

    several = len(result.seeds) > 1
    if result.scored_on:
        names = list(result.methods[0].scores)
        over = f", mean ± deviation of {len(result.seeds)} seeds" if several else ""
        console.print(f"{result.num_examples[result.scored_on]:,} {result.scored_on} {result.example}, "
                      f"{result.num_examples['train']:,} training {result.example}{over}")  # fmt: skip
        rows = [
            [method.name, *(score_text(method.scores[name], several=several) for name in names)]
            for method in result.methods
        ]
        print_table(console, [result.scored_on, *names], rows, right=range(1, len(names) + 1))
    if result.classes:
        console.print("")
        rows = [
            [name, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", f"{support:,}"]
            for name, precision, recall, f1, support in result.classes
        ]
        print_table(console, ["class", "precision", "recall", "F1", result.example], rows, right=range(1, 5))
    for row in result.seeds:
        dev = f"  dev {result.primary} {row.dev[result.primary]:.3f}" if row.dev else ""
        kept = f" (kept: {row.kept_epoch:.3g})" if row.kept_epoch < row.epochs else ""
        how = f"{row.epochs:.3g} epoch{'' if row.epochs == 1 else 's'}{kept}" if row.epochs else "solved"
        speed = f", {row.units_per_s:,.0f} {result.unit}/s" if row.epochs else ""
        console.print(f"seed {row.seed}: {how} in {duration_text(row.elapsed_s)}{speed}{dev}")
    console.print(f"{result.run}: model/ confusion.png learning.png report.html"
                  if result.task == "single_label" and result.scored_on
                  else f"{result.run}: model/ learning.png report.html")  # fmt: skip
    console.print(f"next: {printable(next_commands(result.run)[0])}")


def _on_texts(
    model: str | Path,
    data: str | Path,
    out: Path,
    options: FinetuneOptions,
    asked: Mapping[str, Any],
    command: Sequence[str],
) -> FinetuneResult:
    """Fine-tune a transformer; `asked` are the command's own options by name."""
    from textssl.finetuning.embedding import open_text_model
    from textssl.finetuning.run import finetune_run
    from textssl.training.devices import chosen_device
    from textssl.training.progress import make_progress

    names = ("text_pair", "label", "label_separator", "format", "encoding", "on_bad")
    settings = TableSettings(tuple(asked["text"]), **{name: asked[name] for name in names})
    source = open_text_model(model, body_suffices=True)
    if source.model.head_is_new:
        note(f"{model} holds a body without a head; the layers above it are new")
    refuse_images(data, run=model, command="textssl finetune runs/views {source} --out runs/classes")
    sets = _read(data, asked["dev"], asked["test"], settings, asked["headerless"])
    return finetune_run(
        source,
        sets["train"].examples,
        out=out,
        options=dataclasses.replace(options, device=chosen_device(options.device)),
        dev=sets["dev"].examples if "dev" in sets else None,
        test=sets["test"].examples if "test" in sets else None,
        vectors=None if asked["vectors"] is None else open_vectors(asked["vectors"]),
        label_name=asked["label"],
        settings={"data": str(data), **{name: value for name, value in asked.items() if value is not None}},
        command=command,
        note=note,
        make_progress=make_progress,
    )


def _options(given: Mapping[str, Any]) -> FinetuneOptions:
    known = {field.name for field in dataclasses.fields(FinetuneOptions)}
    for name in given:
        if name not in known:
            raise UsageError(
                f"{name} is no option of finetune",
                hint=option_hint(name, ["out", *sorted(known)]) or "See textssl finetune --help.",
            )
    options, _ = resolve(FinetuneOptions, given)
    return options


def _read(
    data: str | Path,
    dev: str | Path | None,
    test: str | Path | None,
    settings: TableSettings,
    headerless: Sequence[Set],
) -> dict[str, TableContent]:
    """The tables by set; a file without a header has the columns of the training file."""
    for name in headerless:
        if name not in ("train", "dev", "test"):
            raise UsageError(f"headerless must be among train, dev, test, got {name!r}")
    found = {"train": read_examples(data, settings, header="train" not in headerless)}
    names = () if "train" in headerless else found["train"].names
    others: tuple[tuple[Set, str | Path | None], ...] = (("dev", dev), ("test", test))
    for name, path in others:
        if path is not None:
            header = name not in headerless
            found[name] = read_examples(path, settings, header=header, names=() if header else names)
    for which, content in found.items():
        if content.skipped:
            note(f"{content.skipped:,} rows of the {which} table are left out, {len(content.examples):,} are used")
    return found


def _command(model: str | Path, data: str | Path, out: str | Path, given: Mapping[str, Any]) -> list[str]:
    """The command line that does the same."""
    words = ["textssl", "finetune", str(model), str(data), "--out", str(out)]
    for name, value in given.items():
        if value is None or value == []:
            continue
        words.append(f"--{name.replace('_', '-')}")
        words += map(str, value) if isinstance(value, list | tuple) else [str(value)]
    return words
