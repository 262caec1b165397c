"""Batches made ahead: the same ones in the same order, whatever the threads."""

from __future__ import annotations

import threading
import time

import pytest

from textssl.training.prefetch import Prefetch


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_items_are_those_of_the_function_for_any_number_of_threads(threads):
    prefetch = Prefetch(lambda number: number * number, end=20, threads=threads)
    assert [prefetch.take(number) for number in range(20)] == [number * number for number in range(20)]
    assert [prefetch.take(number) for number in (3, 4, 17, 2)] == [9, 16, 289, 4]
    prefetch.close()


def test_items_are_made_ahead_up_to_the_end_and_once():
    made = []
    prefetch = Prefetch(lambda number: made.append(number) or number, end=5, threads=1)
    prefetch.take(0)
    while len(made) < 3:
        time.sleep(0.001)
    assert made == [0, 1, 2]
    for number in range(1, 5):
        prefetch.take(number)
    prefetch.close()
    assert made == [0, 1, 2, 3, 4]


def test_item_beyond_the_end_is_made_when_asked_for():
    prefetch = Prefetch(str, end=2, threads=2)
    assert prefetch.take(7) == "7"
    prefetch.close()


def test_error_of_an_item_is_raised_where_it_is_taken():
    def make(number):
        if number == 2:
            raise ValueError("bad row")
        return number

    prefetch = Prefetch(make, end=9, threads=2)
    assert [prefetch.take(0), prefetch.take(1)] == [0, 1]
    with pytest.raises(ValueError, match="bad row"):
        prefetch.take(2)
    assert prefetch.take(3) == 3
    prefetch.close()


def test_close_ends_the_threads():
    before = set(threading.enumerate())
    prefetch = Prefetch(str, end=100, threads=3)
    prefetch.take(0)
    assert set(threading.enumerate()) - before
    prefetch.close()
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize(("threads", "times"), [(0, 2), (1, 1)])
def test_an_item_made_in_advance_is_made_at_once_and_kept_where_threads_keep_items(threads, times):
    made = []
    prefetch = Prefetch(lambda number: made.append(number) or number + 5, end=3, threads=threads)
    prefetch.prepare(0)
    assert made == [0]
    assert prefetch.take(0) == 5
    prefetch.close()
    assert made.count(0) == times


@pytest.mark.parametrize("threads", [0, 1])
def test_error_of_an_item_made_in_advance_is_raised_where_it_is_taken(threads):
    def make(number):
        raise ValueError("bad row")

    prefetch = Prefetch(make, end=9, threads=threads)
    prefetch.prepare(0)
    with pytest.raises(ValueError, match="bad row"):
        prefetch.take(0)
    prefetch.close()
