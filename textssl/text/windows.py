"""Windows over a block of a token store: the plain definition that the fused kernels are tested against.

A block is the range [start, stop) of global token positions p; documents are given by their offsets. With
bits(purpose, i) = random_bits(stream_key(seed, purpose, epoch), i) and hi, lo the upper and lower 32 bits of a number:

    kept        p is kept iff hi(bits(SUBSAMPLE, p)) < keep_thresholds[id of p]
    half width  fixed: window; dynamic: 1 + (hi(bits(WINDOW, p)) * window >> 32), uniform in 1..window
    contexts    the kept tokens at distance 1..half width, to both sides, in the sequence of kept tokens of the same
                document and block, from left to right
    noise k     r = bits(NEGATIVES, q * num_negatives + k), column = hi(r) * V >> 32; q is the position of the
                first of the `negatives_shared` kept tokens that share their noise, counted from the block's first in a
                row, or one from each of as many equal parts of the block (`sharing`);
                the word is column if lo(r) < noise_accept[column], else noise_alias[column]

Shapes: N windows (kept tokens), C = 2 * window context places, K noise words, V vocabulary.
Source: Mikolov et al. (arXiv 1310.4546), sections 2.2 and 2.3; Levy, Goldberg, Dagan, "Improving distributional
similarity" (TACL 2015), section 3.1, for subsampling before the windows are cut and windows of random width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.randomness import Purpose, random_bits, stream_key

_32 = np.uint64(32)
_LOWER_32 = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How windows are cut and noise is drawn.

    Args:
        seed: 0 to 2**64 - 1.
        window: largest distance of a context word, in kept tokens, at least 1.
        width: "dynamic", a half width drawn from 1..window for each token; or "fixed".
        keep_thresholds: (V,) uint64, from `keep_thresholds`.
        num_negatives: noise words of a window, 0 or more.
        noise_accept: (V,) unsigned, the alias table's thresholds on a 32-bit draw; unused without noise.
        noise_alias: (V,) integer, the alias table's other words.
        negatives_shared: so many windows have the same noise words, at least 1.
        sharing: which ones: windows in a row; or windows apart, as far from each other as the block allows.
    """

    seed: int
    window: int
    width: Literal["dynamic", "fixed"]
    keep_thresholds: NDArray[np.uint64]
    num_negatives: int
    noise_accept: NDArray[np.unsignedinteger]
    noise_alias: NDArray[np.integer]
    negatives_shared: int = 1
    sharing: Literal["in_a_row", "apart"] = "in_a_row"


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a block, one for each kept token, in the order of the text.

    Args:
        positions: (N,) int64, global positions of the centre words.
        centres: (N,) int64 word ids.
        contexts: (N, C) int64 word ids from left to right, then -1; all -1 for a token that stands alone.
        negatives: (N, K) int64 word ids; they may equal the centre, which the loss leaves out.
    """

    positions: NDArray[np.int64]
    centres: NDArray[np.int64]
    contexts: NDArray[np.int64]
    negatives: NDArray[np.int64]


def keep_thresholds(keep_probabilities: NDArray[np.floating]) -> NDArray[np.uint64]:
    """round(p * 2^32) for each word: a 32-bit draw below it keeps the token; 2^32 keeps all.

    Args:
        keep_probabilities: (V,) in [0, 1].
    """
    return np.rint(np.asarray(keep_probabilities, np.float64) * 2.0**32).astype(np.uint64)


def block_windows(
    ids: NDArray[np.integer],
    offsets: NDArray[np.int64],
    start: int,
    stop: int,
    *,
    settings: WindowSettings,
    epoch: int,
) -> Windows:
    """All windows of the block [start, stop) in one epoch.

    Args:
        ids: (T,) word ids of the whole store.
        offsets: (number of documents + 1,) positions where documents begin, and the end of the last.
        start, stop: 0 <= start <= stop <= T.
        settings: how windows are cut.
        epoch: 0 or more; every epoch has its own random numbers.

    Raises:
        UsageError: the block does not lie in the store.
    """
    if not 0 <= start <= stop <= len(ids):
        raise UsageError(f"a block must lie in positions 0 to {len(ids)}, got {start} to {stop}")
    block_ids = np.asarray(ids[start:stop]).astype(np.int64)
    positions = np.arange(start, stop, dtype=np.int64)
    subsample_key = stream_key(settings.seed, Purpose.SUBSAMPLE, epoch)
    kept = (random_bits(subsample_key, positions) >> _32) < settings.keep_thresholds[block_ids]
    positions, centres = positions[kept], block_ids[kept]
    contexts = _contexts(centres, *_reach(positions, offsets, settings, epoch), settings.window)
    return Windows(positions, centres, contexts, _negatives(positions, settings, epoch))


def rows_of_words(
    words: NDArray[np.int64], row_offsets: NDArray[np.int64], row_ids: NDArray[np.integer]
) -> NDArray[np.int64]:
    """The table rows of the words of each line, one word's after the other's.

    Args:
        words: (N, C) word ids; -1 has no rows.
        row_offsets: (V + 1,) where the rows of each word begin in `row_ids`.
        row_ids: rows of all words: the word's own, then those of its n-grams.

    Returns:
        (N, R) int64, padded with -1 after the last row; R is the longest line's number of rows.
    """
    line, place = np.nonzero(words >= 0)
    starts = row_offsets[words[line, place]]
    counts = row_offsets[words[line, place] + 1] - starts
    totals = np.bincount(line, weights=counts, minlength=len(words)).astype(np.int64)
    rows = np.full((len(words), int(totals.max(initial=0))), -1, np.int64)
    source = np.arange(counts.sum()) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    column = np.arange(counts.sum()) - np.repeat(np.cumsum(totals) - totals, totals)
    rows[np.repeat(line, counts), column] = row_ids[source]
    return rows


def _reach(
    positions: NDArray[np.int64], offsets: NDArray[np.int64], settings: WindowSettings, epoch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many contexts each kept token has to its left and to its right, both (N,) int64."""
    if settings.width == "dynamic":
        bits = random_bits(stream_key(settings.seed, Purpose.WINDOW, epoch), positions)
        half_widths = 1 + ((bits >> _32) * np.uint64(settings.window) >> _32).astype(np.int64)
    else:
        half_widths = np.full(len(positions), settings.window, np.int64)
    documents = np.searchsorted(offsets, positions, side="right")
    places = np.arange(len(positions))
    to_document_start = places - np.searchsorted(documents, documents, side="left")
    to_document_end = np.searchsorted(documents, documents, side="right") - 1 - places
    return np.minimum(half_widths, to_document_start), np.minimum(half_widths, to_document_end)


def _contexts(
    centres: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], window: int
) -> NDArray[np.int64]:
    """(N, 2 * window): the `left` words before each centre and the `right` words after it, padded with -1."""
    columns = np.arange(2 * window)
    first = np.arange(len(centres)) - left
    places = first[:, None] + columns + (columns >= left[:, None])  # the centre itself is stepped over
    used = columns < (left + right)[:, None]
    return (
        np.where(used, centres[np.where(used, places, 0)], -1) if len(centres) else np.empty((0, 2 * window), np.int64)
    )


def groups_apart(num_windows: int, shared: int) -> int:
    """The number of groups of `shared` windows apart, at least 1: group g has the windows g, g + groups, and so on."""
    return max(1, -(-num_windows // shared))


def _negatives(positions: NDArray[np.int64], settings: WindowSettings, epoch: int) -> NDArray[np.int64]:
    """(N, K) words drawn through the alias table."""
    if settings.num_negatives == 0:
        return np.empty((len(positions), 0), np.int64)
    places = np.arange(len(positions))
    if settings.sharing == "apart":
        leaders = positions[places % groups_apart(len(positions), settings.negatives_shared)]
    else:
        leaders = positions[places - places % settings.negatives_shared]
    draws = leaders[:, None] * settings.num_negatives + np.arange(settings.num_negatives)
    bits = random_bits(stream_key(settings.seed, Purpose.NEGATIVES, epoch), draws)
    columns = ((bits >> _32) * np.uint64(len(settings.noise_alias)) >> _32).astype(np.int64)
    accepted = (bits & _LOWER_32) < settings.noise_accept[columns].astype(np.uint64)
    return np.where(accepted, columns, settings.noise_alias[columns]).astype(np.int64)
