"""Steps of word2vec for pairs in which every input has an output of its own, as Numba intrinsics.

The windows of a group share their noise words (inputs x outputs, `micro_kernels`), but each has its own centre word:
    `score_own`  g_i = rate * (1 - sigmoid(x_i . y_i))
and `row_kernels` add g_i y_i to the input's change and g_i x_i to the output.
"""

from __future__ import annotations

from typing import Any

from numba.extending import intrinsic

from textssl.kernels.micro_kernels import Gradients
from textssl.kernels.simd import INT64, LANES, Emitter, compiled

CHAINS = 4
"""Sums side by side, so that no addition waits for the one before."""


@intrinsic(prefer_literal=True)
def score_own(
    _context: Any, inputs: Any, input_rows: Any, outputs: Any, output_rows: Any, count: Any,
    labels: Any, label_lane: Any, weights: Any, weight_lane: Any, sums: Any, gradients: Any, rate: Any, losses: Any,
    CHUNKS: Any, WEIGHTED: Any,
) -> Any:  # fmt: skip
    """gradients[i] = rate * weight * (label - sigmoid(x_i . y_i)) for i < count <= 8; losses as in `score_pairs`.

    Args:
        inputs, outputs: float32, flat tables; input_rows, output_rows: int64 (count,), where the pairs' rows lie.
        labels, weights: float32, 8 lanes from label_lane and weight_lane on; weight 0 in the lanes from count on.
        sums: float32 (64,), a place for results.
        gradients: float32 (8,), receives the gradients.
        rate, losses, CHUNKS, WEIGHTED: as in `score_pairs`.
    """

    def body(emit: Emitter, chunks: int, weighted: int) -> None:
        builder, place = emit.builder, emit.data(9)
        with emit.loop(emit.integer(4)) as pair:
            x = emit.at(emit.data(0), builder.load(emit.at(emit.data(1), pair.index)))
            y = emit.at(emit.data(2), builder.load(emit.at(emit.data(3), pair.index)))
            chains = [emit.splat(0.0)] * CHAINS
            for chunk in range(chunks):
                a, b = (emit.load(emit.at(row, chunk * LANES)) for row in (x, y))
                chains[chunk % CHAINS] = emit.fma(a, b, chains[chunk % CHAINS])
            total = builder.fadd(builder.fadd(chains[0], chains[1]), builder.fadd(chains[2], chains[3]))
            emit.store(total, emit.at(place, builder.mul(pair.index, INT64(LANES))))
        score = emit.sums([emit.load(emit.at(place, lane * LANES)) for lane in range(LANES)])
        gradient = Gradients(emit, emit.data(5), emit.data(7), emit.real(11), emit.data(12), bool(weighted))
        emit.store(gradient.of(score, emit.integer(6), emit.integer(8)), emit.data(10))

    arguments = (inputs, input_rows, outputs, output_rows, count, labels, label_lane, weights, weight_lane, sums)
    return compiled((*arguments, gradients, rate, losses, CHUNKS, WEIGHTED), 2, body)
