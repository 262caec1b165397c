"""SwAV: codes and their prediction against plain torch, the queue, and frozen prototypes."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.objectives.small_images import images, prepared, task_of
from tests.objectives.swav_queue import OPTIONS, queue_run
from tests.training.small_network import assert_same_bits, copied
from textssl.errors import UsageError


def codes_by_products(scores: torch.Tensor, epsilon: float, iterations: int) -> torch.Tensor:
    """The reference's way: rows and columns of exp(scores / epsilon) are divided in turn."""
    shares = (scores.double() / epsilon).exp().T
    shares /= shares.sum()
    for _ in range(iterations):
        shares /= shares.sum(1, keepdim=True) * len(shares)
        shares /= shares.sum(0, keepdim=True) * shares.shape[1]
    return (shares * shares.shape[1]).T


def expected_loss(run, batch, queued=()) -> tuple[float, int]:
    model, config = run.model, run.config
    parts = run.objective.projections(model, run.objective.views(batch))
    vectors = [F.normalize(part, dim=1).double() for part in parts]
    scores = [part @ model.prototypes.weight.double().T for part in vectors]
    total = 0.0
    for coded in range(2):
        earlier = [queued[coded].double() @ model.prototypes.weight.double().T] if queued else []
        codes = codes_by_products(torch.cat([*earlier, scores[coded]]), config.epsilon, config.iterations)[-16:]
        for view, own in enumerate(scores):
            if view != coded:
                total -= (codes * (own / config.temperature).log_softmax(1)).sum().item()
    return total, 16 * 2 * (len(scores) - 1)


@pytest.mark.parametrize("small", [0, 2])
def test_loss_is_that_of_the_reference(small):
    run = prepared("swav", num_small_crops=small)
    batch = run.objective.batch(0, 0, 1)
    loss = run.objective.loss(run.model, batch)
    total, count = expected_loss(run, batch)
    assert loss.count.item() == count
    assert loss.total.item() == pytest.approx(total, rel=1e-5)


def test_queued_embeddings_share_the_prototypes_once_the_queue_is_full_and_its_epoch_has_come():
    run = prepared("swav", queue=32, queue_epoch=4 / 3, epochs=3)
    task = task_of(run)
    used = []
    for step in range(6):
        batch = run.objective.batch(step, 0, 1)
        rows = [queue.rows.clone() for queue in run.model.queues]
        state = {name: part.clone() for name, part in run.model.state_dict().items()}
        loss = run.objective.loss(run.model, batch).total.item()
        plain, queued = expected_loss(run, batch)[0], expected_loss(run, batch, rows)[0]
        used.append(abs(loss - queued) < abs(loss - plain))
        assert min(abs(loss - queued), abs(loss - plain)) < 1e-4 * loss
        run.model.load_state_dict(state)
        task.step(step)
    assert used == [False] * 4 + [True] * 2
    late = prepared("swav", queue=48, queue_epoch=0.0, epochs=2)
    task = task_of(late)
    for step in range(4):
        assert bool(late.objective._queued(late.model, step)) == (step == 3)  # 3 batches fill it
        task.step(step)


def test_queue_takes_the_unit_embeddings_of_the_step_in_order():
    run = prepared("swav", queue=40)
    task = task_of(run)
    kept = []
    run.model.prototypes.register_forward_hook(lambda _, inputs, __: kept.append(inputs[0].detach().clone()))
    for step in range(3):
        task.step(step)
    for view, queue in enumerate(run.model.queues):
        pushed = F.normalize(torch.cat(kept[view::2]), dim=1)
        assert torch.allclose(queue.rows[8:40], pushed[8:40])
        assert torch.allclose(queue.rows[:8], pushed[40:])
        assert queue.is_full


def test_prototypes_stay_while_frozen_then_move_on_the_sphere():
    run = prepared("swav", freeze_epochs=1.0)
    task = task_of(run)
    first = run.model.prototypes.weight.detach().clone()
    for step in range(6):
        task.step(step)
        moved = not torch.allclose(run.model.prototypes.weight, first, atol=1e-6)
        assert moved == (step >= 3), step
        torch.testing.assert_close(run.model.prototypes.weight.norm(dim=1), torch.ones(8))


def test_interrupted_run_with_a_queue_goes_on_to_the_same_bits():
    whole, before, after = (task_of(queue_run()) for _ in range(3))
    for step in range(9):
        whole.step(step)
    for step in range(5):
        before.step(step)
    after.load_state(copied(before.state()))
    for step in range(5, 9):
        after.step(step)
    assert_same_bits(copied(after.state()), copied(whole.state()))


def test_two_processes_with_a_queue_equal_one(tmp_path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    outs = [tmp_path / f"{rank}.npz" for rank in range(2)]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.objectives.swav_queue", str(out)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank, out in enumerate(outs)
    ]
    errors = [child.communicate(timeout=300)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0], "\n".join(errors)
    run = queue_run(double=True)
    task = task_of(run)
    losses = [task.step(step) for step in range(6)]
    assert run.objective._queued(run.model, 5), "the queue is used"
    alone = {**task.state(), "losses": np.array([loss.total / loss.count for loss in losses])}
    first, second = (dict(np.load(out, allow_pickle=False)) for out in outs)
    assert first.keys() == second.keys() == alone.keys()
    for name, expected in alone.items():
        np.testing.assert_allclose(first[name], expected, rtol=1e-6, atol=1e-8, err_msg=name)
        np.testing.assert_allclose(second[name], first[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_gauge_finds_prototypes_that_nobody_uses():
    lines: list[str] = []
    run = prepared("swav", of=images(64), batch_images=64, prototypes=40)
    task = task_of(run, note=lines.append)
    with torch.no_grad():
        run.model.prototypes.weight.zero_()
        run.model.prototypes.weight[0] = 50.0
        run.model.projector.last.weight.zero_()
        run.model.projector[-1].running_mean.fill_(-1.0)  # all numbers of all projections are 1
    assert task.evaluate()["prototype_use"] == pytest.approx(1 / 40)
    remedy = "Give fewer --prototypes, a smaller --epsilon, or longer --freeze-epochs."
    assert any(line.startswith("WARNING: few prototypes are used: 2.5%") and line.endswith(remedy) for line in lines)


def test_description_says_the_loss_of_nothing_learnt():
    assert "8 prototypes; a loss that stays at ln 8 = 2.079 has learnt nothing" in prepared("swav").describe()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"prototypes": 17},
            "prototypes must be at most 16, the images of a batch and of the queue, got 17\nGive --prototypes 16",
        ),
        (
            {"prototypes": 65, "queue": 48},
            "prototypes must be at most 64, the images of a batch and of the queue, got 65",
        ),
        (
            {"queue": 15},
            "queue must be 0 or at least batch_images, 16, got 15\nGive a longer --queue, or a smaller --batch-images.",
        ),
    ],
)
def test_prototypes_and_queue_must_fit_the_batch(options, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        prepared("swav", **options)
    assert prepared("swav", prototypes=64, queue=48).model.prototypes.weight.shape == (64, 128)


def test_options_of_the_queue_runs_use_it():
    assert OPTIONS["queue"] >= OPTIONS["batch_images"]
