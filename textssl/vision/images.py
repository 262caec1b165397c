"""The images that are learnt from: one array of pixels, what is known of each image, and the statistics of channels.

Axes: N images, B images of a batch, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError
from textssl.plural import counted

NO_LABEL = -1
MAX_SAMPLE_IMAGES = 10_000
MAX_SAMPLE_BYTES = 1 << 27
_BLOCK_BYTES = 1 << 23


class ImageSource(Protocol):
    """What a corpus of images offers (`corpora.Images` does)."""

    @property
    def name(self) -> str:
        """A short name for messages and run folders."""

    @property
    def pixels(self) -> NDArray[Any]:
        """Pixels uint8 or uint16 (N, H, W, C)."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """Labels int64 (N,), -1 for none; None where nothing is known."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """In the order of the labels' numbers."""

    @property
    def sequence(self) -> NDArray[np.int64] | None:
        """The clip of each image, int64 (N,)."""

    @property
    def frame(self) -> NDArray[np.int64] | None:
        """The place of each image in its clip, int64 (N,)."""

    @property
    def file_names(self) -> tuple[str, ...] | None:
        """Where images are files."""

    def fingerprint(self) -> str:
        """A sha256 in hex of the contents."""

    def report(self) -> dict[str, int]:
        """What was skipped or left out."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size with what is known of them.

    Args:
        pixels: uint8 or uint16 (N, H, W, C), in memory or mapped from a file.
        labels: int64 (N,), numbers into `label_names`, -1 for none; None where nothing is known.
        label_names: In the order of their numbers.
        sequence: int64 (N,), the clip that an image is a frame of; frames of a clip follow each other.
        frame: int64 (N,), rising in each clip.
        name: A short name for messages and run folders.
        fingerprint: A sha256 in hex of the contents.
        file_names: Where images are files.
    """

    pixels: NDArray[Any]
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    sequence: NDArray[np.int64] | None = None
    frame: NDArray[np.int64] | None = None
    name: str = "images"
    fingerprint: str = ""
    file_names: tuple[str, ...] | None = None

    @property
    def num_images(self) -> int:
        """The number of images."""
        return len(self.pixels)

    @property
    def height(self) -> int:
        """Height of every image in pixels."""
        return int(self.pixels.shape[1])

    @property
    def width(self) -> int:
        """Width of every image in pixels."""
        return int(self.pixels.shape[2])

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB, or the number of bands."""
        return int(self.pixels.shape[3])

    @property
    def scale(self) -> float:
        """The largest value that a pixel can have: 255 or 65535."""
        return float(np.iinfo(self.pixels.dtype).max)

    @property
    def kind(self) -> str:
        """Channels and bits for people: networks are for one such kind."""
        return kind_of_pixels(self.channels, self.scale)

    def take(self, indices: NDArray[np.int64] | Sequence[int]) -> NDArray[Any]:
        """A copy of some images.

        Args:
            indices: int64 (B,), each from 0 to N - 1.

        Returns:
            Pixels (B, H, W, C) of the set's type, one after the other in memory.
        """
        return np.ascontiguousarray(self.pixels[np.asarray(indices, np.int64)])

    def channel_statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of each channel, of pixels scaled to 0..1.

        They come from images that are evenly spread over the set, 10,000 at most and 128 MB at most.

        Returns:
            mean_C and std_C, float32 (C,); a deviation is one gray level at least, so that it may be divided by.
        """
        image_bytes = max(1, self.pixels[:1].nbytes)
        number = min(self.num_images, MAX_SAMPLE_IMAGES, max(1, MAX_SAMPLE_BYTES // image_bytes))
        chosen = np.arange(number) * self.num_images // number
        total_C, total_of_squares_C, count = np.zeros(self.channels), np.zeros(self.channels), 0
        rows = max(1, _BLOCK_BYTES // image_bytes)
        for begin in range(0, number, rows):
            values = self.take(chosen[begin : begin + rows]).reshape(-1, self.channels).astype(np.float64)
            total_C += values.sum(0)
            total_of_squares_C += np.einsum("nc,nc->c", values, values)
            count += len(values)
        mean_C = total_C / count
        variance_C = np.maximum(total_of_squares_C / count - mean_C**2, 1.0)
        return (mean_C / self.scale).astype(np.float32), (np.sqrt(variance_C) / self.scale).astype(np.float32)

    def labels_in(self, label_names: Sequence[str]) -> NDArray[np.int64]:
        """The labels as numbers into the names of another set, so that two sets can be compared.

        Args:
            label_names: Of the other set.

        Returns:
            int64 (N,); -1 where an image has no label, or one that is not among the names.

        Raises:
            DataError: the set has no labels, or not one of the names.
        """
        if self.labels is None:
            raise DataError(
                "the images have no labels",
                where=self.name,
                hint="Put them into sub-folders named like the labels, or give --labels FILE.csv.",
            )
        numbers = {name: number for number, name in enumerate(label_names)}
        translated = np.array([*(numbers.get(name, NO_LABEL) for name in self.label_names), NO_LABEL], np.int64)
        if not np.any(translated[:-1] >= 0):
            raise DataError(
                f"no label is among {', '.join(label_names[:8])}; there are {', '.join(self.label_names[:8])}",
                where=self.name,
                hint="Give images with the labels of the others.",
            )
        return translated[self.labels]


def kind_of_pixels(channels: int, scale: float) -> str:
    """What a network is for: the number of channels and their bits.

    >>> kind_of_pixels(3, 255.0)
    '3 channels of 8 bits'
    """
    return f"{counted(channels, 'channel')} of {round(math.log2(scale + 1))} bits"


def image_set(source: ImageSource) -> ImageSet:
    """The images of a corpus, checked.

    Args:
        source: for instance what `corpora.load_images` returns.

    Raises:
        DataError: the pixels have another type or shape, there is no image, or what is known is not as many as images.
    """
    pixels = source.pixels
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim != 4:
        raise DataError(
            f"the pixels are {pixels.dtype} {pixels.shape}, expected uint8 or uint16 (images, height, width, channels)",
            where=source.name,
            hint="Open the images with corpora.load_images.",
        )
    if pixels.size == 0:
        raise DataError("there is no image", where=source.name, hint="Give at least one.")
    for what in ("labels", "sequence", "frame"):
        values = getattr(source, what)
        if values is not None and values.shape != (len(pixels),):
            raise DataError(
                f"{what} has the shape {values.shape}; one for each of {len(pixels):,} images is expected",
                where=source.name,
            )
    return ImageSet(
        pixels=pixels,
        labels=source.labels,
        label_names=source.label_names,
        sequence=source.sequence,
        frame=source.frame,
        name=source.name,
        fingerprint=source.fingerprint(),
        file_names=source.file_names,
    )
