"""The steps of word2vec as Numba intrinsics: score, sigmoid and update of rows that stay in registers.

Rows lie in flat float32 arrays, a row every `stride` floats; an offset is the position of a row's first float. A row is
`CHUNKS` vectors of 8 lanes. Arguments in capitals must be constants: what they count is unrolled.

A step of gradient descent on N inputs x M outputs, from the rows as they stood, comes in two halves, so that other work
can fill the time in which the last gradients are still under way:
    `score_pairs`      S = X Y^T    G = rate * weight * (label - sigmoid(S))
    `apply_gradients`  Y += G^T X   X += G Y
Outputs are taken in tiles of TILE rows, which together with their changes stay in registers while the inputs pass by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from textssl.kernels.simd import INT64, LANES, VECTOR, VECTOR_INT, Emitter, compiled

EXP2 = (
    1.000000075454898,
    0.6931471880262292,
    0.24022107485308256,
    0.055503571142187375,
    0.009676031918356027,
    0.001339086336507062,
)
"""2**f for f in [-1/2, 1/2], interpolated at Chebyshev's points: relative error under 1.1e-7."""
ATANH = tuple(1 / odd for odd in range(1, 15, 2))
"""atanh(z)/z in powers of z**2; for z up to 1/3 the rest is under 1.5e-8."""
LOG2_E = 1.4426950408889634
SOURCES = 6
"""Inputs that are added to two outputs at once: with their 12 factors they fill the 16 registers."""
LARGEST_SCORE = 87.0
"""exp(-87) is still a normal float32; beyond it the sigmoid is 0 or 1 in any case."""


@intrinsic(prefer_literal=True)
def score_pairs(
    _context: Any, inputs: Any, input_rows: Any, num_inputs: Any, outputs: Any, output_rows: Any, num_tiles: Any,
    labels: Any, weights: Any, first_lane: Any, weight_stride: Any, scratch: Any, rate: Any, losses: Any,
    TILE: Any, CHUNKS: Any, WEIGHTED: Any, APART: Any,
) -> Any:  # fmt: skip
    """First half of a step of gradient descent: the gradient of every pair of an input and an output, into the scratch.

    Args:
        inputs, outputs: float32, flat tables.
        input_rows: int64 (num_inputs,); where the inputs lie. A row may be named more than once.
        output_rows: int64 (num_tiles * TILE,). A row may be named more than once.
        labels, weights: float32, read from first_lane on; lane t of tile k belongs to output k * TILE + t. Weight 0
            leaves a pair out, and the lanes from TILE to 7 need it.
        weight_stride: floats from one input's weights to the next one's; 0 where all inputs have the same.
        scratch: float32; num_tiles * TILE * CHUNKS * 8 for the outputs as they stand, then num_inputs * num_tiles * 8.
        rate: learning rate.
        losses: float32 (16,): lanes 0-7 collect sums in nats; lanes 8-15 collect, unless WEIGHTED, the product of
            1 + exp(-|score|), whose logarithm belongs to the loss: `collect_losses` takes it from time to time.
        TILE: 1 to 6 outputs, as many as registers hold. CHUNKS: vectors of a row.
        WEIGHTED: 1 if weights other than 0 and 1 occur.
        APART: 1 if the inputs' change goes to other rows than the inputs; then no copy of the outputs is needed.
    """

    def body(emit: Emitter, tile: int, chunks: int, weighted: int, apart: int) -> None:
        step = _Step(
            emit, tile, chunks, bool(apart),
            inputs=emit.data(0), input_rows=emit.data(1), target_rows=emit.data(1), num_inputs=emit.integer(2),
            outputs=emit.data(3), output_rows=emit.data(4), num_tiles=emit.integer(5), scratch=emit.data(10),
        )  # fmt: skip
        labels, weights = (emit.at(emit.data(position), emit.integer(8)) for position in (6, 7))
        step.gradients = Gradients(emit, labels, weights, emit.real(11), emit.data(12), bool(weighted))
        step.weight_stride = emit.integer(9)
        with emit.loop(step.num_tiles) as which:
            step.score_tile(which.index)

    arguments = (inputs, input_rows, num_inputs, outputs, output_rows, num_tiles, labels, weights, first_lane)
    return compiled((*arguments, weight_stride, scratch, rate, losses, TILE, CHUNKS, WEIGHTED, APART), 4, body)


@intrinsic(prefer_literal=True)
def apply_gradients(
    _context: Any, inputs: Any, input_rows: Any, target_rows: Any, num_inputs: Any,
    outputs: Any, output_rows: Any, num_tiles: Any, scratch: Any, TILE: Any, CHUNKS: Any, APART: Any,
) -> Any:  # fmt: skip
    """Second half: Y += G^T X and X += G Y from the rows as they stood when `score_pairs` took the gradients.

    Args:
        target_rows: int64 (num_inputs,); the rows of the inputs' table that receive the inputs' change: the inputs
            themselves, or, for composed inputs, other rows.
        inputs, input_rows, num_inputs, outputs, output_rows, num_tiles, scratch, TILE, CHUNKS, APART: as above.
    """

    def body(emit: Emitter, tile: int, chunks: int, apart: int) -> None:
        step = _Step(
            emit, tile, chunks, bool(apart),
            inputs=emit.data(0), input_rows=emit.data(1), target_rows=emit.data(2), num_inputs=emit.integer(3),
            outputs=emit.data(4), output_rows=emit.data(5), num_tiles=emit.integer(6), scratch=emit.data(7),
        )  # fmt: skip
        halves = (step.change_inputs, step.change_outputs) if apart else (step.change_outputs, step.change_inputs)
        for half in halves:
            with emit.loop(step.num_tiles) as which:
                half(which.index)

    arguments = (inputs, input_rows, target_rows, num_inputs, outputs, output_rows, num_tiles, scratch)
    return compiled((*arguments, TILE, CHUNKS, APART), 3, body)


class _Step:
    """One step: N inputs, M outputs in tiles. Values are LLVM's; pointers point at float32 or int64."""

    def __init__(
        self, emit: Emitter, tile: int, chunks: int, apart: bool, *,
        inputs: ir.Value, input_rows: ir.Value, target_rows: ir.Value, num_inputs: ir.Value,
        outputs: ir.Value, output_rows: ir.Value, num_tiles: ir.Value, scratch: ir.Value,
    ) -> None:  # fmt: skip
        self.emit, self.tile, self.chunks, self.apart = emit, tile, chunks, apart
        self.inputs, self.input_rows, self.target_rows, self.num_inputs = inputs, input_rows, target_rows, num_inputs
        self.outputs, self.output_rows, self.num_tiles = outputs, output_rows, num_tiles
        self.old_outputs = scratch
        self.all_gradients = emit.at(scratch, emit.builder.mul(num_tiles, INT64(tile * chunks * LANES)))
        self.gradient_stride = emit.builder.mul(num_tiles, INT64(LANES))
        self.gradients: Gradients | None = None
        self.weight_stride = INT64(0)

    def named_rows(self, table: ir.Value, rows: ir.Value, first: ir.Value, count: int) -> list[ir.Value]:
        """Pointers to the rows of `table` that rows[first : first + count] name."""
        emit = self.emit
        return [emit.at(table, emit.builder.load(emit.at(rows, first, index))) for index in range(count)]

    def old_rows(self, which: ir.Value) -> list[ir.Value]:
        """Pointers to the tile's outputs as they stood: the rows while nothing has changed them, or their copies."""
        if self.apart:
            return self.output_tile(which)
        emit, size = self.emit, self.chunks * LANES
        start = emit.at(self.old_outputs, emit.builder.mul(which, INT64(self.tile * size)))
        return [emit.at(start, t * size) for t in range(self.tile)]

    def output_tile(self, which: ir.Value) -> list[ir.Value]:
        """Pointers to the tile's outputs."""
        first = self.emit.builder.mul(which, INT64(self.tile))
        return self.named_rows(self.outputs, self.output_rows, first, self.tile)

    def score_tile(self, which: ir.Value) -> None:
        """Score every input against the tile; the first inputs copy its outputs beside the products."""
        builder = self.emit.builder
        lane = builder.mul(which, INT64(LANES))
        rows, copies = self.output_tile(which), self.old_rows(which)
        if self.apart:
            self.in_pairs(self.num_inputs, lambda first, count: self.score(first, count, rows, lane))
            return
        with builder.if_else(builder.icmp_unsigned("==", self.num_inputs, INT64(1))) as (one, more):
            with one:
                self.score(INT64(0), 1, rows, lane, copies)
            with more:
                self.score(INT64(0), 2, rows, lane, copies)
                rest = builder.sub(self.num_inputs, INT64(2))
                self.in_pairs(rest, lambda first, count: self.score(builder.add(first, INT64(2)), count, copies, lane))

    def in_pairs(self, count: ir.Value, work: Callable[[ir.Value, int], None]) -> None:
        """work(first, 2) for every two of `count` and work(last, 1) for what is left."""
        emit, builder = self.emit, self.emit.builder
        with emit.loop(builder.lshr(count, INT64(1))) as pair:
            work(builder.shl(pair.index, INT64(1)), 2)
        with builder.if_then(builder.trunc(count, ir.IntType(1))):
            work(builder.sub(count, INT64(1)), 1)

    def score(
        self, first: ir.Value, count: int, outputs: list[ir.Value], lane: ir.Value, copies: Sequence[ir.Value] = ()
    ) -> None:
        """Scores of `count` inputs against the tile, turned into gradients; the outputs are copied on request."""
        emit, builder = self.emit, self.emit.builder
        inputs = self.named_rows(self.inputs, self.input_rows, first, count)
        sums = [[self.zero() for _ in outputs] for _ in inputs]
        with emit.loop(INT64(self.chunks)) as chunk:
            position = builder.mul(chunk.index, INT64(LANES))
            x = [emit.load(emit.at(pointer, position)) for pointer in inputs]
            for t, pointer in enumerate(outputs):
                y = emit.load(emit.at(pointer, position))
                if copies:
                    emit.store(y, emit.at(copies[t], position))
                for row in range(count):
                    builder.store(emit.fma(x[row], y, builder.load(sums[row][t])), sums[row][t])
        assert self.gradients is not None
        for row in range(count):
            score = emit.sums([builder.load(total) for total in sums[row]])
            place = builder.add(first, INT64(row))
            weight_lane = builder.add(lane, builder.mul(place, self.weight_stride))
            emit.store(self.gradients.of(score, lane, weight_lane), self.gradient_place(place, lane))

    def zero(self) -> ir.Value:
        """A new variable that is 0 each time the code passes here."""
        variable = self.emit.variable(self.emit.splat(0.0))
        self.emit.builder.store(self.emit.splat(0.0), variable)
        return variable

    def gradient_place(self, row: ir.Value, *lanes: ir.Value | int) -> ir.Value:
        return self.emit.at(self.all_gradients, self.emit.builder.mul(row, self.gradient_stride), *lanes)

    def change_outputs(self, which: ir.Value) -> None:
        """Y += G^T X for one tile: all inputs, at most SOURCES at a time, added to two outputs at a time."""
        emit, builder = self.emit, self.emit.builder
        first_output, lane = builder.mul(which, INT64(self.tile)), builder.mul(which, INT64(LANES))

        def add(first: ir.Value, count: int) -> None:
            sources = self.named_rows(self.inputs, self.input_rows, first, count)

            def to_outputs(output: ir.Value, num_targets: int) -> None:
                first_target = builder.add(first_output, output)
                targets = self.named_rows(self.outputs, self.output_rows, first_target, num_targets)
                rows = [builder.add(first, INT64(source)) for source in range(count)]
                places = [[self.gradient_place(row, lane, output, t) for row in rows] for t in range(num_targets)]
                self.accumulate_apart(targets, sources, places)

            self.in_pairs(INT64(self.tile), to_outputs)

        whole = builder.udiv(self.num_inputs, INT64(SOURCES))
        with emit.loop(whole) as group:
            add(builder.mul(group.index, INT64(SOURCES)), SOURCES)
        rest = builder.urem(self.num_inputs, INT64(SOURCES))
        for count in range(1, SOURCES):
            with builder.if_then(builder.icmp_unsigned("==", rest, INT64(count))):
                add(builder.mul(whole, INT64(SOURCES)), count)

    def change_inputs(self, which: ir.Value) -> None:
        """X += G Y for one tile, with Y as it stood."""
        lane = self.emit.builder.mul(which, INT64(LANES))
        sources = self.old_rows(which)

        def add(first: ir.Value, count: int) -> None:
            targets = self.named_rows(self.inputs, self.target_rows, first, count)
            rows = [self.emit.builder.add(first, INT64(row)) for row in range(count)]
            places = [[self.gradient_place(row, lane, t) for t in range(self.tile)] for row in rows]
            self.accumulate_apart(targets, sources, places)

        self.in_pairs(self.num_inputs, add)

    def accumulate_apart(self, targets: list[ir.Value], sources: list[ir.Value], places: list[list[ir.Value]]) -> None:
        """`accumulate`, one target after the other where both are one row: else one of its changes would be lost."""
        if len(targets) == 1:
            return self.accumulate(targets, sources, places)
        builder = self.emit.builder
        with builder.if_else(builder.icmp_unsigned("==", *targets), likely=False) as (same, different):
            with same:
                for target, row in zip(targets, places, strict=True):
                    self.accumulate([target], sources, [row])
            with different:
                self.accumulate(targets, sources, places)
        return None

    def accumulate(self, targets: list[ir.Value], sources: list[ir.Value], places: list[list[ir.Value]]) -> None:
        """targets[p] += sum over s of factor[p][s] * sources[s]; the factors, read from `places`, stay in registers."""
        emit, builder = self.emit, self.emit.builder
        factors = [[emit.splat(builder.load(place)) for place in row] for row in places]
        with emit.loop(INT64(self.chunks)) as chunk:
            position = builder.mul(chunk.index, INT64(LANES))
            totals = [emit.load(emit.at(target, position)) for target in targets]
            for s, source in enumerate(sources):
                value = emit.load(emit.at(source, position))
                totals = [emit.fma(row[s], value, total) for row, total in zip(factors, totals, strict=True)]
            for target, total in zip(targets, totals, strict=True):
                emit.store(total, emit.at(target, position))


class Gradients:
    """From scores to gradients and losses, a vector at a time."""

    def __init__(
        self, emit: Emitter, labels: ir.Value, weights: ir.Value, rate: ir.Value, losses: ir.Value, weighted: bool
    ) -> None:
        self.emit, self.labels, self.weights, self.rate = emit, labels, weights, rate
        self.losses, self.weighted = losses, weighted

    def of(self, score: ir.Value, lane: ir.Value, weight_lane: ir.Value) -> ir.Value:
        """rate * weight * (label - sigmoid(score)); adds the loss, softplus(score) - label * score, to the losses."""
        emit, builder = self.emit, self.emit.builder
        one, zero = emit.splat(1.0), emit.splat(0.0)
        label, weight = emit.load(emit.at(self.labels, lane)), emit.load(emit.at(self.weights, weight_lane))
        small = self.exponential(emit.unary("llvm.fabs", score))
        numerator = builder.select(builder.fcmp_ordered(">", score, zero), one, small)
        sigmoid = builder.fdiv(numerator, builder.fadd(one, small))
        above = builder.select(builder.fcmp_unordered(">", score, zero), score, zero)
        loss = builder.fsub(above, builder.fmul(label, score))
        if self.weighted:
            loss = builder.fadd(loss, self.log1p(small))
        else:
            product = emit.at(self.losses, LANES)
            emit.store(builder.fmul(emit.load(product), emit.fma(weight, small, one)), product)
        emit.store(emit.fma(weight, loss, emit.load(self.losses)), self.losses)
        return builder.fmul(builder.fmul(builder.fsub(label, sigmoid), weight), emit.splat(self.rate))

    def exponential(self, size: ir.Value) -> ir.Value:
        """exp(-size) for size >= 0: 2**whole by the exponent's bits, 2**fraction by a polynomial."""
        emit, builder = self.emit, self.emit.builder
        largest = emit.splat(LARGEST_SCORE)
        power = builder.fmul(
            builder.select(builder.fcmp_ordered("<", size, largest), size, largest), emit.splat(-LOG2_E)
        )
        whole = emit.unary("llvm.rint", power)
        exponent = builder.add(builder.fptosi(whole, VECTOR_INT), ir.Constant(VECTOR_INT, [127] * LANES))
        scale = builder.bitcast(builder.shl(exponent, ir.Constant(VECTOR_INT, [23] * LANES)), VECTOR)
        return builder.fmul(self.polynomial(builder.fsub(power, whole), EXP2), scale)

    def log1p(self, small: ir.Value) -> ir.Value:
        """log(1 + e) = 2 atanh(e / (2 + e)) for e in [0, 1]."""
        emit, builder = self.emit, self.emit.builder
        z = builder.fdiv(small, builder.fadd(small, emit.splat(2.0)))
        return builder.fmul(builder.fadd(z, z), self.polynomial(builder.fmul(z, z), ATANH))

    def polynomial(self, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
        """The sum of coefficients times powers of x, the constant first."""
        total = self.emit.splat(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.emit.fma(total, x, self.emit.splat(coefficient))
        return total
