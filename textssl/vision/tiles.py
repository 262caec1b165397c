"""Jigsaw puzzles: the permutations to tell apart, and the tiles of an image.

Legend: B images, C channels, H and W height and width, P tiles of an image (grid x grid), S size of a tile.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.errors import UsageError
from textssl.randomness import Purpose, random_bits, stream_key
from textssl.vision.draws import draws

Rule = Literal["mean", "min"]
MAX_CELLS = 9
"""All permutations are listed: 362,880 of 9 cells."""
_SMALLEST_VARIANCE = 1e-6


def maximal_permutations(count: int, cells: int = 9, *, seed: int = 0, rule: Rule = "mean") -> NDArray[np.int64]:
    """Permutations that differ in many places: each is the farthest from those before it.

    The first is drawn from the seed; of equally far ones the lexicographically first is taken. The sum (or the smallest
    one) of the distances to those chosen is carried on, so the work is count * cells!.

    Args:
        count: N, the number of permutations, 1 to cells!.
        cells: P, 2 to 9.
        seed: 0 to 2**64 - 1.
        rule: the Hamming distance that decides, "mean" over those chosen or "min", that to the nearest.

    Returns:
        int64 (N, P), all different; 100 of 9 by "mean" differ in 8 places on average.

    Raises:
        UsageError: a count, a number of cells or a rule that does not exist.

    Source: Noroozi and Favaro, "Unsupervised learning of visual representations by solving jigsaw puzzles"
    (arXiv 1603.09246), algorithm 1.
    """
    if not 2 <= cells <= MAX_CELLS:
        raise UsageError(f"cells must be at least 2 and at most {MAX_CELLS}, got {cells}")
    if not 1 <= count <= math.factorial(cells):
        raise UsageError(
            f"count must be at least 1 and at most {math.factorial(cells)} for {cells} cells, got {count}"
        )
    if rule not in get_args(Rule):
        raise UsageError(f"rule must be one of {', '.join(get_args(Rule))}, got {rule!r}")
    everything = itertools.chain.from_iterable(itertools.permutations(range(cells)))
    all_PX = np.ascontiguousarray(np.fromiter(everything, dtype=np.int8).reshape(-1, cells).T)  # (P, cells!)
    num_all = all_PX.shape[1]
    farness_X = np.full(num_all, 0 if rule == "mean" else cells, dtype=np.int32)
    latest = int(random_bits(stream_key(seed, Purpose.SAMPLE), 0) % np.uint64(num_all))
    chosen = [latest]
    while len(chosen) < count:
        distances_X = (all_PX != all_PX[:, latest, None]).sum(axis=0, dtype=np.int32)
        farness_X = farness_X + distances_X if rule == "mean" else np.minimum(farness_X, distances_X)
        farness_X[chosen] = -1
        latest = int(farness_X.argmax())
        chosen.append(latest)
    return np.ascontiguousarray(all_PX[:, chosen].T).astype(np.int64)


def tiles(
    images_BCHW: Tensor, keys_B: NDArray[np.uint64], *, grid: int = 3, size: int | None = None, channel_shift: int = 0
) -> Tensor:
    """Cut each image into a grid of cells and take one tile at a random place of each cell, normalised alone.

    The gap between tiles, and each tile having mean 0 and deviation 1 in each channel, keep edges and brightness from
    giving the order away; a shift of the channels does so for the colour fringes of lenses.

    Args:
        images_BCHW: float (B, C, H, W), such as random crops; what is beyond a multiple of the grid is not used.
        keys_B: uint64 (B,), from `view_keys`.
        grid: cells in a row and in a column.
        size: S, at most the size of a cell less twice the channel shift; 3/4 of a cell where it is not given.
        channel_shift: each channel of a tile moves by up to so many pixels in both directions.

    Returns:
        The type of the images, (B, P, C, S, S); cells row by row.

    Raises:
        UsageError: a size that does not fit, or keys of another number.

    Source: Noroozi and Favaro, as above, section 4.2; sizes as their 64 pixels of 85.
    """
    num_images, channels, height, width = images_BCHW.shape
    if len(keys_B) != num_images:
        raise UsageError(f"each image needs a key, got {len(keys_B)} keys for {num_images} images")
    if grid < 2:
        raise UsageError(f"grid must be at least 2, got {grid}")
    cell_height, cell_width = height // grid, width // grid
    room = min(cell_height, cell_width) - 2 * channel_shift
    size = min(round(min(cell_height, cell_width) * 3 / 4), room) if size is None else size
    if channel_shift < 0 or not 1 <= size <= room:
        raise UsageError(
            f"tiles of {size} pixels that shift by {channel_shift} do not fit into cells of "
            f"{cell_height} x {cell_width}",
            hint="Take larger images, a smaller grid, a smaller tile or no shift.",
        )
    num_cells = grid * grid
    draws_BPX = draws(keys_B, num_cells * (2 + 2 * channels)).reshape(num_images, num_cells, 2 + 2 * channels)
    gaps_2 = np.array([cell_height, cell_width]) - 2 * channel_shift - size
    places_BP2 = (draws_BPX[:, :, :2] * (gaps_2 + 1)).astype(np.int64)
    corners_P2 = np.stack(np.divmod(np.arange(num_cells), grid), axis=1) * (cell_height, cell_width)
    shifts_BPX = (draws_BPX[:, :, 2:] * (2 * channel_shift + 1)).astype(np.int64)
    shifts_BPC2 = shifts_BPX.reshape(num_images, num_cells, channels, 2)
    starts_BPC2 = torch.from_numpy((corners_P2 + places_BP2)[:, :, None] + shifts_BPC2).to(images_BCHW.device)
    return _normalised(_cut(images_BCHW, starts_BPC2, size))


def shuffled(tiles_BPX: Tensor, permutations_BP: Tensor) -> Tensor:
    """Tiles in another order: place p of image b shows its tile permutations[b, p].

    Args:
        tiles_BPX: (B, P, ...).
        permutations_BP: int64 (B, P), on the same device.

    Returns:
        The shape of the tiles.
    """
    return tiles_BPX[torch.arange(len(tiles_BPX), device=tiles_BPX.device)[:, None], permutations_BP]


def _cut(images_BCHW: Tensor, starts_BPC2: Tensor, size: int) -> Tensor:
    """The squares that begin at the given rows and columns, one for each cell and channel: (B, P, C, S, S)."""
    along_S = torch.arange(size, device=images_BCHW.device)
    rows_BPCS1 = (starts_BPC2[..., 0, None] + along_S)[..., :, None]
    columns_BPC1S = (starts_BPC2[..., 1, None] + along_S)[..., None, :]
    images_B = torch.arange(images_BCHW.shape[0], device=images_BCHW.device).reshape(-1, 1, 1, 1, 1)
    channels_C = torch.arange(images_BCHW.shape[1], device=images_BCHW.device).reshape(-1, 1, 1)
    return images_BCHW[images_B, channels_C, rows_BPCS1, columns_BPC1S]


def _normalised(tiles_BPCSS: Tensor) -> Tensor:
    """Mean 0 and deviation 1 in every channel of every tile; a tile of one colour becomes 0."""
    variance, mean = torch.var_mean(tiles_BPCSS, dim=(3, 4), keepdim=True, correction=0)
    return (tiles_BPCSS - mean) / torch.sqrt(variance + _SMALLEST_VARIANCE)
