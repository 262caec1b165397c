"""Tables with a column of encoded images, as the Hugging Face hub has them: Parquet files, and datasets."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.corpus import Tally
from corpora.errors import CorpusError
from corpora.readers.base_images import Found, ImageOptions, field_of, no_images, optional_field
from corpora.readers.base_pillow import Encoded, decode_all

if TYPE_CHECKING:
    from datasets import Dataset
    from pyarrow.parquet import ParquetFile

ROWS_AT_A_TIME = 256
MORE_ROWS = "give a table with at least one row"
NAMES_ANOTHER = "--image-field names another"


def read_parquet_images(file: "ParquetFile", where: str, options: ImageOptions, tally: Tally) -> Found:
    """Reads a column of image files, as bytes or as {"bytes", "path"}, and the labels beside it.

    Args:
        file: An open Parquet file.
        where: Its name for messages.
        options: The fields and the limit.
        tally: Counts what is skipped.

    Raises:
        CorpusError: A column is missing or holds no images, or an image cannot be read.
    """
    schema = file.schema_arrow
    image_field = field_of(schema.names, options.image_field, "--image-field", where)
    label_field = optional_field(schema.names, options, where)
    columns = [image_field, label_field] if label_field else [image_field]
    number = options.first(file.metadata.num_rows)
    cells: list[Any] = []
    labels: list[Any] = []
    for batch in file.iter_batches(ROWS_AT_A_TIME, columns=columns):
        cells += batch.column(batch.schema.get_field_index(image_field)).to_pylist()
        if label_field:
            labels += batch.column(batch.schema.get_field_index(label_field)).to_pylist()
        if len(cells) >= number:
            break
    names = _names_in(schema, label_field)
    total = file.metadata.num_rows
    return _decoded(cells[:number], labels if label_field else None, names, total, options, tally, where)


def read_dataset(dataset: "Dataset", where: str, options: ImageOptions, tally: Tally) -> Found:
    """Reads a column of images of a dataset, and the labels beside it.

    Raises:
        CorpusError: A column is missing or holds no images, or an image cannot be read.
    """
    import datasets

    image_field = field_of(dataset.column_names, options.image_field, "--image-field", where)
    label_field = optional_field(dataset.column_names, options, where)
    if not isinstance(dataset.features[image_field], datasets.Image):
        raise CorpusError(
            f"column {image_field!r} holds {dataset.features[image_field]}, images are expected",
            where=where,
            hint=NAMES_ANOTHER,
        )
    rows = dataset.select(range(options.first(len(dataset)))).select_columns(
        [image_field, label_field] if label_field else [image_field]
    )
    cells: list[Any] = []
    labels: list[Any] = []
    for some in rows.cast_column(image_field, datasets.Image(decode=False)).iter(ROWS_AT_A_TIME):
        cells += some[image_field]
        labels += some[label_field] if label_field else ()
    names = tuple(getattr(dataset.features[label_field], "names", None) or ()) if label_field else ()
    return _decoded(cells, labels if label_field else None, names, len(dataset), options, tally, where)


def _decoded(
    cells: Sequence[Any],
    labels: list[Any] | None,
    label_names: tuple[str, ...],
    num_images: int,
    options: ImageOptions,
    tally: Tally,
    where: str,
) -> Found:
    if not cells:
        raise no_images(where, tally, MORE_ROWS)
    images = [Encoded(f"{where}, row {row:,}", _content(cell, where, row)) for row, cell in enumerate(cells, 1)]
    pixels, kept = decode_all(images, options, tally, where)
    if labels is not None:
        labels += [None] * (num_images - len(labels))  # rows past the limit
    return Found(pixels, kept, num_images, labels, label_names)


def _content(cell: Any, where: str, row: int) -> Path | bytes:
    """The image file in a cell; b"", which no image is, for an empty one."""
    if isinstance(cell, dict):
        cell = cell.get("bytes") or (Path(cell["path"]) if cell.get("path") else None)
    if cell is None or isinstance(cell, bytes | Path):
        return cell or b""
    raise CorpusError(
        f"the cell holds {type(cell).__name__}, an image file is expected",
        where=f"{where}, row {row:,}",
        hint=NAMES_ANOTHER,
    )


def _names_in(schema: Any, label_field: str | None) -> tuple[str, ...]:
    """The names of the labels that `datasets` wrote into a Parquet file."""
    note = (schema.metadata or {}).get(b"huggingface")
    if not note or not label_field:
        return ()
    try:
        names = json.loads(note)["info"]["features"][label_field]["names"]
    except (ValueError, KeyError, TypeError):  # a note without names, or one that another program wrote
        return ()
    return tuple(map(str, names))
