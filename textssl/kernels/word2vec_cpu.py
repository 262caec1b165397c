"""Skip-gram and CBOW on the CPU: one fused pass over a block of word ids, a step of gradient descent per window.

A window is inputs x outputs (`micro_kernels.score_pairs and apply_gradients`):
    skip-gram               the rows of the context words   x   the centre word and K noise words, or its path
    CBOW                    one row, composed of the context words' rows   x   a path (noise words: grouped_cpu)
    skip-gram with n-grams  one row, composed of the centre word's rows   x   the context words and K noise words
A composed row is the scaled sum of its members; its gradient is added, scaled, to each of them.
In each pair of its window a noise word has the weight `noise_weight`.

Proved against autograd through textssl.losses in tests/kernels; the windows are those of textssl.text.windows.
Source: Mikolov et al. 2013 (arXiv 1310.4546) for the objectives; Ji et al. 2016 (arXiv 1604.04661) for noise words
shared by the pairs of a window; Bojanowski et al. 2017 (arXiv 1607.04606) for n-grams.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textssl.kernels.blocks import collect_losses, draw_word, half_width, keep_words
from textssl.kernels.micro_kernels import apply_gradients, score_pairs
from textssl.kernels.random_cpu import inlined, kernel, random_bits
from textssl.kernels.row_kernels import add_to_rows, clear_row, combine_rows, prefetch_row

LOOKAHEAD = 4
"""Windows between naming a window's outputs and using them: the time their rows have to come from memory."""
MOST_TOGETHER = 8
"""Most windows of CBOW in one step: as many as a vector has lanes."""
MOST_FACTORS = 120
"""A product of so many factors of at most 2 stays under the largest float32 (2**128)."""


class Shape(NamedTuple):
    """What a kernel is compiled for. All whole numbers, so that Numba's cache finds the code again."""

    num_chunks: int
    """Vectors of 8 lanes in a row."""
    stride: int
    """Floats from one row to the next."""
    tile: int
    """Outputs that are taken together."""
    num_negatives: int
    """Noise words of a window; 0: the outputs are the path of the centre word in the tree."""
    composed: int
    """1: the input is one composed row, 0: the context rows one by one."""
    centre_is_input: int
    """1: the centre word's rows make the input and the context words are outputs (skip-gram with n-grams)."""
    has_ngrams: int
    """1: a word's members are its own row and the rows of its n-grams."""
    exact_losses: int
    """1: the logarithm of every pair is taken, 0: that of products of pairs, which is faster but wants few pairs a
    window, of weight 0 or 1."""


class Windows(NamedTuple):
    """How words are kept and windows are made; the tables of probabilities."""

    keep_threshold: NDArray[np.uint64]
    accept: NDArray[np.uint32]
    alias: NDArray[np.int32]
    noise_weight: np.float32
    """Of a noise word in a pair."""
    window: int
    shrink: int
    negatives_shared: int
    subsample_key: np.uint64
    window_key: np.uint64
    negatives_key: np.uint64


class Members(NamedTuple):
    """The n-gram rows of every word, and how members make a composed row."""

    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    most: int
    """The largest number of members that an input can have."""
    mean: int
    """1: a composed row is the mean of its members, 0: their sum."""
    divide_gradient: int
    """1: each member receives the gradient divided by their number, 0: the whole gradient."""


class Tree(NamedTuple):
    """Paths of hierarchical softmax: inner nodes and the branch taken at each."""

    points: NDArray[np.int32]
    codes: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    longest: int


class Workspace(NamedTuple):
    """What one thread owns, so that the kernel allocates nothing."""

    words: NDArray[np.int64]
    """The kept words of a block; as long as a block and one more, as the next four."""
    places: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    rows: NDArray[np.int64]
    """The offsets of the kept words' rows."""
    ring: NDArray[np.int64]
    """The outputs that are named for the next windows."""
    contexts: NDArray[np.int64]
    found: NDArray[np.int64]
    """The members of a composed row."""
    named: NDArray[np.int64]
    """The outputs of a window, filled up to whole tiles."""
    labels: NDArray[np.float32]
    """Of every lane: those of centre and noise words, and a second time for windows in which some count nothing."""
    weights: NDArray[np.float32]
    composed: NDArray[np.int64]
    """The offsets of the composed rows, behind the inputs' last row: one, or those of the windows of a group."""
    gradient: NDArray[np.int64]
    """The offsets of the rows that collect their gradients."""
    own: NDArray[np.int64]
    """The centre words' rows of a group."""
    counts: NDArray[np.int64]
    """The numbers of members of its composed rows."""
    own_gradients: NDArray[np.float32]
    """The gradients of the pairs of composed row and centre word."""
    empty_row: int
    """The offset of a row of zeros, behind the outputs' last row."""
    scratch: NDArray[np.float32]
    losses: NDArray[np.float32]


@inlined
def context_rows(rows, low, high, centre, found, count):
    """found[count:] = rows[low:high] without the centre; returns the place behind them."""
    for place in range(low, high):
        found[count] = rows[place]
        count += place != centre
    return count


@inlined
def member_rows(words, low, high, skipped, members, stride, found, count):
    """found[count:] = the rows of words[low:high] without the skipped one, each followed by its n-grams' rows; returns
    the place behind them."""
    for place in range(low, high):
        if place != skipped:
            word = words[place]
            found[count] = word * stride
            count += 1
            for ngram in range(members.offsets[word], members.offsets[word + 1]):
                found[count] = members.rows[ngram] * stride
                count += 1
    return count


@inlined
def noise_outputs(slot, noise_weight, workspace, NEGATIVES, TILE):
    """Centre word and noise words as outputs; returns the first lane of their labels and weights: 0, or that of the
    second half of the weights when a noise word is the centre word and counts nothing."""
    ring, named, weights = workspace.ring, workspace.named, workspace.weights
    masked = False
    for output in range(-(-(NEGATIVES + 1) // TILE) * TILE):
        named[output] = ring[slot + output]
        masked |= (output > 0) & (named[output] == named[0])
    if not masked:
        return 0
    first_lane = weights.shape[0] // 2
    for output in range(1, NEGATIVES + 1):
        weights[first_lane + output // TILE * 8 + output % TILE] = noise_weight * (named[output] != named[0])
    return first_lane


@inlined
def path_outputs(low, high, skipped, tree, workspace, STRIDE, TILE):
    """The nodes on the paths of words[low:high] as outputs, label 1 where the code is 0; returns their number."""
    words, named, labels, weights = workspace.words, workspace.named, workspace.labels, workspace.weights
    count = 0
    for place in range(low, high):
        if place != skipped:
            for step in range(tree.offsets[words[place]], tree.offsets[words[place] + 1]):
                lane = count // TILE * 8 + count % TILE
                named[count] = tree.points[step] * STRIDE
                labels[lane], weights[lane] = 1 - tree.codes[step], 1
                count += 1
    return count


@inlined
def context_outputs(num_contexts, slot, noise_weight, workspace, NEGATIVES, TILE):
    """Context words (label 1) and noise words as outputs; returns their number. A noise word counts in each of
    the window's pairs but those whose context word it is."""
    contexts, named, labels, weights = workspace.contexts, workspace.named, workspace.labels, workspace.weights
    for output in range(num_contexts):
        lane = output // TILE * 8 + output % TILE
        named[output] = contexts[output]
        labels[lane], weights[lane] = 1, 1
    for noise in range(NEGATIVES):
        output, row = num_contexts + noise, workspace.ring[slot + noise]
        lane = output // TILE * 8 + output % TILE
        weight = num_contexts
        for other in range(num_contexts):
            weight -= contexts[other] == row
        named[output] = row
        labels[lane], weights[lane] = 0, weight * noise_weight
    return num_contexts + NEGATIVES


@inlined
def fill_tile(count, workspace, TILE):
    """Fill the last tile up with empty outputs of weight 0; returns the number of tiles."""
    num_tiles = (count + TILE - 1) // TILE
    for output in range(count, num_tiles * TILE):
        workspace.named[output] = workspace.empty_row
        workspace.weights[output // TILE * 8 + output % TILE] = 0
    return num_tiles


@inlined
def compose(low, high, centre, members, inputs, workspace, CHUNKS, STRIDE, CENTRE_IS_INPUT, HAS_NGRAMS):
    """Write a window's composed row and clear the one that collects its gradient; returns the number of members."""
    found, words = workspace.found, workspace.words
    if CENTRE_IS_INPUT:
        count = member_rows(words, centre, centre + 1, -1, members, STRIDE, found, 0)
    elif HAS_NGRAMS:
        count = member_rows(words, low, high, centre, members, STRIDE, found, 0)
    else:
        count = context_rows(workspace.rows, low, high, centre, found, 0)
    scale = np.float32(1 / max(count, 1) if members.mean else 1)
    combine_rows(inputs, found, 0, count, scale, workspace.composed[0], CHUNKS)
    clear_row(inputs, workspace.gradient[0], CHUNKS)
    return count


@inlined
def look_ahead(ahead, slot, windows, inputs, outputs, workspace, CHUNKS, STRIDE, NEGATIVES, PADDED, CENTRE_IS_INPUT):
    """Name the outputs of a window to come and ask for their rows; windows that share noise copy it from the last."""
    ring, row = workspace.ring, workspace.rows[ahead]
    prefetch_row(inputs, row, CHUNKS)
    if NEGATIVES > 0 and not CENTRE_IS_INPUT:
        ring[slot] = row
        prefetch_row(outputs, row, CHUNKS)
    first = slot + 1 - CENTRE_IS_INPUT
    last = (ahead - 1) % LOOKAHEAD * PADDED + 1 - CENTRE_IS_INPUT
    fresh = ahead % windows.negatives_shared == 0
    for noise in range(NEGATIVES):
        if fresh:
            bits = random_bits(windows.negatives_key, workspace.places[ahead] * NEGATIVES + noise)
            ring[first + noise] = np.int64(draw_word(bits, windows.accept, windows.alias)) * STRIDE
            prefetch_row(outputs, ring[first + noise], CHUNKS)
        else:
            ring[first + noise] = ring[last + noise]


@inlined
def prefetch_ngrams(word, members, inputs, CHUNKS, STRIDE):
    """Ask for the rows of a word's n-grams."""
    for place in range(members.offsets[word], members.offsets[word + 1]):
        prefetch_row(inputs, members.rows[place] * STRIDE, CHUNKS)


@inlined
def kept_rows(ids, offsets, start, stop, windows, workspace, STRIDE):
    """Fill the workspace with the kept words of a block; returns their number."""
    num_words = keep_words(
        ids, offsets, start, stop, windows.keep_threshold, windows.subsample_key,
        workspace.words, workspace.places, workspace.left, workspace.right,
    )  # fmt: skip
    for place in range(num_words):
        workspace.rows[place] = workspace.words[place] * STRIDE
    return num_words


@cache
def window_kernel(shape: Shape) -> Callable[..., Any]:
    """The compiled kernel for a shape.

    Returns:
        run(ids, offsets, start, stop, windows, members, tree, inputs, outputs, workspace, rate) -> (loss in nats summed
        over the pairs, number of pairs, number of kept words); it trains on ids[start:stop] and changes both tables in
        place. A pair is a context word with its centre word; for CBOW a window is one pair. The GIL is free meanwhile.
    """
    CHUNKS, STRIDE, TILE, NEGATIVES, COMPOSED, CENTRE_IS_INPUT, HAS_NGRAMS, EXACT = shape
    PADDED = -(-(NEGATIVES + 1) // TILE) * TILE

    @kernel
    def run(ids, offsets, start, stop, windows, members, tree, inputs, outputs, workspace, rate):
        num_words = kept_rows(ids, offsets, start, stop, windows, workspace, STRIDE)
        contexts, named, scratch, losses = workspace.contexts, workspace.named, workspace.scratch, workspace.losses
        input_rows, target_rows = (workspace.composed, workspace.gradient) if COMPOSED else (contexts, contexts)
        loss, num_pairs, num_factors, count, num_contexts, num_inputs, num_tiles, first_lane = 0.0, 0, 0, 0, 0, 0, 0, 0
        for centre in range(-LOOKAHEAD, num_words):
            ahead = centre + LOOKAHEAD
            slot = ahead % LOOKAHEAD * PADDED
            if centre >= 0:
                reach = half_width(windows.window_key, workspace.places[centre], windows.window, windows.shrink)
                low = max(workspace.left[centre], centre - reach)
                high = min(workspace.right[centre], centre + reach + 1)
                num_contexts = context_rows(workspace.rows, low, high, centre, contexts, 0)
                first_lane, num_tiles = 0, PADDED // TILE
                if NEGATIVES == 0 and CENTRE_IS_INPUT:
                    count = path_outputs(low, high, centre, tree, workspace, STRIDE, TILE)
                    num_tiles = fill_tile(count, workspace, TILE)
                elif NEGATIVES == 0:
                    count = path_outputs(centre, centre + 1, -1, tree, workspace, STRIDE, TILE)
                    num_tiles = fill_tile(count, workspace, TILE)
                elif CENTRE_IS_INPUT:
                    count = context_outputs(num_contexts, slot, windows.noise_weight, workspace, NEGATIVES, TILE)
                    num_tiles = fill_tile(count, workspace, TILE)
                else:
                    first_lane = noise_outputs(slot, windows.noise_weight, workspace, NEGATIVES, TILE)
                if num_factors + num_contexts * num_tiles > MOST_FACTORS:
                    loss += collect_losses(losses)
                    num_factors = 0
                num_inputs = min(num_contexts, 1) if COMPOSED else num_contexts
                if COMPOSED and num_inputs > 0:
                    count = compose(low, high, centre, members, inputs, workspace, CHUNKS, STRIDE, CENTRE_IS_INPUT, HAS_NGRAMS)  # fmt: skip  # noqa: E501
                if num_inputs > 0:
                    score_pairs(inputs, input_rows, num_inputs, outputs, named, num_tiles, workspace.labels, workspace.weights, first_lane, 0, scratch, rate, losses, TILE, CHUNKS, EXACT, COMPOSED)  # fmt: skip  # noqa: E501
            if ahead < num_words:  # work that fills the time until the gradients are there
                look_ahead(ahead, slot, windows, inputs, outputs, workspace, CHUNKS, STRIDE, NEGATIVES, PADDED, CENTRE_IS_INPUT)  # fmt: skip  # noqa: E501
                if HAS_NGRAMS:
                    prefetch_ngrams(workspace.words[ahead], members, inputs, CHUNKS, STRIDE)
            if num_inputs > 0:
                apply_gradients(inputs, input_rows, target_rows, num_inputs, outputs, named, num_tiles, scratch, TILE, CHUNKS, COMPOSED)  # fmt: skip  # noqa: E501
                num_factors += num_inputs * num_tiles
                num_pairs += num_contexts if CENTRE_IS_INPUT or not COMPOSED else 1
                if COMPOSED:
                    scale = np.float32(1 / count if members.divide_gradient else 1)
                    add_to_rows(inputs, workspace.found, 0, count, scale, workspace.gradient[0], CHUNKS)
        return loss + collect_losses(losses), num_pairs, num_words

    compiled: Callable[..., Any] = run
    return compiled
