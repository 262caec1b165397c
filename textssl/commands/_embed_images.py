"""`textssl embed` for a network for images: a file or folder of images in, a file of vectors out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.commands._images import ImageReading, read_images

if TYPE_CHECKING:
    from rich.console import Console

TYPE = "textssl embed {run} images/ --out vectors.npy"


@dataclass(frozen=True)
class ImageVectors:
    """Vectors of images.

    Args:
        run: what made them.
        vectors: float32 (N, D), in the order of the images.
        files: their names, where images are files.
        out: the file written, or None.
        duration_s: the time it took to compute them.
        names_out: the file with a name on each line, written beside where images are files; else None.
    """

    run: str
    vectors: NDArray[np.float32]
    files: tuple[str, ...] | None
    out: Path | None
    duration_s: float
    names_out: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """For --json; the vectors themselves where no file holds them."""
        found = {
            "run": self.run,
            "num_images": len(self.vectors),
            "width": self.vectors.shape[1],
            "files": None if self.files is None else list(self.files),
            "out": None if self.out is None else str(self.out),
            "names_out": None if self.names_out is None else str(self.names_out),
            "duration_s": self.duration_s,
        }
        return found if self.out is not None else {**found, "vectors": self.vectors.tolist()}


def embed_images(
    run: str | Path, source: str | Path, reading: ImageReading, *, projection: bool, normalise: bool, device: str
) -> ImageVectors:
    """Turn images into vectors.

    Args:
        run: a run of a method for images, or its model folder.
        source: the images.
        reading: how they are read.
        projection: take what the projector makes of the features.
        normalise: make every vector one of length 1.
        device: where to compute.

    Raises:
        DataError: these are no images, or there is no projector.
        UsageError: the images are not of the network's kind.
    """
    from textssl.image_features import features_of, open_image_model, projected
    from textssl.neighbours import unit_rows
    from textssl.training.devices import chosen_device

    device = chosen_device(device)
    model = open_image_model(run)
    images = read_images(source, reading, run=run, command=TYPE)
    model.check(images)
    start = time.monotonic()
    vectors = features_of(model, images, device=device)
    if projection:
        vectors = projected(model, vectors, device=device)
    if normalise:
        vectors = unit_rows(vectors)
    return ImageVectors(str(run), vectors, images.file_names, None, time.monotonic() - start)


def write_names(out: Path | None, files: tuple[str, ...] | None) -> Path | None:
    """Write the names of images beside their vectors, one on each line: v.names.txt beside v.npy.

    Args:
        out: the file of the vectors, or None.
        files: the names, or None where images are no files.

    Returns:
        The file written, or None.

    Raises:
        ResourceError: it cannot be written.
    """
    from textssl.commands.base import printable
    from textssl.storage import commit_file

    if out is None or files is None:
        return None
    path = out.with_suffix(".names.txt")
    commit_file(path, "".join(f"{printable(name)}\n" for name in files))  # a line break in a name would move the rest
    return path


def show_vectors(result: ImageVectors, console: Console) -> None:
    """Print where the vectors are, or the numbers, an image on each line."""
    from textssl.commands.base import printable

    if result.out is None:
        for vector in result.vectors:
            console.print(" ".join(f"{value:.6g}" for value in vector.tolist()))
        return
    count, width = result.vectors.shape
    order = ", in the order of their names" if result.files else ""
    names = "" if result.names_out is None else f", names: {printable(str(result.names_out))}"
    console.print(f"{count:,} vectors of {width} numbers{order}: {printable(str(result.out))}{names} "
                  f"({count / max(result.duration_s, 1e-9):,.0f} images/s)")  # fmt: skip
