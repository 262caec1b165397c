"""Small networks for images of every kind, and images for them."""

from __future__ import annotations

import torch

from textssl.models.base_images import ImageEncoder, ImageEncoderConfig, image_encoder_config, make_image_encoder

SMALL: dict[str, ImageEncoderConfig] = {
    "small_cnn": image_encoder_config("small_cnn", channels=3, image_size=12, width=4),
    "small_cnn_gray": image_encoder_config("small_cnn", channels=1, image_size=12, width=4),
    "small_cnn_bands": image_encoder_config("small_cnn", channels=5, image_size=9, width=3, depth=2),
    "resnet_18": image_encoder_config("resnet", channels=3, image_size=8, width=4),
    "resnet_50": image_encoder_config("resnet", channels=2, image_size=32, width=2, depth=50, stem="imagenet"),
    "vit": image_encoder_config("vit", channels=3, image_size=8, width=64, depth=2),
}


def encoder(name: str, seed: int = 1) -> ImageEncoder:
    return make_image_encoder(SMALL[name], seed)


def images(config: ImageEncoderConfig, count: int = 4) -> torch.Tensor:
    made = torch.Generator().manual_seed(3)
    return torch.randn(count, config.channels, config.image_size, config.image_size, generator=made)
