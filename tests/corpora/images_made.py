"""Small images with known pixels, as files of many kinds."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import corpora


def gradient(height: int = 8, width: int = 8, *, start: int = 0, channels: int = 1) -> np.ndarray:
    """An image (H, W) or (H, W, C) with a different value in each pixel."""
    values = np.arange(start, start + height * width * channels) % 251
    shape = (height, width) if channels == 1 else (height, width, channels)
    return values.astype(np.uint8).reshape(shape)


def save(path: Path, pixels: np.ndarray | Image.Image, **options) -> Path:
    """Writes an image file, its kind by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def idx(array: np.ndarray, *, type_: int = 8) -> bytes:
    """The bytes of an idx file."""
    return bytes([0, 0, type_, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def refused(path: Path | str, match: str, **options) -> corpora.CorpusError:
    """The error that opening it raises."""
    with pytest.raises(corpora.CorpusError, match=match) as caught:
        corpora.load_images(path, **options)
    return caught.value
