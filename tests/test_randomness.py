"""Stateless random numbers: test vectors that the fused kernels must give too, and the properties of a good stream."""

import numpy as np
import pytest

from textssl.errors import UsageError
from textssl.randomness import Purpose, first_in_proportion, permutation, random_bits, stream_key, uniform

# (seed, purpose, epoch) -> key
KEYS = [
    (0, Purpose.ORDER, 0, 4964578127960768432),
    (1, Purpose.NEGATIVES, 3, 6807665807315064944),
    (2**64 - 1, Purpose.INITIALISE, 7, 10252906808311629690),
]
# key -> bits at the indices below
INDICES = [0, 1, 2, 1000, 2**40]
BITS = {
    0: [
        16294208416658607535,
        7960286522194355700,
        487617019471545679,
        3240954710329600481,
        1816945705467351922,
    ],
    4964578127960768432: [
        15114123258453576503,
        4672125198739041305,
        15771947744729278158,
        8866295766840678019,
        12028031835247811303,
    ],
    10252906808311629690: [
        14896011348338626984,
        7157425968387810752,
        3770140810377884764,
        5703710361316004687,
        11594407908469497739,
    ],
}
# Outputs 1 to 5 of SplitMix64 started at 1234567, as published with its implementations in other languages.
SPLITMIX64_1234567 = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


@pytest.mark.parametrize(("seed", "purpose", "epoch", "key"), KEYS)
def test_stream_key_gives_test_vector(seed, purpose, epoch, key):
    assert stream_key(seed, purpose, epoch) == key


@pytest.mark.parametrize("key", BITS)
def test_random_bits_gives_test_vector(key):
    assert random_bits(key, np.array(INDICES)).tolist() == BITS[key]


def test_random_bits_equals_published_splitmix64():
    assert random_bits(1234567, np.arange(5)).tolist() == SPLITMIX64_1234567


def test_uniform_gives_test_vector():
    assert uniform(4964578127960768432, np.arange(3)).tolist() == [
        0.8193382636014529,
        0.25327641452985683,
        0.8549990004581667,
    ]


def test_permutation_gives_test_vector():
    assert permutation(4964578127960768432, 10).tolist() == [6, 3, 1, 5, 4, 0, 8, 2, 7, 9]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint64])
def test_random_bits_do_not_depend_on_the_type_or_shape_of_the_index(dtype):
    index = np.arange(12, dtype=dtype).reshape(3, 4)
    bits = random_bits(77, index)
    assert bits.dtype == np.uint64
    assert bits.shape == (3, 4)
    assert bits[1, 2] == random_bits(77, 6)


def test_uniform_is_even_over_the_unit_interval():
    numbers = uniform(stream_key(5, Purpose.WINDOW), np.arange(100_000))
    assert 0.0 <= numbers.min()
    assert numbers.max() < 1.0
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 5000) ** 2 / 5000).sum()
    assert chi_square < 43.8  # 99.9 % point of 19 degrees of freedom


def test_uniform_stays_below_one_for_the_largest_bits():
    assert (np.uint64(2**64 - 1) >> np.uint64(11)) * 2.0**-53 < 1.0


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_permutation_holds_every_number_once(size):
    order = permutation(stream_key(3, Purpose.ORDER, 1), size)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(size))


def test_streams_of_other_seed_purpose_and_epoch_are_unrelated():
    index = np.arange(20_000)
    keys = {
        stream_key(seed, purpose, epoch)
        for seed in (0, 1)
        for purpose in (Purpose.ORDER, Purpose.VIEWS)
        for epoch in (0, 1)
    }
    assert len(keys) == 8
    streams = np.array([uniform(key, index) for key in keys])
    correlation = np.corrcoef(streams) - np.eye(len(keys))
    assert np.abs(correlation).max() < 0.035  # 5 standard deviations


def test_purposes_have_numbers_of_their_own():
    assert len({int(purpose) for purpose in Purpose}) == len(Purpose)


def test_stream_key_refuses_seed_and_epoch_out_of_range():
    with pytest.raises(UsageError, match=r"seed must be at least 0 and at most 18446744073709551615, got -1"):
        stream_key(-1, Purpose.ORDER)
    with pytest.raises(UsageError, match=r"got 18446744073709551616"):
        stream_key(2**64, Purpose.ORDER)
    with pytest.raises(UsageError, match=r"epoch must be at least 0, got -2"):
        stream_key(0, Purpose.ORDER, -2)


def test_permutation_refuses_negative_size():
    with pytest.raises(UsageError, match=r"size must be at least 0, got -1"):
        permutation(0, -1)


def test_first_rows_of_an_order_hold_labels_in_proportion():
    labels = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    order = np.random.default_rng(0).permutation(100)
    for size, counts in ((3, [1, 1, 1]), (10, [6, 3, 1]), (50, [30, 15, 5]), (100, [60, 30, 10])):
        rows = first_in_proportion(order, labels, size)
        assert len(set(rows.tolist())) == size
        assert np.unique(labels[rows], return_counts=True)[1].tolist() == counts
    assert set(first_in_proportion(order, labels, 2).tolist()) < set(first_in_proportion(order, labels, 50).tolist())
    assert first_in_proportion(order, labels, 0).tolist() == []
