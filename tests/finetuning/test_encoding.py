"""Texts as rows of ids: nothing lost uncounted, every text once an epoch, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.errors import UsageError
from textssl.finetuning.encoding import BatchPlan, batches_by_length, encode_texts

CLS, SEP, PAD = 100, 101, 0


class Letters:
    """A tokenizer for which every letter is a token."""

    def encode_batch(self, texts):
        return [np.array([ord(letter) - ord("a") + 1 for letter in text], dtype=np.int32) for text in texts]


def encode(texts, pairs=None, *, length=6, first_id: int | None = CLS):
    return encode_texts(Letters(), texts, pairs, length=length, first_id=first_id, separator_id=SEP)


def rows_of(encoded):
    return [row.tolist() for row in np.split(encoded.ids, encoded.offsets[1:-1])]


def test_one_text_stands_between_the_special_tokens():
    encoded = encode(["ab", "", "abcdef"])
    assert rows_of(encoded) == [[CLS, 1, 2, SEP], [CLS, SEP], [CLS, 1, 2, 3, 4, SEP]]
    assert (encoded.num_truncated, encoded.num_lost, encoded.num_tokens) == (1, 2, 8)
    assert rows_of(encode(["ab"], first_id=None)) == [[1, 2, SEP]]
    assert len(encode([])) == 0


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [("ab", "abc", ("ab", "abc")), ("abcdef", "a", ("abcd", "a")), ("a", "abcdef", ("a", "abcd")),
     ("abcdef", "abcdef", ("abc", "ab")), ("abc", "abc", ("abc", "ab"))],
)  # fmt: skip
def test_of_two_texts_the_longer_one_is_cut(first, second, kept):
    expected = [CLS, *Letters().encode_batch(kept)[0], SEP, *Letters().encode_batch(kept)[1], SEP]
    encoded = encode([first], [second], length=8)
    assert rows_of(encoded) == [expected]
    assert encoded.num_lost == len(first + second) - len(kept[0] + kept[1])


def test_length_without_room_is_refused():
    with pytest.raises(UsageError, match="length must be at least 3, which leaves room for a token .* got 2"):
        encode(["a"], length=2)
    with pytest.raises(UsageError, match="length must be at least 5, .* got 4"):
        encode(["a"], ["b"], length=4)


def test_padded_rows_are_the_rows_with_padding_behind():
    ids, real = encode(["ab", "", "abcd"]).padded(np.array([1, 2]), PAD)
    np.testing.assert_array_equal(ids, [[CLS, SEP, 0, 0, 0, 0], [CLS, 1, 2, 3, 4, SEP]])
    np.testing.assert_array_equal(real.sum(axis=1), [2, 6])


def lengths(number: int) -> np.ndarray:
    return np.random.default_rng(0).gamma(4, 14, number).astype(np.int64).clip(3, 128)


def test_plan_takes_every_text_once_an_epoch_in_an_order_of_seed_and_epoch():
    plan = BatchPlan(lengths(1003), batch_size=32, num_epochs=2, seed=1)
    assert (plan.num_steps, plan.steps_in_an_epoch) == (64, 32)
    epochs = [np.concatenate([plan.rows(step) for step in range(at * 32, at * 32 + 32)]) for at in (0, 1)]
    assert all(sorted(epoch.tolist()) == list(range(1003)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()
    again = BatchPlan(lengths(1003), batch_size=32, num_epochs=9, seed=1)
    np.testing.assert_array_equal(again.rows(40), plan.rows(40))
    assert BatchPlan(lengths(1003), batch_size=32, num_epochs=2, seed=2).rows(0).tolist() != plan.rows(0).tolist()


def test_plan_counts_tokens_and_pads_little():
    sizes = lengths(4000)
    plan = BatchPlan(sizes, batch_size=32, num_epochs=2, seed=1)
    before = [plan.tokens_before(step) for step in range(plan.num_steps + 1)]
    assert np.diff(before).tolist() == [int(sizes[plan.rows(step)].sum()) for step in range(plan.num_steps)]
    assert before[-1] == 2 * sizes.sum()
    assert plan.padding_share() < 0.04


def test_batches_by_length_hold_every_text_and_few_positions():
    sizes = lengths(500)
    batches = batches_by_length(sizes, 1000)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(rows) * sizes[rows].max() <= 1000 for rows in batches)
    assert [rows.tolist() for rows in batches_by_length(np.array([5000, 3]), 1000)] == [[1], [0]]
    assert batches_by_length(np.array([], dtype=np.int64), 10) == []
