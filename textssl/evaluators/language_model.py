"""Language model: how well a transformer predicts a text: loss, perplexity, accuracy, and bits per byte of a decoder.

    perplexity = exp(nats per predicted token)      bits per byte = nats of the text / (ln 2 x its UTF-8 bytes)

Perplexities compare models of one tokenizer only; bits per byte compare all. An encoder predicts 15 % of the tokens,
hidden by masks that are the same every time; its numbers are not those of a decoder.
Legend: B rows, T positions, N predicted tokens, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError
from textssl.evaluators.base import EvaluationResult, Evaluator
from textssl.text.sources import Source

if TYPE_CHECKING:
    from torch import Tensor

    from textssl.text.packing import Packing
    from textssl.text.subword_store import SubwordStore
    from textssl.text.tokenizer import Tokenizer

BATCH_ROWS = 16
SCORES_AT_ONCE = 1 << 22


class LanguageModel(Evaluator):
    """Loss, perplexity, accuracy and bits per byte on a text."""

    NAME = "language_model"
    primary_metric = "loss_nats"
    greater_is_better = False

    def evaluate(  # type: ignore[override]  # each evaluator has arguments of its own
        self,
        model: Any,
        tokenizer: Tokenizer,
        source: Source,
        *,
        length: int | None = None,
        max_rows: int | None = None,
        device: str = "cpu",
        cache: Path | None = None,
    ) -> EvaluationResult:
        """Predict a text, which is cut into rows; a decoder's first tokens of a row have the tokens before them only.

        Args:
            model: an `Encoder` or a `Decoder`; moved to the device.
            tokenizer: its tokenizer.
            source: the text; a newline ends a document.
            length: tokens of a row, 2 to the model's length, which is the default.
            max_rows: predict so many rows at most, spread over the text; None for all.
            device: where to compute.
            cache: folder of token stores; None for the user's.

        Returns:
            metrics loss_nats, perplexity, accuracy, predicted_tokens, and of a decoder bits_per_byte and bytes.

        Raises:
            DataError: the source holds no text.
            UsageError: the length or max_rows is out of range, or the model predicts no tokens.
        """
        from textssl.objectives.base_rows import spread_rows
        from textssl.text.subword_store import build_subword_store

        length = _checked_length(length, model.config.length)
        if max_rows is not None and max_rows < 1:
            raise UsageError(f"max_rows must be at least 1, got {max_rows}")
        measure = _measure_of(model)
        store = build_subword_store(source, tokenizer, cache=cache)
        numbers = np.arange(store.num_documents, dtype=np.int64)
        packing = measure.packing(store, numbers, length)
        rows = spread_rows(packing.num_rows, max_rows or packing.num_rows)
        metrics = _sums(model.to(device).eval(), measure.batches(store, packing, rows), device)
        if not metrics["predicted_tokens"]:
            raise DataError("is too short: no token of it is predicted", where=source.name, hint="Use more text.")
        metrics |= measure.in_bytes(store, packing, rows, metrics)
        return EvaluationResult(
            name=self.NAME,
            source=source.name,
            primary_metric=self.primary_metric,
            greater_is_better=self.greater_is_better,
            metrics=metrics,
            columns=("measure", "value"),
            rows=list(metrics.items()),
            settings={"kind": measure.name, "length": length, "rows": len(rows), "rows_of_text": packing.num_rows},
        )


class _Encoded:
    """An encoder: hidden tokens."""

    name = "encoder"

    def packing(self, store: SubwordStore, documents: NDArray[np.int64], length: int) -> Packing:
        from textssl.objectives.base_batches import masked_packing

        return masked_packing(store, documents, length=length, mode="blocks")

    def batches(
        self, store: SubwordStore, packing: Packing, rows: NDArray[np.int64]
    ) -> Iterator[tuple[Any, Callable[[Any, Any], tuple[Tensor, Tensor, Tensor | None]]]]:
        from textssl.objectives.base_batches import Masker
        from textssl.text.masking import MaskSettings

        masker = Masker(store.tokenizer, document_mask=False)
        for batch in masker.evaluation(packing, rows, MaskSettings(), batch_rows=BATCH_ROWS):
            yield batch, _encoder_hidden

    def in_bytes(self, *_: Any) -> dict[str, float]:
        return {}


class _Decoded:
    """A decoder: every token."""

    name = "decoder"

    def packing(self, store: SubwordStore, documents: NDArray[np.int64], length: int) -> Packing:
        from textssl.objectives.base_batches import next_token_packing

        return next_token_packing(store, documents, length=length)

    def batches(
        self, store: SubwordStore, packing: Packing, rows: NDArray[np.int64]
    ) -> Iterator[tuple[Any, Callable[[Any, Any], tuple[Tensor, Tensor, Tensor | None]]]]:
        from textssl.objectives.base_batches import batches_of, next_token_batch

        for packed in batches_of(packing, rows, BATCH_ROWS):
            yield next_token_batch(packed, document_mask=False), _decoder_hidden

    def in_bytes(
        self, store: SubwordStore, packing: Packing, rows: NDArray[np.int64], metrics: dict[str, float]
    ) -> dict[str, float]:
        from textssl.objectives.base_batches import batches_of, predicted_bytes

        num_bytes = sum(predicted_bytes(store, packed) for packed in batches_of(packing, rows, BATCH_ROWS))
        bits = metrics["loss_nats"] * metrics["predicted_tokens"] / math.log(2)
        return {"bits_per_byte": bits / num_bytes, "bytes": num_bytes}


def _encoder_hidden(model: Any, batch: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    hidden_ND = model.hidden(batch.ids_BT, documents_BT=batch.documents_BT, positions=batch.positions)
    table_VD, bias_V = model.output_table
    return model.mlm_hidden(hidden_ND), table_VD, bias_V


def _decoder_hidden(model: Any, batch: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    return model.hidden(batch.ids_BT).flatten(0, 1), model.output_table, None


def _measure_of(model: Any) -> _Encoded | _Decoded:
    from textssl.models.decoder import Decoder
    from textssl.models.encoder import Encoder

    if isinstance(model, Encoder):
        return _Encoded()
    if isinstance(model, Decoder):
        return _Decoded()
    raise UsageError(
        f"the model is a {type(model).__name__}, which predicts no tokens; an encoder or a decoder is expected",
        hint="Give a run of masked_lm or next_token.",
    )


def _sums(model: Any, batches: Any, device: str) -> dict[str, float]:
    """Loss, perplexity and accuracy over all batches."""
    import torch

    from textssl.losses.core import fenchel_young
    from textssl.objectives.base_transformer import nats_scores

    total = count = right = 0.0
    with torch.inference_mode():
        for batch, hidden_of in batches:
            moved = batch.to(device)
            hidden_ND, table_VD, bias_V = hidden_of(model, moved)
            step = max(1, SCORES_AT_ONCE // len(table_VD))
            for start in range(0, len(hidden_ND), step):
                targets = moved.targets[start : start + step]
                scores_NV = torch.nn.functional.linear(hidden_ND[start : start + step], table_VD, bias_V)
                loss = fenchel_young(scores_NV, targets, kind="softmax")
                total, count = total + float(loss.total), count + float(loss.count)
                right += float((scores_NV.argmax(-1) == targets).sum())
    return {**nats_scores(total, count), "accuracy": right / max(count, 1), "predicted_tokens": count}


def _checked_length(length: int | None, most: int) -> int:
    if length is None:
        return most
    if not 2 <= length <= most:
        raise UsageError(f"length must be at least 2 and at most {most:,}, the model's, got {length}")
    return length
