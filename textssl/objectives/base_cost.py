"""What a step of a network for images takes, measured on a few images: operations, and memory for going back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

FORWARD_AND_BACKWARD = 3
"""The gradients of inputs and of weights cost as many operations as the forward pass, each."""
MEASURED_IMAGES = 2


def operations_per_image(encoder: nn.Module, shape: tuple[int, int, int]) -> float:
    """Operations of convolutions and products for one image, forward and backward.

    Args:
        encoder: on the CPU.
        shape: C, H, W of an image.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        _forward(encoder, shape)
    return float(FORWARD_AND_BACKWARD * counter.get_total_flops() / MEASURED_IMAGES)


def memory_bytes_per_image(encoder: nn.Module, shape: tuple[int, int, int]) -> float:
    """What is kept of one image for the backward pass; the parameters are not counted."""
    import torch

    parameters = {part.untyped_storage().data_ptr() for part in encoder.state_dict(keep_vars=True).values()}
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        features = _forward(encoder, shape)  # held, so that no memory is used twice
    del features
    return sum(kept.values()) / MEASURED_IMAGES


def _forward(encoder: nn.Module, shape: tuple[int, int, int]) -> Any:
    """Features of blank images, by the running statistics, which stay as they are."""
    import torch

    was_training = encoder.training
    features = encoder.eval()(torch.zeros(MEASURED_IMAGES, *shape))
    encoder.train(was_training)
    return features
