"""Image files decoded by Pillow in a few threads, straight into one array (N, H, W, C).

Gray stays one channel (16 bits stay uint16), colour is RGB; palettes, CMYK and other kinds of colour become RGB. An
alpha channel is dropped and counted. An image is turned as its EXIF note says. Of an animation the first frame is read.
"""

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from corpora.corpus import Tally
from corpora.errors import CorpusError
from corpora.readers.base_images import ImageOptions, check_memory, no_images

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

GRAY, GRAY_16 = ("1", "L", "LA", "La"), ("I;16", "I;16B", "I;16L", "I;16N", "I")
WITH_ALPHA = frozenset(("LA", "La", "RGBA", "RGBa", "PA"))
MAX_THREADS = 8
IMAGES_AT_A_TIME, ARRAYS_AT_A_TIME = 32, 1024
DRAFT_FACTOR = 2  # a JPEG is decoded at 1/2, 1/4 or 1/8 of its size while that is twice what is asked for
SKIPPED = "images skipped that cannot be read"


@dataclass(frozen=True)
class Encoded:
    """One image as it lies in a file.

    Args:
        where: Its name for messages.
        content: A path, or the bytes of the image file.
    """

    where: str
    content: Path | bytes


@dataclass(frozen=True, eq=False)
class Decoded:
    """One image, and what was done to it that its owner should know; or why it cannot be read."""

    pixels: "NDArray[Any] | None"
    notes: tuple[str, ...] = ()
    error: CorpusError | None = None


def decode_all(
    images: Sequence[Encoded], options: ImageOptions, tally: Tally, where: str
) -> "tuple[NDArray[Any], NDArray[np.int64]]":
    """Decodes images into one array.

    Args:
        images: One at least.
        options: `image_size`, `on_bad`; the limit is kept by the caller.
        tally: Counts what is skipped and dropped.
        where: The source, for messages.

    Returns:
        pixels uint8 or uint16 (K, H, W, C), and int64 (K,): which images these are.

    Raises:
        CorpusError: An image is damaged (and on_bad is "error"), or of another size or number of channels than the
            first, or none can be read.
    """
    import numpy as np

    pixels: NDArray[Any] | None = None
    kept: list[int] = []
    for index, decoded in enumerate(_in_order(images, options)):
        for note in decoded.notes:
            tally.add(note)
        if decoded.pixels is None:
            assert decoded.error is not None
            if options.on_bad == "error":
                raise decoded.error
            tally.add(SKIPPED)
            continue
        if pixels is None:
            shape = (len(images), *decoded.pixels.shape)
            check_memory(shape, decoded.pixels.itemsize, where)
            pixels = np.empty(shape, decoded.pixels.dtype)
        elif decoded.pixels.shape != pixels.shape[1:] or decoded.pixels.dtype != pixels.dtype:
            raise _mixed(images[kept[0]].where, pixels[0], images[index].where, decoded.pixels)
        pixels[len(kept)] = decoded.pixels
        kept.append(index)
    if pixels is None:
        raise no_images(where, tally, "look at the files; --on-bad error names the first fault")
    return pixels[: len(kept)], np.array(kept, np.int64)


def resize_all(pixels: "NDArray[Any]", size: int, where: str) -> "NDArray[Any]":
    """Returns arrays of images (N, H, W, C) brought to size x size, band by band."""
    import numpy as np
    from PIL import Image

    if pixels.shape[1:3] == (size, size):
        return pixels
    shape = (len(pixels), size, size, pixels.shape[3])
    check_memory(shape, pixels.itemsize, where)
    resized = np.empty(shape, pixels.dtype)

    def resize_some(begin: int) -> None:
        for index in range(begin, min(begin + ARRAYS_AT_A_TIME, len(pixels))):
            for band in range(shape[3]):
                image = Image.fromarray(np.ascontiguousarray(pixels[index, :, :, band]))
                resized[index, :, :, band] = _as_array(image, size)[:, :, 0]

    with ThreadPoolExecutor(num_threads()) as pool:
        list(pool.map(resize_some, range(0, len(pixels), ARRAYS_AT_A_TIME)))
    return resized


def num_threads() -> int:
    """Returns the number of threads that decode."""
    return min(MAX_THREADS, os.cpu_count() or 1)


def _in_order(images: Sequence[Encoded], options: ImageOptions) -> Iterator[Decoded]:
    """Yields the decoded images in their order; only a few are decoded ahead of the one that is taken."""
    begins = range(0, len(images), IMAGES_AT_A_TIME)
    threads = num_threads()

    def decode_some(begin: int) -> list[Decoded]:
        return [_outcome(image, options.image_size) for image in images[begin : begin + IMAGES_AT_A_TIME]]

    with ThreadPoolExecutor(threads) as pool:
        ahead = [pool.submit(decode_some, begin) for begin in begins[: 2 * threads]]
        for begin in begins[2 * threads :]:
            done = ahead.pop(0).result()
            ahead.append(pool.submit(decode_some, begin))
            yield from done
        for future in ahead:
            yield from future.result()


def _outcome(image: Encoded, size: int | None) -> Decoded:
    try:
        return _decode(image, size)
    except CorpusError as error:
        return Decoded(None, error=error)


def _decode(image: Encoded, size: int | None) -> Decoded:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image.content) if isinstance(image.content, bytes) else image.content) as opened:
            notes = _notes_of(opened)
            if size is not None:
                opened.draft(None, (DRAFT_FACTOR * size, DRAFT_FACTOR * size))
            return Decoded(_as_array(_turned(opened), size), notes)
    except UnidentifiedImageError as error:
        raise _unreadable(image.where, "its content is no image that Pillow knows") from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make Pillow raise OSError, SyntaxError, struct.error, IndexError, ...
        raise _unreadable(image.where, str(error) or type(error).__name__) from error


def _notes_of(image: "Image") -> tuple[str, ...]:
    """What is lost of an image, told before it is decoded."""
    notes = []
    if image.mode in WITH_ALPHA or (image.mode == "P" and "transparency" in image.info):
        notes.append("alpha channels dropped")
    if getattr(image, "is_animated", False):
        notes.append("animations of which only the first frame is read")
    tiles = getattr(image, "tile", [])
    if not image.mode.startswith("I") and tiles and ";16" in str(tiles[0][3]):
        notes.append("images of 16 bits a colour read with 8")
    return tuple(notes)


def _turned(image: "Image") -> "Image":
    from PIL import ImageOps

    if "exif" not in image.info:
        return image
    turned: Image = ImageOps.exif_transpose(image)
    return turned


def _as_array(image: "Image", size: int | None) -> "NDArray[Any]":
    """The pixels (H, W, C) of an image; with a size, of its central square in this size."""
    import numpy as np
    from PIL import Image

    if image.mode in GRAY_16:
        low, high = cast("tuple[int, int]", image.getextrema())
        if low < 0 or high > 65535:
            raise ValueError(f"gray values reach from {low} to {high}, 0 to 65535 is expected")
        image = image.convert("I")  # the kind that Pillow resizes with every filter
    elif image.mode in GRAY:
        image = image.convert("L")
    elif image.mode == "F":
        raise ValueError("gray values are fractions; whole numbers of 8 or 16 bits are expected")
    else:
        image = (image.convert("RGBA") if image.mode in ("P", "PA") else image).convert("RGB")
    if size is not None and image.size != (size, size):
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    pixels = np.asarray(image)
    if image.mode == "I":
        pixels = np.clip(pixels, 0, 65535).astype(np.uint16)
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]


def _unreadable(where: str, reason: str) -> CorpusError:
    hint = "to leave such images out and count them: --on-bad skip"
    return CorpusError(f"the image cannot be read: {reason}", where=where, hint=hint)


def _mixed(first: str, first_pixels: "NDArray[Any]", other: str, other_pixels: "NDArray[Any]") -> CorpusError:
    """The error for images that do not fit into one array."""
    if first_pixels.shape[2] != other_pixels.shape[2] or first_pixels.dtype != other_pixels.dtype:
        return CorpusError(
            f"{_channels(first_pixels)}, but {_channels(other_pixels)} in {other}; all images must be of one kind",
            where=first,
            hint="convert them to gray or to RGB first",
        )
    return CorpusError(
        f"the image is {_size(first_pixels)} pixels, but {_size(other_pixels)} in {other}; one size is expected",
        where=first,
        hint=f"to bring all to one size: --image-size {min(*first_pixels.shape[:2], *other_pixels.shape[:2])}",
    )


def _size(pixels: "NDArray[Any]") -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def _channels(pixels: "NDArray[Any]") -> str:
    number = pixels.shape[2]
    return f"{number} channel{'s' if number > 1 else ''} of {8 * pixels.itemsize} bits"
