"""Masked language modelling: hide some tokens of a text and predict them from both sides (BERT, RoBERTa).

Legend: B rows, T positions, N hidden positions.
Source: Devlin et al. 2018 (arXiv 1810.04805), section 3.1; Liu et al. 2019, RoBERTa (arXiv 1907.11692), section 4: new
masks in every epoch, full sentences, no second objective. Rate: Wettig et al. 2022 (arXiv 2202.08005).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.config import option
from textssl.objectives.base import GradientHooks, Setting
from textssl.objectives.base_batches import MaskedBatch, Masker, masked_packing
from textssl.objectives.base_network import TransformerRun, started_from
from textssl.objectives.base_rows import RowOrder
from textssl.objectives.base_transformer import TransformerConfig, nats_scores, prepare_corpus, sizes
from textssl.text.masking import MaskSettings, row_keys
from textssl.text.packing import Packing
from textssl.text.sources import Source

if TYPE_CHECKING:
    from textssl.losses.core import LossTensor
    from textssl.models.encoder import Encoder
    from textssl.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class MaskedLMConfig(TransformerConfig):
    """Options of masked_lm."""

    mask_rate: float = option(0.3, "Share of the tokens that are hidden; 0.15 is BERT's.", above=0, below=1)
    mask_share: float = option(0.8, "Share of these that become [MASK].", minimum=0, maximum=1)
    random_share: float = option(0.1, "Share of these that become a random token.", minimum=0, maximum=1)
    mask_unit: Literal["token", "word"] = option("token", "Hide single tokens, or whole words.")
    packing: Literal["blocks", "sentences"] = option("blocks", "Cut rows anywhere, or fill them with whole sentences.")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.masks  # noqa: B018  (checks that the shares fit together)

    @property
    def masks(self) -> MaskSettings:
        """How tokens are hidden in training."""
        return MaskSettings(self.mask_rate, self.mask_share, self.random_share, self.mask_unit)


class MaskedLM:
    """An encoder learns to tell the tokens that are hidden from it."""

    Config = MaskedLMConfig
    FAMILY = "network"
    NEXT = ('fill {run} "the capital of [MASK] is paris"', "finetune {run} labelled.csv --out runs/labels")
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "tiny": sizes(layers=4, width=256, heads=4, vocabulary_size=8_192, length=128),
        "mini": sizes(layers=6, width=384, heads=6, vocabulary_size=16_384, length=256, learning_rate=1.5e-3),
        "small": sizes(
            layers=12, width=512, heads=8, vocabulary_size=32_768, length=512, batch_rows=64, learning_rate=1e-3
        ),
        "base": sizes(
            layers=22, width=768, heads=12, vocabulary_size=50_368, length=1_024, batch_rows=256, learning_rate=6e-4
        ),
    }

    def prepare(self, source: Source, config: MaskedLMConfig, setting: Setting) -> TransformerRun:
        """Read the corpus into rows and make everything ready."""
        model, tokenizer = started_from(setting.start, "Encoder")
        split: Literal["documents", "sentences"] = "sentences" if config.packing == "sentences" else "documents"
        corpus = prepare_corpus(source, config, setting, split=split, tokenizer=tokenizer)
        return _MaskedRun(corpus, config, setting, model)


class _MaskedRun(TransformerRun):
    config: MaskedLMConfig

    def packing(self, documents: NDArray[np.int64], *, least_rows: int) -> Packing:
        return masked_packing(
            self.corpus.store, documents, length=self.config.length, mode=self.config.packing, least_rows=least_rows
        )

    def new_model(self, *, vocabulary_size: int) -> Encoder:
        from textssl.models.base import initialise, small_deviation
        from textssl.models.encoder import Encoder, EncoderConfig

        config, tokenizer = self.config, self.corpus.tokenizer
        model = Encoder(
            EncoderConfig(
                vocabulary_size=vocabulary_size,
                width=config.width,
                layers=config.layers,
                heads=config.heads,
                feed_forward_width=config.feed_forward_width or config.width * 3 // 2,
                length=config.length,
                pad_id=tokenizer.pad_id,
                cls_id=tokenizer.cls_id,
                separator_id=tokenizer.separator_id,
                dropout=config.dropout,
            )
        )
        deviation = small_deviation(config.width)
        initialise(model, seed=self.setting.seed, num_layers=config.layers, deviation=deviation)
        return model

    @property
    def scored_share(self) -> float:
        return self.config.mask_rate

    def objective(self) -> _MaskedTokens:
        from textssl.models.base_presets import flops_per_token

        return _MaskedTokens(
            tokenizer=self.corpus.tokenizer,
            order=self.order,
            training=self.training,
            validation=self.validation,
            validation_rows=self.validation_rows if self.validation else np.zeros(0, np.int64),
            masks=self.config.masks,
            document_mask=self.config.document_mask,
            flops_per_unit=flops_per_token(self.model.config, self.scored_share, self.config.length),
        )


@dataclass(frozen=True)
class _MaskedTokens(GradientHooks):
    """Batches of hidden tokens, a function of (seed, step), and their loss."""

    tokenizer: Tokenizer
    order: RowOrder
    training: Packing
    validation: Packing | None
    validation_rows: NDArray[np.int64]
    masks: MaskSettings
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

    def batch(self, step: int, part: int, num_parts: int) -> MaskedBatch:
        epoch, numbers = self.order.rows(step, part, num_parts)
        return self._masker.batch(self.training.rows(numbers), row_keys(self.order.seed, epoch, numbers), self.masks)

    def loss(self, model: Encoder, batch: MaskedBatch) -> LossTensor:
        from textssl.losses.cross_entropy import cross_entropy

        hidden_ND = model.hidden(batch.ids_BT, documents_BT=batch.documents_BT, positions=batch.positions)
        table_VD, bias_V = model.output_table
        return cross_entropy(model.mlm_hidden(hidden_ND), table_VD, batch.targets, bias_V)

    def evaluation(self) -> Iterator[MaskedBatch] | None:
        if self.validation is None:
            return None
        return self._masker.evaluation(
            self.validation, self.validation_rows, self.masks, batch_rows=self.order.batch_rows
        )

    def scores(self, loss: LossTensor) -> dict[str, float]:
        return nats_scores(float(loss.total), float(loss.count))

    @cached_property
    def _masker(self) -> Masker:
        return Masker(self.tokenizer, document_mask=self.document_mask)
