"""Random views of small images, by textssl, lightly, kornia and albumentations: for each a loader or a timing.

    python -m benchmarks.vision_views '{"library": "kornia", "images": "IMAGES.npz", "seconds": 5}'

Prints one JSON line: views per second of processor time, one thread. Needs the library named alone. All draw crops of
8 to 100 % of the area, flips, jitter of 0.4, 0.4, 0.4, 0.1 in four of five views, and gray in one of five; no blur.
For gray images hue, saturation and gray do nothing and are left out where a library lets one choose.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 256
SIDES = (3 / 4, 4 / 3)
AREA = (0.08, 1.0)


def statistics_of(pixels: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel of images scaled to 0 to 1."""
    scaled = pixels[:2000].astype(np.float64) / 255
    return scaled.mean((0, 1, 2)).tolist(), scaled.std((0, 1, 2)).tolist()


def lightly_transform(pixels: NDArray[np.uint8]) -> Callable[[Any], Any]:
    """SimCLRTransform: a PIL image in, two tensors out; the strength that lightly advises for small images."""
    from benchmarks.torchvision_shim import declare_operators

    declare_operators()
    from lightly.transforms import SimCLRTransform

    mean, std = statistics_of(pixels)
    made: Callable[[Any], Any] = SimCLRTransform(
        input_size=pixels.shape[1], cj_strength=0.5, gaussian_blur=0.0, normalize={"mean": mean, "std": std}
    )
    return made


def albumentations_transform(pixels: NDArray[np.uint8]) -> Callable[[Any], Any]:
    """A PIL image in, two tensors out, by OpenCV."""
    import albumentations as A
    import cv2
    import torch

    cv2.setNumThreads(1)
    mean, std = statistics_of(pixels)
    is_gray, side = pixels.shape[3] == 1, pixels.shape[1]
    colours = (
        [A.RandomBrightnessContrast(0.4, 0.4, p=0.8)]
        if is_gray
        else [A.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=0.8), A.ToGray(p=0.2)]
    )
    steps = [A.RandomResizedCrop(size=(side, side), scale=AREA, ratio=SIDES), A.HorizontalFlip(p=0.5), *colours]
    one = A.Compose([*steps, A.Normalize(mean=mean, std=std)])

    def two(image: Any) -> list[Any]:
        array = np.asarray(image).reshape(side, side, -1)
        return [torch.from_numpy(one(image=array)["image"].reshape(side, side, -1).transpose(2, 0, 1)) for _ in "12"]

    return two


def kornia_views(pixels: NDArray[np.uint8]) -> Callable[[Any], Any]:
    """A batch uint8 (B, C, H, W) in, its views float32 out; parameters differ from image to image."""
    import kornia.augmentation as K
    import torch

    mean, std = statistics_of(pixels)
    is_gray, side = pixels.shape[3] == 1, pixels.shape[1]
    colours = (
        [K.RandomBrightness((0.6, 1.4), p=0.8), K.RandomContrast((0.6, 1.4), p=0.8)]
        if is_gray
        else [K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), K.RandomGrayscale(p=0.2)]
    )
    steps = torch.nn.Sequential(
        K.RandomResizedCrop((side, side), scale=AREA, ratio=SIDES), K.RandomHorizontalFlip(), *colours,
        K.Normalize(torch.tensor(mean), torch.tensor(std)),
    )  # fmt: skip

    def views(images: Any) -> Any:
        with torch.no_grad():
            return steps(images.float() / 255)

    return views


def _one_by_one(transform: Callable[[Any], Any], pixels: NDArray[np.uint8]) -> Callable[[int], int]:
    from PIL import Image

    pictures = [Image.fromarray(image.squeeze()) for image in pixels]

    def once(number: int) -> int:
        for image in range(BATCH):
            transform(pictures[(number * BATCH + image) % len(pictures)])
        return 2 * BATCH

    return once


def _by_kornia(pixels: NDArray[np.uint8]) -> Callable[[int], int]:
    import torch

    views = kornia_views(pixels)
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))

    def once(number: int) -> int:
        start = number * BATCH % (len(images) - BATCH + 1)
        return len(views(images[start : start + BATCH]))

    return once


def _by_textssl(pixels: NDArray[np.uint8]) -> Callable[[int], int]:
    import torch

    from textssl.vision.views import ViewSettings, make_views, view_keys

    mean, std = statistics_of(pixels)
    images, settings = torch.from_numpy(pixels), ViewSettings(size=pixels.shape[1])

    def once(number: int) -> int:
        start = number * BATCH % (len(images) - BATCH + 1)
        keys = view_keys(1, number, np.arange(start, start + BATCH), 0)
        chosen = images[start : start + BATCH]
        return len(make_views(chosen, keys, settings, mean_C=mean, std_C=std, scale=255.0))

    return once


LIBRARIES: dict[str, Callable[[NDArray[np.uint8]], Callable[[int], int]]] = {
    "textssl": _by_textssl,
    "lightly": lambda pixels: _one_by_one(lightly_transform(pixels), pixels),
    "kornia": _by_kornia,
    "albumentations": lambda pixels: _one_by_one(albumentations_transform(pixels), pixels),
}


def measured(library: str, pixels: NDArray[np.uint8], seconds: float) -> float:
    """Views per second of processor time, after a first batch that loads and compiles."""
    once = LIBRARIES[library](pixels)
    once(0)
    start, made, number = time.process_time(), 0, 1
    while time.process_time() - start < seconds:
        made += once(number)
        number += 1
    return made / (time.process_time() - start)


def main() -> None:
    import torch

    settings = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    pixels = np.load(settings["images"], allow_pickle=False)["images"]
    print(json.dumps({"views_per_s": measured(settings["library"], pixels, settings["seconds"])}))


if __name__ == "__main__":
    main()
