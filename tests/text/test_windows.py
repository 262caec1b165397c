"""Windows against a plain loop, their invariants, and the statistics of what is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from textssl.errors import UsageError
from textssl.randomness import MASK_64, Purpose, random_bits, stream_key
from textssl.text.windows import WindowSettings, block_windows, keep_thresholds, rows_of_words

ALWAYS = 2**32


def window_settings(vocabulary: int = 4, **changes) -> WindowSettings:
    """Everything is kept, windows of fixed width 2, two noise words, all equally likely."""
    plain = WindowSettings(
        seed=7,
        window=2,
        width="fixed",
        keep_thresholds=np.full(vocabulary, ALWAYS, np.uint64),
        num_negatives=2,
        noise_accept=np.full(vocabulary, ALWAYS - 1, np.uint32),
        noise_alias=np.arange(vocabulary),
    )
    return replace(plain, **changes)


def loop_windows(ids, offsets, start, stop, chosen, epoch):
    """The definition of the module's docstring in plain Python integers."""

    def bits(purpose, index):
        return int(random_bits(stream_key(chosen.seed, purpose, epoch), index))

    windows = []
    for first, end in zip(offsets[:-1], offsets[1:], strict=True):
        inside = range(max(first, start), min(end, stop))
        kept = [p for p in inside if bits(Purpose.SUBSAMPLE, p) >> 32 < int(chosen.keep_thresholds[ids[p]])]
        for place, p in enumerate(kept):
            drawn = 1 + ((bits(Purpose.WINDOW, p) >> 32) * chosen.window >> 32)
            width = drawn if chosen.width == "dynamic" else chosen.window
            around = kept[max(0, place - width) : place] + kept[place + 1 : place + 1 + width]
            noise = []
            for k in range(chosen.num_negatives):
                r = bits(Purpose.NEGATIVES, p * chosen.num_negatives + k)
                column = (r >> 32) * len(chosen.noise_alias) >> 32
                accepted = r % 2**32 < int(chosen.noise_accept[column])
                noise.append(column if accepted else int(chosen.noise_alias[column]))
            windows.append((p, int(ids[p]), [int(ids[q]) for q in around], noise))
    return windows


@st.composite
def blocks(draw):
    lengths = draw(st.lists(st.integers(0, 12), min_size=1, max_size=6))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    total = int(offsets[-1])
    vocabulary = draw(st.integers(1, 6))
    ids = np.array(draw(st.lists(st.integers(0, vocabulary - 1), min_size=total, max_size=total)), dtype=np.uint16)
    start = draw(st.integers(0, total))
    stop = draw(st.integers(start, total))
    thresholds = draw(
        st.lists(st.sampled_from([0, 2**31, 3 * 2**30, ALWAYS]), min_size=vocabulary, max_size=vocabulary)
    )
    chosen = window_settings(
        vocabulary,
        seed=draw(st.integers(0, MASK_64)),
        window=draw(st.integers(1, 4)),
        width=draw(st.sampled_from(["dynamic", "fixed"])),
        keep_thresholds=np.array(thresholds, np.uint64),
        num_negatives=draw(st.integers(0, 3)),
        noise_accept=np.full(vocabulary, 2**31, np.uint32),
        noise_alias=np.arange(vocabulary)[::-1],
    )
    return ids, offsets, start, stop, chosen, draw(st.integers(0, 3))


@settings(max_examples=150, deadline=None)
@given(blocks())
def test_block_windows_equal_the_plain_loop(block):
    ids, offsets, start, stop, chosen, epoch = block
    windows = block_windows(ids, offsets, start, stop, settings=chosen, epoch=epoch)
    expected = loop_windows(ids, offsets, start, stop, chosen, epoch)
    assert windows.positions.tolist() == [p for p, _, _, _ in expected]
    assert windows.centres.tolist() == [word for _, word, _, _ in expected]
    assert windows.negatives.tolist() == [noise for _, _, _, noise in expected]
    assert windows.contexts.shape == (len(expected), 2 * chosen.window)
    padded = [around + [-1] * (2 * chosen.window - len(around)) for _, _, around, _ in expected]
    assert windows.contexts.tolist() == padded


def test_windows_stop_at_document_and_block_ends():
    ids = np.array([0, 1, 2, 3, 0, 1, 2, 3], np.int32)
    windows = block_windows(ids, np.array([0, 3, 3, 8]), 1, 6, settings=window_settings(), epoch=0)
    assert windows.positions.tolist() == [1, 2, 3, 4, 5]
    assert windows.contexts.tolist() == [
        [2, -1, -1, -1], [1, -1, -1, -1],
        [0, 1, -1, -1], [3, 1, -1, -1], [3, 0, -1, -1],
    ]  # fmt: skip


def test_contexts_reach_over_words_that_were_left_out():
    thresholds = np.array([ALWAYS, 0, ALWAYS, ALWAYS], np.uint64)
    ids = np.array([0, 1, 1, 1, 2, 1, 3], np.int32)
    windows = block_windows(
        ids, np.array([0, 7]), 0, 7, settings=window_settings(keep_thresholds=thresholds, window=1), epoch=0
    )
    assert windows.centres.tolist() == [0, 2, 3]
    assert windows.contexts.tolist() == [[2, -1], [0, 3], [2, -1]]


def test_a_token_draws_the_same_in_every_block_that_holds_it_and_anew_in_every_epoch():
    ids = np.arange(1000, dtype=np.int32) % 4
    chosen = window_settings(keep_thresholds=np.full(4, 2**31, np.uint64))
    whole = block_windows(ids, np.array([0, 1000]), 0, 1000, settings=chosen, epoch=0)
    part = block_windows(ids, np.array([0, 1000]), 300, 700, settings=chosen, epoch=0)
    inside = (whole.positions >= 300) & (whole.positions < 700)
    assert np.array_equal(whole.positions[inside], part.positions)
    assert np.array_equal(whole.negatives[inside], part.negatives)
    later = block_windows(ids, np.array([0, 1000]), 0, 1000, settings=chosen, epoch=1)
    assert not np.array_equal(whole.positions, later.positions)


def test_tokens_are_kept_with_their_probability():
    probabilities = np.array([1.0, 0.5, 0.1, 0.0])
    ids = np.repeat(np.arange(4), 20_000)
    chosen = window_settings(keep_thresholds=keep_thresholds(probabilities), num_negatives=0)
    kept = np.bincount(
        block_windows(ids, np.array([0, 80_000]), 0, 80_000, settings=chosen, epoch=0).centres, minlength=4
    )
    assert kept[0] == 20_000
    assert kept[3] == 0
    deviation = np.sqrt(20_000 * probabilities[1:3] * (1 - probabilities[1:3]))
    assert (np.abs(kept[1:3] - 20_000 * probabilities[1:3]) < 4 * deviation).all()


def test_keep_thresholds_of_one_keep_every_draw():
    assert keep_thresholds(np.array([0, 0.5, 1], np.float32)).tolist() == [0, 2**31, 2**32]


def test_dynamic_half_widths_are_uniform():
    ids = np.zeros(50_000, np.int32)
    chosen = window_settings(window=5, width="dynamic", num_negatives=0)
    windows = block_windows(ids, np.array([0, 50_000]), 0, 50_000, settings=chosen, epoch=2)
    half_widths = (windows.contexts[5:-5] >= 0).sum(1) // 2
    assert stats.chisquare(np.bincount(half_widths, minlength=6)[1:]).pvalue > 1e-3


@pytest.mark.parametrize(
    ("sharing", "leaders"), [("in_a_row", [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]), ("apart", [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])]
)
def test_windows_share_the_noise_of_their_leader(sharing, leaders):
    ids, offsets = np.zeros(10, np.int64), np.array([0, 10])
    chosen = window_settings(vocabulary=1_000, num_negatives=8)
    alone = block_windows(ids, offsets, 0, 10, settings=chosen, epoch=0)
    shared = replace(chosen, negatives_shared=3, sharing=sharing)
    windows = block_windows(ids, offsets, 0, 10, settings=shared, epoch=0)
    assert np.array_equal(windows.negatives, alone.negatives[leaders])
    assert np.array_equal(windows.contexts, alone.contexts)


def test_noise_words_follow_the_alias_table():
    # columns: 0 always; 1 half itself, half 0; 2 a quarter itself, three quarters 3; 3 always
    chosen = window_settings(
        noise_accept=np.array([ALWAYS - 1, 2**31, 2**30, ALWAYS - 1], np.uint32),
        noise_alias=np.array([0, 0, 3, 3]),
        num_negatives=5,
    )
    ids = np.zeros(20_000, np.int32)
    drawn = block_windows(ids, np.array([0, 20_000]), 0, 20_000, settings=chosen, epoch=0).negatives
    expected = np.array([1.5, 0.5, 0.25, 1.75]) / 4 * drawn.size
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=4), expected).pvalue > 1e-3


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 5)])
def test_a_block_outside_the_store_is_refused(start, stop):
    with pytest.raises(UsageError, match=f"^a block must lie in positions 0 to 4, got {start} to {stop}$"):
        block_windows(np.zeros(4, int), np.array([0, 4]), start, stop, settings=window_settings(), epoch=0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 3), min_size=3, max_size=3), max_size=5))
def test_rows_of_words_join_the_lists_of_a_line(lines):
    lists = [[0, 7, 8], [1], [], [3, 9, 9, 7]]
    offsets = np.cumsum([0, *(len(rows) for rows in lists)])
    words = np.array(lines, np.int64).reshape(-1, 3)
    rows = rows_of_words(words, offsets, np.concatenate(lists).astype(np.int32))
    expected = [[row for word in line if word >= 0 for row in lists[word]] for line in lines]
    assert rows.shape == (len(lines), max(map(len, expected), default=0))
    assert [[row for row in line if row >= 0] for line in rows.tolist()] == expected
    assert all(line[: len(given)] == given for line, given in zip(rows.tolist(), expected, strict=True))
