"""Vectors of 8 float32 lanes for Numba intrinsics, written as LLVM vector instructions.

LLVM turns ``<8 x float>`` into what the processor has (one AVX2 register, two of NEON or SSE), so no instruction set is
named here, and no compiler is needed on the user's machine. `micro_kernels` builds the steps of word2vec from these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_untracked

LANES = 8
FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
VECTOR_INT = ir.VectorType(INT32, LANES)


class Emitter:
    """Writes vector instructions through a Numba builder; one per intrinsic call."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> None:
        self.context, self.builder = context, builder
        self.signature, self.arguments = signature, arguments

    def data(self, position: int) -> ir.Value:
        """The data pointer of the array argument at ``position``."""
        array_type = self.signature.args[position]
        array = self.context.make_array(array_type)(self.context, self.builder, self.arguments[position])
        return array.data

    def integer(self, position: int) -> ir.Value:
        """The integer argument at ``position`` as int64."""
        return self.context.cast(self.builder, self.arguments[position], self.signature.args[position], types.int64)

    def real(self, position: int) -> ir.Value:
        """The number argument at ``position`` as float32."""
        return self.context.cast(self.builder, self.arguments[position], self.signature.args[position], types.float32)

    def at(self, pointer: ir.Value, *offsets: ir.Value | int) -> ir.Value:
        """``pointer`` moved by the sum of ``offsets``, counted in elements."""
        total = INT64(0)
        for offset in offsets:
            total = self.builder.add(total, INT64(offset) if isinstance(offset, int) else offset)
        return self.builder.gep(pointer, [total])

    def load(self, pointer: ir.Value) -> ir.Value:
        """The vector at ``pointer``, at any alignment."""
        return self.builder.load(self.builder.bitcast(pointer, VECTOR.as_pointer()), align=4)

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        """Write a vector to ``pointer``, at any alignment."""
        self.builder.store(value, self.builder.bitcast(pointer, VECTOR.as_pointer()), align=4)

    def splat(self, value: ir.Value | float) -> ir.Value:
        """The same number in every lane."""
        if isinstance(value, (int, float)):
            return ir.Constant(VECTOR, [float(value)] * LANES)
        one = self.builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, INT32(0))
        return self.builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), ir.Constant(VECTOR_INT, [0] * LANES))

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a * b + c, in one rounding where the processor has it."""
        return self.call("llvm.fmuladd.v8f32", ir.FunctionType(VECTOR, [VECTOR] * 3), a, b, c)

    def unary(self, name: str, a: ir.Value) -> ir.Value:
        """An LLVM intrinsic of one vector, by its name without the type."""
        return self.call(f"{name}.v8f32", ir.FunctionType(VECTOR, [VECTOR]), a)

    def call(self, name: str, function_type: ir.FunctionType, *arguments: ir.Value) -> ir.Value:
        """Call an LLVM intrinsic by its full name."""
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function_type, name), arguments)

    def sums(self, vectors: Sequence[ir.Value]) -> ir.Value:
        """Lane k of the result = sum over the lanes of ``vectors[k]`` (at most 8 vectors, 0 in the lanes left over)."""
        level = list(vectors) + [self.splat(0.0)] * (LANES - len(vectors))
        width = 1
        while len(level) > 1:
            level = [self._fold(level[k], level[k + len(level) // 2], width) for k in range(len(level) // 2)]
            width *= 2
        return self.builder.shuffle_vector(level[0], level[0], ir.Constant(VECTOR_INT, _fold_order()))

    def _fold(self, a: ir.Value, b: ir.Value, width: int) -> ir.Value:
        """Blocks of ``width`` lanes: a's neighbours added in even blocks, b's in odd ones."""
        even = [lane if (lane // width) % 2 == 0 else LANES + lane - width for lane in range(LANES)]
        odd = [index + width for index in even]
        left = self.builder.shuffle_vector(a, b, ir.Constant(VECTOR_INT, even))
        right = self.builder.shuffle_vector(a, b, ir.Constant(VECTOR_INT, odd))
        return self.builder.fadd(left, right)

    def loop(self, count: ir.Value) -> AbstractContextManager[Any]:
        """A counted loop; `.index` of what it gives is the int64 counter."""
        counted: AbstractContextManager[Any] = cgutils.for_range(self.builder, count)
        return counted

    def variable(self, start: ir.Value) -> ir.Value:
        """A local variable; LLVM keeps it in a register."""
        return cgutils.alloca_once_value(self.builder, start)


def _fold_order() -> list[int]:
    """Where ``Emitter.sums`` has left the sum of vector k, found by folding names instead of numbers."""
    level = [[k] * LANES for k in range(LANES)]
    width = 1
    while len(level) > 1:
        half = len(level) // 2
        level = [
            [level[k if (lane // width) % 2 == 0 else k + half][lane] for lane in range(LANES)] for k in range(half)
        ]
        width *= 2
    return [level[0].index(k) for k in range(LANES)]


def compiled(types_of_arguments: Sequence[Any], num_constants: int, body: Callable[..., None]) -> tuple[Any, Any]:
    """What an intrinsic returns: its signature and the code that `body(emitter, *constants)` writes."""
    constants = [kind.literal_value for kind in types_of_arguments[len(types_of_arguments) - num_constants :]]

    def codegen(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        body(Emitter(context, builder, signature, arguments), *constants)
        return impl_ret_untracked(context, builder, types.void, context.get_dummy_value())

    return types.void(*types_of_arguments), codegen
