"""Predict labels with probabilities for new texts or images, from a fine-tuned run: a file in, a table out.

Examples:
  textssl predict runs/stars new.csv --out predictions.csv
  textssl predict runs/stars new.csv --text body --out predictions.parquet
  textssl predict runs/stars texts.txt                  a text on each line
  textssl predict runs/stars "a fine film"
  textssl predict runs/classes images/ --out predictions.csv
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl.commands._images import ImageReading, is_for_images, note, refuse_given, refuse_images
from textssl.commands.base import gives_own_errors, print_table, printable
from textssl.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.commands._predict_images import ImagePredictions
    from textssl.commands._tables import Record, TableContent
    from textssl.finetuning.embedding import TextModel
    from textssl.finetuning.labels import Labels, Task

THRESHOLD_SHOWN = 0.5
TEXT_WIDTH = 60


@dataclass(frozen=True)
class Prediction:
    """What is predicted of one text.

    Args:
        place: its line or row in the file.
        text: the text.
        label: the most probable class; for multi_label all above 0.5, for regression the number as text.
        probabilities: of every class by name; of regression the number itself.
        record: every column of its row in a table, with its cell; else none.
    """

    place: int
    text: str
    label: str
    probabilities: dict[str, float]
    record: Record = ()

    def as_dict(self) -> dict[str, Any]:
        """For --json; the columns of a table by name."""
        found = {"place": self.place, "text": self.text, "label": self.label, "probabilities": self.probabilities}
        return {**found, "columns": dict(self.record)} if self.record else found


@dataclass(frozen=True)
class Predictions:
    """What is predicted of a file.

    Args:
        run: the classifier.
        task: what its labels are.
        place_name: what `Prediction.place` counts.
        predictions: one for each text, in their order.
        num_truncated: texts longer than the model, which were cut.
        out: the file written, or None.
        num_blank: lines or rows without a text, which are left out.
        num_faulty: other rows left out.
    """

    run: str
    task: Task
    place_name: str
    predictions: tuple[Prediction, ...]
    num_truncated: int
    out: Path | None
    num_blank: int = 0
    num_faulty: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "run": self.run,
            "task": self.task,
            "num_truncated": self.num_truncated,
            "num_blank": self.num_blank,
            "num_faulty": self.num_faulty,
            "out": None if self.out is None else str(self.out),
            "predictions": [each.as_dict() for each in self.predictions],
        }


@gives_own_errors
def predict(
    run: str | Path,
    source: str | Path,
    *,
    out: Path | None = None,
    text: Sequence[str] = (),
    text_pair: str | None = None,
    headerless: bool | None = None,
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None,
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
    image_field: str = "image",
    image_size: int | None = None,
    device: str = "auto",
) -> Predictions | ImagePredictions:
    """Predict labels with probabilities.

    Args:
        run: a fine-tuned run, or a folder of a sequence classifier.
        source: a table, a text file with a text on each line, or one text; of a classifier of images a folder or file
            of images. Lines and rows without a text are left out and counted.
        out: table to write: .csv, .tsv, .jsonl or .parquet; printed when left out. It has all columns of a table, then
            the prediction and a probability p(...) for each class.
        text: columns of the texts; when left out, those that the run was trained on.
        text_pair: column of the second text; when left out, that of the run.
        headerless: the table has no header, columns have numbers from 1 on; when left out, as the run's training file.
        format: of the table, where its name does not tell.
        encoding: of text files.
        on_bad: stop at the first faulty row or image, or skip them.
        image_field: the field or column that holds the images.
        image_size: bring every image to this side, in pixels.
        device: auto, cpu, cuda, cuda:N or mps.

    Returns:
        A label and the probabilities of each text or image.

    Raises:
        DataError: the run is none that classifies, or the file cannot be read.
        UsageError: an option is out of range, or one text is given where two are needed.
        ResourceError: the file cannot be written.
    """
    from textssl.commands._tables import OUTPUT_SUFFIXES, TableSettings, read_texts
    from textssl.finetuning.classifier import open_classifier

    if out is not None and out.suffix.lower() not in OUTPUT_SUFFIXES:
        raise UsageError(f"out must end with {', '.join(OUTPUT_SUFFIXES)}, got {out.name!r}")
    texts = {
        "text": text, "text_pair": text_pair, "headerless": headerless, "format": format, "encoding": encoding
    }  # fmt: skip
    if is_for_images(run):
        from textssl.commands._predict_images import predict_images

        refuse_given(predict, texts, what="texts", because="images are classified")
        reading = ImageReading(None, image_size, image_field, on_bad=on_bad)
        return predict_images(run, source, reading, out=out, device=device)
    model, labels = open_classifier(run)
    refuse_images(source, run=run, command="textssl predict runs/classes {source}")
    images = {"image_field": image_field, "image_size": image_size}
    refuse_given(predict, images, what="images", because="texts are classified")
    config = _config_of(run)
    columns = (text,) if isinstance(text, str) else tuple(text) or tuple(config.get("text", ("text",)))
    pair = text_pair or config.get("text_pair")
    bare = "train" in config.get("headerless", ()) if headerless is None else headerless
    settings = TableSettings(
        columns, pair, format=format, encoding=encoding, on_bad=on_bad, blanks="left_out", others="kept"
    )
    content = read_texts(source, settings, header=not bare)
    examples = content.examples
    if out is not None:
        _refuse_own_names(content, labels)
    if (pair is None) != (examples.pairs is None):
        raise UsageError(
            f"{examples.source} holds one text in a row, the run was trained on two",
            hint="Give a table with both columns; --text and --text-pair name them.",
        )
    return _predicted(str(run), model, labels, content, f"{config.get('label_separator') or ','} ", out, device)


def _predicted(
    run: str, model: TextModel, labels: Labels, content: TableContent, separator: str, out: Path | None, device: str
) -> Predictions:
    """What a classifier says of the texts of a file; written where `out` says."""
    from textssl.finetuning.objective import predict as probabilities_of
    from textssl.storage import commit_file
    from textssl.training.devices import chosen_device

    examples, chosen = content.examples, chosen_device(device)
    encoded = model.encode(examples.texts, examples.pairs)
    found = probabilities_of(model.model.to(chosen), encoded, labels, pad_id=model.pad_id, device=chosen)
    predictions = tuple(
        Prediction(place, each, _label(labels, row, separator), dict(zip(labels.names, row, strict=True)), record)
        for place, each, row, record in zip(
            examples.places, examples.texts, found.tolist(), content.records or [()] * len(examples), strict=True
        )
    )
    result = Predictions(
        run,
        labels.task,
        examples.place_name,
        predictions,
        encoded.num_truncated,
        out,
        num_blank=content.blank,
        num_faulty=content.skipped - content.blank,
    )
    if out is not None:
        commit_file(out, _file_of(result, labels, out))
    return result


def show(result: Predictions | ImagePredictions, console: Console) -> None:
    """Print where the predictions are, or the predictions, the most probable class with its probability."""
    if not isinstance(result, Predictions):
        from textssl.commands._predict_images import show_predictions

        show_predictions(result, console)
        return

    from textssl.finetuning.embedding import cut_text

    if result.num_blank:
        are = " without a text is" if result.num_blank == 1 else "s without a text are"
        note(f"{result.num_blank:,} {result.place_name}{are} left out")
    if result.num_faulty:
        note(f"{result.num_faulty:,} faulty {'row is' if result.num_faulty == 1 else 'rows are'} left out")
    if result.num_truncated:
        note(cut_text(result.num_truncated))
    if result.out is not None:
        console.print(f"{len(result.predictions):,} predictions: {printable(str(result.out))}")
        return
    rows = []
    for each in result.predictions:
        text = each.text if len(each.text) <= TEXT_WIDTH else f"{each.text[: TEXT_WIDTH - 3]}..."
        probability = "" if result.task != "single_label" else f"{max(each.probabilities.values()):.3f}"
        rows.append([str(each.place), each.label, probability, text])
    print_table(console, [result.place_name, "prediction", "probability", "text"], rows, right=(0, 2))


def _own_names(labels: Labels) -> list[str]:
    """Columns that are added to a table."""
    probabilities = [] if labels.task == "regression" else [f"p({name})" for name in labels.names]
    return ["prediction", *probabilities]


def _refuse_own_names(content: TableContent, labels: Labels) -> None:
    """Refuse a table with a column that is named like one of the predictions."""
    own = {name for record in content.records for name, _ in record}
    taken = [name for name in _own_names(labels) if name in own]
    if taken:
        raise DataError(
            f"the table has a column {taken[0]!r} already, which is the name of a column of the predictions",
            where=content.examples.source,
            hint="Give that column another name.",
        )


def _file_of(result: Predictions, labels: Labels, out: Path) -> bytes:
    """The columns of the table (place and text where there is none), then the prediction and its probabilities."""
    from textssl.commands._tables import as_columns, table_bytes

    records = [each.record or ((result.place_name, each.place), ("text", each.text)) for each in result.predictions]
    names, rows = as_columns(records)
    for each, row in zip(result.predictions, rows, strict=True):
        row += [] if labels.task == "regression" else [each.label]
        row += each.probabilities.values()
    num_kept = len(names) if result.predictions[0].record else 0
    return table_bytes(out, [*names, *_own_names(labels)], rows, num_kept=num_kept)


def _label(labels: Labels, row: Sequence[float], separator: str) -> str:
    if labels.task == "regression":
        return f"{row[0]:.4g}"
    names = labels.names
    if labels.task == "multi_label":
        shown = (name for name, probability in zip(names, row, strict=True) if probability >= THRESHOLD_SHOWN)
        return separator.join(shown)
    return names[max(range(len(row)), key=row.__getitem__)]


def _config_of(run: str | Path) -> dict[str, Any]:
    """The options of a run; none of a model folder."""
    from textssl.run_folder import RunFolder

    return RunFolder.view(Path(run)).config() if RunFolder.is_run(Path(run)) else {}
