"""Safetensors files: opened as memory-mapped arrays, and written row by row in bounded memory.

A file is 8 bytes (length of the header, little-endian), a JSON header {name: {dtype, shape, data_offsets}}, the data.
Everything that the header says is checked against the size of the file before anything is mapped.
Source: the format description of the safetensors library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from textssl.disk import reading
from textssl.errors import DataError

MAX_HEADER_BYTES = 100_000_000
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("bool"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
LENGTH_BYTES = 8
MAX_AXES = 8
# The header is written last, when the number of rows is known; one page, so that the data begin on a page.
RESERVED_BYTES = 4096
COPIED_AT_ONCE_BYTES = 1 << 24
WRITTEN_AT_ONCE_BYTES = 1 << 20  # such a copy stays in the cache
LINE_BYTES = 64  # the data of a file begin at a multiple of it
_HINT = "It is damaged or no safetensors file; write or download it again."


@dataclass(frozen=True)
class TensorFile:
    """The arrays of a file, memory-mapped and read-only, in the order of the file, and its metadata."""

    tensors: dict[str, NDArray[Any]]
    metadata: dict[str, str]


def open_tensors(path: Path) -> TensorFile:
    """Map all arrays of a safetensors file; takes no time, whatever its size.

    Raises:
        DataError: the file is missing, the header is damaged or longer than 100 MB, or does not fit the file's size.
    """
    path = Path(path)
    with reading(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if size < LENGTH_BYTES or not 2 <= length <= min(MAX_HEADER_BYTES, size - LENGTH_BYTES):
                _refuse(path, f"announces a header of {length:,} bytes in a file of {size:,} bytes")
            header = _parse(path, file.read(length))
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            _refuse(path, "has metadata that are no strings")
        start = LENGTH_BYTES + length
        places = _checked_places(path, header, size - start)
        data = np.memmap(path, dtype=np.uint8, mode="r") if size > start else np.zeros(size, dtype=np.uint8)
    tensors = {
        name: data[start + place.begin : start + place.end].view(place.dtype).reshape(place.shape)
        for name, place in places.items()
    }
    return TensorFile(tensors, metadata)


@dataclass(frozen=True)
class _Place:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def _parse(path: Path, header: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(header, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError):
        _refuse(path, "has a header that is no JSON with unique names")
    if not isinstance(parsed, dict):
        _refuse(path, "has a header that is no JSON object")
    return parsed


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice")
    return result


def _checked_places(path: Path, header: Mapping[str, Any], data_bytes: int) -> dict[str, _Place]:
    """Where each array lies, in the order of the file; they must follow each other and fill the file."""
    places = {name: _checked_place(path, name, entry) for name, entry in header.items()}
    ordered = dict(sorted(places.items(), key=lambda item: (item[1].begin, item[1].end)))
    expected = 0
    for name, place in ordered.items():
        if place.begin != expected:
            _refuse(path, f"has array {name!r} at byte {place.begin:,} of the data, expected {expected:,}")
        expected = place.end
    if expected != data_bytes:
        _refuse(path, f"holds {data_bytes:,} bytes of data, its header announces {expected:,}")
    return ordered


def _checked_place(path: Path, name: str, entry: Any) -> _Place:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (TypeError, KeyError, ValueError):
        whole = False
    if not whole:
        _refuse(path, f"describes array {name!r} wrongly, expected dtype, shape and data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(path, f"has array {name!r} of type {dtype!r}, this reader knows {', '.join(DTYPES)}")
    if len(shape) > MAX_AXES:
        _refuse(path, f"has array {name!r} of {len(shape)} axes, at most {MAX_AXES} are read")
    expected = math.prod(shape) * DTYPES[dtype].itemsize
    if end - begin != expected:
        _refuse(path, f"gives array {name!r} {end - begin:,} bytes, {dtype} {shape} takes {expected:,}")
    return _Place(DTYPES[dtype], tuple(shape), begin, end)


def _refuse(path: Path, message: str) -> NoReturn:
    raise DataError(message, where=str(path), hint=_HINT)


def save_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] = {}) -> None:
    """Write whole arrays to a new file; however they lie in memory, only pieces of them are copied.

    Args:
        path: the file to make.
        arrays: of any shape, of the types in DTYPES.
        metadata: strings kept in the header.
    """
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode("ascii")
    text = text.ljust(-(-(LENGTH_BYTES + len(text)) // LINE_BYTES) * LINE_BYTES - LENGTH_BYTES)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(LENGTH_BYTES, "little") + text)
        for _, array in ordered:
            for piece in pieces_of(array):
                file.write(np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data)


def pieces_of(array: NDArray[Any], at_once_bytes: int = WRITTEN_AT_ONCE_BYTES) -> Iterator[NDArray[Any]]:
    """The array's values in their order as views of some rows each, about `at_once_bytes` large, at least one row."""
    rows = np.atleast_1d(array)
    if rows.size:
        step = max(1, at_once_bytes // (rows.nbytes // len(rows)))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]


@dataclass
class _Written:
    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    begin: int
    rows: int = 0

    @property
    def row_bytes(self) -> int:
        return math.prod(self.row_shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        return self.begin + self.rows * self.row_bytes


@dataclass
class TensorWriter:
    """Writes arrays one after the other, each in as many pieces as one likes; the header comes last.

    Begin with the arrays of the largest items, so that all stay aligned.

    Args:
        path: the file to make.
        metadata: strings kept in the header.
    """

    path: Path
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._file = self.path.open("wb")
        self._file.write(b"\0" * RESERVED_BYTES)
        self._written: dict[str, _Written] = {}
        return self

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Add rows to the array that is being written, or begin a new one.

        Args:
            name: the array.
            rows: (rows, ...); type and row shape must be those of the rows before.
        """
        rows = np.asarray(rows, order="C")
        if name not in self._written:
            self._written[name] = _Written(rows.dtype, rows.shape[1:], self._end())
        entry = self._written[name]
        assert name == next(reversed(self._written)), f"array {name} is finished already"
        assert (rows.dtype, rows.shape[1:]) == (entry.dtype, entry.row_shape), "rows of another type or shape"
        if rows.size:
            self._file.write(rows.reshape(-1).view(np.uint8).data)
        entry.rows += len(rows)

    def keep_rows(self, places: NDArray[np.int64]) -> None:
        """Leave only some rows in the array that is being written, in bounded memory.

        Args:
            places: which ones, rising, int64.
        """
        entry = next(reversed(self._written.values()))
        self._file.flush()
        shape = (entry.rows, *entry.row_shape)
        rows = np.memmap(self.path, dtype=entry.dtype, mode="r+", offset=RESERVED_BYTES + entry.begin, shape=shape)
        step = max(1, COPIED_AT_ONCE_BYTES // max(1, entry.row_bytes))
        for start in range(0, len(places), step):
            piece = places[start : start + step]
            rows[start : start + len(piece)] = rows[piece]  # rows move to the front only, none is overwritten unread
        rows.flush()
        entry.rows = len(places)
        self._file.seek(RESERVED_BYTES + entry.end)
        self._file.truncate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._file.write(self._header())

    def _end(self) -> int:
        return next(reversed(self._written.values())).end if self._written else 0

    def _header(self) -> bytes:
        entries: dict[str, Any] = {"__metadata__": dict(self.metadata)} if self.metadata else {}
        for name, entry in self._written.items():
            entries[name] = {
                "dtype": NAMES[entry.dtype],
                "shape": [entry.rows, *entry.row_shape],
                "data_offsets": [entry.begin, entry.end],
            }
        length = RESERVED_BYTES - LENGTH_BYTES
        text = json.dumps(entries).encode("ascii")
        assert len(text) <= length, "the reserved header is too short"
        return length.to_bytes(LENGTH_BYTES, "little") + text.ljust(length)
