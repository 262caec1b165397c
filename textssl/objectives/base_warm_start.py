"""Word vectors that start from those of an earlier run, a folder or a file, each at the place of its word.

Legend: V words, R rows of n-grams behind them, D numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.neighbours import Floats, row_blocks
from textssl.ngram_table import Combine
from textssl.objectives.base import Start
from textssl.objectives.base_subwords import set_ngram_rows, set_subword_vectors
from textssl.text.ngrams import NgramRows
from textssl.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textssl.embeddings import Embeddings

Output = Literal["negative_sampling", "hierarchical_softmax"]
TABLES = (("inputs", "outputs"), ("input_table", "output_table"))
"""Names of the two tables in the state of the engines `cpu` and `reference`."""


class WarmStart:
    """Earlier vectors, with the place of every word of a new run among them.

    Args:
        start: the vectors, and of a run its tables and options.
        vocabulary: V words of the new run.
        dim: its D.
        output: how it predicts words.

    Raises:
        UsageError: there are no vectors, they have another width, or no word is shared.
    """

    def __init__(self, start: Start, vocabulary: Vocabulary, *, dim: int, output: Output) -> None:
        if start.vectors is None:
            raise UsageError("holds no word vectors", where=start.source, hint="Give a run or a file of word vectors.")
        self._start, self._vectors = start, start.vectors
        width = self._vectors.vectors.shape[1]
        if width != dim:
            raise UsageError(
                f"holds vectors of {width} numbers, expected {dim}", where=start.source, hint=f"Give --dim {width}."
            )
        self._places = self._vectors.words.find_many(list(vocabulary.words))
        self._known = self._places >= 0
        if not self._known.any():
            raise UsageError(
                "shares no word with the corpus",
                where=start.source,
                hint="Give vectors of the same language and writing.",
            )
        self._outputs = self._output_rows(vocabulary, output)

    def describe(self) -> str:
        """How much is taken over, as a line for people."""
        number = f"{int(self._known.sum()):,} of {len(self._known):,} words"
        outputs = "with their context vectors" if self._outputs is not None else "context vectors start anew"
        return f"starts from {self._start.source}: {number}, {outputs}"

    def fill(self, inputs: Floats, outputs: Floats, ngrams: NgramRows | None, combine: Combine) -> None:
        """Write the rows of known words and n-grams over random ones.

        Args:
            inputs: (V, D), or (V + R, D) with n-grams.
            outputs: (V, D).
            ngrams: the n-grams of the new run, or None.
            combine: how its rows make a word's vector.

        Raises:
            UsageError: the n-grams of the earlier run are others.
        """
        self._copy(self._vectors.vectors, inputs)
        if self._outputs is not None:
            self._copy(self._outputs, outputs)
        if ngrams is not None:
            if self._vectors.ngrams is not None:
                set_ngram_rows(inputs, ngrams, combine, self._vectors.ngrams, source=self._start.source)
            set_subword_vectors(inputs, ngrams, combine, of_words=self._known)

    def _copy(self, source: Floats, target: Floats) -> None:
        for rows in row_blocks(len(self._places), target.shape[1] * 4):
            known = self._known[rows]
            target[rows][known] = source[self._places[rows][known]]

    def _output_rows(self, vocabulary: Vocabulary, output: Output) -> NDArray[np.float32] | None:
        """The earlier output table, if its rows mean the same: words, or the inner nodes of the same tree."""
        if self._start.tables is None:
            return self._vectors.context if output == "negative_sampling" else None
        if self._start.config.get("output") != output:
            return None
        if output == "hierarchical_softmax" and not _same_tree(self._vectors, vocabulary):
            return None
        names = next(names for names in TABLES if names[1] in self._start.tables)
        return self._start.tables[names[1]]


def _same_tree(vectors: Embeddings, vocabulary: Vocabulary) -> bool:
    same_counts = vectors.counts is not None and np.array_equal(vectors.counts, vocabulary.counts)
    return same_counts and vectors.words == vocabulary.words
