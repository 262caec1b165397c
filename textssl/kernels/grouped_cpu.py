"""CBOW with negative sampling on the CPU: the windows that share their noise words are one step of gradient descent.

G windows are G composed rows x K noise words, one matrix product, and G pairs of a composed row and its centre word.
An output row is loaded once for all of them, and their sums fill the registers; with one window each sum waits for
itself. All changes are taken from the rows as they stood before the step: a batch whose gradients are added up. Its
windows lie apart, one in each of G equal parts of the block: neighbours have nearly the same context, so noise
words would be pushed G times in one direction, and rows that all of them change would go G times too far.

Proved against autograd through textssl.losses in tests/kernels, step by step.
Source: Mikolov et al. 2013 (arXiv 1301.3781) for CBOW; Ji et al. 2016 (arXiv 1604.04661) for steps as matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from textssl.kernels.blocks import collect_losses, draw_word, half_width
from textssl.kernels.micro_kernels import apply_gradients, score_pairs
from textssl.kernels.own_pairs import score_own
from textssl.kernels.random_cpu import inlined, kernel, random_bits
from textssl.kernels.row_kernels import add_row, add_to_rows, combine_rows, prefetch_row, scale_row
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
def name_noise(group, slot, windows, outputs, workspace, CHUNKS, STRIDE, NEGATIVES):
    """Name the noise words of a group to come and ask for their rows."""
    for noise in range(NEGATIVES):
        bits = random_bits(windows.negatives_key, workspace.places[group] * NEGATIVES + noise)
        row = np.int64(draw_word(bits, windows.accept, windows.alias)) * STRIDE
        workspace.ring[slot + noise] = row
        prefetch_row(outputs, row, CHUNKS)


@inlined
def ask_for_words(centre, num_words, windows, members, inputs, outputs, workspace, CHUNKS, STRIDE, HAS_NGRAMS):
    """Ask for the rows that the next group but one needs here and this one does not."""
    to_come = centre + windows.window + 2
    if to_come < num_words:
        prefetch_row(inputs, workspace.rows[to_come], CHUNKS)
        prefetch_row(outputs, workspace.rows[centre + 2], CHUNKS)
        if HAS_NGRAMS:
            prefetch_ngrams(workspace.words[to_come], members, inputs, CHUNKS, STRIDE)


@inlined
def compose_window(centre, place, windows, members, inputs, workspace, CHUNKS, STRIDE, HAS_NGRAMS):
    """Write the composed row of a window, the step's next; returns the number of its members."""
    reach = half_width(windows.window_key, workspace.places[centre], windows.window, windows.shrink)
    low = max(workspace.left[centre], centre - reach)
    high = min(workspace.right[centre], centre + reach + 1)
    found, start = workspace.found, place * members.most
    if HAS_NGRAMS:
        count = member_rows(workspace.words, low, high, centre, members, STRIDE, found, start) - start
    else:
        count = context_rows(workspace.rows, low, high, centre, found, start) - start
    if count > 0:
        scale = np.float32(1 / count if members.mean else 1)
        combine_rows(inputs, found, start, count, scale, workspace.composed[place], CHUNKS)
    return count


@inlined
def mask_noise(slot, num_inputs, noise_weight, workspace, NEGATIVES, TILE):
    """Take the group's noise words as outputs. One that is a window's centre word counts nothing there.

    Returns:
        The first lane of the weights that say so, and the lanes from one window's to the next one's; (0, 0), the same
        weights for every window, where there is none.
    """
    named, own, weights = workspace.named, workspace.own, workspace.weights
    masked = False
    for noise in range(NEGATIVES):
        named[noise] = workspace.ring[slot + noise]
        for place in range(num_inputs):
            masked |= named[noise] == own[place]
    if not masked:
        return 0, 0
    lanes = -(-NEGATIVES // TILE) * 8
    for place in range(num_inputs):
        for noise in range(NEGATIVES):
            weights[(1 + place) * lanes + noise // TILE * 8 + noise % TILE] = noise_weight * (
                named[noise] != own[place]
            )
    return lanes, lanes


@inlined
def change_rows(num_inputs, members, inputs, outputs, workspace, TILES, TILE, CHUNKS):
    """Apply a step's gradients: what the composed rows receive first, from outputs that nothing has changed yet."""
    own, gradients, composed, changes = workspace.own, workspace.own_gradients, workspace.composed, workspace.gradient
    for place in range(num_inputs):
        scale_row(outputs, own[place], gradients, place, inputs, changes[place], CHUNKS)
    apply_gradients(inputs, composed, changes, num_inputs, outputs, workspace.named, TILES, workspace.scratch, TILE, CHUNKS, 1)  # fmt: skip  # noqa: E501
    for place in range(num_inputs):
        add_row(inputs, composed[place], gradients, place, outputs, own[place], CHUNKS)
        count = workspace.counts[place]
        scale = np.float32(1 / count if members.divide_gradient else 1)
        add_to_rows(inputs, workspace.found, place * members.most, count, scale, changes[place], CHUNKS)


@cache
def group_kernel(shape: Shape) -> Callable[..., Any]:
    """The compiled kernel for a shape; see `word2vec_cpu.window_kernel`, whose arguments and results it has.

    A group has the kept words g, g + groups, g + 2 groups ... of the block; a larger one than MOST_TOGETHER is several
    steps with the same noise words.
    """
    CHUNKS, STRIDE, TILE, NEGATIVES, _, _, HAS_NGRAMS, EXACT = shape
    TILES = -(-NEGATIVES // TILE)
    PADDED, OWN_LANE, FACTORS = TILES * TILE, (1 + MOST_TOGETHER) * TILES * 8, MOST_TOGETHER * TILES + 1

    @kernel
    def run(ids, offsets, start, stop, windows, members, _tree, inputs, outputs, workspace, rate):
        num_words = kept_rows(ids, offsets, start, stop, windows, workspace, STRIDE)
        composed, own, labels, weights = workspace.composed, workspace.own, workspace.labels, workspace.weights
        scratch, losses = workspace.scratch, workspace.losses
        groups = -(-num_words // windows.negatives_shared)
        early = max(1, LOOKAHEAD // windows.negatives_shared)
        span = max(groups, 1) * MOST_TOGETHER  # a block of which no word is kept has no groups
        loss, num_pairs, num_factors = 0.0, 0, 0
        for group in range(-early, groups):
            for first in range(group, num_words if group >= 0 else group, span):
                num_inputs = 0
                for centre in range(first, min(first + span, num_words), groups):
                    count = compose_window(centre, num_inputs, windows, members, inputs, workspace, CHUNKS, STRIDE, HAS_NGRAMS)  # fmt: skip  # noqa: E501
                    own[num_inputs], workspace.counts[num_inputs] = workspace.rows[centre], count
                    num_inputs += count > 0
                    ask_for_words(centre, num_words, windows, members, inputs, outputs, workspace, CHUNKS, STRIDE, HAS_NGRAMS)  # fmt: skip  # noqa: E501
                if num_factors + FACTORS > MOST_FACTORS:
                    loss += collect_losses(losses)
                    num_factors = 0
                if num_inputs > 0:
                    lane, stride = mask_noise(
                        group % LOOKAHEAD * PADDED, num_inputs, windows.noise_weight, workspace, NEGATIVES, TILE
                    )
                    score_pairs(inputs, composed, num_inputs, outputs, workspace.named, TILES, labels, weights, lane, stride, scratch, rate, losses, TILE, CHUNKS, EXACT, 1)  # fmt: skip  # noqa: E501
                    score_own(inputs, composed, outputs, own, num_inputs, labels, OWN_LANE, weights, OWN_LANE + num_inputs * 8, scratch, workspace.own_gradients, rate, losses, CHUNKS, EXACT)  # fmt: skip  # noqa: E501
                    change_rows(num_inputs, members, inputs, outputs, workspace, TILES, TILE, CHUNKS)
                    num_factors += num_inputs * TILES + 1
                    num_pairs += num_inputs
            if group + early < groups:
                name_noise(group + early, (group + early) % LOOKAHEAD * PADDED, windows, outputs, workspace, CHUNKS, STRIDE, NEGATIVES)  # fmt: skip  # noqa: E501
        return loss + collect_losses(losses), num_pairs, num_words

    compiled: Callable[..., Any] = run
    return compiled
