"""Rows of text as batches for an encoder, with hidden tokens, and for a decoder, with the tokens that follow.

Legend: B rows, T positions, N hidden positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from textssl.text.masking import MaskSettings, mask_rows, row_keys
from textssl.text.packing import Mode, PackedRows, Packing, plan_blocks
from textssl.text.word_starts import WordStarts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from textssl.text.subword_store import SubwordStore
    from textssl.text.tokenizer import Tokenizer

EVALUATION_RATE = 0.15
"""Whatever the rate of training, so that runs compare; the masks of an evaluation never change."""
EVALUATION_SEED = 0
SEPARATOR_BYTES = 1
"""A separator stands for the newline that ended the document."""


@dataclass(frozen=True)
class MaskedBatch:
    """Rows with hidden tokens.

    Args:
        ids_BT: int32 (B, T), what the model reads.
        documents_BT: int32 (B, T), positions see each other where it is equal, -1 at padding; None: all see all.
        positions: int64 (N,), the hidden ones, rising places in B * T.
        targets: int64 (N,), what stood there.
    """

    ids_BT: Tensor
    documents_BT: Tensor | None
    positions: Tensor
    targets: Tensor

    def to(self, device: torch.device | str) -> MaskedBatch:
        """The same batch on a device."""
        ids_BT, positions, targets = (part.to(device) for part in (self.ids_BT, self.positions, self.targets))
        return MaskedBatch(ids_BT, _on_device(self.documents_BT, device), positions, targets)


@dataclass(frozen=True)
class NextTokenBatch:
    """Rows and the tokens that follow.

    Args:
        ids_BT: int32 (B, T), what the model reads.
        documents_BT: int32 (B, T), positions see their own number only, -1 at padding; None: all before them.
        targets: int64 (B * T,), the token after each position, -1 at padding.
    """

    ids_BT: Tensor
    documents_BT: Tensor | None
    targets: Tensor

    def to(self, device: torch.device | str) -> NextTokenBatch:
        """The same batch on a device."""
        return NextTokenBatch(self.ids_BT.to(device), _on_device(self.documents_BT, device), self.targets.to(device))


class Masker:
    """Hides tokens of rows.

    Args:
        tokenizer: of the ids.
        document_mask: whether positions see their own document only.

    Raises:
        UsageError: the tokenizer has no token to hide others with.
    """

    def __init__(self, tokenizer: Tokenizer, *, document_mask: bool) -> None:
        self.tokenizer, self.document_mask = tokenizer, document_mask

    def batch(self, rows: PackedRows, keys_B: NDArray[np.uint64], masks: MaskSettings) -> MaskedBatch:
        """Rows with tokens hidden as their keys say.

        Args:
            rows: packed rows.
            keys_B: uint64 (B,), from `masking.row_keys`.
            masks: how many, and how.
        """
        import torch

        tokenizer = self.tokenizer
        masked = mask_rows(
            rows.ids_BT,
            keys_B=keys_B,
            settings=masks,
            mask_id=tokenizer.mask_id,
            special_ids=tokenizer.special_ids,
            vocabulary_size=tokenizer.vocabulary_size,
            starts_BT=self._word_starts.of(rows.ids_BT) if masks.unit == "word" else None,
        )
        positions, targets = torch.from_numpy(masked.positions), torch.from_numpy(masked.targets)
        return MaskedBatch(torch.from_numpy(masked.ids_BT), self._seen(rows), positions, targets)

    def evaluation(
        self, packing: Packing, numbers: NDArray[np.int64], masks: MaskSettings, *, batch_rows: int
    ) -> Iterator[MaskedBatch]:
        """Batches to evaluate on: masks that never change, at the rate of 15 % whatever that of training.

        Args:
            packing, numbers: the rows.
            masks: of training.
            batch_rows: rows of a batch.
        """
        fixed = replace(masks, rate=EVALUATION_RATE)
        for start in range(0, len(numbers), batch_rows):
            chosen = numbers[start : start + batch_rows]
            yield self.batch(packing.rows(chosen), row_keys(EVALUATION_SEED, 0, chosen), fixed)

    def _seen(self, rows: PackedRows) -> Tensor | None:
        import torch

        if self.document_mask:
            return torch.from_numpy(rows.document_BT)
        if (rows.num_real == rows.document_BT.shape[1]).all():
            return None
        return torch.from_numpy(np.minimum(rows.document_BT, 0))

    @cached_property
    def _word_starts(self) -> WordStarts:
        return WordStarts(self.tokenizer)


def masked_packing(
    store: SubwordStore, documents: NDArray[np.int64], *, length: int, mode: Mode, least_rows: int = 0
) -> Packing:
    """Rows for an encoder: each begins with the token for that, documents are joined by separators.

    Args:
        store, documents, length, mode, least_rows: as in `packing.plan_blocks`.
    """
    tokenizer = store.tokenizer
    return plan_blocks(
        store,
        documents=documents,
        length=length,
        mode=mode,
        first_id=tokenizer.cls_id,
        separator_id=tokenizer.separator_id,
        pad_id=tokenizer.pad_id,
        least_rows=least_rows,
    )


def next_token_packing(
    store: SubwordStore, documents: NDArray[np.int64], *, length: int, least_rows: int = 0
) -> Packing:
    """Rows for a decoder, of length + 1 tokens: each begins with the last token of the row before.

    Args:
        store, documents, length, least_rows: as in `packing.plan_blocks`.
    """
    tokenizer = store.tokenizer
    pad_id = tokenizer.find("pad")
    return plan_blocks(
        store,
        documents=documents,
        length=length,
        first_id=None,
        separator_id=tokenizer.separator_id,
        pad_id=tokenizer.separator_id if pad_id is None else pad_id,  # never predicted: targets tell padding apart
        overlap=1,
        least_rows=least_rows,
    )


def next_token_batch(rows: PackedRows, *, document_mask: bool) -> NextTokenBatch:
    """Rows of length + 1 tokens as inputs and what follows them.

    Padding stands at the end of a row, where no real position sees it.

    Args:
        rows: from `next_token_packing`.
        document_mask: whether positions see their own document only.
    """
    import torch

    ids_BT, documents_BT = rows.ids_BT, rows.document_BT
    targets = np.where(documents_BT[:, 1:] >= 0, ids_BT[:, 1:], -1).astype(np.int64).reshape(-1)
    seen_BT = torch.from_numpy(np.ascontiguousarray(documents_BT[:, :-1])) if document_mask else None
    return NextTokenBatch(torch.from_numpy(np.ascontiguousarray(ids_BT[:, :-1])), seen_BT, torch.from_numpy(targets))


def batches_of(packing: Packing, numbers: NDArray[np.int64], batch_rows: int) -> Iterator[PackedRows]:
    """Some rows, so many at a time."""
    for start in range(0, len(numbers), batch_rows):
        yield packing.rows(numbers[start : start + batch_rows])


def predicted_bytes(store: SubwordStore, rows: PackedRows) -> float:
    """UTF-8 bytes of the tokens that rows of `next_token_packing` predict.

    The bytes of a document and its newline are shared out equally over its tokens and separator, so the sum over all
    rows is exact for whole documents.

    Args:
        store: that the rows are from.
        rows: some rows.
    """
    numbers, counts = np.unique(rows.document_BT[:, 1:], return_counts=True)
    numbers, counts = numbers[numbers >= 0], counts[numbers >= 0]
    lengths = store.offsets[numbers + 1] - store.offsets[numbers] + 1
    return float(((store.document_bytes[numbers] + SEPARATOR_BYTES) * counts / lengths).sum())


def _on_device(tensor: Tensor | None, device: torch.device | str) -> Tensor | None:
    return None if tensor is None else tensor.to(device)
