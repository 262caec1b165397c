"""Residual networks of 18 or 50 layers, with a stem for small images or the one made for ImageNet.

    x = relu(branch(x) + x)     branch: two 3x3 filters (18), or 1x1, 3x3, 1x1 (50); norms behind all of them

Parameters are named as in torchvision's resnet18 and resnet50, without `fc`; the stride of a bottleneck is in its 3x3
filter, as there.
Legend: B images, C channels, H rows, W columns, F features.
Source: He et al. (arXiv 1512.03385), table 1; the stem for small images: Chen et al., SimCLR (arXiv 2002.05709),
appendix B.9: 3x3 filters of stride 1 and no pooling.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from textssl.errors import UsageError
from textssl.models.base_images import ImageEncoder, ImageEncoderConfig
from textssl.models.base_norm import BatchNorm2d

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
EXPANSION = {18: 1, 50: 4}


class ResNet(ImageEncoder):
    """A stem, four stages of blocks, and the mean over the map.

    Args:
        config: depth is 18 or 50, width the channels of the first stage; F = 8 * width, or 32 * width at depth 50.

    Raises:
        UsageError: the depth is another one.
    """

    USUAL = {"width": 64, "depth": 18}

    def __init__(self, config: ImageEncoderConfig) -> None:
        if config.depth not in BLOCKS:
            raise UsageError(f"depth of resnet must be one of {', '.join(map(str, BLOCKS))}; got {config.depth}")
        width, expansion = config.width, EXPANSION[config.depth]
        super().__init__(config, 8 * width * expansion)
        large = config.stem == "imagenet"
        kernel, stride = (7, 2) if large else (3, 1)
        self.conv1 = _filters(config.channels, width, kernel, stride)
        self.bn1 = BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        stages = [width * expansion << number for number in range(4)]
        for number, (before, after) in enumerate(pairwise([width, *stages])):
            blocks = BLOCKS[config.depth][number]
            first = _Block(before, after, stride=1 if number == 0 else 2, expansion=expansion)
            others = (_Block(after, after, stride=1, expansion=expansion) for _ in range(blocks - 1))
            self.add_module(f"layer{number + 1}", nn.Sequential(first, *others))

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W)."""
        maps_BCHW = images.contiguous(memory_format=torch.channels_last)
        maps_BCHW = self.maxpool(torch.relu_(self.bn1(self.conv1(maps_BCHW))))
        for number in range(1, 5):
            maps_BCHW = self.get_submodule(f"layer{number}")(maps_BCHW)
        return maps_BCHW.mean((2, 3))


class _Block(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """One residual block; with expansion 4 the branch is narrow inside."""

    def __init__(self, before: int, after: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inner = after // expansion
        if expansion == 1:
            parts = [(before, inner, 3, stride), (inner, after, 3, 1)]
        else:
            parts = [(before, inner, 1, 1), (inner, inner, 3, stride), (inner, after, 1, 1)]
        self.num_layers = len(parts)
        for number, part in enumerate(parts, 1):
            self.add_module(f"conv{number}", _filters(*part))
            self.add_module(f"bn{number}", BatchNorm2d(part[1]))
        changed = stride > 1 or before != after
        self.downsample = nn.Sequential(_Thinning(before, after, stride), BatchNorm2d(after)) if changed else None

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """relu(branch + stream)."""
        branch_BCHW = maps_BCHW
        for number in range(1, self.num_layers + 1):
            branch_BCHW = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(branch_BCHW))
            if number < self.num_layers:
                branch_BCHW = torch.relu_(branch_BCHW)
        stream_BCHW = maps_BCHW if self.downsample is None else self.downsample(maps_BCHW)
        return torch.relu_(branch_BCHW + stream_BCHW)


class _Thinning(nn.Conv2d):  # type: ignore[misc]  # torch is not followed by mypy here
    """A 1x1 filter with a stride: a choice of places, then a filter of stride 1.

    oneDNN's own kernel for it (torch 2.13, AVX2, channels last) writes past its memory in the backward pass from 4
    channels to 8, and aborts the process.
    """

    def __init__(self, before: int, after: int, step: int) -> None:
        super().__init__(before, after, 1, bias=False)
        self.step = step

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / step, W / step), rounded up."""
        return super().forward(maps_BCHW[:, :, :: self.step, :: self.step])


def _filters(before: int, after: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
