"""Two large views of an image and some small ones: what SwAV and DINO compare ("multi-crop").

A small view shows less of the image in fewer pixels, so several cost little. The large ones say what all must predict.
Legend: B images, C channels, S side of a view, F features.
Source: Caron et al., SwAV (arXiv 2006.09882), section 3.2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from textssl.config import option
from textssl.errors import UsageError
from textssl.objectives.base_views import ViewConfig, ViewObjective
from textssl.vision.view_plan import ViewSettings

if TYPE_CHECKING:
    from torch import Tensor

    from textssl.models.base_method import MethodModel

NUM_LARGE = 2


@dataclass(frozen=True)
class CropConfig(ViewConfig):
    """Options of a method with large and small views."""

    num_small_crops: int = option(
        0, "Small views of an image beside the two large ones; then give a larger --crop-min too, 0.3.", minimum=0
    )
    small_size: int | None = option(
        None, "Side of the small views, in pixels; by default about half of the large ones'.", minimum=1
    )
    small_crop_min: float = option(0.05, "Smallest share of the image in a small view.", above=0, maximum=1)
    small_crop_max: float = option(0.3, "Largest share of the image in a small view.", above=0, maximum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.small_crop_min, self.small_crop_max
        if low > high:
            raise UsageError(f"small_crop_min must be at most small_crop_max, got {low} and {high}")


CropConfigT = TypeVar("CropConfigT", bound=CropConfig)


class CropObjective(ViewObjective[CropConfigT]):
    """A method whose views of an image are two large ones, then the small ones."""

    @property
    def num_views(self) -> int:  # type: ignore[override]  # a constant there
        """2 and the small ones."""
        return NUM_LARGE + self.config.num_small_crops

    def view_settings(self, view: int) -> ViewSettings:
        """How view number `view` is drawn."""
        large, config = super().view_settings(view), self.config
        if view < NUM_LARGE:
            return large
        shares = {"crop_min": config.small_crop_min, "crop_max": config.small_crop_max}
        return dataclasses.replace(large, size=self.small_side, **shares)

    @property
    def small_side(self) -> int:
        """S of the small views; a multiple of the patch for vit.

        Raises:
            UsageError: that of the options is none.
        """
        asked, side = self.config.small_size, self.encoder.image_size
        patch = self.encoder.patch if self.encoder.kind == "vit" else 1
        half = -(-side // (2 * patch)) * patch
        if asked is not None and asked % patch:
            raise UsageError(
                f"small_size must be a multiple of the patch, {patch}, got {asked}",
                hint=f"Give --small-size {max(1, asked // patch) * patch}.",
            )
        return asked or half

    def describe(self) -> list[str]:
        """As of all methods with views; and the small ones."""
        config, lines = self.config, super().describe()
        if config.num_small_crops:
            size = self.view_settings(NUM_LARGE).size
            shares = f"crops of {config.small_crop_min:.0%} to {config.small_crop_max:.0%}"
            lines.insert(1, f"{config.num_small_crops} of them are of {size} x {size}: {shares}")
        return lines

    def projections(self, model: MethodModel, views: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """What the projector makes of every view, (B, D) each.

        The encoder sees views of one size in one pass, the projector all of them, as in SwAV's reference; their norms
        have the statistics of what they see.
        """
        import torch

        parts = [part for part in (views[:NUM_LARGE], views[NUM_LARGE:]) if part]
        features = torch.cat([model.encoder(torch.cat(part)) for part in parts])
        vectors: tuple[Tensor, ...] = model.projector(features).chunk(len(views))
        return vectors
