"""What `check` finds out about images: their number, size and channels, their labels, the files that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl.commands._images import ImageReading
from textssl.commands.base import print_table, printable, train_command
from textssl.disk import size_text
from textssl.vision.images import kind_of_pixels

if TYPE_CHECKING:
    from rich.console import Console

    from corpora import CorpusError, Images

FORMATS = frozenset({"folder", "clips", "npz", "npy", "idx"})
"""Kinds of files that hold images alone; Parquet and datasets of the hub hold text as well, and are read as text."""
MAX_NAMES_SHOWN = 10
MAX_LABELS_SHOWN = 30


@dataclass(frozen=True)
class ImageFindings:
    """What a set of images holds.

    Args:
        name: the set.
        num_images: that can be read; 0 where reading stopped at a problem.
        height, width, channels, bits: of each image; 0 likewise.
        size_bytes: of the pixels in memory.
        labels: number of images by label; empty where there are none.
        num_unlabelled: images without a label, where others have one.
        num_clips: of frames; None where the images are no frames.
        notes: what the reader skipped, dropped or left out, and how often.
        unreadable: files that cannot be read; only their number is known where images are no files.
        problem: what is wrong, or None.
        problem_hint: what to do about it.
        command: that trains on them.
    """

    name: str
    num_images: int
    height: int
    width: int
    channels: int
    bits: int
    size_bytes: int
    labels: dict[str, int]
    num_unlabelled: int
    num_clips: int | None
    notes: dict[str, int]
    unreadable: tuple[str, ...]
    problem: str | None
    problem_hint: str | None
    command: str

    @property
    def exit_code(self) -> int:
        """3 (data) when images cannot be read, else 0."""
        return 0 if self.problem is None else 3

    def as_dict(self) -> dict[str, Any]:
        """All findings in JSON's types."""
        return {"kind": "images", **asdict(self)}


def holds_images(path: str, format: str | None) -> bool:
    """Whether a source is of images: a built-in set, a file of arrays, or a folder of more images than other files."""
    import corpora
    from corpora.readers.base_images import IMAGE_SUFFIXES, kind_of
    from corpora.readers.files import walk

    if format is not None or path in corpora.names():
        return format in FORMATS or (format is None and path in corpora.names("images"))
    place = Path(path).expanduser()
    if place.is_dir():
        are_images = [file.suffix.lower() in IMAGE_SUFFIXES for file in walk(place)]
        return 2 * sum(are_images) > len(are_images)
    if not place.is_file() or place.suffix.lower() == ".zip":
        return False
    try:
        return kind_of(place) in FORMATS
    except corpora.CorpusError:  # of no kind that holds images, so it is text, or what the readers of text refuse
        return False


def check_images(path: str, reading: ImageReading, *, options: Sequence[str] = ()) -> ImageFindings:
    """Read images through once, as training reads them.

    Args:
        path: what `corpora.load_images` takes.
        reading: how they are read; on_bad says whether files that cannot be read are a problem.
        options: words about how they are read, for the command to type next.

    Raises:
        corpora.CorpusError: it is no folder, and cannot be read.
    """
    import corpora
    from corpora.errors import NoImages

    is_folder = Path(path).expanduser().is_dir()
    try:
        images = corpora.load_images(
            path,
            format=reading.format,  # type: ignore[arg-type]  # corpora checks the name
            on_bad="skip" if is_folder else reading.on_bad,  # of a folder every file that cannot be read is found
            limit=reading.limit,
            image_size=reading.image_size,
            labels=reading.labels,
            image_field=reading.image_field,
            label_field=reading.label_field,
        )
    except corpora.CorpusError as error:
        if not is_folder:
            raise
        unreadable = _unreadable(path, frozenset()) if isinstance(error, NoImages) else ()
        command = train_command(_method(is_clips=reading.format == "clips"), path, options)
        return _stopped(path, error, unreadable, command)
    unreadable = () if reading.limit is not None else _unreadable(path, frozenset(images.file_names or ()))
    return _findings(path, reading, images, unreadable, options)


def show_images(found: ImageFindings, console: Console) -> None:
    """Print the findings as a table, and what to do next."""
    print_table(console, ("", ""), [(name, value) for name, value in _rows(found) if value])
    if found.labels:
        console.print("")
        most = sorted(found.labels.items(), key=lambda pair: -pair[1])
        print_table(console, ("label", "images"), [(name, f"{n:,}") for name, n in most[:MAX_LABELS_SHOWN]], right=(1,))
        if len(most) > MAX_LABELS_SHOWN:
            console.print(f"... and {len(most) - MAX_LABELS_SHOWN} more")
    if found.problem:
        console.print(f"\nproblem: {printable(found.problem)}\n  next: {found.problem_hint or 'mend the files'}")
    else:
        console.print(f"\nnext: {printable(found.command)}")


def _rows(found: ImageFindings) -> Iterator[tuple[str, str]]:
    yield "images", f"{found.num_images:,}" if found.num_images else ""
    if found.num_images:
        yield "size", f"{found.width} x {found.height}, {kind_of_pixels(found.channels, 2.0**found.bits - 1)}"
        yield "in memory", size_text(found.size_bytes)
        yield "labels", f"{len(found.labels):,}" if found.labels else "none"
    yield "without a label", f"{found.num_unlabelled:,}" if found.num_unlabelled else ""
    yield "clips", f"{found.num_clips:,}" if found.num_clips is not None else ""
    yield from ((what, f"{number:,}") for what, number in found.notes.items())


def _method(*, is_clips: bool) -> str:
    """The objective to try first."""
    return "frame_order" if is_clips else "simclr"


def _findings(
    path: str, reading: ImageReading, images: Images, unreadable: tuple[str, ...], options: Sequence[str]
) -> ImageFindings:
    import numpy as np

    from corpora.readers.base_pillow import SKIPPED

    notes = images.report()
    numbers = np.empty(0, np.int64) if images.labels is None else images.labels
    counts = np.bincount(numbers[numbers >= 0], minlength=len(images.label_names))
    problem = hint = None
    num_bad = notes.get(SKIPPED, 0)
    if num_bad and reading.on_bad == "error":
        names = ", ".join(unreadable[:MAX_NAMES_SHOWN])
        more = f" and {len(unreadable) - MAX_NAMES_SHOWN} more" if len(unreadable) > MAX_NAMES_SHOWN else ""
        be = "image cannot" if num_bad == 1 else "images cannot"
        problem = f"{num_bad:,} {be} be read{f': {names}{more}' if names else ''}"
        hint = "mend or remove what cannot be read, or leave it out and count it with --on-bad skip"
    _, height, width, channels = images.pixels.shape
    return ImageFindings(
        name=images.name,
        num_images=len(images),
        height=height,
        width=width,
        channels=channels,
        bits=8 * images.pixels.itemsize,
        size_bytes=images.pixels.nbytes,
        labels={str(name): int(count) for name, count in zip(images.label_names, counts, strict=False) if count},
        num_unlabelled=int((numbers < 0).sum()),
        num_clips=None if images.sequence is None else len(np.unique(images.sequence)),
        notes=notes,
        unreadable=unreadable,
        problem=problem,
        problem_hint=hint,
        command=train_command(_method(is_clips=images.sequence is not None), path, options),
    )


def _stopped(path: str, error: CorpusError, unreadable: tuple[str, ...], command: str) -> ImageFindings:
    """What is known where reading stopped."""
    problem = f"{error.where}: {error.message}" if error.where else error.message
    sizes = {"num_images": 0, "height": 0, "width": 0, "channels": 0, "bits": 0, "size_bytes": 0, "num_unlabelled": 0}
    return ImageFindings(
        name=path,
        labels={},
        num_clips=None,
        notes={},
        unreadable=unreadable,
        problem=problem,
        problem_hint=error.hint,
        command=command,
        **sizes,
    )


def _unreadable(path: str, read: frozenset[str]) -> tuple[str, ...]:
    """The image files of a folder that are not among those that were read."""
    from corpora.corpus import Tally
    from corpora.readers.image_folder import image_files

    folder = Path(path).expanduser()
    if not folder.is_dir():
        return ()
    names = (file.relative_to(folder).as_posix() for file in image_files(folder, Tally()))
    return tuple(name for name in names if name not in read)
