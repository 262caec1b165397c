"""From what a person names or gives to what an objective reads: text as documents, images as one array of pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textssl.commands._train_options import TrainOptions
from textssl.errors import UsageError

FOR_TEXT = ("text_field", "encoding")
"""Options of `TrainOptions` that say nothing of images."""


def opened_source(corpus: Any, options: TrainOptions, method: Any, config: Any) -> Any:
    """What an objective reads.

    Args:
        corpus: a file, a folder, the name of a built-in corpus, "hub:owner/name", or what Python gives: texts or lists
            of tokens; an array of images (N, H, W[, C]), uint8 or uint16, or what `corpora.load_images` gives.
        options: how it is read.
        method: the class of the objective.
        config: its options.

    Raises:
        UsageError: an option is for text, and the objective reads images.
        DataError: there is nothing to read.
    """
    if method.FAMILY == "images":
        return _images(corpus, options, config)
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


def what_was_mended(source: Any) -> list[str]:
    """What the reader passed over or changed, a line each."""
    report: Mapping[str, int] = source.report() if hasattr(source, "report") else {}
    return [f"{number:,} {what} skipped or mended" for what, number in report.items()]


def _images(corpus: Any, options: TrainOptions, config: Any) -> Any:
    for name in FOR_TEXT:
        if getattr(options, name) != getattr(TrainOptions, name):
            raise UsageError(f"{name} is an option for text, and images are read here", hint="Leave it out.")
    import corpora

    if isinstance(corpus, str | Path):
        return corpora.load_images(
            corpus,
            format=options.format,  # type: ignore[arg-type]  # corpora checks the name and says which there are
            on_bad=options.on_bad,
            limit=options.limit,
            image_size=config.image_size,
            labels=config.labels,
            image_field=config.image_field,
            label_field=config.label_field,
        )
    if hasattr(corpus, "pixels"):
        return corpus
    if not hasattr(corpus, "ndim") or corpus.ndim not in (3, 4):
        raise UsageError(
            f"images must be an array (N, H, W) or (N, H, W, C), got {_described(corpus)}",
            hint="Give a NumPy array of uint8 or uint16, or what corpora.load_images gives.",
        )
    pixels = corpus[..., None] if corpus.ndim == 3 else corpus
    return corpora.Images(name="images", pixels=pixels[: options.limit])


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"one of shape {tuple(shape)}"
