"""CBOW with negative sampling on the CPU: the windows that share their noise words are one step of gradient descent.

G windows are G composed rows x K noise words, one matrix product, and G pairs of a composed row and its centre word.
An output row is loaded once for all of them, and the sums fill the registers; with one window each sum waits for itself.
All changes are taken from the rows as they stood before the group's step, so G windows are a small batch whose
gradients are summed. A group ends where the noise words change, after MOST_TOGETHER windows, and with the block.

Proved against autograd through textssl.losses in tests/kernels, group by group.
Source: Mikolov et al. 2013 (arXiv 1301.3781) for CBOW; Ji et al. 2016 (arXiv 1604.04661) for steps as matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from textssl.kernels.blocks import collect_losses, draw_word, half_width
from textssl.kernels.micro_kernels import add_to_rows, apply_gradients, combine_rows, prefetch_row, score_pairs
from textssl.kernels.own_pairs import add_row, scale_row, score_own
from textssl.kernels.random_cpu import inlined, kernel, random_bits
from textssl.kernels.word2vec_cpu import (
    LOOKAHEAD,
    MOST_FACTORS,
    MOST_TOGETHER,
    Shape,
    context_rows,
    kept_rows,
    member_rows,
    prefetch_ngrams,
)


@inlined
def group_end(first, shared, num_words):
    """One behind the last word of the group that begins with word `first`."""
    return min(first + MOST_TOGETHER, (first // shared + 1) * shared, num_words)


@inlined
def name_noise(first, slot, last_slot, windows, outputs, workspace, CHUNKS, STRIDE, NEGATIVES):
    """Name the noise words of the group that begins with word `first` and ask for their rows."""
    ring, fresh = workspace.ring, first % windows.negatives_shared == 0
    for noise in range(NEGATIVES):
        if fresh:
            bits = random_bits(windows.negatives_key, workspace.places[first] * NEGATIVES + noise)
            row = np.int64(draw_word(bits, windows.accept, windows.alias)) * STRIDE
            ring[slot + noise] = row
            prefetch_row(outputs, row, CHUNKS)
        else:
            ring[slot + noise] = ring[last_slot + noise]


@inlined
def compose_window(centre, window, windows, members, inputs, workspace, CHUNKS, STRIDE, HAS_NGRAMS):
    """Write the composed row of the group's next window, at place `window`; returns the number of its members."""
    reach = half_width(windows.window_key, workspace.places[centre], windows.window, windows.shrink)
    low = max(workspace.left[centre], centre - reach)
    high = min(workspace.right[centre], centre + reach + 1)
    found, start = workspace.found, window * members.most
    if HAS_NGRAMS:
        count = member_rows(workspace.words, low, high, centre, members, STRIDE, found, start) - start
    else:
        count = context_rows(workspace.rows, low, high, centre, found, start) - start
    if count > 0:
        scale = np.float32(1 / count if members.mean else 1)
        combine_rows(inputs, found, start, count, scale, workspace.composed[window], CHUNKS)
    return count


@inlined
def mask_noise(slot, num_inputs, workspace, NEGATIVES, TILE):
    """A noise word that is a window's centre word counts nothing there: the first lane of weights that say so, and
    the lanes from one window's to the next one's; (0, 0), the weights of every window, where there is none."""
    ring, named, own, weights = workspace.ring, workspace.named, workspace.own, workspace.weights
    masked = False
    for noise in range(NEGATIVES):
        named[noise] = ring[slot + noise]
        for window in range(num_inputs):
            masked |= named[noise] == own[window]
    if not masked:
        return 0, 0
    lanes = -(-NEGATIVES // TILE) * 8
    for window in range(num_inputs):
        for noise in range(NEGATIVES):
            weights[(1 + window) * lanes + noise // TILE * 8 + noise % TILE] = named[noise] != own[window]
    return lanes, lanes


@cache
def group_kernel(shape: Shape) -> Callable[..., Any]:
    """The compiled kernel for a shape; see `word2vec_cpu.window_kernel`, whose arguments and results it has."""
    CHUNKS, STRIDE, TILE, NEGATIVES, _, _, HAS_NGRAMS, EXACT = shape
    TILES = -(-NEGATIVES // TILE)
    PADDED = TILES * TILE
    OWN_LANES = (1 + MOST_TOGETHER) * TILES * 8
    FACTORS = MOST_TOGETHER * TILES + 1

    @kernel
    def run(ids, offsets, start, stop, windows, members, tree, inputs, outputs, workspace, rate):
        num_words = kept_rows(ids, offsets, start, stop, windows, workspace, STRIDE)
        named, own, counts, scratch, losses = (
            workspace.named, workspace.own, workspace.counts, workspace.scratch, workspace.losses
        )  # fmt: skip
        composed, changes, own_gradients = workspace.composed, workspace.gradient, workspace.own_gradients
        shared = windows.negatives_shared
        loss, num_pairs, num_factors, ahead, slot, ahead_slot = 0.0, 0, 0, 0, 0, 0
        first = 0
        early = max(1, LOOKAHEAD // shared)  # groups between naming noise words and using them
        while first < num_words:
            while early > 0 and ahead < num_words:
                name_noise(ahead, ahead_slot, (ahead_slot - PADDED) % (LOOKAHEAD * PADDED), windows, outputs, workspace, CHUNKS, STRIDE, NEGATIVES)
                ahead, ahead_slot, early = group_end(ahead, shared, num_words), (ahead_slot + PADDED) % (LOOKAHEAD * PADDED), early - 1
            last = group_end(first, shared, num_words)
            num_inputs = 0
            for centre in range(first, last):
                count = compose_window(centre, num_inputs, windows, members, inputs, workspace, CHUNKS, STRIDE, HAS_NGRAMS)
                own[num_inputs] = workspace.rows[centre]
                counts[num_inputs] = count
                num_inputs += count > 0
                to_come = centre + windows.window + LOOKAHEAD
                if to_come < num_words:
                    prefetch_row(inputs, workspace.rows[to_come], CHUNKS)
                    prefetch_row(outputs, workspace.rows[centre + LOOKAHEAD], CHUNKS)
                    if HAS_NGRAMS:
                        prefetch_ngrams(workspace.words[to_come], members, inputs, CHUNKS, STRIDE)
            if num_factors + FACTORS > MOST_FACTORS:
                loss += collect_losses(losses)
                num_factors = 0
            if num_inputs > 0:
                first_lane, weight_stride = mask_noise(slot, num_inputs, workspace, NEGATIVES, TILE)
                score_pairs(inputs, composed, num_inputs, outputs, named, TILES, workspace.labels, workspace.weights, first_lane, weight_stride, scratch, rate, losses, TILE, CHUNKS, EXACT, 1)
                score_own(inputs, composed, outputs, own, num_inputs, workspace.labels, OWN_LANES, workspace.weights, OWN_LANES + num_inputs * 8, scratch, own_gradients, rate, losses, CHUNKS, EXACT)
            if ahead < num_words:
                name_noise(ahead, ahead_slot, (ahead_slot - PADDED) % (LOOKAHEAD * PADDED), windows, outputs, workspace, CHUNKS, STRIDE, NEGATIVES)
                ahead, ahead_slot = group_end(ahead, shared, num_words), (ahead_slot + PADDED) % (LOOKAHEAD * PADDED)
            if num_inputs > 0:
                for window in range(num_inputs):
                    scale_row(outputs, own[window], own_gradients, window, inputs, changes[window], CHUNKS)
                apply_gradients(inputs, composed, changes, num_inputs, outputs, named, TILES, scratch, TILE, CHUNKS, 1)
                for window in range(num_inputs):
                    add_row(inputs, composed[window], own_gradients, window, outputs, own[window], CHUNKS)
                    scale = np.float32(1 / counts[window] if members.divide_gradient else 1)
                    add_to_rows(inputs, workspace.found, window * members.most, counts[window], scale, changes[window], CHUNKS)
                num_factors += num_inputs * TILES + 1
                num_pairs += num_inputs
            first, slot = last, (slot + PADDED) % (LOOKAHEAD * PADDED)
        return loss + collect_losses(losses), num_pairs, num_words

    compiled: Callable[..., Any] = run
    return compiled
