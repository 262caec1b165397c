"""Small network for small images: convolutions of stride 2 with norms, widths w, 2 w, 4 w, and the mean over the map.

    x = relu(norm(conv(x)))  three times;   features = mean over rows and columns

Legend: B images, C channels, H rows, W columns, F features.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.models.base_images import ImageEncoder, ImageEncoderConfig
from textssl.models.base_norm import BatchNorm2d


class SmallCNN(ImageEncoder):
    """`depth` blocks of 3x3 filters, each with twice the channels and half the rows of the one before.

    Args:
        config: width is w, depth the number of blocks; F = w * 2**(depth - 1).
    """

    USUAL = {"width": 32, "depth": 3}

    def __init__(self, config: ImageEncoderConfig) -> None:
        widths = [config.channels, *(config.width << number for number in range(config.depth))]
        super().__init__(config, widths[-1])
        for number, (before, after) in enumerate(pairwise(widths), 1):
            self.add_module(f"conv{number}", _Filters(before, after, 3, stride=2, padding=1, bias=False))
            self.add_module(f"bn{number}", BatchNorm2d(after))

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W)."""
        maps_BCHW = images.contiguous(memory_format=torch.channels_last)  # 1.2 times as fast on a CPU
        for number in range(1, self.config.depth + 1):
            maps_BCHW = self.get_submodule(f"conv{number}")(maps_BCHW)
            maps_BCHW = torch.relu_(self.get_submodule(f"bn{number}")(maps_BCHW))
        return maps_BCHW.mean((2, 3))


class _Filters(nn.Conv2d):  # type: ignore[misc]  # torch is not followed by mypy here
    """Filters; for gray images on a CPU with a channel of zeros beside the one.

    oneDNN takes 31 ms forth and back for 512 images of 28x28 pixels with one channel, 13 ms with two.
    """

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / 2, W / 2), rounded up."""
        if self.in_channels > 1 or maps_BCHW.device.type != "cpu" or maps_BCHW.shape[1] != 1:
            return super().forward(maps_BCHW)
        both_B2HW = torch.cat([maps_BCHW, torch.zeros_like(maps_BCHW)], 1)
        both_B2HW = both_B2HW.contiguous(memory_format=torch.channels_last)
        return F.conv2d(both_B2HW, F.pad(self.weight, (0, 0, 0, 0, 0, 1)), stride=self.stride, padding=self.padding)
