"""What a kernel draws for a block, against the plain definitions of textssl.text.windows."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from textssl.kernels.blocks import collect_losses, draw_word, fill_uniform, half_width, keep_words
from textssl.randomness import Purpose, random_bits, stream_key
from textssl.text.draws import alias_table
from textssl.text.windows import WindowSettings, block_windows, keep_thresholds

NUM_WORDS, SEED, EPOCH = 30, 8, 4
random = np.random.default_rng(2)
IDS = random.integers(0, NUM_WORDS, 500)
OFFSETS = np.array([0, 1, 2, 100, 101, 350, 499, 500])
THRESHOLDS = keep_thresholds(np.linspace(0.0, 1.0, NUM_WORDS))
ACCEPT, ALIAS = alias_table(random.dirichlet(np.ones(NUM_WORDS) / 2))


def kept(ids, start, stop, thresholds=THRESHOLDS):
    size = stop - start + 1
    words, places, left, right = (np.zeros(size, kind) for kind in (np.int64, np.int64, np.int32, np.int32))
    key = np.uint64(stream_key(SEED, Purpose.SUBSAMPLE, EPOCH))
    count = keep_words(ids, OFFSETS, start, stop, thresholds, key, words, places, left, right)
    return words[:count], places[:count], left[:count], right[:count]


@numba.njit
def widths_at(key, positions, window, shrink, found):
    for place in range(len(positions)):
        found[place] = half_width(key, positions[place], window, shrink)


@numba.njit
def words_of(bits, accept, alias, found):
    for place in range(len(bits)):
        found[place] = draw_word(bits[place], accept, alias)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
@pytest.mark.parametrize(("start", "stop"), [(0, 500), (0, 1), (1, 2), (50, 50), (99, 102), (37, 466), (499, 500)])
def test_kept_words_and_their_documents_equal_the_definition(dtype, start, stop):
    settings = WindowSettings(
        SEED, 500, "fixed", THRESHOLDS, 1, ACCEPT, ALIAS
    )  # a window that reaches all of a document
    windows = block_windows(IDS, OFFSETS, start, stop, settings=settings, epoch=EPOCH)
    words, places, left, right = kept(IDS.astype(dtype), start, stop)
    assert np.array_equal(words, windows.centres)
    assert np.array_equal(places, windows.positions)
    for centre in range(len(words)):
        around = [words[other] for other in range(left[centre], right[centre]) if other != centre]
        assert around == [word for word in windows.contexts[centre] if word >= 0]


@pytest.mark.parametrize("threshold", [0, 2**32])
def test_a_threshold_keeps_nothing_or_all(threshold):
    words, *_ = kept(IDS.astype(np.int32), 0, 500, np.full(NUM_WORDS, threshold, np.uint64))
    assert len(words) == (500 if threshold else 0)


@pytest.mark.parametrize("window", [1, 5, 1000])
def test_half_widths_equal_the_definition(window):
    key, positions = stream_key(SEED, Purpose.WINDOW, EPOCH), np.arange(2000)
    found = np.empty(2000, np.int64)
    widths_at(np.uint64(key), positions, window, 1, found)
    bits = random_bits(key, positions)
    assert np.array_equal(found, 1 + ((bits >> np.uint64(32)) * np.uint64(window) >> np.uint64(32)).astype(np.int64))
    assert found.min() >= 1
    assert found.max() <= window
    widths_at(np.uint64(key), positions, window, 0, found)
    assert set(found) == {window}


def test_drawn_words_equal_the_definition_and_their_probabilities():
    bits = random_bits(stream_key(SEED, Purpose.NEGATIVES), np.arange(200_000))
    found = np.empty(len(bits), np.int64)
    words_of(bits, ACCEPT, ALIAS, found)
    columns = ((bits >> np.uint64(32)) * np.uint64(NUM_WORDS) >> np.uint64(32)).astype(np.int64)
    accepted = (bits & np.uint64(0xFFFFFFFF)) < ACCEPT[columns].astype(np.uint64)
    assert np.array_equal(found, np.where(accepted, columns, ALIAS[columns]))
    expected = np.bincount(columns, weights=ACCEPT[columns] / 2**32, minlength=NUM_WORDS)
    expected += np.bincount(ALIAS[columns], weights=1 - ACCEPT[columns] / 2**32, minlength=NUM_WORDS)
    # five standard deviations of a count
    assert (np.abs(np.bincount(found, minlength=NUM_WORDS) - expected) <= 5 * np.sqrt(expected + 1)).all()


def test_losses_are_sums_and_logarithms_of_products_and_start_anew():
    losses = np.concatenate([np.arange(8), np.linspace(1, 3, 8)]).astype(np.float32)
    expected = 28 + np.log(losses[8:].astype(np.float64)).sum()
    assert collect_losses(losses) == pytest.approx(expected, rel=1e-12)
    assert losses.tolist() == [0.0] * 8 + [1.0] * 8
    assert collect_losses(losses) == 0.0


@pytest.mark.parametrize("columns", [1, 7, 100])
def test_start_values_are_even_and_depend_on_place_alone(columns):
    key = np.uint64(stream_key(SEED, Purpose.INITIALISE))
    table, larger = np.empty((400, columns), np.float32), np.zeros((500, columns + 12), np.float32)
    fill_uniform(table, key)
    fill_uniform(larger[:, :columns], key)
    assert np.array_equal(larger[:400, :columns], table)
    assert not larger[:, columns:].any()
    units = table.astype(np.float64) * columns + 0.5
    assert units.min() >= 0
    assert units.max() < 1
    assert units.mean() == pytest.approx(0.5, abs=5 / math.sqrt(12 * units.size))
    expected = (random_bits(int(key), np.arange(table.size)) >> np.uint64(40)).astype(np.float64) / 2**24
    np.testing.assert_allclose(units.reshape(-1), expected, atol=1e-6)
