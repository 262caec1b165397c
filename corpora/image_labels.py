"""What is known of images beside their pixels: labels as numbers with names, clips and the order of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.corpus import Tally
from corpora.errors import CorpusError, listed
from corpora.rows import Row, TableOptions, load_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpora.readers.base_images import Found

NO_LABEL = -1
MAX_CLASSES = 65_536
COLUMNS = ("file", "label")
LAYOUT = "give columns file,label, or one label a line in the order of the images"


def numbered(
    values: Sequence[Any] | NDArray[Any], names: tuple[str, ...], found: Found, where: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Returns labels as numbers, and the names of the numbers.

    Whole numbers stay what they are, and their names are "0", "1" and so on where the source gives none; -1 is no
    label. Texts are numbered in natural order; an empty text or None is no label.

    Args:
        values: One for each image that was looked at.
        names: What the numbers mean, where the source says so.
        found: The images.
        where: The labels, for messages.

    Raises:
        CorpusError: There are more or fewer labels than images, or they are no numbers of classes.
    """
    import numpy as np

    array = np.asarray(_without_none(values, where) if isinstance(values, list) else values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise CorpusError(f"the labels have the shape {array.shape}; one per image is expected", where=where)
    if len(array) != found.num_images:
        raise wrong_number(len(array), found, where)
    if array.dtype.kind == "U":
        return _from_texts([str(value) for value in array])
    is_whole = array.dtype.kind == "f" and np.isfinite(array).all() and np.array_equal(array, np.floor(array))
    if array.dtype.kind not in "iub" and not is_whole:
        raise CorpusError(f"the labels are {array.dtype}; whole numbers or text are expected", where=where)
    low, high = int(array.min()), int(array.max())
    num_classes = len(names) or MAX_CLASSES
    if low < NO_LABEL or high >= num_classes:
        raise CorpusError(
            f"the labels reach from {low} to {high}; 0 to {num_classes - 1:,} is expected, -1 for none",
            where=where,
            hint="number the classes from 0 on, or give their names",
        )
    return array.astype(np.int64), names or tuple(map(str, range(high + 1)))


def labels_from(path: Path, found: Found, tally: Tally) -> Sequence[str | None] | NDArray[Any]:
    """Reads the labels of images from a file: columns `file` and `label`, a label a line in order, or .npy.

    Args:
        path: CSV, TSV, JSONL, Parquet, plain text or .npy.
        found: The images; `file` is the name of one relative to the folder, or its last part where this is enough.
        tally: Counts images without a label and labels without an image.

    Raises:
        CorpusError: The file has other columns, another number of labels, or names none of the images.
    """
    if path.suffix.lower() == ".npy":
        from corpora.readers.image_arrays import mapped

        array = mapped(path)
        if len(array) != found.num_images:
            raise wrong_number(len(array), found, str(path))
        return array
    table = TableOptions() if path.suffix else TableOptions(format="csv")
    if path.suffix.lower() in (".txt", ".labels"):
        table = TableOptions(format="tsv", header=False)
    names = load_rows(path, columns=(), options=table).names
    if set(COLUMNS) <= set(names):
        return _by_file(list(load_rows(path, columns=COLUMNS, options=table)), path, found, tally)
    if COLUMNS[1] in names:
        rows = load_rows(path, columns=COLUMNS[1:], options=table)
    elif len(names) == 1:
        rows = load_rows(path, columns=("1",), options=TableOptions(format="tsv", header=False))
    else:
        raise CorpusError(f"the columns are {listed(names)}; file and label are expected", where=str(path), hint=LAYOUT)
    labels = [_text(row.cells[0]) for row in rows]
    if len(labels) != found.num_images:
        raise wrong_number(len(labels), found, str(path))
    return labels


def wrong_number(number: int, found: Found, where: str) -> CorpusError:
    """Returns the error for labels that are not as many as the images."""
    return CorpusError(f"there are {number:,} labels for {found.num_images:,} images", where=where, hint=LAYOUT)


def clips(found: Found, where: str) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Returns the clip and the frame of the images that were read; (None, None) where they are no frames.

    Clips are numbered in the order in which they come. Frames without a clip are of one clip; in a clip without
    numbers of frames the images are in order.

    Raises:
        CorpusError: There are more or fewer than images, or frames that are no whole numbers.
    """
    import numpy as np

    if found.sequence is None and found.frame is None:
        return None, None
    for what, values in (("sequence", found.sequence), ("frame", found.frame)):
        if values is not None and (np.ndim(values) != 1 or len(values) != found.num_images):
            raise CorpusError(
                f"{what} has the shape {np.shape(values)}; one for each of {found.num_images:,} images is expected",
                where=where,
            )
    numbers: dict[Any, int] = {}
    given = [0] * found.num_images if found.sequence is None else np.asarray(found.sequence).tolist()
    sequence = np.array([numbers.setdefault(value, len(numbers)) for value in given], np.int64)
    frame = np.arange(found.num_images) if found.frame is None else np.asarray(found.frame)
    if frame.dtype.kind not in "iu":
        raise CorpusError(f"frame is {frame.dtype}; whole numbers are expected", where=where)
    return sequence[found.kept], frame.astype(np.int64)[found.kept]


def clip_order(
    sequence: NDArray[np.int64] | None, frame: NDArray[np.int64] | None, where: str
) -> NDArray[np.int64] | None:
    """Returns how to order images by clip and frame; None where they are in this order already.

    Raises:
        CorpusError: A clip has two frames of the same number, so their order is not known.
    """
    import numpy as np

    if sequence is None or frame is None:
        return None
    order = np.lexsort((frame, sequence))
    same = (np.diff(sequence[order]) == 0) & (np.diff(frame[order]) == 0)
    if same.any():
        first = order[int(same.argmax())]
        raise CorpusError(
            f"frame {frame[first]} stands twice in clip number {sequence[first]}, so its frames have no order",
            where=where,
            hint="give each frame of a clip a number of its own",
        )
    return None if np.array_equal(order, np.arange(len(order))) else order


def _without_none(values: list[Any], where: str) -> list[Any]:
    """The labels of a column with "" or -1 in the place of None; all text or all numbers."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {str}:
        return [value or "" for value in values]
    if kinds <= {int, float, bool}:
        return [NO_LABEL if value is None else value for value in values]
    given = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise CorpusError(f"the labels hold {given}; whole numbers or text are expected", where=where)


def _from_texts(texts: list[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    import numpy as np

    from corpora.readers.files import natural_order

    names = tuple(sorted({text for text in texts if text}, key=natural_order))
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers.get(text, NO_LABEL) for text in texts], np.int64), names


def _by_file(rows: list[Row], path: Path, found: Found, tally: Tally) -> list[str | None]:
    """The label of each image by the name of its file."""
    if found.file_names is None:
        raise CorpusError(
            "the labels are given by file, but the images are no files",
            where=str(path),
            hint="give one label a line, in the order of the images",
        )
    places: dict[str, list[int]] = {}
    for index, name in enumerate(found.file_names):
        for key in {name, name.rpartition("/")[2]}:
            places.setdefault(key, []).append(index)
    labels: list[str | None] = [None] * found.num_images
    for row in rows:
        file, label = (_text(cell) for cell in row.cells)
        where = places.get(file, ())
        if len(where) > 1:
            raise CorpusError(
                f"{file!r} is the name of {len(where)} images; with the folder it is clear",
                where=f"{path}, line {row.place:,}",
                hint=f"for example {found.file_names[where[0]]!r}",
            )
        if not where:
            tally.add("labels of files that are not there")
        for index in where:
            labels[index] = label
    tally.add("images without a label", sum(not label for label in labels))
    if not any(labels):
        raise CorpusError(
            f"none of its {len(rows):,} files is among the images",
            where=str(path),
            hint=f"names are relative to the folder, for example {found.file_names[0]!r}",
        )
    return labels


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()
