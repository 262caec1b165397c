"""Methods that compare random views of the same images: options of the views, and batches of them.

A view is a pure function of (seed, epoch, number of the image, number of the view). On the CPU the loader's threads
make views while the model learns; for another device a batch carries pixels and keys, and views are made there.
Legend: B images, C channels, H and W of the images, S side of a view.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from textssl.objectives.base_image_config import ImageConfig
from textssl.objectives.base_image_objective import ImageObjective
from textssl.vision.view_plan import ViewSettings, left_out

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_OF_VIEWS = {field.name: field for field in dataclasses.fields(ViewSettings)}


def view_option(name: str, default: float | None = None) -> Any:
    """An option of `ViewSettings`, with its help and range, and another default where one is given."""
    field = _OF_VIEWS[name]
    return dataclasses.field(default=field.default if default is None else default, metadata=field.metadata)


@dataclass(frozen=True)
class ViewConfig(ImageConfig):
    """Options of a method that learns from random views."""

    crop_min: float = view_option("crop_min")
    crop_max: float = view_option("crop_max")
    flip: float = view_option("flip")
    jitter: float = view_option("jitter")
    brightness: float = view_option("brightness")
    contrast: float = view_option("contrast")
    saturation: float = view_option("saturation")
    hue: float = view_option("hue")
    gray: float = view_option("gray")
    blur: float = view_option("blur")
    blur_min: float = view_option("blur_min")
    blur_max: float = view_option("blur_max")
    solarise: float = view_option("solarise")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.views(1)  # checks that the ranges fit together

    def views(self, size: int) -> ViewSettings:
        """How views of this size are drawn."""
        names = [name for name in _OF_VIEWS if hasattr(self, name)]
        return ViewSettings(size=size, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class ViewBatch:
    """Views of B images, or what they are made from.

    Args:
        step: of the run.
        pixels: (B, H, W, C) as they were read; (0, H, W, C) where the views are made already.
        keys: uint64 (B,) for each view.
        made: the views, float32 (B, C, S, S) each; empty as long as they are not made.
    """

    step: int
    pixels: Tensor
    keys: tuple[NDArray[np.uint64], ...]
    made: tuple[Tensor, ...]

    def to(self, device: torch.device | str) -> ViewBatch:
        """The same batch on a device."""
        moved = tuple(view.to(device) for view in self.made)
        return ViewBatch(self.step, self.pixels.to(device), self.keys, moved)


ViewConfigT = TypeVar("ViewConfigT", bound=ViewConfig)


class ViewObjective(ImageObjective[ViewConfigT, ViewBatch]):
    """A method whose loss compares views of the same images; it asks for them with `views`."""

    num_views = 2

    def view_settings(self, view: int) -> ViewSettings:
        """How view number `view` is drawn; all alike unless a method says otherwise."""
        del view
        return self.config.views(self.encoder.image_size)

    @property
    def views_per_image(self) -> float:
        """In pictures of the encoder's size; smaller crops count by their pixels."""
        sizes = [self.view_settings(view).size for view in range(self.num_views)]
        return sum((size / self.encoder.image_size) ** 2 for size in sizes)

    def describe(self) -> list[str]:
        """How views are drawn, and which options do nothing for these images."""
        settings = self.view_settings(0)
        shown = ", ".join(
            f"{name} {getattr(settings, name):g}"
            for name in ("flip", "jitter", "gray", "blur", "solarise")
            if getattr(settings, name)
        )
        crops = f"crops of {settings.crop_min:.0%} to {settings.crop_max:.0%}"
        lines = [f"{self.num_views} views of {settings.size} x {settings.size} an image: {crops}, {shown}"]
        idle = left_out(settings, self.images.channels)
        if idle:
            has = self.images.channels
            lines.append(f"{', '.join(idle)} do nothing: they are for 3 channels, the images have {has}")
        if not settings.ratio_min <= self.images.width / self.images.height <= settings.ratio_max:
            lines.append(
                "the images are far from square: views keep their proportions, whole images are squeezed to squares "
                f"where features are made; --image-size {settings.size} takes the square in their middle instead"
            )
        return lines

    def images_batch(self, numbers: NDArray[np.int64], *, seed: int, epoch: int, step: int) -> ViewBatch:
        """The views of some images."""
        import torch

        from textssl.vision.views import view_keys

        pixels = torch.from_numpy(self.images.take(numbers))
        keys = tuple(view_keys(seed, epoch, numbers, view) for view in range(self.num_views))
        batch = ViewBatch(step, pixels, keys, ())
        if not self.setting.device.startswith("cpu"):
            return batch
        return dataclasses.replace(batch, pixels=pixels[:0], made=self.views(batch))

    def views(self, batch: ViewBatch) -> tuple[Tensor, ...]:
        """The views of a batch, float32 (B, C, S, S) each."""
        from textssl.vision.views import make_views

        if batch.made:
            return batch.made
        return tuple(
            make_views(batch.pixels, keys, self.view_settings(view), **self.normalisation)
            for view, keys in enumerate(batch.keys)
        )
