"""Texts as rows of ids for a classifier, cut to the model's length and counted, and the batches they are trained in.

    one text:   [CLS] a [SEP]           two texts:   [CLS] a [SEP] b [SEP]      (a decoder has no [CLS])

Batches hold texts of about the same length, so that little is padding. Legend: N texts, B batch, T position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.randomness import Purpose, permutation, stream_key

if TYPE_CHECKING:
    from textssl.text.tokenizer import Tokenizer

TEXTS_AT_A_TIME = 4096
BATCHES_IN_A_BUCKET = 50
MIN_TOKENS_OF_A_TEXT = 1


@dataclass(frozen=True)
class EncodedTexts:
    """N rows of ids of different lengths, one after the other.

    Args:
        ids: int32, all rows.
        offsets: int64 (N + 1,), where they begin and end.
        num_truncated: rows that were cut.
        num_lost: tokens that were cut off, in all.
        num_tokens: tokens of the uncut texts, without special ones.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    num_truncated: int
    num_lost: int
    num_tokens: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Ids in each row, int64 (N,)."""
        return np.diff(self.offsets)

    def padded(self, rows: NDArray[np.int64], pad_id: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Some rows as a rectangle as long as the longest of them.

        Returns:
            ids_BT: int32 with `pad_id` behind the end of each row; real_BT: bool, False there.
        """
        lengths = self.lengths[rows]
        real = np.arange(lengths.max(initial=1)) < lengths[:, None]
        ids = np.full(real.shape, pad_id, dtype=np.int32)
        inside = np.broadcast_to(np.arange(real.shape[1]), real.shape)[real]
        ids[real] = self.ids[np.repeat(self.offsets[rows], lengths) + inside]
        return ids, real


def encode_texts(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    length: int,
    first_id: int | None,
    separator_id: int,
) -> EncodedTexts:
    """Cut texts into ids and put the special ones around them.

    Args:
        tokenizer: of the model.
        texts: N texts.
        pairs: N second texts, or None.
        length: most ids in a row, special ones counted.
        first_id: [CLS], or None where rows have none.
        separator_id: [SEP].

    Returns:
        The rows, at most `length` long; of two texts the longer one is cut first.

    Raises:
        UsageError: the length leaves no room for a token.
    """
    num_texts = 1 if pairs is None else 2
    room = length - num_texts - (first_id is not None)
    if room < num_texts * MIN_TOKENS_OF_A_TEXT:
        raise UsageError(
            f"length must be at least {length - room + num_texts * MIN_TOKENS_OF_A_TEXT}, which leaves room for a "
            f"token beside the special ones, got {length}"
        )
    head = np.array([] if first_id is None else [first_id], dtype=np.int32)
    end = np.array([separator_id], dtype=np.int32)
    rows: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    num_truncated = num_lost = num_tokens = 0
    for begin in range(0, len(texts), TEXTS_AT_A_TIME):
        stop = begin + TEXTS_AT_A_TIME
        first = tokenizer.encode_batch(texts[begin:stop])
        second = None if pairs is None else tokenizer.encode_batch(pairs[begin:stop])
        for at, one in enumerate(first):
            other = None if second is None else second[at]
            sizes = _fitting(len(one), None if other is None else len(other), room)
            lost = len(one) + (0 if other is None else len(other)) - sum(sizes)
            parts = [head, one[: sizes[0]], end] + ([] if other is None else [other[: sizes[1]], end])
            rows += parts
            lengths.append(sum(map(len, parts)))
            num_tokens += sum(sizes) + lost
            num_truncated, num_lost = num_truncated + (lost > 0), num_lost + lost
    ids = np.concatenate(rows).astype(np.int32) if rows else np.empty(0, dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return EncodedTexts(ids, offsets, num_truncated, num_lost, num_tokens)


class BatchPlan:
    """Which texts are in which batch, as a function of seed and epoch; every text once an epoch.

    The texts of an epoch are permuted, sorted by length within buckets of 50 batches, cut, and the batches permuted.

    Args:
        lengths: ids in each text, int64 (N,).
        batch_size: B.
        num_epochs: how often every text is seen.
        seed: of the order.
    """

    def __init__(self, lengths: NDArray[np.int64], *, batch_size: int, num_epochs: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.seed = seed
        self.steps_in_an_epoch = -(-len(lengths) // batch_size)
        self._epoch = lru_cache(maxsize=2)(self._planned)

    @property
    def num_steps(self) -> int:
        """Batches in all epochs."""
        return self.steps_in_an_epoch * self.num_epochs

    def rows(self, step: int) -> NDArray[np.int64]:
        """The texts in a batch, int64 (B,) or fewer in one batch of each epoch."""
        epoch, at = divmod(step, self.steps_in_an_epoch)
        return self._epoch(epoch)[0][at]

    def tokens_before(self, step: int) -> int:
        """Ids in all batches before a step, padding not counted."""
        epoch, at = divmod(step, self.steps_in_an_epoch)
        whole = epoch * int(self.lengths.sum())
        return whole + (int(self._epoch(epoch)[1][at - 1]) if at else 0)

    def padding_share(self, epoch: int = 0) -> float:
        """The share of the positions of an epoch that is padding."""
        positions = sum(len(rows) * int(self.lengths[rows].max()) for rows in self._epoch(epoch)[0])
        return 1 - int(self.lengths.sum()) / positions

    def _planned(self, epoch: int) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
        order = permutation(stream_key(self.seed, Purpose.ORDER, epoch), len(self.lengths))
        bucket = self.batch_size * BATCHES_IN_A_BUCKET
        batches: list[NDArray[np.int64]] = []
        for begin in range(0, len(order), bucket):
            texts = order[begin : begin + bucket]
            texts = texts[np.argsort(self.lengths[texts], kind="stable")]
            batches += [texts[at : at + self.batch_size] for at in range(0, len(texts), self.batch_size)]
        mixed = permutation(stream_key(self.seed, Purpose.SAMPLE, epoch), len(batches))
        batches = [batches[at] for at in mixed]
        return batches, np.cumsum([int(self.lengths[rows].sum()) for rows in batches])


def batches_by_length(lengths: NDArray[np.int64], max_tokens: int) -> list[NDArray[np.int64]]:
    """All texts in batches of at most so many positions, shortest first: for predictions, where order does not matter.

    Args:
        lengths: int64 (N,).
        max_tokens: of positions, padding counted; a longer text is a batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    batches, begin = [], 0
    for at in range(1, len(order) + 1):
        if at == len(order) or (at - begin + 1) * int(lengths[order[at]]) > max_tokens:
            batches.append(order[begin:at])
            begin = at
    return batches


def _fitting(first: int, second: int | None, room: int) -> tuple[int, int]:
    """How many tokens of each text are kept: the longer one is cut first, the second of two that are equal."""
    if second is None:
        return min(first, room), 0
    half = room // 2
    if first + second <= room:
        return first, second
    if second <= half:
        return room - second, second
    if first <= room - half:
        return first, room - first
    return room - half, half
