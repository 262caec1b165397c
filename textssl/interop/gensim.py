"""To gensim's KeyedVectors and back, in memory, without a file and without a pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from textssl.embeddings import Embeddings
from textssl.errors import UsageError
from textssl.word_vectors import WordVectors

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


def to_gensim(embeddings: WordVectors) -> KeyedVectors:
    """gensim's KeyedVectors with the same words, vectors and counts.

    Args:
        embeddings: V words and vectors.

    Raises:
        UsageError: gensim is not installed.
    """
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise UsageError("gensim is not installed", hint="Install it with: pip install gensim") from error
    made = KeyedVectors(embeddings.vector_size)
    made.add_vectors(list(embeddings.words), np.array(embeddings.vectors))
    if embeddings.counts is not None:
        made.expandos["count"] = np.array(embeddings.counts)
    return made


def from_gensim(keyed_vectors: Any) -> Embeddings:
    """Embeddings with the words, vectors and counts of gensim's KeyedVectors.

    Args:
        keyed_vectors: a KeyedVectors, for instance `model.wv`.

    Raises:
        UsageError: it is something else, for instance a whole model.
        DataError: a word stands twice.
    """
    if not hasattr(keyed_vectors, "index_to_key") or not hasattr(keyed_vectors, "vectors"):
        raise UsageError(
            f"expected gensim's KeyedVectors, got {type(keyed_vectors).__name__}", hint="Of a model, pass model.wv."
        )
    counts = getattr(keyed_vectors, "expandos", {}).get("count")
    return Embeddings(
        list(keyed_vectors.index_to_key),
        np.asarray(keyed_vectors.vectors, dtype=np.float32),
        counts=None if counts is None else np.asarray(counts, dtype=np.int64),
        metadata={"source_format": "gensim"},
    )
