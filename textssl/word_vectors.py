"""Words with their vectors: looked up, averaged, compared; the names are gensim's. `Embeddings` adds search and files.

Legend: V words, D width, N words or vectors given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.embeddings_folder import VectorFolder
from textssl.errors import UsageError
from textssl.neighbours import Floats, cosines, row_norms, unit
from textssl.ngram_table import NgramTable
from textssl.word_lookup import KeyToIndex, unknown_word
from textssl.words import Words

Key = str | int | np.integer[Any]


class WordVectors:
    """Words and their vectors, looked up and compared.

    A word may be given as text or as its place in the list. Cosines with a vector of zeros are 0.

    Args:
        words: V words, most frequent first.
        vectors: float32 (V, D), possibly memory-mapped.
        norms: lengths of the vectors, float32 (V,); computed when not given.
        counts: how often each word stands in the corpus, int64 (V,), or None.
        context: the output table, float32 (V, D), or None.
        ngrams: n-gram vectors that give unseen words a vector, or None.
        metadata: what is known about the vectors, JSON values.
    """

    def __init__(
        self,
        words: Words | Iterable[str],
        vectors: Floats,
        *,
        norms: Floats | None = None,
        counts: NDArray[np.int64] | None = None,
        context: Floats | None = None,
        ngrams: NgramTable | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        words = words if isinstance(words, Words) else Words.from_list(words)
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != len(words):
            raise UsageError(
                f"vectors must be float32 ({len(words)}, D), one row for each word, got {vectors.dtype} {vectors.shape}"
            )
        norms = row_norms(vectors) if norms is None else norms
        self._content = VectorFolder(words, vectors, norms, counts, context, ngrams, metadata or {})

    @property
    def words(self) -> Words:
        """The words, most frequent first."""
        return self._content.words

    @property
    def index_to_key(self) -> Words:
        """The words, by gensim's name."""
        return self._content.words

    @property
    def key_to_index(self) -> Mapping[str, int]:
        """The place of each word, as a dictionary that is not built."""
        return KeyToIndex(self._content.words)

    @property
    def vectors(self) -> Floats:
        """The vectors, float32 (V, D)."""
        return self._content.vectors

    @property
    def norms(self) -> Floats:
        """The lengths of the vectors, float32 (V,)."""
        return self._content.norms

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """How often each word stands in the corpus, int64 (V,), or None."""
        return self._content.counts

    @property
    def context(self) -> Floats | None:
        """The output table, float32 (V, D), or None."""
        return self._content.context

    @property
    def ngrams(self) -> NgramTable | None:
        """Vectors of n-grams for words that are not in the list, or None."""
        return self._content.ngrams

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known about the vectors."""
        return self._content.metadata

    @property
    def vector_size(self) -> int:
        """D, the width of the vectors."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether the word has a vector, in the list or through its n-grams."""
        if not isinstance(word, str):
            return False
        return word in self.words or (self.ngrams is not None and self.ngrams.vector(word) is not None)

    def __repr__(self) -> str:
        return f"Embeddings({len(self):,} words, {self.vector_size} dimensions)"

    def __getitem__(self, key: Key | Sequence[Key]) -> Floats:
        """The vector of a word, (D,), or those of several, (B, D)."""
        if isinstance(key, (str, int, np.integer)):
            return self.get_vector(key)
        return np.array([self.get_vector(item) for item in key], dtype=np.float32).reshape(-1, self.vector_size)

    def get_index(self, key: Key) -> int:
        """The place of a word in the list.

        Raises:
            UnknownWordError: the word is not in the list.
        """
        place = self.words.find(key) if isinstance(key, str) else int(key)
        if not 0 <= place < len(self):
            raise unknown_word(key, self.words)
        return place

    def get_vector(self, key: Key, *, norm: bool = False) -> Floats:
        """The vector of a word, float32 (D,); of an unseen word its n-grams combined, where there are any.

        Args:
            key: the word.
            norm: scaled to length 1.

        Raises:
            UnknownWordError: the word has no vector.
        """
        place = self.words.find(key) if isinstance(key, str) else int(key)
        if 0 <= place < len(self):
            vector = np.asarray(self.vectors[place])
        else:
            unseen = self.ngrams.vector(key) if self.ngrams is not None and isinstance(key, str) else None
            if unseen is None:
                raise unknown_word(key, self.words)
            vector = unseen
        return unit(vector) if norm else vector

    def get_mean_vector(
        self,
        keys: Sequence[Key | Floats],
        weights: Sequence[float] | None = None,
        *,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Floats:
        """The weighted mean sum_i w_i v_i / sum_i |w_i|, float32 (D,).

        Args:
            keys: words and vectors.
            weights: one number for each, 1 when not given.
            pre_normalize: words enter with vectors of length 1; vectors enter as they are.
            post_normalize: scale the mean to length 1.
            ignore_missing: leave unknown words out; otherwise they raise.

        Raises:
            UsageError: no keys, or another number of weights.
            UnknownWordError: a word has no vector and `ignore_missing` is False, or none has one.
        """
        weights = [1.0] * len(keys) if weights is None else weights
        if not len(keys) or len(keys) != len(weights):
            raise UsageError(f"a mean needs one weight for each key, got {len(keys)} keys and {len(weights)} weights")
        mean, total, known = np.zeros(self.vector_size), 0.0, 0
        for key, weight in zip(keys, weights, strict=True):
            if ignore_missing and isinstance(key, str) and key not in self:
                continue
            mean += float(weight) * (
                self._checked(key) if isinstance(key, np.ndarray) else self.get_vector(key, norm=pre_normalize)
            )
            total += abs(float(weight))
            known += 1
        if not known:
            raise unknown_word(keys[0], self.words)
        mean = mean / total if total > 0 else mean
        return unit(mean) if post_normalize else mean.astype(np.float32)

    def similarity(self, word: Key, other: Key) -> float:
        """The cosine of two words."""
        return float(self.get_vector(word, norm=True) @ self.get_vector(other, norm=True))

    def distance(self, word: Key, other: Key) -> float:
        """One minus the cosine of two words."""
        return 1.0 - self.similarity(word, other)

    def distances(self, word: Key | Floats, other_words: Sequence[Key] = ()) -> Floats:
        """One minus the cosine of a word or vector with each of several words, or with all.

        Args:
            word: a word or a vector (D,).
            other_words: N words; none means all V.

        Returns:
            float32 (N,) or (V,).
        """
        direction = unit(self._checked(word) if isinstance(word, np.ndarray) else self.get_vector(word))
        if not len(other_words):
            return np.float32(1) - cosines(self.vectors, self.norms, direction)
        others = self[other_words]
        return np.float32(1) - cosines(others, row_norms(others), direction)

    def n_similarity(self, words: Sequence[Key], others: Sequence[Key]) -> float:
        """The cosine of the means of two lists of words, unknown words left out.

        Raises:
            UsageError: a list is empty.
            UnknownWordError: no word of a list has a vector.
        """
        means = [self.get_mean_vector(side, pre_normalize=False, post_normalize=True) for side in (words, others)]
        return float(means[0] @ means[1])

    def rank_by_centrality(self, words: Sequence[Key]) -> list[tuple[float, Key]]:
        """The words with their cosine to the mean of all of them, most central first.

        Raises:
            UsageError: no words.
            UnknownWordError: a word has no vector.
        """
        mean = self.get_mean_vector(words, post_normalize=True, ignore_missing=False)
        directions = np.stack([self.get_vector(word, norm=True) for word in words])
        order = np.argsort(-(directions @ mean), kind="stable")
        return [(float(directions[at] @ mean), words[at]) for at in order]

    def doesnt_match(self, words: Sequence[Key]) -> Key:
        """The word farthest from the mean of all of them; raises as `rank_by_centrality`."""
        return self.rank_by_centrality(words)[-1][1]

    def closer_than(self, word: Key, other: Key) -> list[str]:
        """The words nearer to `word` than `other` is, nearest in the list first, without `word` itself."""
        near = self._closer(word, other)
        return [self.words[place] for place in near.tolist()]

    def rank(self, word: Key, other: Key) -> int:
        """The place of `other` among the neighbours of `word`, 1 for the nearest."""
        return len(self._closer(word, other)) + 1

    def _closer(self, word: Key, other: Key) -> NDArray[np.int64]:
        distances = self.distances(word)
        nearer = distances < distances[self.get_index(other)]
        nearer[self.get_index(word)] = False
        return np.flatnonzero(nearer)

    def _checked(self, vector: Floats) -> Floats:
        if vector.shape != (self.vector_size,):
            raise UsageError(f"a vector must have {self.vector_size} numbers, got shape {vector.shape}")
        if not np.isfinite(vector).all():
            raise UsageError("a vector must be finite, got NaN or inf")
        return vector
