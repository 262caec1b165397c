"""models/base_queue.py: order, wrapping, state."""

import pytest
import torch

from textssl.errors import UsageError
from textssl.models.base_queue import Queue


def keys(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32).unsqueeze(1).expand(-1, 2)


def test_the_queue_begins_with_unit_vectors_that_follow_from_the_seed():
    first, second, other = Queue(50, 8, 1), Queue(50, 8, 1), Queue(50, 8, 2)
    torch.testing.assert_close(first.rows.norm(dim=1), torch.ones(50))
    assert torch.equal(first.rows, second.rows)
    assert not torch.equal(first.rows, other.rows)
    assert first.rows.mean(0).abs().max() < 0.2


def test_batches_that_do_not_divide_the_queue_lose_no_row():
    queue = Queue(10, 2, 1)
    for start in range(0, 16, 4):
        assert queue.is_full == (start >= 12)
        queue.push(keys(*range(start, start + 4)))
    assert queue.rows[:, 0].tolist() == [10, 11, 12, 13, 14, 15, 6, 7, 8, 9]
    assert (int(queue.place), int(queue.filled), queue.is_full) == (6, 10, True)


@pytest.mark.parametrize("batch", [1, 3, 10])
def test_the_queue_holds_the_last_rows_whatever_the_batch(batch):
    queue, pushed = Queue(10, 2, 1), 0
    while pushed < 40:
        queue.push(keys(*range(pushed, pushed + batch)))
        pushed += batch
    assert sorted(queue.rows[:, 1].tolist()) == list(range(pushed - 10, pushed))


def test_a_queue_that_is_saved_and_loaded_goes_on_as_it_was():
    queue, other = Queue(5, 2, 1), Queue(5, 2, 9)
    queue.push(keys(1, 2, 3))
    other.load_state_dict(queue.state_dict())
    for each in (queue, other):
        each.push(keys(4, 5, 6))
    assert all(torch.equal(part, other.state_dict()[name]) for name, part in queue.state_dict().items())
    assert set(queue.state_dict()) == {"rows", "place", "filled"}


def test_rows_have_no_gradient():
    queue = Queue(4, 2, 1)
    queue.push(torch.ones(2, 2, requires_grad=True) * 2)
    assert not queue.rows.requires_grad


def test_keys_that_do_not_fit_are_refused():
    queue = Queue(3, 2, 1)
    with pytest.raises(UsageError, match="a queue of 3 rows cannot take 4 keys at once\nChoose a longer queue or"):
        queue.push(keys(1, 2, 3, 4))
    with pytest.raises(UsageError, match=r"keys must have the width 2 of the queue, got the shape \(2, 3\)"):
        queue.push(torch.zeros(2, 3))
    with pytest.raises(UsageError, match="size must be at least 1, got 0"):
        Queue(0, 2, 1)
