"""A network of one's own as an encoder for images: any module that makes one vector of an image.

Its weights are saved under their own names, so the file opens in the module as it is. Legend: B images, C channels, H
rows, W columns, F features.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, distributed, nn

from textssl.errors import UsageError
from textssl.models.base_images import ImageEncoder, ImageEncoderConfig
from textssl.models.base_norm import BatchNorm1d, BatchNorm2d

MEASURED_IMAGES = 2


class OwnEncoder(ImageEncoder):
    """An encoder around a copy of a module, with the weights that the module has; the module stays as it is.

    Args:
        network: features (B, F), floating, of images (B, C, H, W), float32 and standardised.
        config: of kind "own"; channels and image_size say what the module is given.

    Raises:
        UsageError: the module makes something else of two blank images, or its norms would see the images of one
            process only where several train together.
    """

    def __init__(self, network: nn.Module, config: ImageEncoderConfig) -> None:
        network = copy.deepcopy(network).cpu()
        super().__init__(config, _feature_width(network, config))
        self.network = network
        _refuse_lonely_norms(network)

    @property
    def title(self) -> str:
        """The class of the module."""
        return f"{type(self.network).__name__} of your own"

    @property
    def saved(self) -> nn.Module:
        """The module, so that its file opens in it as it is."""
        return self.network

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W)."""
        return self.network(images)


def _feature_width(network: nn.Module, config: ImageEncoderConfig) -> int:
    size, was_training = config.image_size, network.training
    shape = (MEASURED_IMAGES, config.channels, size, size)
    try:
        with torch.no_grad():
            made = network.eval()(torch.zeros(shape))
    except RuntimeError as error:
        raise UsageError(f"encoder cannot read images of the shape {shape}: {error}") from error
    finally:
        network.train(was_training)
    is_matrix = isinstance(made, Tensor) and made.dim() == 2 and len(made) == MEASURED_IMAGES
    if not is_matrix or not made.is_floating_point():
        found = f"{made.dtype} of the shape {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
        raise UsageError(
            f"encoder must make floating features of the shape ({MEASURED_IMAGES}, F) of images {shape}, got {found}",
            hint="Pool and flatten at its end, and leave a classifier out.",
        )
    return int(made.shape[1])


def _refuse_lonely_norms(network: nn.Module) -> None:
    ready = distributed.is_available() and distributed.is_initialized()
    if not ready or distributed.get_world_size() == 1:
        return
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, BatchNorm1d | BatchNorm2d):
            raise UsageError(
                f"{name} of the encoder would normalise the images of one process only",
                hint="Build it from textssl.models.base_norm's BatchNorm1d and BatchNorm2d, or train by one process.",
            )
