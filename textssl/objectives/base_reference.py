"""Skip-gram and CBOW as batches of windows and their loss by automatic differentiation: what the fused kernels mean.

    method              hidden vectors of a window          scored against
    skip-gram           the row of each context word        the centre word and the noise
    CBOW                all context words' rows combined    the centre word and the noise
    skip-gram, n-grams  the centre word's rows combined     each context word, and the noise once for each of these

A window's noise words count in each of its pairs, with the weight `noise_weight`: many light ones or few heavy ones.
With hierarchical softmax the nodes on the path to each predicted word stand in place of the word and the noise. Noise
that equals a predicted word does not count for that pair.

Shapes: W windows, I input rows, P predicted words, K noise words, L nodes on a path; all padded with -1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.errors import UsageError
from textssl.losses.core import LossTensor
from textssl.losses.hierarchical_softmax import hierarchical_softmax
from textssl.losses.negative_sampling import negative_sampling
from textssl.models.word2vec import Word2Vec
from textssl.objectives.base import GradientHooks, GradientParts, Optimisation
from textssl.text.windows import Windows, WindowSettings, block_windows, rows_of_words

if TYPE_CHECKING:
    from textssl.objectives.base_word_vectors import WordVectors

Method = Literal["skipgram", "cbow"]
MAX_VISITS = 16.0
FINAL_FRACTION = 1e-4
"""The learning rate ends at this part of its start, as in word2vec.c."""


@dataclass(frozen=True, slots=True)
class Subwords:
    """The input rows of every word, one word's behind the other's: its own row, then those of its n-grams.

    Args:
        offsets: (V + 1,) where the rows of each word begin.
        rows: input rows.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.integer]

    @classmethod
    def of_ngrams(cls, ngram_offsets: NDArray[np.int64], ngram_rows: NDArray[np.integer]) -> Self:
        """The rows when the n-grams' table stands below the V rows of the words: word w, then V + its n-gram rows.

        Args:
            ngram_offsets: (V + 1,) where the n-grams of each word begin.
            ngram_rows: rows of the table of n-grams.
        """
        num_words = len(ngram_offsets) - 1
        words = np.arange(num_words)
        rows = np.insert(ngram_rows.astype(np.int64) + num_words, ngram_offsets[:-1], words)
        return cls(ngram_offsets + np.arange(num_words + 1), rows)


@dataclass(frozen=True, slots=True)
class Paths:
    """The path of every word in the Huffman tree, one word's behind the other's, from the root to the leaf.

    Args:
        offsets: (V + 1,) where the path of each word begins.
        nodes: output rows of the inner nodes.
        codes: the turn at each node, 0 or 1.
    """

    offsets: NDArray[np.int64]
    nodes: NDArray[np.integer]
    codes: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows as rows of the two tables, int64, -1 where padded.

    Args:
        reading: "each" input row is a hidden vector, or all rows of a window are "combined" into one.
        inputs: (W, I) rows of the input table.
        predicted: (W, P) words.
        noise: (W, K) words; K = 0 with hierarchical softmax.
        noise_weight: of a noise word in each pair of its window.
        nodes: (W, P, L) rows of the output table; None with negative sampling, whose output rows are the words.
        codes: (W, P, L) turns at the nodes; None with negative sampling.
    """

    reading: Literal["each", "combined"]
    inputs: Tensor
    predicted: Tensor
    noise: Tensor
    noise_weight: float
    nodes: Tensor | None
    codes: Tensor | None

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: part.to(device) for name, part in parts.items() if isinstance(part, Tensor)}
        return replace(self, **moved)


def window_batch(
    windows: Windows,
    *,
    method: Method,
    noise_weight: float = 1.0,
    subwords: Subwords | None = None,
    paths: Paths | None = None,
) -> WindowBatch:
    """The rows that a block of windows reads.

    Args:
        windows: from `block_windows`; without negatives when there are paths.
        method: "skipgram" or "cbow".
        noise_weight: of a noise word in each pair of its window.
        subwords: the input rows of every word, or None when a word has one row, its id.
        paths: the path of every word for hierarchical softmax, or None for negative sampling.

    Raises:
        UsageError: both negatives and paths are given, or neither.
    """
    if (paths is None) == (windows.negatives.shape[1] == 0):
        given = f"{windows.negatives.shape[1]} negatives and {'no paths' if paths is None else 'paths'}"
        raise UsageError(f"windows need either negatives or the paths of hierarchical softmax, got {given}")
    centres = windows.centres[:, None]
    predicted, inputs = centres, windows.contexts
    if method == "skipgram" and subwords is not None:
        predicted, inputs = windows.contexts, centres
    if subwords is not None:
        inputs = rows_of_words(inputs, subwords.offsets, subwords.rows)
    combined = method == "cbow" or subwords is not None
    nodes, codes = (None, None) if paths is None else _path_rows(predicted, paths)
    return WindowBatch(
        reading="combined" if combined else "each",
        inputs=torch.from_numpy(inputs),
        predicted=torch.from_numpy(predicted),
        noise=torch.from_numpy(windows.negatives),
        noise_weight=noise_weight,
        nodes=nodes,
        codes=codes,
    )


def window_loss(model: Word2Vec, batch: WindowBatch) -> LossTensor:
    """The loss in nats of a batch of windows, and the number of (centre, context) pairs; with CBOW, of windows."""
    if batch.reading == "each":
        hidden_WID, mask_WI = model.hidden_each(batch.inputs), batch.inputs >= 0
    else:
        hidden_WID, mask_WI = model.hidden_combined(batch.inputs), (batch.inputs >= 0).any(1, keepdim=True)
    if batch.nodes is not None and batch.codes is not None:
        path_mask = batch.nodes >= 0
        nodes_WPLD = model.outputs(batch.nodes)
        return hierarchical_softmax(hidden_WID, nodes_WPLD, batch.codes, path_mask=path_mask, hidden_mask=mask_WI)
    seen_WP = batch.predicted >= 0
    equal_WK = (batch.noise.unsqueeze(2) == batch.predicted.unsqueeze(1)).sum(2)
    pairs_WK = (seen_WP.sum(1, keepdim=True) - equal_WK).to(hidden_WID.dtype)
    weights_WO = torch.cat([seen_WP, batch.noise_weight * pairs_WK], 1)
    outputs_WOD = model.outputs(torch.cat([batch.predicted, batch.noise], 1))
    num_seen = batch.predicted.shape[1]
    return negative_sampling(hidden_WID, outputs_WOD, weights=weights_WO, num_seen=num_seen, hidden_mask=mask_WI)


@dataclass(frozen=True, slots=True)
class ReferenceWindows(GradientHooks):
    """The objective of the engine `reference`: the blocks of a token store in order, epoch after epoch.

    Args:
        ids: (T,) word ids of the store.
        offsets: (documents + 1,) where documents begin.
        settings: how windows are cut.
        method, noise_weight, subwords, paths: as in `window_batch`.
        block_words: token positions of one batch, at least 1; subsampling leaves about half of them as windows.
        num_epochs: at least 1.
    """

    ids: NDArray[np.integer]
    offsets: NDArray[np.int64]
    settings: WindowSettings
    method: Method
    noise_weight: float
    subwords: Subwords | None
    paths: Paths | None
    block_words: int
    num_epochs: int

    additive = False  # windows are cut at the ends of a part
    flops_per_unit = None

    @property
    def unit(self) -> str:
        """What `units_before` counts."""
        return "words"

    @property
    def num_steps(self) -> int:
        """Blocks in all epochs."""
        return self.num_epochs * self._blocks

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        return self.units_before(step) / len(self.ids)

    def units_before(self, step: int) -> int:
        """Words of the store in all steps before this one."""
        epoch, block = divmod(step, self._blocks)
        return epoch * len(self.ids) + min(block * self.block_words, len(self.ids))

    def batch(self, step: int, part: int = 0, num_parts: int = 1) -> WindowBatch:
        """The windows of a part of a step, a pure function of seed, step and part."""
        epoch, block = divmod(step, self._blocks)
        first = block * self.block_words
        size = min(self.block_words, len(self.ids) - first)
        start, stop = (first + size * edge // num_parts for edge in (part, part + 1))
        windows = block_windows(self.ids, self.offsets, start, stop, settings=self.settings, epoch=epoch)
        return window_batch(
            windows, method=self.method, noise_weight=self.noise_weight, subwords=self.subwords, paths=self.paths
        )

    def loss(self, model: Word2Vec, batch: WindowBatch) -> LossTensor:
        """`window_loss`."""
        return window_loss(model, batch)

    def evaluation(self) -> None:
        """Nothing is held back of the words: vectors are judged by what is asked of them."""
        return

    def scores(self, loss: LossTensor) -> dict[str, float]:
        """The mean loss."""
        return {"loss_nats": float(loss.mean)}

    @property
    def _blocks(self) -> int:
        return -(-len(self.ids) // self.block_words)


def reference_parts(prepared: WordVectors, inputs: NDArray[np.float32], outputs: NDArray[np.float32]) -> GradientParts:
    """Objective, model and its optimisation.

    Args:
        prepared: corpus and options.
        inputs, outputs: the tables at the start.
    """
    config, store, tree, ngrams = prepared.config, prepared.store, prepared.tree, prepared.ngrams
    empty = np.zeros(1, np.uint32), np.zeros(1, np.int32)
    accept, alias = prepared.noise() if prepared.noise_per_window else empty
    settings = WindowSettings(
        seed=prepared.setting.seed,
        window=config.window,
        width=config.window_width,
        keep_thresholds=prepared.keep_threshold,
        num_negatives=prepared.noise_per_window,
        negatives_shared=config.negatives_shared,
        sharing="apart" if prepared.method == "cbow" else "in_a_row",
        noise_accept=accept,
        noise_alias=alias,
    )
    objective = ReferenceWindows(
        store.ids,
        store.offsets,
        settings,
        prepared.method,
        prepared.noise_weight,
        Subwords.of_ngrams(ngrams.offsets, ngrams.rows) if ngrams else None,
        Paths(tree.offsets, tree.points, tree.codes) if tree else None,
        block_words=config.batch_words,
        num_epochs=config.epochs,
    )
    tables = torch.from_numpy(inputs), torch.from_numpy(outputs)
    model = Word2Vec(*tables, combine=config.combine, cbow_gradient=config.input_gradient)
    optimisation = Optimisation(
        method="sparse_sgd",
        learning_rate=prepared.learning_rate,
        final_fraction=FINAL_FRACTION,
        reduction="sum",
        precision="float32",
        max_visits=MAX_VISITS,
    )
    return GradientParts(objective, model, optimisation)


def _path_rows(predicted: NDArray[np.int64], paths: Paths) -> tuple[Tensor, Tensor]:
    """Nodes and codes (W, P, L) on the paths to the predicted words."""
    words = predicted.reshape(-1, 1)
    rows = (rows_of_words(words, paths.offsets, part) for part in (paths.nodes, paths.codes))
    nodes, codes = (torch.from_numpy(part.reshape(*predicted.shape, part.shape[1])) for part in rows)
    return nodes, codes
