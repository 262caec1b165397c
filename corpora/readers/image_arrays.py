"""Arrays of NumPy: .npy (mapped, not loaded) and .npz with images, or with encoded images one after the other.

A header is read and held against the file before memory is asked for; object arrays, which are pickles, are refused.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from corpora.corpus import Tally
from corpora.errors import CorpusError
from corpora.readers.base_images import (
    Found,
    ImageOptions,
    all_of,
    check_memory,
    field_of,
    no_images,
    optional_field,
)
from corpora.readers.base_pillow import Encoded, decode_all, resize_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_RATIO = 1100  # deflate packs no better
SMALL_BYTES = 1 << 20
ENCODED_FIELDS = ("jpeg", "offsets")
AGAIN = "copy or write it again"


def read_npy(path: Path, options: ImageOptions, tally: Tally) -> Found:
    """Maps images (N, H, W) or (N, H, W, C) of a .npy file; what is not looked at is not read.

    Raises:
        CorpusError: The file is damaged, or holds no images of 8 or 16 bits.
    """
    return found_in(mapped(path), options, str(path), tally)


def read_npz(path: Path, options: ImageOptions, tally: Tally) -> Found:
    """Reads the fields of a .npz file: images and labels, or `jpeg` and `offsets`; `sequence` and `frame` where given.

    Image i of the encoded form is the image file jpeg[offsets[i] : offsets[i + 1]].

    Raises:
        CorpusError: The file is damaged, a field is missing, or the images are not of 8 or 16 bits.
    """
    where = str(path)
    with opened(path) as archive:
        fields = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        label_field = optional_field(fields, options, where)
        more = {
            "labels": member(archive, label_field, where) if label_field else None,
            "sequence": member(archive, "sequence", where) if "sequence" in fields else None,
            "frame": member(archive, "frame", where) if "frame" in fields else None,
        }
        if set(ENCODED_FIELDS) <= set(fields):
            content, offsets = (member(archive, field, where) for field in ENCODED_FIELDS)
            return encoded(content, offsets, options, tally, where, more)
        image_field = field_of(fields, options.image_field, "--image-field", where)
        pixels = member(archive, image_field, where)
    return found_in(pixels, options, f"{where}, {image_field}", tally, more)


def found_in(
    pixels: "NDArray[Any]", options: ImageOptions, where: str, tally: Tally, more: dict[str, Any] | None = None
) -> Found:
    """Returns an array's images.

    Args:
        pixels: (N, H, W) or (N, H, W, C) of 8 or 16 bits without sign.
        options: The limit and the image size.
        where: The array, for messages.
        tally: Told in the message when there are no images.
        more: What is known of the images beside.

    Raises:
        CorpusError: The array has another type or shape, or is empty.
    """
    import numpy as np

    if pixels.dtype.newbyteorder("=") not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise CorpusError(
            f"the pixels are {pixels.dtype}, uint8 or uint16 is expected",
            where=where,
            hint="scale them to 0..255 and save them with .astype(numpy.uint8)",
        )
    if pixels.ndim not in (3, 4):
        raise CorpusError(
            f"the shape is {pixels.shape}; (images, height, width) or (images, height, width, channels) is expected",
            where=where,
            hint="reshape the array before it is saved",
        )
    if pixels.size == 0:
        raise no_images(where, tally, "give an array with at least one image")
    if pixels.ndim == 4 and pixels.shape[1] <= 4 < min(pixels.shape[2:]):
        raise CorpusError(
            f"the shape is {pixels.shape}: the channels seem to stand before height and width",
            where=where,
            hint="save images.transpose(0, 2, 3, 1), channels last",
        )
    num_images = len(pixels)
    pixels = pixels[: options.first(num_images)]
    pixels = pixels if pixels.ndim == 4 else pixels[:, :, :, np.newaxis]
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    if options.image_size is not None:
        pixels = resize_all(pixels, options.image_size, where)
    return Found(pixels, all_of(len(pixels)), num_images, **(more or {}))


def encoded(
    content: "NDArray[Any]",
    offsets: "NDArray[Any]",
    options: ImageOptions,
    tally: Tally,
    where: str,
    more: dict[str, Any],
) -> Found:
    """Returns the images whose files lie one after the other in `content`.

    Raises:
        CorpusError: The offsets do not rise from 0 to the end of the content, or an image cannot be read.
    """
    import numpy as np

    if content.dtype != np.uint8 or content.ndim != 1 or offsets.dtype.kind not in "iu" or offsets.ndim != 1:
        raise CorpusError(
            f"jpeg is {content.dtype} {content.shape} and offsets {offsets.dtype} {offsets.shape}; "
            "bytes in a row and whole numbers are expected",
            where=where,
        )
    bounds = [int(offset) for offset in offsets]
    if not bounds or bounds[0] < 0 or bounds[-1] > len(content) or sorted(bounds) != bounds:
        raise CorpusError(
            f"the offsets do not rise from 0 to the {len(content):,} bytes of jpeg", where=where, hint=AGAIN
        )
    num_images = len(bounds) - 1
    if num_images == 0:
        raise no_images(where, tally, "give an array with at least one image")
    images = [
        Encoded(f"{where}, image {index}", content[bounds[index] : bounds[index + 1]].tobytes())
        for index in range(options.first(num_images))
    ]
    pixels, kept = decode_all(images, options, tally, where)
    return Found(pixels, kept, num_images, **more)


def mapped(path: Path) -> "NDArray[Any]":
    """Returns the array of a .npy file, mapped into memory for reading.

    Raises:
        CorpusError: The file is damaged or holds objects.
    """
    import numpy as np

    where = str(path)
    try:
        with path.open("rb") as file:
            shape, _ = _header(file, path.stat().st_size, where)
        if 0 in shape:
            return np.empty(shape, np.uint8)
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _damaged(error, where, "npy") from error
    return array


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens a .npz file; what is damaged inside raises CorpusError whenever it shows."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise _damaged(error, str(path), "npz") from error


def member(archive: zipfile.ZipFile, field: str, where: str) -> "NDArray[Any]":
    """Returns one array of a .npz file.

    Raises:
        CorpusError: It holds objects, promises more than there is, or takes more memory than the machine has.
    """
    import numpy as np

    where = f"{where}, {field}"
    entry = archive.getinfo(f"{field}.npy")
    if entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size):
        raise CorpusError(
            f"{entry.compress_size:,} packed bytes cannot hold the {entry.file_size:,} bytes that are promised",
            where=where,
            hint=AGAIN,
        )
    with archive.open(entry) as file:
        shape, item_bytes = _header(file, entry.file_size, where)
        if shape:
            check_memory(shape, item_bytes, where)
    with archive.open(entry) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _header(file: IO[bytes], size_bytes: int, where: str) -> tuple[tuple[int, ...], int]:
    """Shape and bytes of an item of an array, after it was held against the bytes that are there."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise CorpusError(f"version {version[0]}.{version[1]} of the NumPy format is not read", where=where)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise CorpusError(
            "the array holds Python objects, which are pickles and never opened because they may run code",
            where=where,
            hint="save numbers or text, not objects; images of different sizes are given as a folder of files",
        )
    promised, there = math.prod(shape) * dtype.itemsize, size_bytes - file.tell()
    if promised != there or min(shape, default=0) < 0:
        content = f"{promised:,} bytes of {dtype} {shape}"
        raise CorpusError(f"the header promises {content}, the file has {there:,}", where=where, hint=AGAIN)
    return shape, dtype.itemsize


def _damaged(error: Exception, where: str, kind: str) -> CorpusError:
    """The error for a file that NumPy or zipfile cannot read; errors of our own stay what they are."""
    if isinstance(error, CorpusError):
        return error
    return CorpusError(f"the {kind} file is damaged: {str(error) or type(error).__name__}", where=where, hint=AGAIN)
