"""Jigsaw: the set of permutations against its known distances, tiles where they should be, and every message."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textssl.errors import UsageError  # noqa: E402
from textssl.vision.draws import view_keys  # noqa: E402
from textssl.vision.tiles import maximal_permutations, shuffled, tiles  # noqa: E402


def distances_of(permutations):
    pairs = itertools.combinations(range(len(permutations)), 2)
    return np.array([(permutations[a] != permutations[b]).sum() for a, b in pairs])


def images_of(num_images=6, channels=3, height=30, width=33):
    """Values that say where they stood: 1000 * channel + 40 * row + column."""
    image = 1000 * torch.arange(channels)[:, None, None] + 40 * torch.arange(height)[:, None] + torch.arange(width)
    return image.float().expand(num_images, -1, -1, -1)


def keys_of(num_images=6, view=0):
    return view_keys(1, 0, np.arange(num_images), view)


def test_permutations_of_the_mean_rule_differ_in_eight_of_nine_places():
    permutations = maximal_permutations(100, seed=3)
    assert permutations.shape == (100, 9)
    assert permutations.dtype == np.int64
    assert (np.sort(permutations, axis=1) == np.arange(9)).all()
    assert len({tuple(row) for row in permutations.tolist()}) == 100
    assert 7.95 < distances_of(permutations).mean() < 8.15
    assert np.array_equal(maximal_permutations(100, seed=3), permutations)
    assert np.array_equal(maximal_permutations(20, seed=3), permutations[:20])


def test_permutations_of_the_min_rule_have_the_larger_smallest_distance():
    nearest = {rule: distances_of(maximal_permutations(60, seed=1, rule=rule)).min() for rule in ("mean", "min")}
    assert nearest["min"] > nearest["mean"]
    assert nearest["min"] >= 7


def test_permutations_equal_a_search_from_scratch():
    everything = list(itertools.permutations(range(4)))
    chosen = [tuple(row) for row in maximal_permutations(12, 4, seed=5).tolist()]
    for count in range(1, 12):
        far = [
            -1 if p in chosen[:count] else sum(sum(a != b for a, b in zip(p, q, strict=True)) for q in chosen[:count])
            for p in everything
        ]
        assert chosen[count] == everything[int(np.argmax(far))]


def test_all_permutations_can_be_asked_for():
    assert len({tuple(row) for row in maximal_permutations(24, 4).tolist()}) == 24
    assert {maximal_permutations(1, 4, seed=seed)[0].tobytes() for seed in range(20)}.__len__() > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1 and at most 362880 for 9 cells, got 0"),
        ({"count": 25, "cells": 4}, "count must be at least 1 and at most 24 for 4 cells, got 25"),
        ({"count": 1, "cells": 16}, "cells must be at least 2 and at most 9, got 16"),
        ({"count": 1, "rule": "max"}, "rule must be one of mean, min, got 'max'"),
    ],
)
def test_permutations_refuse(arguments, message):
    with pytest.raises(UsageError, match=message):
        maximal_permutations(**arguments)


def corners_of(images, given, size):
    """The row and column of the cut that gives each tile, found by trying all of them."""
    found = np.full((*given.shape[:3], 2), -1)
    normalised = {}
    for row in range(images.shape[2] - size + 1):
        for column in range(images.shape[3] - size + 1):
            normalised[row, column] = images[:, :, row : row + size, column : column + size]
    for (row, column), cut in normalised.items():
        centred = (cut - cut.mean(dim=(2, 3), keepdim=True)) / cut.std(dim=(2, 3), keepdim=True, correction=0)
        same = torch.isclose(given, centred[:, None], atol=1e-3).all(dim=4).all(dim=3).numpy()
        found[same] = (row, column)
    return found


def test_tiles_lie_in_their_cells():
    images = torch.rand(6, 3, 30, 33, generator=torch.Generator().manual_seed(0))
    given = tiles(images, keys_of(), size=7)
    assert given.shape == (6, 9, 3, 7, 7)
    corners = corners_of(images, given, 7)
    assert (corners == corners[:, :, :1]).all(), "all channels of a tile from one place"
    cells = np.stack(np.divmod(np.arange(9), 3), axis=1) * (10, 11)
    gaps = corners[:, :, 0] - cells
    assert gaps.min() == 0
    assert (gaps <= (3, 4)).all()
    assert len(np.unique(gaps.reshape(-1, 2), axis=0)) > 10


def test_tiles_are_normalised_alone_and_a_flat_one_is_zero():
    given = tiles(images_of(), keys_of())
    assert given.shape == (6, 9, 3, 8, 8)  # 3/4 of 10
    torch.testing.assert_close(given.mean(dim=(3, 4)), torch.zeros(6, 9, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(given.std(dim=(3, 4), correction=0), torch.ones(6, 9, 3), atol=1e-4, rtol=0)
    assert (tiles(torch.full((1, 1, 9, 9), 0.7), keys_of(1)) == 0).all()


def test_tiles_of_a_batch_equal_those_of_single_images():
    images = torch.rand(6, 3, 30, 33, generator=torch.Generator().manual_seed(0))
    together = tiles(images, keys_of(), channel_shift=1)
    for image in range(6):
        alone = tiles(images[image : image + 1], keys_of()[image : image + 1], channel_shift=1)
        torch.testing.assert_close(alone[0], together[image], atol=1e-6, rtol=0)
    assert not torch.equal(tiles(images, keys_of(view=1), channel_shift=1), together)


def test_channels_shift_apart():
    images = torch.rand(6, 3, 30, 33, generator=torch.Generator().manual_seed(0))
    corners = corners_of(images, tiles(images, keys_of(), size=5, channel_shift=2), 5)
    apart = corners - corners[:, :, :1]
    assert np.abs(apart).max() in (3, 4)
    cells = np.stack(np.divmod(np.arange(9), 3), axis=1)[:, None] * (10, 11)
    assert (corners - cells >= 0).all()
    assert (corners - cells + 5 <= (10, 11)).all()


def test_shuffled_puts_tiles_where_the_permutation_says():
    numbers = torch.arange(18).reshape(2, 9, 1)
    permutations = torch.from_numpy(maximal_permutations(2, seed=1))
    assert torch.equal(shuffled(numbers, permutations)[..., 0], permutations + torch.tensor([[0], [9]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 11}, "tiles of 11 pixels that shift by 0 do not fit into cells of 10 x 11"),
        ({"size": 8, "channel_shift": 2}, "tiles of 8 pixels that shift by 2 do not fit into cells of 10 x 11"),
        ({"channel_shift": 5}, "(?s)tiles of 0 pixels that shift by 5 do not fit.*Take larger images"),
        ({"grid": 1}, "grid must be at least 2, got 1"),
    ],
)
def test_tiles_refuse(arguments, message):
    with pytest.raises(UsageError, match=message):
        tiles(images_of(), keys_of(), **arguments)


def test_tiles_refuse_another_number_of_keys():
    with pytest.raises(UsageError, match="each image needs a key, got 4 keys for 6 images"):
        tiles(images_of(), keys_of(4))
