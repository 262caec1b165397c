"""Masks for masked-token training: which positions are hidden, and what stands there instead.

    number of a row = floor(rate * candidates + u), u in [0, 1)    drawn without replacement
    chosen: 80 % [MASK], 10 % a random token, 10 % left as they are; special tokens are neither chosen nor put in

Everything is a function of (seed, epoch, number of the row) and the row itself: the batch in which a row comes, the
number of workers and a resume change nothing.

Legend: B rows, T positions, N chosen positions.

Source: Devlin et al. 2018 (80/10/10); Liu et al. 2019, RoBERTa (new masks every epoch; the count as in fairseq's
mask_tokens_dataset.py); whole words: google-research/bert, create_pretraining_data.py (a word that would overflow the
budget is left out), with one draw of 80/10/10 for a whole word as in fairseq.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textssl.config import option, validate
from textssl.errors import UsageError
from textssl.randomness import Purpose, random_bits, stream_key
from textssl.text.random_kernels import inlined, kernel, scaled
from textssl.text.random_kernels import random_bits as bits_at

_TWO_32 = float(1 << 32)


@dataclass(frozen=True)
class MaskSettings:
    """How much is hidden and how."""

    rate: float = option(0.3, "Share of the tokens that are hidden.", above=0, below=1)
    mask_share: float = option(0.8, "Share of the hidden tokens that become [MASK].", minimum=0, maximum=1)
    random_share: float = option(0.1, "Share of the hidden tokens that become a random token.", minimum=0, maximum=1)
    unit: Literal["token", "word"] = option("token", 'Hide single tokens ("token") or all pieces of a word ("word").')

    def __post_init__(self) -> None:
        validate(self)
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise UsageError(
                f"mask_share and random_share must be at most 1 together, got {self.mask_share} + {self.random_share}"
            )


@dataclass(frozen=True)
class Masked:
    """Rows with masks.

    Args:
        ids_BT: int32 (B, T), what the model reads.
        positions: int64 (N,), the chosen positions as indices into the B * T of the batch, rising.
        targets: int64 (N,), the ids that stood there.
    """

    ids_BT: NDArray[np.int32]
    positions: NDArray[np.int64]
    targets: NDArray[np.int64]


def row_keys(seed: int, epoch: int, rows: NDArray[np.integer]) -> NDArray[np.uint64]:
    """The random stream of each row.

    Args:
        seed: 0 or more.
        epoch: 0 or more; another epoch has other masks.
        rows: (B,) numbers of the rows in the corpus, 0 or more.

    Returns:
        uint64 (B,), for `mask_rows`.
    """
    return random_bits(stream_key(seed, Purpose.MASKING, epoch), rows)


def mask_rows(
    ids_BT: NDArray[np.int32],
    *,
    keys_B: NDArray[np.uint64],
    settings: MaskSettings,
    mask_id: int,
    special_ids: tuple[int, ...],
    vocabulary_size: int,
    starts_BT: NDArray[np.bool_] | None = None,
) -> Masked:
    """Hide tokens of rows.

    Args:
        ids_BT: int32 (B, T), padded with a special id; it stays as it is.
        keys_B: uint64 (B,), from `row_keys`.
        settings: how much is hidden and how.
        mask_id: the id of [MASK], 0 to vocabulary_size - 1.
        special_ids: ids that are never chosen and never put in, padding and separators among them.
        vocabulary_size: number of ids.
        starts_BT: bool (B, T), True where a word begins (`WordStarts.of`); needed for the unit "word".

    Returns:
        The rows with masks.

    Raises:
        UsageError: the unit is "word" and starts_BT is missing, or the vocabulary has only special tokens.
    """
    if settings.unit == "word" and starts_BT is None:
        raise UsageError("masking whole words needs starts_BT, where words begin", hint="Give WordStarts.of(ids_BT).")
    rule = _rule(settings, mask_id, tuple(special_ids), vocabulary_size)
    num_rows, length = ids_BT.shape
    hidden_BT = np.array(ids_BT, dtype=np.int32, order="C")
    capacity = num_rows * (int(settings.rate * length) + 1)
    positions = np.empty(capacity, dtype=np.int64)
    targets = np.empty(capacity, dtype=np.int64)
    if starts_BT is None or settings.unit == "token":
        num_chosen = _mask_tokens(hidden_BT, keys_B, rule, positions, targets)
    else:
        scratch = np.empty((2, length), dtype=np.int32)
        starts_BT = np.ascontiguousarray(starts_BT, dtype=np.bool_)
        num_chosen = _mask_words(hidden_BT, starts_BT, keys_B, rule, positions, targets, scratch)
    return Masked(hidden_BT, positions[:num_chosen], targets[:num_chosen])


class _Rule(NamedTuple):
    """What the kernels need to know.

    Args:
        rate: share of the candidates.
        mask_id: the id of [MASK].
        mask_below: a draw of 32 bits below it makes [MASK].
        change_below: one that is not, but below this, makes a random token.
        is_special: bool (vocabulary_size,), True at ids that are never chosen.
        ordinary: int32, all the other ids.
    """

    rate: float
    mask_id: int
    mask_below: int
    change_below: int
    is_special: NDArray[np.bool_]
    ordinary: NDArray[np.int32]


@functools.lru_cache(maxsize=8)
def _rule(settings: MaskSettings, mask_id: int, special_ids: tuple[int, ...], vocabulary_size: int) -> _Rule:
    is_special = np.zeros(vocabulary_size, dtype=np.bool_)
    is_special[list(special_ids)] = True
    ordinary = np.flatnonzero(~is_special).astype(np.int32)
    if not len(ordinary):
        raise UsageError(f"the vocabulary has {vocabulary_size} tokens, all of them special; nothing can be hidden")
    mask_below = round(settings.mask_share * _TWO_32)
    change_below = round(min(1.0, settings.mask_share + settings.random_share) * _TWO_32)
    return _Rule(settings.rate, mask_id, mask_below, change_below, is_special, ordinary)


@inlined
def _budget(rate, num_candidates, bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How many of the candidates to choose: rate * candidates, rounded up or down at random."""
    return int(rate * num_candidates + (bits >> np.uint64(11)) * 2.0**-53)


@inlined
def _replace(ids, position, key, draw, rule):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write what a chosen position shows; the lower half of `draw` decides the kind."""
    kind = np.int64(draw & np.uint64(0xFFFFFFFF))
    if kind < rule.mask_below:
        ids[position] = rule.mask_id
    elif kind < rule.change_below:
        ids[position] = rule.ordinary[scaled(bits_at(key, 2 * len(ids) + 1 + position), len(rule.ordinary))]


@kernel
def _mask_tokens(ids_BT, keys_B, rule, positions, targets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Choose among the candidates of each row as they come: the next one with probability needed / left.

    Random numbers of a row of T positions: 0 the count; 1 + position the choice (upper half) and the kind (lower half);
    2 T + 1 + position the random token.
    """
    num_rows, length = ids_BT.shape
    written = 0
    for row in range(num_rows):
        ids, key = ids_BT[row], keys_B[row]
        left = 0
        for position in range(length):
            left += not rule.is_special[ids[position]]
        needed = _budget(rule.rate, left, bits_at(key, 0))
        for position in range(length):
            if needed == 0:
                break
            if rule.is_special[ids[position]]:
                continue
            draw = bits_at(key, 1 + position)
            if scaled(draw, left) < needed:
                positions[written] = row * length + position
                targets[written] = ids[position]
                written += 1
                needed -= 1
                _replace(ids, position, key, draw, rule)
            left -= 1
    return written


@kernel
def _mask_words(ids_BT, starts_BT, keys_B, rule, positions, targets, scratch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Draw the words of each row in random order; take each one that fits into what is left of the budget.

    A word that is taken has ~begin in the list of begins. Random numbers of a row of T positions: 0 the count; 1 + i
    the i-th word drawn; T + 1 + position the kind for a word; 2 T + 1 + position the random token.
    """
    num_rows, length = ids_BT.shape
    begins, order = scratch[0], scratch[1]
    written = 0
    for row in range(num_rows):
        ids, starts, key = ids_BT[row], starts_BT[row], keys_B[row]
        num_candidates, num_words = _list_words(ids, starts, rule.is_special, begins, order)
        needed = _budget(rule.rate, num_candidates, bits_at(key, 0))
        for drawn in range(num_words):
            if needed == 0:
                break
            other = drawn + scaled(bits_at(key, 1 + drawn), num_words - drawn)
            word = order[other]
            order[other] = order[drawn]
            end = begins[word] + 1
            while end < length and not (rule.is_special[ids[end]] or starts[end]):
                end += 1
            if end - begins[word] <= needed:
                needed -= end - begins[word]
                begins[word] = ~begins[word]
        for word in range(num_words):
            if begins[word] >= 0:
                continue
            position = ~begins[word]
            draw = bits_at(key, length + 1 + position)
            while True:
                positions[written] = row * length + position
                targets[written] = ids[position]
                written += 1
                _replace(ids, position, key, draw, rule)
                position += 1
                if position == length or rule.is_special[ids[position]] or starts[position]:
                    break
    return written


@kernel
def _list_words(ids, starts, is_special, begins, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write where the words of a row begin, and their numbers in order; the numbers of candidates and of words."""
    num_candidates = num_words = 0
    inside = False
    for position in range(len(ids)):
        if is_special[ids[position]]:
            inside = False
            continue
        num_candidates += 1
        if starts[position] or not inside:
            begins[num_words] = position
            order[num_words] = num_words
            num_words += 1
            inside = True
    return num_candidates, num_words
