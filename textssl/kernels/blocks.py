"""From a block of word ids to the windows that are trained: subsampling, document borders, noise words, losses.

The definitions stand in textssl.text.windows; here are the same in one pass over the ids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from textssl.kernels.random_cpu import U64, inlined, kernel, random_bits, scaled


@kernel
def keep_words(
    ids: NDArray[np.integer],
    offsets: NDArray[np.int64],
    start: int,
    stop: int,
    keep_threshold: NDArray[np.uint64],
    key: np.uint64,
    words: NDArray[np.int64],
    places: NDArray[np.int64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> int:
    """The words of ids[start:stop] that subsampling keeps, in order; returns their number N.

    Args:
        ids: word ids of the whole store (T,).
        offsets: first position of every document, and T at the end (D + 1,).
        start, stop: positions of the block.
        keep_threshold: (V,) a word is kept if the upper half of its random bits is below this.
        key: stream of the purpose SUBSAMPLE.
        words: receives the kept words; longer than the block by one, as the next three.
        places: receives their positions.
        left, right: receive, for each, the range of kept words of the same document.
    """
    document = np.searchsorted(offsets, start, side="right") - 1
    count, first, position = 0, 0, start
    while position < stop:
        end = min(offsets[document + 1], stop)
        for place in range(position, end):
            word = ids[place]
            words[count] = word
            places[count] = place
            left[count] = first
            count += (random_bits(key, place) >> U64(32)) < keep_threshold[word]
        right[first:count] = count
        first, position, document = count, end, document + 1
    return count


@inlined
def half_width(key: np.uint64, position: int, window: int, shrink: int) -> int:
    """How far the window reaches to each side: 1 to `window`, or `window` where shrink is 0."""
    return 1 + scaled(random_bits(key, position), window) if shrink else window


@inlined
def draw_word(bits: np.uint64, accept: NDArray[np.uint32], alias: NDArray[np.int32]) -> int:
    """A word of the noise distribution by Walker's alias method, from 64 random bits."""
    column = scaled(bits, accept.shape[0])
    # a table look-up in place of a branch that would be guessed wrong a third of the time
    chosen = int((bits & U64(0xFFFFFFFF)) >= U64(accept[column]))
    word: int = chosen * int(alias[column]) + (1 - chosen) * column
    return word


@kernel
def collect_losses(losses: NDArray[np.float32]) -> float:
    """Take what `sgd_step` has collected (nats) and start anew."""
    total = 0.0
    for lane in range(8):
        total += losses[lane] + np.log(np.float64(losses[8 + lane]))
        losses[lane], losses[8 + lane] = 0, 1
    return total


@kernel
def fill_uniform(table: NDArray[np.float32], key: np.uint64) -> None:
    """table[row, column] = (u - 1/2) / columns with u in [0, 1) from the upper 24 bits at row * columns + column."""
    rows, columns = table.shape
    for row in range(rows):
        for column in range(columns):
            bits = random_bits(key, row * columns + column)
            table[row, column] = np.float32((np.float64(bits >> U64(40)) / 16777216.0 - 0.5) / columns)
