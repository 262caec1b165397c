"""Whole rows at once, as Numba intrinsics: ask for them, combine them, add them up.

Rows lie in flat float32 arrays; an offset is the position of a row's first float, and a row is `CHUNKS` vectors of 8
lanes. Arguments in capitals must be constants: what they count is unrolled.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from textssl.kernels.simd import INT32, LANES, Emitter, compiled

BYTE_POINTER = ir.IntType(8).as_pointer()
SUMS = 13
"""Sums of rows that stay in registers, beside what is added."""


@intrinsic(prefer_literal=True)
def prefetch_row(_context: Any, table: Any, offset: Any, CHUNKS: Any) -> Any:
    """Ask for the cache lines of the row at `offset`, to be written soon."""

    def body(emit: Emitter, chunks: int) -> None:
        kind = ir.FunctionType(ir.VoidType(), [BYTE_POINTER, INT32, INT32, INT32])
        start = emit.at(emit.data(0), emit.integer(1))
        for lane in range(0, chunks * LANES, 2 * LANES):
            line = emit.builder.bitcast(emit.at(start, lane), BYTE_POINTER)
            emit.call("llvm.prefetch.p0", kind, line, INT32(0), INT32(3), INT32(1))

    return compiled((table, offset, CHUNKS), 1, body)


@intrinsic(prefer_literal=True)
def clear_row(_context: Any, table: Any, target: Any, CHUNKS: Any) -> Any:
    """table[target] = 0."""

    def body(emit: Emitter, chunks: int) -> None:
        start = emit.at(emit.data(0), emit.integer(1))
        for chunk in range(chunks):
            emit.store(emit.splat(0.0), emit.at(start, chunk * LANES))

    return compiled((table, target, CHUNKS), 1, body)


@intrinsic(prefer_literal=True)
def combine_rows(
    _context: Any, table: Any, offsets: Any, first: Any, count: Any, scale: Any, target: Any, CHUNKS: Any
) -> Any:
    """table[target] = scale * (sum of the rows at offsets[first : first + count])."""

    def body(emit: Emitter, chunks: int) -> None:
        builder, table_start = emit.builder, emit.data(0)
        factor = emit.splat(emit.real(4))
        for begin in range(0, chunks, SUMS):
            some = range(begin, min(begin + SUMS, chunks))
            sums = [emit.variable(emit.splat(0.0)) for _ in some]
            for total in sums:
                builder.store(emit.splat(0.0), total)
            with emit.loop(emit.integer(3)) as row:
                start = emit.at(table_start, builder.load(emit.at(emit.data(1), emit.integer(2), row.index)))
                for chunk, total in zip(some, sums, strict=True):
                    builder.store(builder.fadd(builder.load(total), emit.load(emit.at(start, chunk * LANES))), total)
            for chunk, total in zip(some, sums, strict=True):
                value = builder.fmul(factor, builder.load(total))
                emit.store(value, emit.at(table_start, emit.integer(5), chunk * LANES))

    return compiled((table, offsets, first, count, scale, target, CHUNKS), 1, body)


@intrinsic(prefer_literal=True)
def add_to_rows(
    _context: Any, table: Any, offsets: Any, first: Any, count: Any, scale: Any, source: Any, CHUNKS: Any
) -> Any:
    """Every row at offsets[first : first + count] += scale * table[source], in order; one named twice gets it twice."""

    def body(emit: Emitter, chunks: int) -> None:
        builder, table_start = emit.builder, emit.data(0)
        factor = emit.splat(emit.real(4))
        change = [emit.load(emit.at(table_start, emit.integer(5), chunk * LANES)) for chunk in range(chunks)]
        with emit.loop(emit.integer(3)) as row:
            start = emit.at(table_start, builder.load(emit.at(emit.data(1), emit.integer(2), row.index)))
            for chunk, part in enumerate(change):
                place = emit.at(start, chunk * LANES)
                emit.store(emit.fma(factor, part, emit.load(place)), place)

    return compiled((table, offsets, first, count, scale, source, CHUNKS), 1, body)


@intrinsic(prefer_literal=True)
def scale_row(
    _context: Any, source: Any, first: Any, factors: Any, place: Any, target: Any, start: Any, CHUNKS: Any
) -> Any:
    """target[start:] = factors[place] * source[first:], one row."""

    def body(emit: Emitter, chunks: int) -> None:
        factor, from_row, to_row = _row_arguments(emit)
        for chunk in range(chunks):
            value = emit.load(emit.at(from_row, chunk * LANES))
            emit.store(emit.builder.fmul(factor, value), emit.at(to_row, chunk * LANES))

    return compiled((source, first, factors, place, target, start, CHUNKS), 1, body)


@intrinsic(prefer_literal=True)
def add_row(
    _context: Any, source: Any, first: Any, factors: Any, place: Any, target: Any, start: Any, CHUNKS: Any
) -> Any:
    """target[start:] += factors[place] * source[first:], one row."""

    def body(emit: Emitter, chunks: int) -> None:
        factor, from_row, to_row = _row_arguments(emit)
        for chunk in range(chunks):
            value, old = (emit.load(emit.at(row, chunk * LANES)) for row in (from_row, to_row))
            emit.store(emit.fma(factor, value, old), emit.at(to_row, chunk * LANES))

    return compiled((source, first, factors, place, target, start, CHUNKS), 1, body)


def _row_arguments(emit: Emitter) -> tuple[ir.Value, ir.Value, ir.Value]:
    """The factor in every lane, and pointers to the two rows."""
    factor = emit.splat(emit.builder.load(emit.at(emit.data(2), emit.integer(3))))
    return factor, emit.at(emit.data(0), emit.integer(1)), emit.at(emit.data(4), emit.integer(5))
