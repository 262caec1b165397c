"""Masks: counts and shares, whole words, the same in any batch; every message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.errors import UsageError
from textssl.randomness import Purpose, random_bits, stream_key, uniform
from textssl.text.masking import MaskSettings, mask_rows, row_keys

SPECIALS = (0, 1, 2, 3, 4)
MASK, SIZE = 4, 300


def rows_of(num_rows=64, length=128, seed=0):
    ids_BT = np.random.default_rng(seed).integers(5, SIZE, size=(num_rows, length)).astype(np.int32)
    ids_BT[:, 0] = 2
    ids_BT[::3, -7:] = 0
    ids_BT[:, length // 3] = 3
    return ids_BT


def mask(ids_BT, settings=None, *, epoch=0, rows=None, starts_BT=None, seed=1):
    rows = np.arange(len(ids_BT)) if rows is None else rows
    return mask_rows(
        ids_BT,
        keys_B=row_keys(seed, epoch, rows),
        settings=settings or MaskSettings(),
        mask_id=MASK,
        special_ids=SPECIALS,
        vocabulary_size=SIZE,
        starts_BT=starts_BT,
    )


def starts_of(ids_BT, seed=3):
    return np.random.default_rng(seed).random(ids_BT.shape) < 0.6


@pytest.mark.parametrize("unit", ["token", "word"])
def test_targets_are_what_stood_there_and_the_rest_is_untouched(unit):
    ids_BT = rows_of()
    before = ids_BT.copy()
    masked = mask(ids_BT, MaskSettings(unit=unit), starts_BT=starts_of(ids_BT))
    assert np.array_equal(ids_BT, before)
    assert masked.ids_BT.dtype == np.int32
    assert masked.positions.dtype == masked.targets.dtype == np.int64
    assert (np.diff(masked.positions) > 0).all()
    assert np.array_equal(ids_BT.ravel()[masked.positions], masked.targets)
    assert masked.targets.min() >= 5
    untouched = np.ones(ids_BT.size, dtype=bool)
    untouched[masked.positions] = False
    assert np.array_equal(ids_BT.ravel()[untouched], masked.ids_BT.ravel()[untouched])


@pytest.mark.parametrize("rate", [0.01, 0.15, 0.3, 0.4, 0.99])
def test_count_of_a_row_is_the_rate_rounded_at_random(rate):
    ids_BT = rows_of(400, 50)
    masked = mask(ids_BT, MaskSettings(rate=rate))
    counts = np.bincount(masked.positions // 50, minlength=400)
    candidates = (ids_BT >= 5).sum(axis=1)
    key = stream_key(1, Purpose.MASKING, 0)
    rounding = [uniform(int(row_key), 0) for row_key in random_bits(key, np.arange(400))]
    assert counts.tolist() == np.floor(rate * candidates + np.array(rounding)).astype(int).tolist()
    assert abs(counts.mean() - rate * candidates.mean()) < 4 * 0.5 / np.sqrt(400)


@pytest.mark.parametrize("unit", ["token", "word"])
def test_kinds_have_their_shares(unit):
    ids_BT = rows_of(2000)
    masked = mask(ids_BT, MaskSettings(rate=0.3, unit=unit), starts_BT=starts_of(ids_BT))
    shown = masked.ids_BT.ravel()[masked.positions]
    kept = shown == masked.targets
    is_random = (shown != MASK) & ~kept
    num_chosen = len(shown)
    assert num_chosen > 60_000
    assert np.mean(shown == MASK) == pytest.approx(0.8, abs=0.01)
    assert is_random.sum() / num_chosen == pytest.approx(0.1 * (1 - 1 / 295), abs=0.01)
    assert shown[is_random].min() >= 5
    counts = np.bincount(shown[is_random], minlength=SIZE)[5:]
    assert counts.min() > 0
    assert np.abs(counts - counts.mean()).max() < 6 * np.sqrt(counts.mean())


def test_every_position_is_chosen_as_often_as_any_other():
    ids_BT = np.full((20_000, 16), 9, dtype=np.int32)
    counts = np.bincount(mask(ids_BT, MaskSettings(rate=0.25)).positions % 16, minlength=16)
    assert counts.sum() == 80_000
    assert np.abs(counts - 5000).max() < 5 * np.sqrt(5000 * 0.75)


def test_all_masked_and_all_kept():
    ids_BT = rows_of()
    all_masks = mask(ids_BT, MaskSettings(mask_share=1.0, random_share=0.0))
    assert (all_masks.ids_BT.ravel()[all_masks.positions] == MASK).all()
    kept = mask(ids_BT, MaskSettings(mask_share=0.0, random_share=0.0))
    assert np.array_equal(kept.ids_BT, ids_BT)
    assert np.array_equal(kept.positions, all_masks.positions)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 12), st.sampled_from(["token", "word"]))
def test_masks_do_not_depend_on_the_batch(order, size, unit):
    ids_BT = rows_of(12, 40)
    starts_BT = starts_of(ids_BT)
    options = MaskSettings(unit=unit)
    whole = mask(ids_BT, options, starts_BT=starts_BT)
    chosen = np.array(order[:size])
    some = mask(ids_BT[chosen], options, rows=chosen, starts_BT=starts_BT[chosen])
    assert np.array_equal(some.ids_BT, whole.ids_BT[chosen])
    for place, row in enumerate(chosen):
        expected = whole.positions[whole.positions // 40 == row] % 40
        assert np.array_equal(some.positions[some.positions // 40 == place] % 40, expected)


def test_epochs_and_seeds_have_masks_of_their_own():
    ids_BT = rows_of()
    first = mask(ids_BT).positions
    assert np.array_equal(mask(ids_BT).positions, first)
    assert not np.array_equal(mask(ids_BT, epoch=1).positions, first)
    assert not np.array_equal(mask(ids_BT, seed=2).positions, first)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 0.9), st.floats(0.05, 1.0))
def test_words_are_whole_and_within_the_budget(seed, rate, start_share):
    ids_BT = rows_of(6, 60, seed)
    starts_BT = np.random.default_rng(seed).random(ids_BT.shape) < start_share
    masked = mask(ids_BT, MaskSettings(rate=rate, unit="word"), starts_BT=starts_BT, seed=seed)
    chosen = np.zeros(ids_BT.size, dtype=bool)
    chosen[masked.positions] = True
    chosen = chosen.reshape(ids_BT.shape)
    for row in range(6):
        candidates = ids_BT[row] >= 5
        assert chosen[row].sum() <= np.floor(rate * candidates.sum() + 1)
        for position in range(1, 60):
            same_word = candidates[position - 1] and candidates[position] and not starts_BT[row, position]
            if same_word:
                assert chosen[row, position] == chosen[row, position - 1]
                if chosen[row, position]:
                    is_mask = masked.ids_BT[row, position - 1 : position + 1] == MASK
                    assert is_mask[0] == is_mask[1]


def test_words_of_one_token_use_the_whole_budget():
    ids_BT = rows_of(200, 50)
    words = mask(ids_BT, MaskSettings(unit="word"), starts_BT=np.ones(ids_BT.shape, dtype=bool))
    tokens = mask(ids_BT, MaskSettings())
    assert np.array_equal(np.bincount(words.positions // 50), np.bincount(tokens.positions // 50))


def test_word_that_would_overflow_is_left_out():
    ids_BT = np.full((50, 10), 9, dtype=np.int32)
    starts_BT = np.zeros(ids_BT.shape, dtype=bool)
    starts_BT[:, [0, 8]] = True  # words of 8 and 2
    masked = mask(ids_BT, MaskSettings(rate=0.2, unit="word"), starts_BT=starts_BT)
    assert set((masked.positions % 10).tolist()) == {8, 9}
    assert len(masked.positions) == 100


def test_rows_without_candidates_have_no_masks():
    masked = mask(np.zeros((3, 8), dtype=np.int32))
    assert len(masked.positions) == len(masked.targets) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate must be above 0.*got 0"),
        ({"rate": 1.0}, "rate must be .*below 1.*got 1"),
        ({"mask_share": 1.2}, "mask_share must be at .* 1.*got 1.2"),
        ({"mask_share": 0.95}, "mask_share and random_share must be at most 1 together, got 0.95 \\+ 0.1"),
        ({"unit": "sentence"}, "unit must be one of token, word, got 'sentence'"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(UsageError, match=message):
        MaskSettings(**options)


def test_impossible_masks_are_refused():
    with pytest.raises(UsageError, match="masking whole words needs starts_BT.*\nGive WordStarts"):
        mask(rows_of(), MaskSettings(unit="word"))
    with pytest.raises(UsageError, match="the vocabulary has 5 tokens, all of them special; nothing can be hidden"):
        mask_rows(
            np.zeros((1, 4), np.int32), keys_B=row_keys(0, 0, np.arange(1)), settings=MaskSettings(), mask_id=4,
            special_ids=SPECIALS, vocabulary_size=5,
        )  # fmt: skip
