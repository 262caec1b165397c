"""Sums and counts of losses."""

import math

from textssl.loss_sum import LossSum


def test_loss_sum_of_parts_is_the_sum_of_the_whole():
    whole = LossSum(1.0, 2) + LossSum(5.0, 1)
    assert whole == LossSum(6.0, 3)
    assert whole.mean == 2.0


def test_loss_sum_without_terms_has_no_mean():
    assert math.isnan(LossSum(0.0, 0).mean)
