"""Images for the benchmarks, as npz files with `images` uint8 (N, H, W, C) and `labels`: what contestants all read.

Fashion-MNIST lies as four idx.gz files in a folder. For 32x32 RGB, frames of driving videos (the npz of
`camvid_frames`, 160x120) are cut into tiles that do not overlap: 15 of each frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILE = 32


def fashion_mnist(data: Path, target: Path, *, part: str, limit: int | None = None) -> Path:
    """Write the first images of "train" or "t10k".

    Args:
        data: the folder of the idx.gz files.
        target: npz to write.
        part: of the set.
        limit: so many; None: all.
    """
    from corpora import load_images

    found = load_images(data / f"{part}-images-idx3-ubyte.gz", limit=limit)
    assert found.labels is not None, "the labels lie beside the images"
    return saved(target, found.pixels, found.labels)


def camvid_tiles(frames: Path, target: Path) -> Path:
    """Write the 32x32 RGB tiles of all frames."""
    from corpora import load_images

    pixels = load_images(frames).pixels
    rows, columns = pixels.shape[1] // TILE, pixels.shape[2] // TILE
    cut = pixels[:, : rows * TILE, : columns * TILE].reshape(-1, rows, TILE, columns, TILE, 3)
    return saved(target, cut.transpose(0, 1, 3, 2, 4, 5).reshape(-1, TILE, TILE, 3), None)


def few_of_each(images: Path, target: Path, *, count: int, seed: int) -> Path:
    """Write `count` labelled images, as many of each label as of the others."""
    given = np.load(images, allow_pickle=False)
    order = np.random.default_rng(seed).permutation(len(given["labels"]))
    labels = given["labels"][order]
    names = np.unique(labels)
    if count % len(names):
        raise SystemExit(f"{count} images cannot be as many of each of {len(names)} labels")
    chosen = np.concatenate([order[labels == name][: count // len(names)] for name in names])
    return saved(target, given["images"][chosen], given["labels"][chosen])


def saved(target: Path, pixels: NDArray[Any], labels: NDArray[np.int64] | None) -> Path:
    """Write an npz, the labels as integers where there are any."""
    target.parent.mkdir(parents=True, exist_ok=True)
    known = {} if labels is None else {"labels": labels}
    np.savez(target, images=np.ascontiguousarray(pixels), **known)
    return target
