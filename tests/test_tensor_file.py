"""Safetensors files: read as the safetensors library writes them, written as it reads them, damaged ones refused."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from textssl import tensor_file
from textssl.errors import DataError
from textssl.tensor_file import TensorWriter, open_tensors

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([1, 2, 3], dtype=np.int64),
    "c": np.zeros((0, 4), dtype=np.float32),
    "d": np.array([True, False]),
    "e": np.array([7], dtype=np.uint64),
}


def test_open_tensors_reads_what_safetensors_writes(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "x", metadata={"key": "value"})
    opened = open_tensors(tmp_path / "x")
    assert opened.metadata == {"key": "value"}
    assert set(opened.tensors) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert opened.tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(opened.tensors[name], array)


def test_writer_is_read_by_safetensors(tmp_path: Path) -> None:
    with TensorWriter(tmp_path / "x", {"key": "value"}) as writer:
        writer.append("a", ARRAYS["a"][:1])
        writer.append("a", ARRAYS["a"][1:])
        for name in "bcde":
            writer.append(name, ARRAYS[name])
    loaded = load_file(tmp_path / "x")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], array)
        np.testing.assert_array_equal(open_tensors(tmp_path / "x").tensors[name], array)


def test_writer_keeps_chosen_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_file, "COPIED_AT_ONCE_BYTES", 24)
    rows = np.arange(40, dtype=np.float32).reshape(20, 2)
    kept = np.array([0, 1, 3, 4, 5, 9, 10, 19])
    with TensorWriter(tmp_path / "x") as writer:
        writer.append("first", rows)
        writer.append("rows", rows)
        writer.keep_rows(kept)
        writer.append("more", rows[:1])
    loaded = load_file(tmp_path / "x")
    np.testing.assert_array_equal(loaded["first"], rows)
    np.testing.assert_array_equal(loaded["rows"], rows[kept])
    np.testing.assert_array_equal(loaded["more"], rows[:1])


def test_open_tensors_maps_read_only(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "x")
    opened = open_tensors(tmp_path / "x").tensors["a"]
    assert isinstance(opened, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        opened[0, 0] = 1


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "announces a header of 0 bytes in a file of 0 bytes"),
        (b"\xff" * 8, "announces a header of 18,446,744,073,709,551,615 bytes in a file of 8 bytes"),
        ((200_000_000).to_bytes(8, "little"), "announces a header of 200,000,000 bytes"),
        (file_of(b"{]"), "has a header that is no JSON with unique names"),
        (file_of(b"[" * 100_000), "has a header that is no JSON with unique names"),
        (file_of(b'{"a": 1, "a": 2}'), "has a header that is no JSON with unique names"),
        (file_of([1]), "has a header that is no JSON object"),
        (file_of({"__metadata__": {"a": 1}}), "has metadata that are no strings"),
        (file_of({"a": 7}), "describes array 'a' wrongly, expected dtype, shape and data_offsets"),
        (file_of({"a": entry(shape=(-1,))}, b"abcd"), "describes array 'a' wrongly"),
        (file_of({"a": entry(shape=(True,))}, b"abcd"), "describes array 'a' wrongly"),
        (file_of({"a": entry(dtype="BF16")}, b"abcd"), "has array 'a' of type 'BF16', this reader knows F64"),
        (file_of({"a": entry(dtype=[])}, b"abcd"), r"has array 'a' of type \[\]"),
        (file_of({"a": entry(shape=(1,) * 9)}, b"abcd"), "has array 'a' of 9 axes, at most 8 are read"),
        (file_of({"a": entry(shape=(10**30,))}, b"abcd"), "gives array 'a' 4 bytes, F32"),
        (file_of({"a": entry(offsets=(4, 8))}, b"abcdabcd"), "has array 'a' at byte 4 of the data, expected 0"),
        (file_of({"a": entry(), "b": entry()}, b"abcd"), "has array 'b' at byte 0 of the data, expected 4"),
        (file_of({"a": entry()}, b"ab"), "holds 2 bytes of data, its header announces 4"),
        (file_of({"a": entry()}, b"abcdef"), "holds 6 bytes of data, its header announces 4"),
    ],
)
def test_open_tensors_refuses_damaged_files(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_tensors(tmp_path / "x")
    assert "write or download it again" in str(caught.value)


def test_open_tensors_names_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="x: is missing"):
        open_tensors(tmp_path / "x")


@pytest.mark.parametrize("at_once_bytes", [1, 50, 1 << 24])
def test_save_tensors_writes_any_shape_and_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once_bytes: int
) -> None:
    monkeypatch.setattr(tensor_file.pieces_of, "__defaults__", (at_once_bytes,))
    table = np.arange(60, dtype=np.float32).reshape(5, 12)
    arrays = {
        **ARRAYS,
        "half rows": table[:, :7],
        "turned": table.T,
        "number": np.array(2**40),
        "none": np.zeros((2, 0)),
    }
    tensor_file.save_tensors(tmp_path / "x", arrays, {"key": "value"})
    loaded, opened = load_file(tmp_path / "x"), open_tensors(tmp_path / "x")
    assert opened.metadata == {"key": "value"}
    for name, array in arrays.items():
        assert opened.tensors[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array)
        np.testing.assert_array_equal(opened.tensors[name], array)


def test_save_tensors_takes_more_names_than_a_page_holds(tmp_path: Path) -> None:
    arrays = {f"layers.{number}.attention.weight": np.full(3, number, np.float32) for number in range(300)}
    tensor_file.save_tensors(tmp_path / "x", arrays)
    assert {name: array.tolist() for name, array in open_tensors(tmp_path / "x").tensors.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }


def test_save_tensors_copies_no_whole_array(tmp_path: Path) -> None:
    table = np.zeros((300_000, 112), np.float32)[:, :100]
    tracemalloc.start()
    tensor_file.save_tensors(tmp_path / "x", {"table": table})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < table.nbytes / 4
