"""Eight bytes of text at a time: unaligned loads, masks of white space and hashing, for the Numba scanners.

A "chunk" is 8 bytes as one little-endian uint64: the first byte of the text is the lowest one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from textssl.text.compiler import loaded_at_once

# Without its reference counts (_nrt=False) Numba's arrays cost nothing in a loop, and pasted helpers (inline) need no
# call that hands whole arrays over: together they make the scanner twice as fast. Such code cannot allocate arrays.
_compiled = nb.njit(nogil=True, cache=True, _nrt=False)
inlined = nb.njit(inline="always", _nrt=False)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function without the GIL, or load it from the cache."""
    return loaded_at_once(_compiled(function))


SPACES = np.uint64(0x2020202020202020)
_LOW7 = np.uint64(0x7F7F7F7F7F7F7F7F)
_HIGH = np.uint64(0x8080808080808080)
_FROM_TAB = np.uint64(0x7777777777777777)  # 0x80 - 0x09: carries into the high bit from tab on
_ABOVE_RETURN = np.uint64(0x7272727272727272)  # 0x80 - 0x0E
_FROM_SPACE = np.uint64(0x6060606060606060)
_ABOVE_SPACE = np.uint64(0x5F5F5F5F5F5F5F5F)
_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
_SECOND_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)


@intrinsic
def _load8(_typing, array, index):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The 8 bytes from `index` on, at any alignment; the caller makes sure that they exist."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [context.cast(builder, arguments[1], signature.args[1], types.int64)])
        return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(array, index), codegen


@intrinsic
def trailing_zeros(_typing, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    """The number of zero bits below the lowest one bit of a uint64 that is not 0."""

    def codegen(_context, builder, _signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), codegen


@intrinsic
def prefetch(_typing, array, index):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Ask for the cache line of array[index], which will be read soon."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [context.cast(builder, arguments[1], signature.args[1], types.int64)])
        integer, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(place, byte), integer(0), integer(3), integer(1)])
        return context.get_dummy_value()

    return types.void(array, index), codegen


@inlined
def load_chunk(text, index, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The chunk at `index`; bytes from `end` on read as spaces."""
    if index + 8 <= end:
        return _load8(text, index)
    chunk = SPACES
    for position in range(end - 1, index - 1, -1):
        chunk = (chunk << np.uint64(8)) | np.uint64(text[position])
    return chunk


@inlined
def white_space(chunk):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The high bit of every byte that is space, tab, newline, vertical tab, form feed or carriage return; exact."""
    low = chunk & _LOW7
    controls = (low + _FROM_TAB) & ~(low + _ABOVE_RETURN)
    spaces = (low + _FROM_SPACE) & ~(low + _ABOVE_SPACE)
    return (controls | spaces) & ~chunk & _HIGH


@inlined
def first_bytes(chunk, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The chunk with all but its first `count` (0 to 7) bytes set to 0."""
    return chunk & ((np.uint64(1) << np.uint64(8 * count)) - np.uint64(1))


@inlined
def mix(state, chunk):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """One round of the hash: every bit of the chunk reaches the upper half of the state."""
    state = (state ^ chunk) * _MULTIPLIER
    return state ^ (state >> np.uint64(32))


@inlined
def finish(state, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The hash of a word of `length` bytes whose chunks were mixed."""
    state = (state ^ np.uint64(length)) * _SECOND_MULTIPLIER
    return state ^ (state >> np.uint64(29))
