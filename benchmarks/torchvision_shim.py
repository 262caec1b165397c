"""Lets torchvision's usual wheel, which is built for CUDA, be imported beside a torch for the CPU; for peers only.

Its compiled operators cannot be loaded there, and the import ends at the two that it then describes but does not find.
Declaring them is enough for its models, transforms and data sets (torchvision 0.28.0, torch 2.13.0).
"""

from __future__ import annotations

import torch

_kept: list[torch.library.Library] = []
"""A library that is freed takes its declarations along."""


def declare_operators() -> None:
    """Declare nms and its quantised form where torchvision's own cannot be; once, before `import torchvision`."""
    if torch.version.cuda is not None or _kept:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)
