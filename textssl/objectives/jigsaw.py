"""Jigsaw: tell in which of some permutations the nine tiles of an image stand.

Each tile is cut at a random place of its cell and normalised alone. All go through the same encoder, one by one; their
features are put in the order of the permutation and joined, which equals showing the tiles in that order.
Recipe: tiles of 3/4 of a cell, permutations of greatest Hamming distance, a layer on each tile and one on all of them;
gray images in place of colour for 30 % of them. The reference shifts channels by 2 of 64 pixels (`--channel-shift`).
Source: Noroozi and Favaro (arXiv 1603.09246), sections 3 and 4.2; 100 permutations do as well as more: Goyal et al.
(arXiv 1905.01235), model zoo of VISSL.
Legend: B images, P tiles, C channels, S side of a tile, F features, D width of a tile's vector.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.config import option
from textssl.errors import UsageError
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun
from textssl.objectives.base_pretext import PretextConfig, PretextObjective, Streams, prepare_pretext
from textssl.objectives.base_views import view_option
from textssl.vision.images import ImageSource, image_set

if TYPE_CHECKING:
    from torch import Tensor, nn

    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

GRID = 3
NUM_TILES = GRID * GRID
SMALLEST_TILE = 2
"""A tile of one pixel is 0 when it is normalised."""
MOST_SIZE = 96
"""Of a view in pixels, unless `--view-size` says otherwise."""
TILE_SHARE = 3 / 4


@dataclass(frozen=True)
class JigsawConfig(PretextConfig):
    """Options of jigsaw."""

    gray: float = view_option("gray", 0.3)
    permutations: int = option(100, "How many there are to tell apart.", minimum=2, maximum=10_000)
    channel_shift: int = option(0, "Channels of a tile move apart by up to so many pixels.", minimum=0)
    tile_width: int = option(64, "Numbers that are kept of each tile.", minimum=1)
    hidden_width: int = option(256, "Width of the layer that sees all tiles.", minimum=1)


class Jigsaw:
    """An encoder learns the parts of things, and how they lie to each other."""

    Config = JigsawConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: JigsawConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready.

        Raises:
            UsageError: the images are too small for tiles, or as of `ImageRun`.
        """
        return prepare_pretext(image_set(source), config, setting, _Puzzles, most_size=MOST_SIZE)


class _Puzzles(PretextObjective[JigsawConfig]):
    """Batches of tiles, a function of (seed, step); the permutations lie in the model, so that a run keeps its own."""

    remedy = "Train longer (--epochs), or give fewer --permutations or a larger --crop-min."

    @property
    def num_answers(self) -> int:
        return self.config.permutations

    @functools.cached_property
    def tile_size(self) -> int:
        """S; a multiple of the patch for vit."""
        side, shift, kind = self.encoder.image_size, self.config.channel_shift, self.encoder.kind
        cell, least = side // GRID, self.encoder.patch if kind == "vit" else SMALLEST_TILE
        size = min(round(cell * TILE_SHARE), cell - 2 * shift)
        size -= size % self.encoder.patch if kind == "vit" else 0
        if size < least:
            raise UsageError(
                f"{GRID} x {GRID} tiles of at least {least} pixels do not fit into views of {side} x {side} pixels",
                where=self.images.name,
                hint="Give larger images, a larger --view-size, or a smaller --channel-shift.",
            )
        return size

    @property
    def views_per_image(self) -> float:
        return NUM_TILES * (self.tile_size / self.encoder.image_size) ** 2

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from torch import nn

        from textssl.models.base_projection import Projector

        config = self.config
        return self.filled(
            {
                "tiles": Projector((encoder.feature_width, config.tile_width), last_norm="affine"),
                "joined": Projector((NUM_TILES * config.tile_width, config.hidden_width), last_norm="affine"),
                "classes": nn.Linear(config.hidden_width, config.permutations),
                "puzzle": _puzzle(config.permutations, self.setting.seed),
            }
        )

    def describe(self) -> list[str]:
        side, size = self.encoder.image_size, self.tile_size
        tiles = f"{NUM_TILES} tiles of {size} x {size} of a view of {side} x {side} an image"
        chance = f"by chance {self.chance:.1%} of the answers are right"
        return [f"{tiles}, in one of {self.num_answers:,} permutations; {chance}"]

    def questions(
        self, numbers: NDArray[np.int64], streams: Streams
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        from textssl.vision.draws import draws

        return numbers, (draws(streams.answers, 1)[:, 0] * self.num_answers).astype(np.int64)

    def pictures(self, pixels: Tensor, streams: Streams) -> Tensor:
        """(B, P, C, S, S), the tiles of each image in their true order."""
        from textssl.vision.tiles import tiles
        from textssl.vision.views import make_views

        settings = self.config.views(self.encoder.image_size)
        views_BCHW = make_views(pixels, streams.views, settings, **self.normalisation)
        shift = self.config.channel_shift
        return tiles(views_BCHW, streams.places, grid=GRID, size=self.tile_size, channel_shift=shift)

    def hidden(self, model: MethodModel, pictures: Tensor, answers_Q: Tensor) -> Tensor:
        import torch

        from textssl.vision.tiles import shuffled

        features_XF = model.encoder(pictures.flatten(0, 1))  # (B * P, F)
        tiles_BPD = torch.relu(model.tiles(features_XF)).unflatten(0, (-1, NUM_TILES))
        shown_BPD = shuffled(tiles_BPD, model.puzzle.permutations[answers_Q])
        return torch.relu(model.joined(shown_BPD.flatten(1)))


def _puzzle(count: int, seed: int) -> nn.Module:
    """A module without parameters that holds the permutations, int64 (K, P)."""
    import torch
    from torch import nn

    puzzle = nn.Module()
    puzzle.register_buffer("permutations", torch.from_numpy(_permutations(count, seed).copy()))
    return puzzle


@functools.lru_cache(maxsize=4)
def _permutations(count: int, seed: int) -> NDArray[np.int64]:
    from textssl.vision.tiles import maximal_permutations

    return maximal_permutations(count, NUM_TILES, seed=seed)
