"""Next-token prediction: predict every token of a text from those before it (GPT).

Legend: B rows, T positions, N predicted tokens.
Source: Radford et al. 2019, GPT-2. Documents are joined by a separator and cut into rows; an epoch predicts every token
once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.config import option
from textssl.objectives.base import GradientHooks, Setting
from textssl.objectives.base_batches import (
    NextTokenBatch,
    batches_of,
    next_token_batch,
    next_token_packing,
    predicted_bytes,
)
from textssl.objectives.base_network import TransformerRun, started_from
from textssl.objectives.base_rows import RowOrder
from textssl.objectives.base_transformer import TransformerConfig, nats_scores, prepare_corpus, sizes
from textssl.text.packing import PackedRows, Packing
from textssl.text.sources import Source

if TYPE_CHECKING:
    from textssl.losses.core import LossTensor
    from textssl.models.decoder import Decoder
    from textssl.text.subword_store import SubwordStore


@dataclass(frozen=True)
class NextTokenConfig(TransformerConfig):
    """Options of next_token; weight decay and beta2 are those of GPT."""

    weight_decay: float = option(0.1, "Pull of matrices towards 0, per unit of learning rate.", minimum=0)
    beta2: float = option(0.95, "Memory of AdamW's squared gradients.", minimum=0, below=1)


class NextToken:
    """A decoder learns to tell which token comes next."""

    Config = NextTokenConfig
    FAMILY = "network"
    NEXT = ('generate {run} "once upon a time"', "evaluate {run} --corpus other.txt")
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "tiny": sizes(layers=4, width=256, heads=4, vocabulary_size=8_192, length=128),
        "mini": sizes(layers=6, width=384, heads=6, vocabulary_size=16_384, length=256, learning_rate=1.5e-3),
        "small": sizes(
            layers=12, width=512, heads=8, vocabulary_size=32_768, length=512, batch_rows=64, learning_rate=1e-3
        ),
        "base": sizes(
            layers=12, width=768, heads=12, vocabulary_size=50_368, length=1_024, batch_rows=256, learning_rate=6e-4
        ),
    }

    def prepare(self, source: Source, config: NextTokenConfig, setting: Setting) -> TransformerRun:
        """Read the corpus into rows and make everything ready."""
        model, tokenizer = started_from(setting.start, "Decoder")
        return _NextTokenRun(prepare_corpus(source, config, setting, tokenizer=tokenizer), config, setting, model)


class _NextTokenRun(TransformerRun):
    scored_share = 1.0

    def packing(self, documents: NDArray[np.int64], *, least_rows: int) -> Packing:
        return next_token_packing(self.corpus.store, documents, length=self.config.length, least_rows=least_rows)

    def new_model(self, *, vocabulary_size: int) -> Decoder:
        from textssl.models.base import initialise, small_deviation
        from textssl.models.decoder import Decoder, DecoderConfig

        config, tokenizer = self.config, self.corpus.tokenizer
        model = Decoder(
            DecoderConfig(
                vocabulary_size=vocabulary_size,
                width=config.width,
                layers=config.layers,
                heads=config.heads,
                feed_forward_width=config.feed_forward_width or -(-config.width * 8 // (3 * 64)) * 64,
                length=config.length,
                pad_id=tokenizer.find("pad"),
                separator_id=tokenizer.separator_id,
                begin_id=tokenizer.separator_id,
                dropout=config.dropout,
            )
        )
        deviation = small_deviation(config.width)
        initialise(model, seed=self.setting.seed, num_layers=config.layers, deviation=deviation)
        return model

    def objective(self) -> _NextTokens:
        from textssl.models.base_presets import flops_per_token

        return _NextTokens(
            store=self.corpus.store,
            order=self.order,
            training=self.training,
            validation=self.validation,
            validation_rows=self.validation_rows if self.validation else np.zeros(0, np.int64),
            document_mask=self.config.document_mask,
            flops_per_unit=flops_per_token(self.model.config, self.scored_share, self.config.length),
        )


@dataclass(frozen=True)
class _NextTokens(GradientHooks):
    """Batches of text, a function of (seed, step), and their loss."""

    store: SubwordStore
    order: RowOrder
    training: Packing
    validation: Packing | None
    validation_rows: NDArray[np.int64]
    document_mask: bool
    flops_per_unit: float
    unit: str = "tokens"
    additive: bool = True

    @property
    def num_steps(self) -> int:
        return self.order.num_steps

    def units_before(self, step: int) -> int:
        return self.order.units_before(step)

    def epoch(self, step: int) -> float:
        return self.order.epoch(step)

    def batch(self, step: int, part: int, num_parts: int) -> NextTokenBatch:
        return self._batch(self.training.rows(self.order.rows(step, part, num_parts)[1]))

    def loss(self, model: Decoder, batch: NextTokenBatch) -> LossTensor:
        from textssl.losses.cross_entropy import cross_entropy

        hidden_BTD = model.hidden(batch.ids_BT, documents_BT=batch.documents_BT)
        return cross_entropy(hidden_BTD.flatten(0, 1), model.output_table, batch.targets)

    def evaluation(self) -> Iterator[NextTokenBatch] | None:
        return None if self.validation is None else map(self._batch, self._held_back(self.validation))

    def scores(self, loss: LossTensor) -> dict[str, float]:
        return {
            **nats_scores(float(loss.total), float(loss.count)),
            "bits_per_byte": float(loss.total) / math.log(2) / self._num_bytes,
        }

    @cached_property
    def _num_bytes(self) -> float:
        assert self.validation is not None, "only an evaluation has scores"
        return sum(predicted_bytes(self.store, rows) for rows in self._held_back(self.validation))

    def _held_back(self, validation: Packing) -> Iterator[PackedRows]:
        return batches_of(validation, self.validation_rows, self.order.batch_rows)

    def _batch(self, rows: PackedRows) -> NextTokenBatch:
        return next_token_batch(rows, document_mask=self.document_mask)
