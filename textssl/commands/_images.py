"""What the commands share that take a network for images: whether a path names one, and the images that it is given."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl import registry
from textssl.commands._sources import what_was_mended
from textssl.commands.base import IMAGE_MODEL, is_there, model_type_of
from textssl.errors import DataError, UsageError
from textssl.run_folder import COMMAND, RunFolder

if TYPE_CHECKING:
    from textssl.vision.images import ImageSet

TEXT_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".md"})
ARRAY_SUFFIXES = frozenset({".npz", ".npy", ".idx"})


@dataclass(frozen=True)
class ImageReading:
    """How images are read (see `corpora.load_images`).

    Args:
        labels: a file of labels where they lie apart.
        image_size: side that every image is brought to.
        image_field, label_field: where the kind of file has fields.
        on_bad: "error" or "skip".
        format: None finds it out.
        limit: the first images only.
    """

    labels: Path | None = None
    image_size: int | None = None
    image_field: str = "image"
    label_field: str = "label"
    on_bad: Literal["error", "skip"] = "error"
    format: str | None = None
    limit: int | None = None


def is_for_images(path: str | Path) -> bool:
    """Whether a run or a model folder is of images; torch is not needed to tell. A run need not be finished."""
    path = Path(path)
    if model_type_of(path) == IMAGE_MODEL:
        return True
    if not RunFolder.is_run(path):
        return False
    objective = RunFolder.view(path).config().get("objective")
    if objective not in registry.names("objectives"):
        return False
    method: Any = registry.load("objectives", objective)
    return bool(method.FAMILY == "images")


def read_images(source: str | Path, reading: ImageReading, *, run: str | Path, command: str) -> ImageSet:
    """Images for a network, with a line on the error stream for what was skipped.

    Args:
        source: what `corpora.load_images` takes.
        reading: how they are read.
        run: the network, for messages.
        command: what to type instead where it is text, with {run}.

    Raises:
        DataError: it is text.
        corpora.CorpusError: there are no images, or they cannot be read.
    """
    import corpora
    from textssl.vision.images import image_set

    if _looks_like_text(source):
        raise DataError(
            f"is a network for images, and text was given ({_shown(source)})",
            where=str(run),
            hint=f"Give images: {command.format(run=run)}. Texts are for runs of skipgram or masked_lm.",
        )
    found = corpora.load_images(
        str(source),  # a Path would never be the name of a built-in set
        format=reading.format,  # type: ignore[arg-type]  # corpora checks the name
        on_bad=reading.on_bad,
        limit=reading.limit,
        image_size=reading.image_size,
        labels=reading.labels,
        image_field=reading.image_field,
        label_field=reading.label_field,
    )
    for line in what_was_mended(found):
        note(f"{found.name}: {line}")
    return image_set(found)


def images_of_run(
    run: str | Path, *, option: str, labels: Path | None = None, image_size: int | None = None
) -> ImageSet:
    """The images that a run was trained on, read as it read them.

    Args:
        run: the run folder.
        option: of the command that names other images, for messages.
        labels: a file of their labels; None: those that the run knew.
        image_size: side to bring them to; None: that of the run.

    Raises:
        DataError: nobody knows where they lie, or they are not there any more.
    """
    import corpora

    path = Path(run)
    if not RunFolder.is_run(path):
        raise DataError(
            "is no run, so nobody knows what it was trained on", where=str(run), hint=f"Give images with {option}."
        )
    folder = RunFolder.view(path)
    config = folder.config()
    source = config.get("data") or _trained_on(folder)
    if source is None:
        raise DataError(
            "was trained from Python on images that no file holds", where=str(run), hint=f"Give images with {option}."
        )
    known = config.get("labels")
    reading = ImageReading(
        labels=labels or (None if known is None else Path(known)),
        image_size=image_size or config.get("image_size"),
        image_field=config.get("image_field", "image"),
        label_field=config.get("label_field", config.get("label", "label")),
        on_bad=config.get("on_bad", "error"),
        format=config.get("format"),
        limit=config.get("limit"),
    )
    try:
        images = read_images(source, reading, run=run, command="")
    except corpora.CorpusError as error:
        if labels is not None and (error.where or "").startswith(str(labels)):
            raise
        raise DataError(
            f"was trained on {source}, which cannot be read now: {error.message}",
            where=str(run),
            hint=f"Give images with {option}.",
        ) from error
    read_alike = image_size is None and labels is None
    if read_alike and folder.data().get("fingerprint", images.fingerprint) != images.fingerprint:
        note(f"{source} has changed since {run} was trained on it")
    return images


def refuse_images(source: str | Path, *, run: str | Path, command: str) -> None:
    """Refuse images where a model of text waits for texts.

    Args:
        source: what was given.
        run: the model.
        command: what to type instead, with {source}.

    Raises:
        DataError: these are images.
    """
    from corpora.readers.base_images import IMAGE_SUFFIXES

    path = Path(source)
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = ".idx" if "idx" in path.name else suffix
    is_image = str(source) != "" and is_there(path) and (path.is_dir() or suffix in IMAGE_SUFFIXES | ARRAY_SUFFIXES)
    if is_image:
        raise DataError(
            f"holds a model of text, and images were given ({_shown(source)})",
            where=str(run),
            hint=f"Images are for a network that was trained on images: {command.format(source=source)}",
        )


def refuse_given(command: Callable[..., Any], options: Mapping[str, Any], *, what: str, because: str) -> None:
    """Refuse options that would do nothing.

    Args:
        command: the function, whose defaults are compared with.
        options: by name, as they were given.
        what: what these options are for.
        because: what is done here instead.

    Raises:
        UsageError: one differs from its default.
    """
    usual = inspect.signature(command).parameters
    for name, value in options.items():
        default = usual[name].default
        if (tuple(value) if isinstance(default, tuple) and not isinstance(value, str) else value) != default:
            raise UsageError(f"{name} is an option for {what}, and {because} here", hint="Leave it out.")


def note(text: str) -> None:
    """A line for people on the error stream."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _looks_like_text(source: str | Path) -> bool:
    """A text file or a table by its name, or words that are no path."""
    path = Path(source)
    there = is_there(path)
    if (there and path.is_dir()) or str(source).startswith("hub:"):
        return False
    return path.suffix.lower() in TEXT_SUFFIXES or (len(str(source).split()) > 1 and not there)


def _trained_on(run: RunFolder) -> str | None:
    """The corpus as the command line named it; None where it came from Python."""
    command = run.path / COMMAND
    words = shlex.split(command.read_text(encoding="utf-8")) if command.is_file() else []
    is_training = words[1:2] == ["train"] and len(words) > 3
    return words[3] if is_training and words[3] != "DOCUMENTS" else None


def _shown(source: str | Path) -> str:
    text = str(source)
    return text if len(text) <= 40 else f"{text[:37]}..."
