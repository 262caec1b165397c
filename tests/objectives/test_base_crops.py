"""Large and small views: sizes, shares, cost, and one pass of the encoder for each size."""

from __future__ import annotations

import pytest
import torch

from tests.objectives.small_images import images, prepared
from textssl.errors import UsageError
from textssl.objectives.base_crops import CropConfig


def test_small_views_follow_the_large_ones_with_their_own_size_and_shares():
    objective = prepared("swav", num_small_crops=3, crop_min=0.5).objective
    batch = objective.batch(0, 0, 1)
    assert [tuple(view.shape) for view in batch.made] == [(16, 3, 8, 8)] * 2 + [(16, 3, 4, 4)] * 3
    large, small = objective.view_settings(1), objective.view_settings(2)
    assert (large.crop_min, large.crop_max) == (0.5, 1.0)
    assert (small.size, small.crop_min, small.crop_max) == (4, 0.05, 0.3)
    assert prepared("swav", num_small_crops=1, small_size=5).objective.view_settings(2).size == 5
    assert all((one != other).any() for one, other in zip(batch.made[2:], batch.made[3:], strict=False))


def test_small_views_cost_by_their_pixels_and_are_described():
    objective = prepared("swav", num_small_crops=4).objective
    assert objective.views_per_image == 2 + 4 / 4
    lines = objective.describe()
    assert lines[0].startswith("6 views of 8 x 8 an image: crops of 8% to 100%")
    assert lines[1] == "4 of them are of 4 x 4: crops of 5% to 30%"
    assert not any("of them are" in line for line in prepared("swav").objective.describe())


def test_each_size_passes_the_encoder_once_and_the_projector_sees_all():
    run = prepared("swav", num_small_crops=2)
    passed = {"encoder": [], "projector": []}
    for name, shapes in passed.items():
        part = getattr(run.model, name)
        part.register_forward_pre_hook(lambda _, inputs, shapes=shapes: shapes.append(tuple(inputs[0].shape)))
    batch = run.objective.batch(0, 0, 1)
    vectors = run.objective.projections(run.model, run.objective.views(batch))
    assert passed == {"encoder": [(32, 3, 8, 8), (32, 3, 4, 4)], "projector": [(64, 8)]}
    assert [len(part) for part in vectors] == [16] * 4
    run.model.eval()
    with torch.no_grad():
        whole, alone = (
            run.objective.projections(run.model, run.objective.views(batch))[3],
            run.model.projector(run.model.encoder(batch.made[3])),
        )
    torch.testing.assert_close(whole, alone)


def test_small_views_of_a_vit_are_whole_patches():
    vit = {"encoder": "vit", "width": 64, "depth": 1, "patch": 4, "num_small_crops": 1}
    run = prepared("swav", images(size=12), **vit)
    assert run.objective.view_settings(2).size == 8
    assert run.objective.loss(run.model, run.objective.batch(0, 0, 1)).total.isfinite()
    message = "small_size must be a multiple of the patch, 4, got 6\nGive --small-size 4."
    with pytest.raises(UsageError, match=message):
        prepared("swav", images(size=12), small_size=6, **vit)


def test_shares_of_small_views_must_fit_together():
    message = r"small_crop_min must be at most small_crop_max, got 0\.5 and 0\.3"
    with pytest.raises(UsageError, match=message):
        CropConfig(small_crop_min=0.5)
