"""A run nobody disturbed; small networks train in one thread: two that wait for each other take 50 times as long."""

from __future__ import annotations

import sys

import pytest

from tests.training.small_task import SmallTask, train


@pytest.fixture(autouse=True)
def one_thread():
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Folder, task and summary of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    task = SmallTask()
    return folder, task, train(folder, task)
