"""A small corpus of two topics: words of one topic stand together, those of the other never do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from textssl.commands.train import TrainResult, train
from textssl.embeddings import Embeddings

WORDS_PER_TOPIC = 16
TOPICS = tuple(tuple(f"{topic}{number}" for number in range(WORDS_PER_TOPIC)) for topic in ("sea", "sky"))
SMALL = {"dim": 16, "window": 3, "subsample": 0, "min_count": 1, "epochs": 4, "threads": 1, "engine": "cpu"}
"""Options under which the corpus is learnt in no time."""
FLAGS = "--dim 16 --window 3 --subsample 0 --min-count 1 --epochs 4 --threads 1"
"""The same on the command line."""


def documents(number: int = 600, words: int = 12, seed: int = 0) -> list[list[str]]:
    """Documents of one topic each, as lists of tokens."""
    random = np.random.default_rng(seed)
    return [[str(word) for word in random.choice(TOPICS[document % 2], words)] for document in range(number)]


def train_small(folder: Path, method: str = "skipgram", corpus=None, **options) -> TrainResult:
    """Train in folder/run, with the token store in folder/cache."""
    corpus = documents() if corpus is None else corpus
    return train(method, corpus, **{"out": folder / "run", "cache": folder / "cache", **SMALL, **options})


def topic_gap(embeddings: Embeddings) -> float:
    """Mean cosine of words of one topic less that of words of two topics; -2 to 2, about 0 for random vectors."""
    rows = [embeddings[list(topic)] for topic in TOPICS]
    sea, sky = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in rows)
    size = WORDS_PER_TOPIC
    within = [(part @ part.T).sum() - size for part in (sea, sky)]
    return float(sum(within) / (2 * size * (size - 1)) - (sea @ sky.T).mean())


def model_bytes(folder: Path) -> bytes:
    """The vectors of a run, as they are saved."""
    return (folder / "model" / "model.safetensors").read_bytes()
