"""A transformer of a few thousand weights, and texts about fruit and metals that it learns to tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FRUIT, METALS = ["apple", "pear", "plum", "fig"], ["iron", "zinc", "lead", "tin"]
WORDS = ["the", "a", "of", "is", "and", "good", "old"]


def texts(number: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of 3 to 12 words, of which two tell the label."""
    generator = np.random.default_rng(seed)
    found, labels = [], []
    for at in range(number):
        label, pool = (("fruit", FRUIT), ("metal", METALS))[at % 2]
        words = [*generator.choice(pool, 2), *generator.choice(WORDS, generator.integers(1, 11))]
        generator.shuffle(words)
        found.append(" ".join(map(str, words)))
        labels.append(label)
    return found, labels


def write_csv(path: Path, number: int, seed: int = 0) -> Path:
    """A table with the columns `review` and `stars`."""
    rows = zip(*texts(number, seed), strict=True)
    path.write_text("review,stars\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


def save_model(folder: Path, *, decoder: bool = False) -> Path:
    """A model folder with an encoder or a decoder that nobody trained."""
    from textssl.models import base_folder
    from textssl.models.base import initialise
    from textssl.models.decoder import Decoder, DecoderConfig
    from textssl.models.encoder import Encoder, EncoderConfig
    from textssl.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.train([*texts(200, seed=9)[0]], vocabulary_size=300)
    sizes = {"vocabulary_size": tokenizer.vocabulary_size, "width": 16, "layers": 2, "heads": 2}
    kind, config = (Decoder, DecoderConfig) if decoder else (Encoder, EncoderConfig)
    model = kind(config(**sizes, feed_forward_width=24, length=24))
    initialise(model, seed=1, num_layers=2)
    return base_folder.save_model(folder, model, tokenizer)
