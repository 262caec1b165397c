"""What every reader of images gives, the options that change what it reads, and what fits into memory."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from corpora.corpus import Tally
from corpora.errors import CorpusError, NoImages, did_you_mean, listed
from corpora.readers.options import OnBad, check_choice
from corpora.readers.sniff import head_of, inner_suffix
from corpora.readers.unpack import raw_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ImageFormat = Literal["folder", "clips", "npz", "npy", "idx", "parquet", "hub"]
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2"}
IMAGE_SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".tga"}
IDX_TYPES = b"\x08\x09\x0b\x0c\x0d\x0e"
KINDS = "a folder of image files, .npz, .npy, idx (.gz too) or Parquet"


@dataclass(frozen=True)
class ImageOptions:
    """How images are read.

    Args:
        format: The kind of the source; None finds it out.
        on_bad: "error" stops at the first image that cannot be read; "skip" passes over it and counts it.
        limit: Read the first images only, this many at most; of a folder of labels the first of each label.
        image_size: Side in pixels that every image is brought to; None leaves the images as they are.
        image_field: The field or column that holds the images, where the kind has fields.
        label_field: The one that holds their labels.
    """

    format: ImageFormat | None = None
    on_bad: OnBad = "error"
    limit: int | None = None
    image_size: int | None = None
    image_field: str = "image"
    label_field: str = "label"

    def __post_init__(self) -> None:
        check_choice("format", self.format, (None, *get_args(ImageFormat)), shown=get_args(ImageFormat))
        check_choice("on_bad", self.on_bad, get_args(OnBad), shown=get_args(OnBad))
        if self.limit is not None and self.limit < 1:
            raise CorpusError(f"limit must be at least 1, got {self.limit}", hint="leave it out to read every image")
        if self.image_size is not None and self.image_size < 1:
            raise CorpusError(
                f"image_size must be at least 1 pixel, got {self.image_size}",
                hint="leave it out to keep the images as they are",
            )

    def first(self, number: int) -> int:
        """Returns how many of `number` images are read."""
        return number if self.limit is None else min(number, self.limit)


@dataclass(frozen=True, eq=False)
class Found:
    """What a reader found: pixels of the images that could be read, and what is known of every image of the source.

    Args:
        pixels: uint8 or uint16 (K, H, W, C).
        kept: int64 (K,) in rising order: which images of the source these are.
        num_images: How many the source has, read or not.
        labels: A value for each of the num_images; None without labels.
        label_names: What the numbers in `labels` mean, where the source says so.
        sequence: The clip of each image, as a name or a number.
        frame: The place of each image in its clip.
        file_names: Of each image, relative to the folder.
    """

    pixels: "NDArray[Any]"
    kept: "NDArray[np.int64]"
    num_images: int
    labels: "Sequence[Any] | NDArray[Any] | None" = None
    label_names: tuple[str, ...] = ()
    sequence: "Sequence[Any] | NDArray[Any] | None" = None
    frame: "Sequence[int] | NDArray[Any] | None" = None
    file_names: Sequence[str] | None = None


def kind_of(path: Path) -> ImageFormat:
    """Returns what kind of source of images lies at a path, by its first bytes.

    Raises:
        CorpusError: It is empty, or of no kind that holds images.
    """
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return "folder"
    raw = raw_file(path)
    head = head_of(raw)
    if not head:
        raise CorpusError("the file is empty", where=str(path), hint=f"give {KINDS}")
    if len(head) >= 4 and head[:2] == b"\0\0" and head[2] in IDX_TYPES and 1 <= head[3] <= 4:
        return "idx"
    plain: dict[bytes, ImageFormat] = {b"PK\x03\x04": "npz", b"\x93NUMPY": "npy", b"PAR1": "parquet"}
    kind = next((kind for magic, kind in plain.items() if head.startswith(magic)), None)
    if kind is None:
        suffix = inner_suffix(path)
        raise CorpusError(
            f"no images are found in a file of this kind{f' ({suffix})' if suffix else ''}",
            where=str(path),
            hint=f"give {KINDS}",
        )
    if raw.packing is not None:
        raise CorpusError(f"a packed {kind} file cannot be read", where=str(path), hint="unpack it first")
    return kind


def field_of(fields: Sequence[str], given: str, option: str, where: str) -> str:
    """Returns the field of this name or of its plural ("image" stands for "images" too).

    Raises:
        CorpusError: There is none; the nearest is named.
    """
    for name in (given, f"{given}s"):
        if name in fields:
            return name
    holding = [field for field in fields if given in field]
    hint = f"did you mean {' or '.join(holding[:3])}?" if holding else did_you_mean(given, fields)
    raise CorpusError(
        f"no field {given!r} or {given + 's'!r}; the fields are: {listed(fields)}",
        where=where,
        hint=f"{hint or 'name the one to read'} ({option})",
    )


def optional_field(fields: Sequence[str], options: ImageOptions, where: str) -> str | None:
    """Returns the field with the labels; None when there is none and nobody asked for one by name."""
    asked = options.label_field != ImageOptions.label_field
    if not asked and not {options.label_field, f"{options.label_field}s"} & set(fields):
        return None
    return field_of(fields, options.label_field, "--label-field", where)


def check_memory(shape: Sequence[int], item_bytes: int, where: str) -> None:
    """Raises CorpusError when an array would take more memory than the machine has."""
    needed = math.prod(shape) * item_bytes
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise CorpusError(
            f"{shape[0]:,} images of {' x '.join(map(str, shape[1:]))} take {needed / 1e9:,.1f} GB, the machine has "
            f"{memory / 1e9:,.1f} GB of memory",
            where=where,
            hint="--image-size makes them smaller, --limit takes the first; a .npy file is mapped, not loaded",
        )


def all_of(number: int) -> "NDArray[np.int64]":
    """Returns `kept` of a source of which the first `number` images could be read."""
    import numpy as np

    return np.arange(number, dtype=np.int64)


def no_images(where: str, tally: Tally, hint: str) -> NoImages:
    """Returns the error for a source without an image, with what was passed over."""
    seen = ", ".join(f"{number:,} {what}" for what, number in tally.counts.items())
    return NoImages(f"there is no image in it{f' ({seen})' if seen else ''}", where=where, hint=hint)
