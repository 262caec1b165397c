"""Corpora of images: files, folders, arrays and datasets, opened as one array of pixels with what is known of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from corpora.corpus import Tally
from corpora.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpora.readers.base_images import Found, ImageFormat, ImageOptions

HASH_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size, in order.

    Args:
        name: A short name for messages and run folders.
        pixels: uint8 or uint16 (N, H, W, C); gray has one channel, other numbers of bands stay as they are. May be
            mapped from a file, and must not be written to.
        labels: int64 (N,), numbers into `label_names`, -1 for none; None where nothing is known.
        label_names: In the order of their numbers.
        sequence: int64 (N,), the number of the clip that an image is a frame of; frames of a clip follow each other.
        frame: int64 (N,), rising in each clip: the frame's number where the source gives one, else its place from 0 on.
        file_names: Relative to the folder, where images are files.
        notes: What was skipped, dropped or left out.
    """

    name: str
    pixels: NDArray[Any]
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    sequence: NDArray[np.int64] | None = None
    frame: NDArray[np.int64] | None = None
    file_names: tuple[str, ...] | None = None
    notes: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.pixels)

    def report(self) -> dict[str, int]:
        """Returns what was skipped, dropped or left out: {"alpha channels dropped": 3}; empty when nothing."""
        return dict(self.notes)

    def fingerprint(self) -> str:
        """Returns a sha256 in hex of pixels, labels and clips as they were read; names of files do not count."""
        import numpy as np

        digest = hashlib.sha256()
        rows = max(1, HASH_BYTES // max(1, self.pixels[:1].nbytes))
        for array in (self.pixels, self.labels, self.sequence, self.frame):
            digest.update(b"none" if array is None else f"{array.dtype.name} {array.shape}".encode())
            for begin in range(0, 0 if array is None else len(array), rows):
                assert array is not None
                digest.update(np.ascontiguousarray(array[begin : begin + rows]).data)
        digest.update("\0".join(self.label_names).encode())
        return digest.hexdigest()


def load_images(
    name_or_path: str | Path,
    *,
    format: ImageFormat | None = None,
    on_bad: Literal["error", "skip"] = "error",
    limit: int | None = None,
    image_size: int | None = None,
    labels: Path | None = None,
    image_field: str = "image",
    label_field: str = "label",
) -> Images:
    """Opens images and decodes them.

    Args:
        name_or_path: A built-in set of images (see `corpora.names("images")`), a folder of image files whose
            sub-folders are labels, an image file, .npz, .npy, idx (MNIST family) or Parquet file, or
            "hub:owner/name[/config][:split]". A file named like a built-in set is given as a Path, or as "./NAME".
        format: "folder", "clips" (each sub-folder is a clip of frames), "npz", "npy", "idx", "parquet" or "hub";
            None finds it out.
        on_bad: "error" stops at the first image that cannot be read; "skip" passes over it and counts it.
        limit: Read the first images only, this many at most (of a folder of labels: the first of each).
        image_size: Side in pixels; the central square of every image is resized to it. None keeps images as they are.
        labels: A file of labels: columns `file` and `label`, or a label per image in order; also .npy.
        image_field: The field or column that holds the images (npz, Parquet, hub); "image" stands for "images" too.
        label_field: The one that holds the labels.

    Returns:
        The images. All but those of a .npy file are in memory.

    Raises:
        CorpusError: They are not there, cannot be read, differ in size or kind, or an option is out of range.
    """
    from corpora.readers.base_images import ImageOptions

    options = ImageOptions(format, on_bad, limit, image_size, image_field, label_field)
    tally = Tally()
    name, found = _found(name_or_path, options, tally)
    return _assembled(name, found, tally, labels)


def _found(name_or_path: str | Path, options: ImageOptions, tally: Tally) -> tuple[str, Found]:
    from corpora.cards import CARDS

    if isinstance(name_or_path, str):
        if name_or_path.startswith("hub:") or options.format == "hub":
            return name_or_path, _hub(name_or_path, options, tally)
        if name_or_path in CARDS:
            return name_or_path, _built_in(name_or_path, options)
        if name_or_path.startswith(("http://", "https://", "ftp://")):
            raise CorpusError(
                "an address on the web was given; nothing is downloaded here",
                where=name_or_path,
                hint="download the images first; datasets of the Hugging Face hub are named hub:owner/name",
            )
    if options.format == "hub":
        raise CorpusError("format 'hub' takes a name, not a Path", where=str(name_or_path), hint="give a str")
    path = Path(name_or_path).expanduser()
    return path.name or str(path), _file(path, options, tally)


def _built_in(name: str, options: ImageOptions) -> Found:
    from corpora.cards import card, refuse_content
    from corpora.digits import digits

    refuse_content(card(name), "images")
    if options.format is not None:
        raise CorpusError(
            f"format {options.format!r} was given with the built-in images {name!r}",
            hint=f"leave it out; or, for a file of this name: ./{name}",
        )
    return digits(name, options)


def _hub(address: str, options: ImageOptions, tally: Tally) -> Found:
    from corpora.readers.hub import open_dataset, parts_of
    from corpora.readers.image_columns import read_dataset

    return read_dataset(open_dataset(*parts_of(address)), address, options, tally)


def _file(path: Path, options: ImageOptions, tally: Tally) -> Found:
    """Calls the reader of a kind of file (imported only now: some kinds need pyarrow)."""
    from corpora.readers.base_images import kind_of
    from corpora.readers.files import missing

    if not path.exists():
        raise missing(path, "images")
    if not path.is_dir() and not path.is_file():
        raise CorpusError("neither a file nor a folder", where=str(path), hint="write the images to a file first")
    kind = options.format or kind_of(path)
    if path.is_dir() and kind not in ("folder", "clips"):
        raise CorpusError(f"a folder was given, {kind} is a file", where=str(path), hint="leave --format out")
    if kind == "npz":
        from corpora.readers.image_arrays import read_npz as read
    elif kind == "npy":
        from corpora.readers.image_arrays import read_npy as read
    elif kind == "idx":
        from corpora.readers.image_idx import read_idx as read
    elif kind == "parquet":
        return _parquet(path, options, tally)
    elif kind == "clips":
        from corpora.readers.image_folder import read_clips as read
    else:
        from corpora.readers.image_folder import read_folder as read
    return read(path, options, tally)


def _parquet(path: Path, options: ImageOptions, tally: Tally) -> Found:
    from corpora.readers.image_columns import read_parquet_images
    from corpora.readers.parquet import opened
    from corpora.readers.unpack import raw_file

    with opened(raw_file(path)) as file:
        return read_parquet_images(file, str(path), options, tally)


def _assembled(name: str, found: Found, tally: Tally, labels: Path | None) -> Images:
    """Numbers labels and clips, puts the frames of a clip in their order, and leaves out what could not be read."""
    from corpora.image_labels import clip_order, clips, labels_from, numbered

    values, names, where = found.labels, found.label_names, f"{name}, labels"
    if labels is not None:
        values = labels_from(Path(labels).expanduser(), found, tally)
        names, where = (), str(labels)
    kept, pixels = found.kept, found.pixels
    numbers = None
    if values is not None:
        numbers, names = numbered(values, names, found, where)
    sequence, frame = clips(found, name)
    order = clip_order(sequence, frame, name)
    if order is not None:
        assert sequence is not None
        assert frame is not None
        pixels, kept, sequence, frame = pixels[order], kept[order], sequence[order], frame[order]
    return Images(
        name=name,
        pixels=pixels,
        labels=None if numbers is None else numbers[kept],
        label_names=names,
        sequence=sequence,
        frame=frame,
        file_names=None if found.file_names is None else tuple(found.file_names[index] for index in kept),
        notes=dict(tally.counts),
    )
