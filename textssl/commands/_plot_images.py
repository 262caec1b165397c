"""`textssl plot` for a network for images: a map of images by label, and images with their nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl import figures
from textssl.commands._images import ImageReading, images_of_run, read_images
from textssl.errors import DataError, UsageError
from textssl.image_figures import draw_image_map, draw_nearest
from textssl.run_folder import RunFolder
from textssl.storage import commit_file

if TYPE_CHECKING:
    from textssl.vision.images import ImageSet

NUM_QUERIES, NUM_NEIGHBOURS = 10, 8
MIN_IMAGES = {"pca": 2, "tsne": 4}
TYPE = "textssl plot {run} --images test/"


@dataclass(frozen=True)
class ImagePlots:
    """The pictures that were drawn.

    Args:
        map: PNG of the map.
        nearest: PNG of images with their nearest.
        num_images: in the map.
        num_labels: in it; 0 where images have none.
    """

    map: Path
    nearest: Path
    num_images: int
    num_labels: int

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {"map": str(self.map), "nearest": str(self.nearest), "num_images": self.num_images,
                "num_labels": self.num_labels}  # fmt: skip


def plot_images(
    run: str | Path,
    images: str | Path | None,
    reading: ImageReading,
    *,
    method: Literal["pca", "tsne"] = "pca",
    seed: int = 1,
    most_images: int = 2000,
    output: Path | None = None,
    device: str = "auto",
) -> ImagePlots:
    """Draw a map of images by their features, and some of them with the images nearest to them.

    Args:
        run: a run of a method for images, or its model folder.
        images: the images; None: those that the run was trained on.
        reading: how they are read.
        method: of the map.
        seed: of t-SNE.
        most_images: in the map, spread over all; neighbours are looked for among these.
        output: PNG of the map; the other picture stands beside it.
        device: where to compute.

    Raises:
        DataError: there are too few images, or these are none.
        UsageError: the images are not of the network's kind, or an option is out of range.
    """
    from textssl.image_features import features_of, open_image_model
    from textssl.objectives.base_rows import spread_rows
    from textssl.training.devices import chosen_device

    if most_images < MIN_IMAGES[method]:
        raise UsageError(f"most_images must be at least {MIN_IMAGES[method]}, got {most_images}")
    model = open_image_model(run)
    if images is None:
        found = images_of_run(run, option="--images", image_size=reading.image_size)
    else:
        found = read_images(images, reading, run=run, command=TYPE)
    model.check(found)
    if found.num_images < MIN_IMAGES[method]:
        raise DataError(
            f"a map by {method} needs at least {MIN_IMAGES[method]} images, there are {found.num_images}",
            where=found.name,
        )
    rows = spread_rows(found.num_images, most_images)
    features = features_of(model, found, rows, device=chosen_device(device))
    targets = None if found.labels is None else found.labels[rows]
    title = f"{len(rows):,} images of {found.name} by the features of {model.name}"
    png = draw_map_of(features, targets, found.label_names, title=title, method=method, seed=seed)
    target = output or _place(Path(run), f"images-{method}")
    beside = target.with_name(f"{target.stem}-nearest.png") if output else _place(Path(run), "images-nearest")
    commit_file(target, png)
    frames = "" if targets is None else "; green: the same label, red: another"
    title = f"{found.name}: nearest by the features of {model.name} (cosine{frames})"
    commit_file(beside, nearest_picture(found, rows, features, title=title))
    num_labels = 0 if targets is None else len(np.unique(targets[targets >= 0]))
    return ImagePlots(target, beside, len(rows), num_labels)


def draw_map_of(
    features: NDArray[np.float32],
    targets: NDArray[np.int64] | None,
    names: Sequence[str],
    *,
    title: str,
    method: Literal["pca", "tsne"] = "pca",
    seed: int = 1,
) -> bytes:
    """A map of vectors (N, F) at length 1, by their labels; a PNG."""
    from textssl.neighbours import unit_rows

    units = unit_rows(features)
    if method == "pca":
        points, share = figures.principal_plane(units)
        axes = figures.component_names(share)
    else:
        points, axes = figures.neighbour_map(units, seed=seed), ("t-SNE, first axis", "t-SNE, second axis")
    return draw_image_map(points, targets, names, title=title, axes=axes)


def nearest_picture(
    images: ImageSet, rows: NDArray[np.int64], features: NDArray[np.float32], *, title: str
) -> bytes:
    """Some images, of as many labels as there are, with those whose features are nearest; a PNG.

    Args:
        images: the set.
        rows: int64 (N,), the images to choose from.
        features: float32 (N, F), theirs.
        title: of the picture.
    """
    from textssl.vision.neighbors import nearest

    labels = np.full(len(rows), -1, dtype=np.int64) if images.labels is None else images.labels[rows]
    asked = _spread_over_labels(labels)
    count = min(NUM_NEIGHBOURS, len(rows) - 1)
    cosines, at = nearest(features, features[asked], count, own_M=np.array(asked))
    names = [images.label_names[label] if label >= 0 else None for label in labels.tolist()]
    shape = (len(asked), count, *images.pixels.shape[1:])
    return draw_nearest(
        images.take(rows[asked]),
        images.take(rows[at.ravel()]).reshape(shape),
        cosines,
        ([names[own] for own in asked], [[names[other] for other in row] for row in at.tolist()]),
        title=title,
    )


def _spread_over_labels(labels: NDArray[np.int64]) -> list[int]:
    """Numbers of some images: the labels in turn, the images of each in their order."""
    turns: dict[int, int] = {}
    keys = []
    for at, label in enumerate(labels.tolist()):
        turns[label] = turns.get(label, -1) + 1
        keys.append((turns[label], label, at))
    if len(turns) == 1:  # no labels to go by: spread over the set
        return sorted(set(np.linspace(0, len(labels) - 1, min(NUM_QUERIES, len(labels))).astype(int).tolist()))
    chosen = sorted(keys)[:NUM_QUERIES]
    return [at for _, _, at in sorted(chosen, key=lambda key: (key[1], key[0]))]


def _place(run: Path, name: str) -> Path:
    return run / f"{name}.png" if RunFolder.is_run(run) else Path(f"{run.name}-{name}.png")
