"""The order of rows and the batches made of it (base_rows)."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.objectives.base_rows import RowOrder, spread_rows

ORDER = RowOrder(num_rows=11, batch_rows=4, num_epochs=3, seed=5, length=10)


def test_every_row_comes_once_an_epoch_and_the_last_batch_is_what_is_left():
    assert (ORDER.steps_per_epoch, ORDER.num_steps) == (3, 9)
    for epoch in range(3):
        steps = [ORDER.rows(3 * epoch + batch, 0, 1) for batch in range(3)]
        assert [found for found, _ in steps] == [epoch] * 3
        assert [len(rows) for _, rows in steps] == [4, 4, 3]
        assert sorted(np.concatenate([rows for _, rows in steps])) == list(range(11))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [tuple(ORDER.rows(3 * epoch, 0, 1)[1]) for epoch in range(3)]
    assert len({*orders, tuple(RowOrder(11, 4, 3, 6, 10).rows(0, 0, 1)[1])}) == 4


@pytest.mark.parametrize("num_parts", [1, 2, 3, 8])
def test_parts_of_a_batch_are_its_slices_in_order(num_parts):
    for step in range(ORDER.num_steps):
        whole = ORDER.rows(step, 0, 1)[1]
        parts = [ORDER.rows(step, part, num_parts)[1] for part in range(num_parts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_counters_count_positions_and_epochs():
    assert [ORDER.units_before(step) for step in (0, 1, 2, 3, 4, 9)] == [0, 40, 80, 110, 150, 330]
    assert ORDER.epoch(3) == 1.0
    assert ORDER.epoch(9) == 3.0
    assert ORDER.epoch(1) == pytest.approx(4 / 11)


@pytest.mark.parametrize(
    ("num_rows", "most", "expected"), [(5, 9, [0, 1, 2, 3, 4]), (10, 4, [0, 2, 5, 7]), (0, 3, []), (3, 1, [0])]
)
def test_rows_to_evaluate_on_are_spread_evenly(num_rows, most, expected):
    assert spread_rows(num_rows, most).tolist() == expected
