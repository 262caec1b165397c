"""Embeddings: nearest words, analogies, loading and saving. The names are gensim's.

    Embeddings.load("runs/news").most_similar(positive=["paris", "italy"], negative=["france"])

Legend: V words, D width, B queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from textssl.embeddings_folder import VectorFolder, open_folder, save_folder, vector_folder
from textssl.errors import UsageError
from textssl.neighbours import Floats, cosines, nearest_rows, top_places
from textssl.word_vectors import Key, WordVectors

Item = Key | Floats | tuple[Key | Floats, float]
Neighbour = tuple[str, float]

# Keeps the quotient of 3CosMul finite (Levy and Goldberg 2014, section 5.1).
COSMUL_EPSILON = 1e-6


class Embeddings(WordVectors):
    """Words and their vectors, searched, loaded and saved; made from arrays as `WordVectors` says."""

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        format: str | None = None,
        encoding: str = "utf-8",
        on_bad: Literal["error", "skip"] = "error",
    ) -> Embeddings:
        """Open a run folder or a vector folder (mapped, in no time), or a vector file of another program (read whole).

        Args:
            path: the folder or file.
            format: the format of a file, such as "word2vec_text"; found out when not given.
            encoding: how the words of a file are written.
            on_bad: "error" stops at the first bad record of a file, "skip" leaves bad records out and counts them.

        Raises:
            DataError: nothing is there, or what is there is damaged, or it is something else.
            ResourceError: a file too large to be read whole; it names the command that converts it.
        """
        path = Path(path)
        if path.is_dir():
            return cls._over(open_folder(vector_folder(path)))
        from textssl.formats.base import ReadOptions
        from textssl.vector_files import read_vectors

        content, _ = read_vectors(path, ReadOptions(encoding=encoding, on_bad=on_bad), format=format)
        return cls._over(content)

    @classmethod
    def _over(cls, content: VectorFolder) -> Embeddings:
        made = cls.__new__(cls)
        made._content = content
        return made

    def save(self, folder: str | Path, *, metadata: Mapping[str, Any] | None = None, replace: bool = False) -> Path:
        """Write a vector folder, which textssl, model2vec and sentence-transformers open.

        Args:
            folder: the folder to make.
            metadata: JSON values for its manifest.
            replace: put it in the place of one that textssl wrote before.

        Raises:
            DataError: there are no words, or a vector holds NaN or inf.
            UsageError: the folder exists.
            ResourceError: it cannot be written.
        """
        return save_folder(Path(folder), self._content, metadata=metadata, replace=replace)

    def most_similar(
        self,
        positive: Item | Sequence[Item] = (),
        negative: Item | Sequence[Item] = (),
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> list[Neighbour] | Floats:
        """The words nearest to a sum of words: 3CosAdd, argmax_w cos(w, sum of positives - sum of negatives).

        Args:
            positive: words, vectors, or pairs of one and a weight; one alone need not stand in a list.
            negative: likewise, with weight -1 when none is given.
            topn: how many; None returns the cosines of all words, float32 (V,).
            restrict_vocab: look at the first so many words only.

        Returns:
            Pairs of word and cosine, largest first, without the words of the query.

        Raises:
            UsageError: nothing was given, or a vector of another width.
            UnknownWordError: a word has no vector.

        Source: Mikolov et al. 2013, "Linguistic regularities in continuous space word representations".
        """
        keys, weights = _weighted(positive, negative)
        direction = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        return self._nearest(self._cosines(direction, restrict_vocab), keys, topn)

    def most_similar_cosmul(
        self,
        positive: Item | Sequence[Item] = (),
        negative: Item | Sequence[Item] = (),
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> list[Neighbour] | Floats:
        """The words that score highest by 3CosMul, prod cos'(w, positive) / (prod cos'(w, negative) + 1e-6).

        cos' = (cos + 1) / 2. A weight is the power to which its factor is raised; the rest is as in `most_similar`.

        Source: Levy and Goldberg 2014, "Linguistic regularities in sparse and explicit word representations",
        equation 4.
        """
        keys, weights = _weighted(positive, negative)
        above = below = np.ones(1, dtype=np.float32)
        for key, weight in zip(keys, weights, strict=True):
            direction = self.get_mean_vector([key], post_normalize=True, ignore_missing=False)
            factor = ((1 + self._cosines(direction, restrict_vocab)) / 2).clip(min=0) ** np.float32(abs(weight))
            above, below = (above * factor, below) if weight > 0 else (above, below * factor)
        return self._nearest(np.asarray(above / (below + np.float32(COSMUL_EPSILON))), keys, topn)

    def similar_by_word(
        self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> list[Neighbour] | Floats:
        """The neighbours of one word, as `most_similar`."""
        return self.most_similar(positive=[word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: ArrayLike, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> list[Neighbour] | Floats:
        """The words nearest to a vector, as `most_similar`."""
        return self.most_similar(positive=[np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def neighbours(self, words: Sequence[Key], topn: int = 10) -> list[list[Neighbour]]:
        """The neighbours of many words at once, by matrix products.

        Returns:
            For each word its `topn` neighbours, as pairs of word and cosine, without itself.
        """
        if not len(words):
            return []
        directions = np.stack([self.get_vector(word, norm=True) for word in words])
        own = [[place] if (place := self._place(word)) >= 0 else [] for word in words]
        wanted = max(0, min(topn, len(self) - 1))
        rows, values = nearest_rows(self.vectors, self.norms, directions, topn=wanted, left_out=own)
        return [
            [(self.words[row], float(value)) for row, value in zip(*pair, strict=True)]
            for pair in zip(rows.tolist(), values.tolist(), strict=True)
        ]

    def _cosines(self, direction: Floats, restrict_vocab: int | None) -> Floats:
        if restrict_vocab is not None and restrict_vocab < 1:
            raise UsageError(f"restrict_vocab must be at least 1, got {restrict_vocab}")
        return cosines(self.vectors[:restrict_vocab], self.norms[:restrict_vocab], direction)

    def _nearest(self, scores: Floats, keys: Sequence[Key | Floats], topn: int | None) -> list[Neighbour] | Floats:
        """The best words by score without those of the query, or all scores."""
        if topn is None:
            return scores
        hidden = {place for key in keys if not isinstance(key, np.ndarray) and (place := self._place(key)) >= 0}
        best = top_places(scores[None], max(0, topn) + len(hidden))[0].tolist()
        return [(self.words[place], float(scores[place])) for place in best if place not in hidden][: max(0, topn)]

    def _place(self, key: Key) -> int:
        return self.words.find(key) if isinstance(key, str) else int(key)


def _weighted(
    positive: Item | Sequence[Item], negative: Item | Sequence[Item]
) -> tuple[list[Key | Floats], list[float]]:
    """Keys and weights of a query; 1 and -1 where no weight is given."""
    keys: list[Key | Floats] = []
    weights: list[float] = []
    for items, default in ((positive, 1.0), (negative, -1.0)):
        for item in _listed(items):
            key, weight = item if isinstance(item, tuple) else (item, default)
            keys.append(key)
            weights.append(float(weight))
    if not keys:
        raise UsageError("a search needs at least one word or vector, got none")
    return keys, weights


def _listed(items: Item | Sequence[Item]) -> Sequence[Item]:
    """A list of items; a single word, number or vector becomes a list of one."""
    if isinstance(items, (str, int, np.integer)) or (isinstance(items, np.ndarray) and items.ndim == 1):
        return [items]
    return items  # type: ignore[return-value]  # what is left is a sequence of items
