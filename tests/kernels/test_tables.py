"""Tables for the kernels: rows on cache lines, zeros at the start, spare rows behind."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from textssl.kernels.tables import HUGE_PAGE, LINE_FLOATS, Table, aligned_floats, row_stride


@pytest.mark.parametrize(("dim", "stride"), [(1, 16), (16, 16), (17, 32), (96, 96), (100, 112), (300, 304)])
def test_rows_are_filled_up_to_cache_lines(dim, stride):
    assert row_stride(dim) == stride
    assert Table(3, dim).stride == stride


@pytest.mark.parametrize("count", [1, 15, 1_000_001])
def test_floats_are_zeros_that_begin_on_a_cache_line(count):
    floats = aligned_floats(count)
    assert floats.shape == (count,)
    assert floats.dtype == np.float32
    assert floats.flags.writeable
    assert not floats.any()
    assert floats.ctypes.data % (LINE_FLOATS * 4) == 0
    if hasattr(mmap, "MAP_PRIVATE"):
        assert floats.ctypes.data % HUGE_PAGE == 0


def test_floats_serve_without_private_maps(monkeypatch):
    monkeypatch.delattr(mmap, "MAP_PRIVATE", raising=False)
    floats = aligned_floats(100)
    assert len(floats) == 100
    assert floats.ctypes.data % (LINE_FLOATS * 4) == 0


def test_rows_are_views_and_begin_on_cache_lines():
    table = Table(5, 20, spare=2)
    assert table.rows.shape == (5, 20)
    table.rows[3] = 7
    assert table.flat[3 * 32 : 3 * 32 + 20].tolist() == [7.0] * 20
    assert table.flat.sum() == 140
    assert all(table.rows[row].ctypes.data % 64 == 0 for row in range(5))


def test_spare_rows_lie_behind_the_rows():
    table = Table(5, 20, spare=2)
    for index in range(2):
        offset = table.spare_offset(index)
        table.flat[offset : offset + table.stride] = 1
    assert not table.rows.any()
    assert table.spare_offset(1) + table.stride == len(table.flat)


def test_tables_do_not_share_memory():
    first, second = Table(2, 16), Table(2, 16)
    first.rows[:] = 1
    assert not second.rows.any()
