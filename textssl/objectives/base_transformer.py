"""What the objectives of transformers share: options, and the way from a corpus to a tokenizer, ids and rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.config import option, validate
from textssl.errors import DataError, UsageError
from textssl.objectives.base import Optimisation, Setting
from textssl.text.sources import Source
from textssl.text.store_folder import (
    commit_store_folder,
    default_cache,
    opened_if_sound,
    read_description,
    store_key,
    write_description,
)

if TYPE_CHECKING:
    from textssl.text.subword_store import SubwordStore
    from textssl.text.tokenizer import Tokenizer

SPLIT_SEED = 0
"""The documents held back do not depend on the run's seed, so that runs of other seeds have the same test."""
TOKENIZER_FORMAT = 1
TOKENIZER_SAMPLE_BYTES = 100_000_000


@dataclass(frozen=True)
class TransformerConfig:
    """Options of every objective that trains a transformer; the sizes are those of the preset tiny."""

    layers: int = option(4, "Blocks of the model.", minimum=1, maximum=1_000)
    width: int = option(256, "Numbers of a hidden vector, a multiple of twice the heads.", minimum=2, maximum=65_536)
    heads: int = option(4, "Attention heads of a block.", minimum=1)
    feed_forward_width: int | None = option(
        None, "Width of the gated part of a block; by default 1.5 (encoder) or 8/3 (decoder) times --width.", minimum=1
    )
    length: int = option(128, "Tokens of a row, the most that the model reads at once.", minimum=2, maximum=1_048_576)
    vocabulary_size: int = option(8_192, "Tokens of the tokenizer that is trained.", minimum=6, maximum=10_000_000)
    tokenizer: Literal["bpe", "wordpiece", "unigram"] = option(
        "bpe", "Kind of tokenizer to train; bpe, on bytes, writes every text."
    )
    lowercase: bool = option(False, "Train a tokenizer that knows small letters only.")
    tokenizer_file: Path | None = option(None, "Use this tokenizer.json, or the one in this folder, and train none.")
    validation_share: float = option(
        0.01, "Share of the documents held back to evaluate on, one at least; 0 holds back none.", minimum=0, below=1
    )
    validation_rows: int = option(512, "Evaluate on so many rows of these documents at most.", minimum=1)
    document_mask: bool = option(False, "Let a token see only tokens of its own document.")
    dropout: float = option(0.0, "Share of activations left out while training.", minimum=0, below=1)
    epochs: int = option(5, "Passes over the corpus.", minimum=1)
    batch_rows: int = option(32, "Rows of one update.", minimum=1)
    parts: int = option(1, "Compute each batch in so many parts, which takes less memory.", minimum=1)
    optimizer: Literal["adamw", "muon"] = option("adamw", "Muon trains the matrices of the blocks, AdamW the rest.")
    learning_rate: float = option(2e-3, "The highest one.", above=0)
    schedule: Literal["linear", "cosine", "stable", "constant"] = option(
        "linear", "After the warm-up; stable falls only at the end."
    )
    warmup: float = option(0.05, "Share of the steps in which the learning rate rises.", minimum=0, maximum=1)
    decay: float = option(
        0.3, "Share of the steps at the end in which the schedule stable falls.", minimum=0, maximum=1
    )
    weight_decay: float = option(0.01, "Pull of matrices towards 0, per unit of learning rate.", minimum=0)
    beta2: float = option(0.98, "Memory of AdamW's squared gradients.", minimum=0, below=1)
    clip_norm: float = option(1.0, "Gradients longer than this are cut to it.", above=0)

    def __post_init__(self) -> None:
        validate(self)
        if self.width % (2 * self.heads):
            raise UsageError(
                f"width must be a multiple of twice the heads, got {self.width} and {self.heads} heads",
                hint=f"Give for instance --width {max(1, round(self.width / (2 * self.heads))) * 2 * self.heads}.",
            )

        self.optimisation  # noqa: B018  (checks its shares, before the corpus is read)

    @property
    def optimisation(self) -> Optimisation:
        """What `GradientTask` does."""
        return Optimisation(
            self.optimizer,
            self.learning_rate,
            weight_decay=self.weight_decay,
            betas=(0.9, self.beta2),
            schedule=self.schedule,
            warmup=self.warmup,
            decay=self.decay if self.schedule == "stable" else 0.0,
            clip_norm=self.clip_norm,
            num_parts=self.parts,
        )


def sizes(*, layers: int, width: int, heads: int, vocabulary_size: int, length: int, **other: Any) -> dict[str, Any]:
    """The options of a preset."""
    shape = {"layers": layers, "width": width, "heads": heads, "vocabulary_size": vocabulary_size, "length": length}
    return {**shape, **other}


@dataclass(frozen=True)
class Corpus:
    """A corpus as subword ids, parted into documents to train on and documents to evaluate on.

    Args:
        store: the ids.
        tokenizer: what they mean.
        training, validation: numbers of documents, int64; validation is empty when nothing is held back.
        notes: how the tokenizer came about, as lines for people.
    """

    store: SubwordStore
    tokenizer: Tokenizer
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Of the text and the tokenizer."""
        return store_key(self.store.fingerprint, {"tokenizer": self.tokenizer.identity()}, format=TOKENIZER_FORMAT)


def prepare_corpus(
    source: Source,
    config: TransformerConfig,
    setting: Setting,
    *,
    split: Literal["documents", "sentences"] = "documents",
    tokenizer: Tokenizer | None = None,
) -> Corpus:
    """Read a corpus into ids, with a tokenizer that is given, opened or trained on it.

    Args:
        source: the text.
        config: tokenizer and share of validation.
        setting: cache and seed.
        split: borders that the store keeps.
        tokenizer: of a model to start from.

    Raises:
        DataError: there is no text, or one document only and a part of it is asked for; or a file is damaged.
        UsageError: two tokenizers are given.
    """
    from textssl.text.packing import split_documents
    from textssl.text.subword_store import SubwordSettings, build_subword_store

    if tokenizer is not None and config.tokenizer_file is not None:
        raise UsageError(
            "a model to start from has its tokenizer, so tokenizer_file cannot be another one",
            hint="Leave out --tokenizer-file or --from.",
        )
    if tokenizer is None:
        tokenizer, notes = _tokenizer(source, config, setting)
    else:
        notes = [f"tokenizer of the model to start from, {tokenizer.vocabulary_size:,} tokens"]
    store = build_subword_store(source, tokenizer, settings=SubwordSettings(split=split), cache=setting.cache)
    documents = np.arange(store.num_documents, dtype=np.int64)
    training, validation = documents, documents[:0]
    if config.validation_share:
        if len(documents) == 1:
            raise DataError(
                "the text is one document, of which no part can be held back to evaluate on",
                where=source.name,
                hint="Put a newline between documents, or hold nothing back: --validation-share 0.",
            )
        training, validation = split_documents(store.num_documents, seed=SPLIT_SEED, share=config.validation_share)
    return Corpus(store, tokenizer, training, validation, tuple(notes))


def _tokenizer(source: Source, config: TransformerConfig, setting: Setting) -> tuple[Tokenizer, list[str]]:
    """The tokenizer of a file, or one trained on the source, and what there is to say about it."""
    from textssl.text.tokenizer import Tokenizer

    if config.tokenizer_file is not None:
        opened = Tokenizer.open(config.tokenizer_file)
        return opened, [f"tokenizer {config.tokenizer_file}, {opened.vocabulary_size:,} tokens"]
    fingerprint = source.fingerprint()
    if fingerprint is None:  # documents from Python have none
        trained = _trained(source, config)
        return trained, [*trained.training_report]
    settings = {"kind": config.tokenizer, "size": config.vocabulary_size, "lowercase": config.lowercase}
    cache = Path(setting.cache) if setting.cache else default_cache()
    target = cache / f"tokenizer-{store_key(fingerprint, settings, format=TOKENIZER_FORMAT)}"

    def opened_at(path: Path) -> tuple[Tokenizer, list[str]]:
        about = read_description(path, format=TOKENIZER_FORMAT)
        return Tokenizer.open(path), [*about["report"]]

    found = opened_if_sound(target, opened_at)
    if found is not None:
        return found
    trained = _trained(source, config)

    def write(folder: Path) -> None:
        trained.save(folder)
        write_description(folder, {"format": TOKENIZER_FORMAT, "report": list(trained.training_report)})

    commit_store_folder(target, write, expected_bytes=len(trained.json_text.encode()))
    return opened_at(target)


def _trained(source: Source, config: TransformerConfig) -> Tokenizer:
    from textssl.text.tokenizer import Tokenizer

    return Tokenizer.train(
        source,
        kind=config.tokenizer,
        vocabulary_size=config.vocabulary_size,
        lowercase=config.lowercase,
        max_bytes=TOKENIZER_SAMPLE_BYTES,
    )


def nats_scores(total: float, count: float) -> dict[str, float]:
    """A summed loss as loss_nats and perplexity; the largest float where a perplexity would be larger."""
    mean = total / count if count else math.nan
    return {"loss_nats": mean, "perplexity": math.exp(min(mean, 700.0)) if math.isfinite(mean) else mean}
