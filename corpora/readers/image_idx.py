"""The idx files of the MNIST family, packed or not; the labels are found beside the images by their name.

Layout (big endian): 0, 0, type (8 is a byte without sign), number of axes, each axis as 4 bytes, then the values.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.corpus import Tally
from corpora.errors import CorpusError
from corpora.readers.base_images import Found, ImageOptions, all_of, check_memory, no_images
from corpora.readers.base_pillow import resize_all
from corpora.readers.unpack import ALWAYS_ALLOWED, MAX_RATIO, raw_file, read_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSIGNED_BYTE = 8
MAX_AXES = 4


def read_idx(path: Path, options: ImageOptions, tally: Tally) -> Found:
    """Reads images (N, H, W) or (N, H, W, C) of an idx file, with the labels beside it.

    Raises:
        CorpusError: The file is damaged, holds something else than bytes, or holds labels.
    """
    import numpy as np

    pixels = idx_array(path)
    if pixels.ndim < 3:
        what = "labels" if pixels.ndim == 1 else "a table"
        raise CorpusError(
            f"the file holds {what} ({pixels.ndim} axes), images have 3 or 4",
            where=str(path),
            hint="give the file of the images; the labels are found beside it",
        )
    if pixels.size == 0:
        raise no_images(str(path), tally, "give a file with at least one image")
    num_images = len(pixels)
    pixels = pixels[: options.first(num_images)]
    pixels = pixels if pixels.ndim == 4 else pixels[:, :, :, np.newaxis]
    if options.image_size is not None:
        pixels = resize_all(pixels, options.image_size, str(path))
    beside = labels_beside(path)
    return Found(pixels, all_of(len(pixels)), num_images, idx_array(beside) if beside else None)


def labels_beside(path: Path) -> Path | None:
    """Returns the file of the labels: train-labels-idx1-ubyte.gz for train-images-idx3-ubyte.gz; None without one."""
    name = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    if name == path.name:
        return None
    other = name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"
    return next((path.with_name(each) for each in (name, other) if path.with_name(each).is_file()), None)


def idx_array(path: Path) -> "NDArray[Any]":
    """Returns the bytes of an idx file in their shape.

    Raises:
        CorpusError: The file is damaged, holds other numbers than bytes, or more or less than its header promises.
    """
    import numpy as np

    raw = raw_file(path)
    chunks = read_chunks(raw)
    head = next(chunks, b"")
    if len(head) < 4 or head[:2] != b"\0\0" or len(head) < 4 + 4 * head[3] or not 1 <= head[3] <= MAX_AXES:
        raise CorpusError("no idx file (it does not begin like one)", where=raw.where, hint="leave --format out")
    if head[2] != UNSIGNED_BYTE:
        raise CorpusError(
            f"the file holds numbers of type 0x{head[2]:02x}; bytes without sign (0x08) are expected", where=raw.where
        )
    begin = 4 + 4 * head[3]
    shape = struct.unpack(f">{head[3]}I", head[4:begin])
    promised = math.prod(shape)
    if promised > (max(ALWAYS_ALLOWED, MAX_RATIO * raw.size_bytes) if raw.packing else raw.size_bytes):
        raise _other_size(promised, f"{raw.size_bytes:,} bytes", raw.where)
    check_memory(shape, 1, raw.where)
    content = np.empty(promised, np.uint8)
    filled, chunk = 0, memoryview(head)[begin:]
    while len(chunk):
        if filled + len(chunk) > promised:
            raise _other_size(promised, "more", raw.where)
        content[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
        chunk = memoryview(next(chunks, b""))
    if filled < promised:
        raise _other_size(promised, f"{filled:,}", raw.where)
    return content.reshape(shape)


def _other_size(promised: int, there: str, where: str) -> CorpusError:
    return CorpusError(
        f"the header promises {promised:,} bytes, the file has {there}", where=where, hint="copy or download it again"
    )
