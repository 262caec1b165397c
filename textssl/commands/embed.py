"""Turn texts or images into vectors, with a transformer, word vectors or a network for images: a file in, a file out.

Examples:
  textssl embed runs/lm texts.txt --out vectors.npy
  textssl embed runs/news reviews.csv --text review --out vectors.npy
  textssl embed runs/lm texts.txt --pooling cls --no-normalise --out vectors.tsv
  textssl embed runs/lm "a fine film"
  textssl embed runs/views images/ --out vectors.npy
  textssl embed runs/views test.npz --projection --out vectors.safetensors
"""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.commands._images import ImageReading, is_for_images, note, refuse_given, refuse_images
from textssl.commands.base import gives_own_errors, printable
from textssl.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.commands._embed_images import ImageVectors
    from textssl.finetuning.embedding import Pooling, TextModel
    from textssl.word_vectors import WordVectors

OUTPUT_SUFFIXES = (".npy", ".tsv", ".safetensors")


@dataclass(frozen=True)
class TextVectors:
    """Vectors of texts.

    Args:
        run: what made them.
        vectors: float32 (N, D), in the order of the texts.
        out: the file written, or None.
        duration_s: the time it took to compute them.
        num_truncated: texts longer than the model, which were cut.
        num_blank: texts of nothing but white space, of which a transformer sees its special tokens alone.
        num_unknown: texts without a word that the word vectors know, whose vectors are zeros.
    """

    run: str
    vectors: NDArray[np.float32]
    out: Path | None
    duration_s: float
    num_truncated: int = 0
    num_blank: int = 0
    num_unknown: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For --json; the vectors themselves where no file holds them."""
        size = {
            "run": self.run,
            "num_texts": len(self.vectors),
            "width": self.vectors.shape[1],
            "num_truncated": self.num_truncated,
            "num_blank": self.num_blank,
            "num_unknown": self.num_unknown,
        }
        if self.out is not None:
            return {**size, "out": str(self.out), "duration_s": self.duration_s}
        return {**size, "out": None, "duration_s": self.duration_s, "vectors": self.vectors.tolist()}


@gives_own_errors
def embed(
    run: str | Path,
    source: str | Path,
    *,
    out: Path | None = None,
    pooling: Literal["mean", "cls"] = "mean",
    normalise: bool = True,
    text: Sequence[str] = ("text",),
    headerless: bool = False,
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None,
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
    projection: bool = False,
    image_field: str = "image",
    image_size: int | None = None,
    device: str = "auto",
) -> TextVectors | ImageVectors:
    """Turn texts or images into vectors.

    Args:
        run: a run, a model folder, or a file of word vectors.
        source: a text file with a text on each line, a table, or one text; of a network for images a folder or file of
            images.
        out: file to write: .npy, .tsv or .safetensors; numbers are printed when left out. The names of image files are
            written beside, v.names.txt for v.npy.
        pooling: mean over all tokens of a text, or the first one (cls).
        normalise: make every vector one of length 1, so that products are cosines.
        text: columns of the texts, where the file is a table.
        headerless: the table has no header, columns have numbers from 1 on.
        format: of the table, where its name does not tell.
        encoding: of text files.
        on_bad: stop at the first faulty row of a table or image, or skip them.
        projection: of images, what the projector of the training makes of the features.
        image_field: the field or column that holds the images.
        image_size: bring every image to this side, in pixels.
        device: auto, cpu, cuda, cuda:N or mps; of a transformer or a network for images.

    Returns:
        The vectors, one for each text or image.

    Raises:
        DataError: the run or the file is missing or cannot be read.
        UsageError: an option is out of range.
        ResourceError: the file cannot be written.
    """
    from textssl.commands._tables import TableSettings, read_texts
    from textssl.finetuning.embedding import open_source

    if out is not None and out.suffix.lower() not in OUTPUT_SUFFIXES:
        raise UsageError(f"out must end with {', '.join(OUTPUT_SUFFIXES)}, got {out.name!r}")
    texts = {"pooling": pooling, "text": text, "headerless": headerless, "format": format, "encoding": encoding}
    if is_for_images(run):
        from textssl.commands._embed_images import embed_images, write_names

        refuse_given(embed, texts, what="texts", because="images are embedded")
        reading = ImageReading(None, image_size, image_field, on_bad=on_bad)
        found = embed_images(run, source, reading, projection=projection, normalise=normalise, device=device)
        return dataclasses.replace(found, out=_written(out, found.vectors), names_out=write_names(out, found.files))
    model = open_source(run)
    refuse_images(source, run=run, command="textssl embed runs/views {source} --out vectors.npy")
    images = {"projection": projection, "image_field": image_field, "image_size": image_size}
    refuse_given(embed, images, what="images", because="texts are embedded")
    columns = (text,) if isinstance(text, str) else tuple(text)
    settings = TableSettings(columns, format=format, encoding=encoding, on_bad=on_bad)
    content = read_texts(source, settings, header=not headerless)
    if content.skipped:
        rows = "row is" if content.skipped == 1 else "rows are"
        note(f"{content.skipped:,} {rows} left out, {len(content.examples):,} are embedded")
    return _embedded(str(run), model, content.examples.texts, out, pooling, device, normalise=normalise)


def _embedded(
    run: str,
    model: TextModel | WordVectors,
    texts: Sequence[str],
    out: Path | None,
    pooling: Pooling,
    device: str,
    *,
    normalise: bool,
) -> TextVectors:
    """A vector for each text; written where `out` says."""
    from textssl.finetuning.embedding import TextModel, embed_texts, num_without_words

    start = time.monotonic()
    chosen = _device(device, isinstance(model, TextModel))
    encoded = model.encode(texts) if isinstance(model, TextModel) else None
    vectors = embed_texts(
        model, texts if encoded is None else encoded, pooling=pooling, normalise=normalise, device=chosen
    )
    duration_s = time.monotonic() - start
    return TextVectors(
        run,
        vectors,
        _written(out, vectors),
        duration_s,
        num_truncated=0 if encoded is None else encoded.num_truncated,
        num_blank=sum(not each.strip() for each in texts),
        num_unknown=num_without_words(model, vectors),
    )


def show(result: TextVectors | ImageVectors, console: Console) -> None:
    """Print where the vectors are, or the numbers, a text or image on each line."""
    from textssl.finetuning.embedding import cut_text, without_words_text

    if not isinstance(result, TextVectors):
        from textssl.commands._embed_images import show_vectors

        show_vectors(result, console)
        return

    if result.num_truncated:
        note(cut_text(result.num_truncated))
    if result.num_unknown:
        note(without_words_text(result.num_unknown, len(result.vectors)))
    elif result.num_blank:
        are, vectors = ("is", "its vector says") if result.num_blank == 1 else ("are", "their vectors say")
        note(f"{result.num_blank:,} of {len(result.vectors):,} texts {are} blank: {vectors} nothing of a text")
    if result.out is None:
        for vector in result.vectors:
            console.print(" ".join(f"{value:.6g}" for value in vector.tolist()))
        return
    count, width = result.vectors.shape
    console.print(f"{count:,} vectors of {width} numbers: {printable(str(result.out))} "
                  f"({count / max(result.duration_s, 1e-9):,.0f} texts/s)")  # fmt: skip


def _device(given: str, is_transformer: bool) -> str:
    """The device of a transformer; word vectors need none, and no torch to choose it."""
    if not is_transformer:
        return "cpu"
    from textssl.training.devices import chosen_device

    return chosen_device(given)


def _written(out: Path | None, vectors: NDArray[np.float32]) -> Path | None:
    from textssl.storage import commit_file

    if out is not None:
        commit_file(out, _as_file(vectors, out.suffix.lower()))
    return out


def _as_file(vectors: NDArray[np.float32], suffix: str) -> bytes:
    if suffix == ".tsv":
        return "".join("\t".join(f"{value:.6g}" for value in row) + "\n" for row in vectors.tolist()).encode()
    if suffix == ".safetensors":
        from safetensors.numpy import save

        return bytes(save({"vectors": np.ascontiguousarray(vectors)}))
    file = io.BytesIO()
    np.save(file, vectors, allow_pickle=False)
    return file.getvalue()
