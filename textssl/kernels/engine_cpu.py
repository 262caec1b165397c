"""The engine `cpu` of word2vec: tables, probabilities and one compiled kernel; several threads train block by block.

Threads change the same rows without locks (Recht et al. 2011, "Hogwild!"): a lost change now and then costs less than
waiting. With one thread every run is the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from textssl.kernels.grouped_cpu import group_kernel
from textssl.kernels.simd import LANES
from textssl.kernels.tables import Table, aligned_floats
from textssl.kernels.word2vec_cpu import (
    LOOKAHEAD,
    MOST_FACTORS,
    MOST_TOGETHER,
    Members,
    Shape,
    Tree,
    Windows,
    Workspace,
    window_kernel,
)
from textssl.randomness import Purpose, stream_key

TILES = (6, 5, 4)
"""Tile sizes to choose from for a fixed number of outputs; more than 6 rows and their sums leave the registers."""
TILE_OF_PATHS = 4
"""For paths, whose length differs from word to word: a large tile would be filled up with empty rows."""
TILE_OF_CONTEXTS = 6
"""For context words with their noise words, some 30: few tiles, and one input keeps 6 sums busy at once."""


@dataclass(frozen=True)
class Method:
    """What is trained.

    Args:
        name: skip-gram or CBOW.
        dim: numbers of a vector.
        window: largest distance of a context word.
        width: "dynamic": drawn for every window from 1 to `window`; or "fixed".
        num_negatives: noise words of a window; 0 for hierarchical softmax.
        noise_weight: of a noise word in each pair of its window, above 0.
        negatives_shared: so many windows have the same noise words: of skip-gram in a row, their rows are still in the
            cache; of CBOW apart, and they make one step (`grouped_cpu`).
        combine: how CBOW's context rows, or a word's n-grams, make one input.
        input_gradient: what each member of such an input receives: the gradient "divided" by their number (for the mean
            the true gradient), or "undivided" (word2vec.c, gensim, fastText).
        seed: of every random number.
    """

    name: Literal["skipgram", "cbow"]
    dim: int
    window: int
    width: Literal["dynamic", "fixed"]
    num_negatives: int
    noise_weight: float
    negatives_shared: int
    combine: Literal["mean", "sum"]
    input_gradient: Literal["divided", "undivided"]
    seed: int


@dataclass(frozen=True)
class Draws:
    """Tables of what is drawn: keep_threshold (V,), and for negative sampling the alias table accept, alias (V,)."""

    keep_threshold: NDArray[np.uint64]
    accept: NDArray[np.uint32]
    alias: NDArray[np.int32]


@dataclass(frozen=True)
class Ragged:
    """Lists of different length: list i is values[offsets[i] : offsets[i + 1]]."""

    values: NDArray[np.integer]
    offsets: NDArray[np.int64]

    @property
    def longest(self) -> int:
        """The length of the longest list."""
        return int(np.diff(self.offsets).max(initial=0))


class CpuEngine:
    """Trains blocks of word ids.

    Args:
        ids: (T,) word ids.
        offsets: (D + 1,) document borders.
        method: what is trained.
        draws: the tables of probabilities.
        ngrams: rows of every word's n-grams, counted from the first row behind the words; None without n-grams.
        path_points, path_codes: for hierarchical softmax, every word's inner nodes and branches, with the same offsets.
        num_threads: how many may train at once.
    """

    def __init__(
        self,
        ids: NDArray[np.integer],
        offsets: NDArray[np.int64],
        *,
        method: Method,
        draws: Draws,
        num_ngram_rows: int = 0,
        ngrams: Ragged | None = None,
        path_points: Ragged | None = None,
        path_codes: NDArray[np.uint8] | None = None,
        num_threads: int = 1,
    ) -> None:
        self.method, self._draws = method, draws
        self._ids, self._offsets = np.asarray(ids).view(), np.asarray(offsets, np.int64).view()
        self._ids.flags.writeable = self._offsets.flags.writeable = False
        num_words = len(draws.keep_threshold)
        self.inputs = Table(num_words + num_ngram_rows, method.dim, spare=2 * MOST_TOGETHER * num_threads)
        self.outputs = Table(num_words, method.dim, spare=num_threads)
        self._members = _members(method, ngrams, num_words)
        self._tree = _tree(path_points, path_codes)
        self._shape = _shape(method, has_ngrams=ngrams is not None, longest_path=self._tree.longest)
        self._workspaces = [self._workspace(thread, 0) for thread in range(num_threads)]
        self._kernel = group_kernel(self._shape) if _grouped(self._shape) else window_kernel(self._shape)

    @property
    def num_threads(self) -> int:
        """How many threads may train at once."""
        return len(self._workspaces)

    @property
    def num_units(self) -> int:
        """Words of one epoch."""
        return len(self._ids)

    @property
    def work_per_unit(self) -> float:
        """Arithmetic operations for one word, about."""
        pairs = (self.method.num_negatives or self._tree.longest / 2) + 1
        contexts = self.method.window + 1 if not self._shape.composed else 1
        return 6.0 * self.method.dim * pairs * contexts + 2.0 * self.method.dim * self._members.most

    def tables(self) -> dict[str, NDArray[np.float32]]:
        """The input and output rows, as views; names as in a checkpoint."""
        return {"inputs": self.inputs.rows, "outputs": self.outputs.rows}

    def train_block(
        self, start: int, stop: int, *, epoch: int, learning_rate: float, thread: int = 0
    ) -> tuple[float, int]:
        """Train on ids[start:stop]; returns the summed loss in nats and the number of pairs. The GIL is free."""
        if stop - start >= len(self._workspaces[thread].words):
            self._workspaces[thread] = self._workspace(thread, stop - start)
        loss, num_pairs, _ = self._kernel(
            self._ids, self._offsets, start, stop, self._windows(epoch), self._members, self._tree,
            self.inputs.flat, self.outputs.flat, self._workspaces[thread], np.float32(learning_rate),
        )  # fmt: skip
        return loss, num_pairs

    def _windows(self, epoch: int) -> Windows:
        keys = (np.uint64(stream_key(self.method.seed, purpose, epoch)) for purpose in _PURPOSES)
        draws, method = self._draws, self.method
        width = method.window, int(method.width == "dynamic"), method.negatives_shared
        noise = draws.accept, draws.alias, np.float32(method.noise_weight)
        return Windows(draws.keep_threshold, *noise, *width, *keys)

    def _workspace(self, thread: int, block: int) -> Workspace:
        """What a thread needs for blocks of so many words."""
        shape, method = self._shape, self.method
        most = _most_outputs(shape, method.window, self._tree.longest)
        most_inputs = _most_inputs(shape, method.window)
        labels, weights = _labels_and_weights(shape, most, method.noise_weight)
        composed, gradient = (self._spare_rows(thread, half) for half in (0, 1))
        empty_row = self.outputs.spare_offset(thread)
        return Workspace(
            words=np.empty(block + 1, np.int64),
            places=np.empty(block + 1, np.int64),
            left=np.empty(block + 1, np.int32),
            right=np.empty(block + 1, np.int32),
            rows=np.empty(block + 1, np.int64),
            ring=np.full(LOOKAHEAD * _padded(method.num_negatives + 1, shape.tile), empty_row),
            contexts=np.empty(2 * method.window + 1, np.int64),
            found=np.empty(MOST_TOGETHER * self._members.most + 1, np.int64),
            named=np.full(most, empty_row),
            labels=labels,
            weights=weights,
            composed=composed,
            gradient=gradient,
            own=np.empty(MOST_TOGETHER, np.int64),
            counts=np.empty(MOST_TOGETHER, np.int64),
            own_gradients=np.empty(LANES, np.float32),
            empty_row=empty_row,
            scratch=aligned_floats(most * shape.num_chunks * LANES + most_inputs * (most // shape.tile) * LANES),
            losses=np.repeat(np.array([0, 1], np.float32), LANES),
        )

    def _spare_rows(self, thread: int, half: int) -> NDArray[np.int64]:
        """The offsets of a thread's first or second half of spare input rows."""
        first = (2 * thread + half) * MOST_TOGETHER
        return np.array([self.inputs.spare_offset(first + index) for index in range(MOST_TOGETHER)])


_PURPOSES = (Purpose.SUBSAMPLE, Purpose.WINDOW, Purpose.NEGATIVES)


def _shape(method: Method, *, has_ngrams: bool, longest_path: int) -> Shape:
    centre_is_input = has_ngrams and method.name == "skipgram"
    varied = centre_is_input or method.num_negatives == 0
    shape = Shape(
        num_chunks=-(-method.dim // LANES),
        stride=Table(1, method.dim).stride,
        tile=TILE_OF_PATHS,
        num_negatives=method.num_negatives,
        composed=int(method.name == "cbow" or has_ngrams),
        centre_is_input=int(centre_is_input),
        has_ngrams=int(has_ngrams),
        exact_losses=int(varied),
    )
    if varied:
        shape = shape._replace(tile=TILE_OF_PATHS if method.num_negatives == 0 else TILE_OF_CONTEXTS)
    else:
        num_outputs = method.num_negatives + 1 - _grouped(shape)
        shape = shape._replace(tile=min(TILES, key=lambda size: (_padded(num_outputs, size), -size)))
    most = _most_outputs(shape, method.window, longest_path) // shape.tile * _most_inputs(shape, method.window)
    return shape._replace(exact_losses=int(varied or method.noise_weight != 1 or most + _grouped(shape) > MOST_FACTORS))


def _grouped(shape: Shape) -> bool:
    """Whether windows that share their noise words make one step."""
    return bool(shape.composed and not shape.centre_is_input and shape.num_negatives > 0)


def _most_inputs(shape: Shape, window: int) -> int:
    if _grouped(shape):
        return MOST_TOGETHER
    return 1 if shape.composed else 2 * window


def _most_outputs(shape: Shape, window: int, longest_path: int) -> int:
    if _grouped(shape):
        return _padded(shape.num_negatives, shape.tile)
    most = shape.num_negatives + (2 * window if shape.centre_is_input else 1)
    if shape.num_negatives == 0:
        most = longest_path * (2 * window if shape.centre_is_input else 1)
    return _padded(most, shape.tile)


def _padded(count: int, size: int) -> int:
    """`count`, filled up to whole tiles of a size."""
    return -(-count // size) * size


def _labels_and_weights(
    shape: Shape, most: int, noise_weight: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What counts in every lane. In a window: the centre word with label 1 and noise words, and a second time to be
    masked. In a group: noise words, the same for every window to be masked, and centre words, label 1, 0 to 8 of them.
    """
    grouped = _grouped(shape)
    places = np.arange(shape.num_negatives + 1 - grouped)
    lanes = places // shape.tile * LANES + places % shape.tile
    size = most // shape.tile * LANES if grouped else LANES * most
    labels, weights = np.zeros((2, 1 + (MOST_TOGETHER if grouped else 1), size), np.float32)
    weights[:, lanes] = noise_weight
    if not grouped:
        labels[:, 0] = weights[:, 0] = 1
        return labels.reshape(-1), weights.reshape(-1)
    first_windows = np.tri(MOST_TOGETHER + 1, LANES, -1, dtype=np.float32)
    return np.append(labels, np.ones(LANES, np.float32)), np.append(weights, first_windows)


def _members(method: Method, ngrams: Ragged | None, num_words: int) -> Members:
    rows, offsets = np.empty(0, np.int64), np.zeros(1, np.int64)
    most = 1
    if ngrams is not None:
        rows, offsets = ngrams.values.astype(np.int64) + num_words, ngrams.offsets
        most += ngrams.longest
    most *= 2 * method.window + 1
    return Members(rows, offsets, most, int(method.combine == "mean"), int(method.input_gradient == "divided"))


def _tree(points: Ragged | None, codes: NDArray[np.uint8] | None) -> Tree:
    if points is None or codes is None:
        return Tree(np.empty(0, np.int32), np.empty(0, np.uint8), np.zeros(1, np.int64), 0)
    return Tree(points.values.astype(np.int32), codes, points.offsets, points.longest)
