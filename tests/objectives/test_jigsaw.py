"""Jigsaw: the permutations that a run keeps, tiles in the order of the answer, and what it learns."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from tests.objectives.small_images import images, prepared, task_of
from textssl.errors import UsageError
from textssl.vision.images import ImageSet
from textssl.vision.tiles import maximal_permutations, shuffled


def test_permutations_are_kept_with_the_run():
    run = prepared("jigsaw", permutations=12, seed=3)
    kept = task_of(run).state()["puzzle.permutations"]
    assert np.array_equal(kept, maximal_permutations(12, seed=3))
    other = task_of(prepared("jigsaw", permutations=12, seed=4))
    assert not np.array_equal(other.state()["puzzle.permutations"], kept)
    other.load_state(task_of(run).state())
    assert np.array_equal(other.model.puzzle.permutations.numpy(), kept), "what a run was begun with stays"


def test_putting_features_in_order_equals_showing_the_tiles_in_that_order():
    run = prepared("jigsaw", images(20, size=24))
    objective, model = run.objective, run.model.eval()
    batch = objective.batch(0, 0, 1)
    pictures, answers = batch.made[0], batch.answers
    assert pictures.shape == (16, 9, 3, 6, 6)
    permutations = model.puzzle.permutations
    shown = shuffled(pictures, permutations[answers])
    joined = torch.relu(model.tiles(model.encoder(shown.flatten(0, 1)))).reshape(16, -1)
    expected = torch.relu(model.joined(joined))
    torch.testing.assert_close(objective.hidden(model, pictures, answers), expected, rtol=1e-5, atol=1e-5)
    back = shuffled(shown, permutations[answers].argsort(1))
    assert torch.equal(back, pictures), "undoing the answer gives the image back"


def test_answers_are_drawn_evenly():
    objective = prepared("jigsaw", permutations=4).objective
    numbers = np.arange(40, dtype=np.int64)
    answers = [objective.images_batch(numbers, seed=1, epoch=epoch, step=0).answers for epoch in range(25)]
    counts = torch.bincount(torch.cat(answers), minlength=4)
    assert counts.sum() == 1000
    assert (counts - 250).abs().max() < 70  # 5 standard deviations


def test_tiles_for_patches_are_multiples_of_them():
    run = prepared("jigsaw", images(20, size=36), encoder="vit", width=64, depth=1, patch=4)
    assert run.objective.tile_size == 8
    assert task_of(run).step(0).applied


@pytest.mark.parametrize(
    ("options", "size", "message"),
    [
        ({}, 5, "3 x 3 tiles of at least 2 pixels do not fit into views of 5 x 5 pixels"),
        ({"channel_shift": 2}, 15, "3 x 3 tiles of at least 2 pixels do not fit into views of 15 x 15 pixels"),
        (
            {"encoder": "vit", "width": 64, "depth": 1, "patch": 4},
            12,
            "3 x 3 tiles of at least 4 pixels do not fit into views of 12 x 12 pixels",
        ),
    ],
)
def test_images_too_small_for_tiles_are_refused(options, size, message):
    told = f"stripes: {message}\nGive larger images, a larger --view-size, or a smaller --channel-shift."
    with pytest.raises(UsageError, match=f"^{re.escape(told)}$"):
        prepared("jigsaw", images(20, size=size), **options)


def numbered_cells(num: int = 200) -> ImageSet:
    """Images of 24 x 24 whose nine cells have stripes, slanted by the cell's number, in random phases."""
    source = np.random.default_rng(0)
    rows, columns = np.mgrid[:24, :24]
    angles = (rows // 8 * 3 + columns // 8) * np.pi / 9
    phases = source.uniform(0, 2 * np.pi, (num, 1, 1))
    waves = np.sin((np.cos(angles) * rows + np.sin(angles) * columns) * 1.8 + phases)
    pixels = (127 + 120 * waves).astype(np.uint8)[..., None]
    return ImageSet(pixels, name="cells")


def test_it_learns_where_parts_belong():
    run = prepared(
        "jigsaw", numbered_cells(), width=8, epochs=8, permutations=10, crop_min=1.0, flip=0.0, learning_rate=0.01
    )
    task = task_of(run)
    for step in range(task.num_steps):
        task.step(step)
    assert task.evaluate()["pretext_accuracy"] > 0.6  # 10 % by chance


def test_description_says_tiles_permutations_and_chance():
    line = "9 tiles of 6 x 6 of a view of 24 x 24 an image, in one of 100 permutations; by chance 1.0% of the answers"
    assert any(found.startswith(line) for found in prepared("jigsaw", images(20, size=24)).describe())
