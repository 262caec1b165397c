"""Vision transformer: patches of an image as tokens, and one token more whose last vector is the image's.

    x = [cls; patches W] + places;   x += attention(norm(x));   x += W2 gelu(W1 norm(x));   features = norm(x)_cls

Parameters are named as in timm's vit_tiny, without `head`.
Legend: B images, C channels, H rows, W columns, T tokens, D width, G patches of a side.
Source: Dosovitskiy et al. (arXiv 2010.11929), section 3.1; tiny (D 192, 12 layers, 3 heads): Touvron et al., DeiT
(arXiv 2012.12877), table 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.models.base import check_divides
from textssl.models.base_images import ImageEncoder, ImageEncoderConfig

HEAD_WIDTH = 64
DEVIATION = 0.02


class VisionTransformer(ImageEncoder):
    """Blocks over patches.

    Args:
        config: width is D, a multiple of 64, the width of a head; depth the number of blocks; patch divides
            image_size. F = D.

    Raises:
        UsageError: one of these does not divide the other.
    """

    USUAL = {"width": 192, "depth": 12}

    def __init__(self, config: ImageEncoderConfig) -> None:
        check_divides(HEAD_WIDTH, config.width, (f"the head width {HEAD_WIDTH}", "width of vit"))
        check_divides(config.patch, config.image_size, ("patch", "image_size"))
        super().__init__(config, config.width)
        width = config.width
        self.side = config.image_size // config.patch
        self.patch_embed = _Patches(config)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, self.side**2 + 1, width))
        self.blocks = nn.ModuleList(_Block(width) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def deviation(self, name: str, parameter: Tensor) -> float:
        """0.02, as in timm."""
        return DEVIATION

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, C, H, W), H and W multiples of the patch.

        Raises:
            UsageError: they are none.
        """
        patches_BDHW = self.patch_embed(images)
        places_1TD = self._places(*patches_BDHW.shape[2:])
        patches_BTD = patches_BDHW.flatten(2).transpose(1, 2)
        hidden_BTD = torch.cat([self.cls_token.expand(len(images), -1, -1), patches_BTD], 1) + places_1TD
        for block in self.blocks:
            hidden_BTD = block(hidden_BTD)
        return self.norm(hidden_BTD[:, 0])

    def _places(self, rows: int, columns: int) -> Tensor:
        """The vectors of the places, stretched to a grid of another size."""
        if rows == columns == self.side:
            return self.pos_embed
        first_11D, grid_1TD = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        grid_1DGG = grid_1TD.transpose(1, 2).unflatten(2, (self.side, self.side))
        stretched_1DHW = F.interpolate(grid_1DGG, size=(rows, columns), mode="bicubic", align_corners=False)
        return torch.cat([first_11D, stretched_1DHW.flatten(2).transpose(1, 2)], 1)


class _Patches(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.patch = config.patch
        self.proj = nn.Conv2d(config.channels, config.width, config.patch, stride=config.patch)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H / patch, W / patch)."""
        if images.shape[2] % self.patch or images.shape[3] % self.patch:
            size = "x".join(map(str, images.shape[2:]))
            raise UsageError(f"rows and columns of images must be multiples of the patch {self.patch}, got {size}")
        return self.proj(images)


class _Block(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _FeedForward(width)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        hidden_BTD = hidden_BTD + self.attn(self.norm1(hidden_BTD))
        return hidden_BTD + self.mlp(self.norm2(hidden_BTD))


class _Attention(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """Every token sees every other."""
        heads_BTPHC = self.qkv(hidden_BTD).unflatten(2, (3, self.heads, HEAD_WIDTH))
        queries, keys, values = heads_BTPHC.permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """W2 gelu(W1 x)."""
        return self.fc2(F.gelu(self.fc1(hidden_BTD)))
