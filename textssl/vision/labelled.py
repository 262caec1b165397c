"""Labelled images: those of a set that have a label, draws that keep the labels in proportion, images of two sets.

Legend: N labelled images, B some of them, C labels.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, did_you_mean
from textssl.plural import first_names
from textssl.randomness import Purpose, first_in_proportion, permutation, stream_key
from textssl.vision.images import ImageSet

HASHED_AT_ONCE = 1024
NO_LABELS_HINT = "Put them into sub-folders named like the labels, or give --labels FILE.csv."


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """N images of a set with a label each.

    Args:
        images: the set; some of its images may have no label.
        places: int64 (N,), where the images stand in the set.
        targets: int64 (N,), numbers into `names`.
        names: of the C labels.
    """

    images: ImageSet
    places: NDArray[np.int64]
    targets: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def name(self) -> str:
        """Of the set, for messages."""
        return self.images.name

    @property
    def num_left_out(self) -> int:
        """Images of the set that are not among these."""
        return self.images.num_images - len(self)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Images of each label, int64 (C,)."""
        return np.bincount(self.targets, minlength=len(self.names)).astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> LabelledImages:
        """The images with these numbers, from 0 to N - 1, in this order."""
        return dataclasses.replace(self, places=self.places[rows], targets=self.targets[rows])

    def pixels(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Pixels (B, H, W, channels) of the images with these numbers."""
        return self.images.take(self.places[rows])


def labelled(
    images: ImageSet, names: Sequence[str] | None = None, *, hint: str = NO_LABELS_HINT
) -> LabelledImages:
    """The images of a set that have a label.

    Args:
        images: the set.
        names: the labels of another set, whose numbers they get; None for those that occur here.
        hint: what to do where there are none.

    Raises:
        DataError: there are no labels, one only where they name what is to be told apart, or one that is not among
            the names; images are named.
    """
    if images.labels is None or not np.any(images.labels >= 0):
        raise DataError("the images have no labels", where=images.name, hint=hint)
    places = np.flatnonzero(images.labels >= 0)
    found = images.labels[places]
    present = np.unique(found)
    if names is None:
        names = tuple(images.label_names[number] for number in present)
        if len(names) < 2:
            raise DataError(
                f"every image has the same label ({names[0]!r}), at least two are expected",
                where=images.name,
                hint="Give images of several labels: a sub-folder for each, or --labels FILE.csv.",
            )
    number = {name: at for at, name in enumerate(names)}
    if any(images.label_names[label] not in number for label in present):
        raise _unseen(images, places, names)
    table = np.array([number.get(name, -1) for name in images.label_names], dtype=np.int64)
    return LabelledImages(images, places, table[found], tuple(names))


def drawn(targets: NDArray[np.int64], size: int, *, seed: int) -> NDArray[np.int64]:
    """Numbers of some images, the labels in proportion and at least one image of each where `size` allows it.

    Args:
        targets: int64 (N,).
        size: 0 to N.
        seed: of the draw; a larger size adds to a smaller one of the same seed, the first of each label apart.

    Returns:
        int64 (size,), rising.
    """
    order = permutation(stream_key(seed, Purpose.SPLIT), len(targets))
    return np.sort(first_in_proportion(order, targets, size))


def cut_off(
    images: LabelledImages, *, share: float, seed: int, hint: str = "Give more images of each label."
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keep a share of the images back, the labels in proportion; at least one image of each label stays.

    Args:
        images: N of them.
        share: of those kept back, above 0 and below 1.
        seed: of the choice.
        hint: what to do where there are too few.

    Returns:
        The numbers of those that stay, and of those kept back, int64, rising.

    Raises:
        DataError: there is one image of each label only.
    """
    present = int(np.count_nonzero(images.counts))
    size = max(present, len(images) - max(1, round(share * len(images))))
    if size >= len(images):
        raise DataError(
            f"there is one image of each of {present} labels, so that none can be kept back to decide by",
            where=images.name,
            hint=hint,
        )
    kept = np.ones(len(images), dtype=bool)
    kept[drawn(images.targets, size, seed=seed)] = False
    return np.flatnonzero(~kept), np.flatnonzero(kept)


def num_shared(first: LabelledImages, second: LabelledImages) -> int:
    """How many images of the second also stand in the first, pixel by pixel."""
    if first.images.pixels.shape[1:] != second.images.pixels.shape[1:]:
        return 0
    known = set(_hashes(first))
    return sum(digest in known for digest in _hashes(second))


def _hashes(images: LabelledImages) -> list[bytes]:
    found: list[bytes] = []
    for start in range(0, len(images), HASHED_AT_ONCE):
        pixels = images.pixels(np.arange(start, min(start + HASHED_AT_ONCE, len(images))))
        found += [hashlib.blake2b(image.data, digest_size=12).digest() for image in pixels]
    return found


def _unseen(images: ImageSet, places: NDArray[np.int64], names: Sequence[str]) -> DataError:
    """An error about images whose label is not among the names."""
    assert images.labels is not None
    bad = [at for at in places.tolist() if images.label_names[images.labels[at]] not in names]
    given = images.label_names[images.labels[bad[0]]]
    which = images.file_names[bad[0]] if images.file_names else f"number {bad[0] + 1:,}"
    have = "image has a label" if len(bad) == 1 else "images have labels"
    return DataError(
        f"{len(bad):,} {have} that the training images do not have, the first is {given!r} ({which}); "
        f"they have {first_names(names)}",
        where=images.name,
        hint=did_you_mean(given, names) or "Leave such images out, or give training images with these labels too.",
    )
