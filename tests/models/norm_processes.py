"""One of two processes that share a batch of a network with norms. Not a test itself.

Arguments: rank, file of the rendezvous, file for the result.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from textssl.errors import UsageError
from textssl.models.base_images import image_encoder_config, make_image_encoder
from textssl.models.base_norm import BatchNorm1d, split_batches
from textssl.models.base_projection import Projector, initialise_parts

SHARES = ((0, 3), (3, 8))


def network() -> nn.Module:
    """Norms of maps and of rows, with and without an affine part, in float64."""
    encoder = make_image_encoder(image_encoder_config("small_cnn", channels=2, image_size=8, width=3, depth=2), 3)
    projector = Projector((6, 5, 4), last_norm="plain")
    initialise_parts({"projector": projector}, seed=4)
    return nn.Sequential(encoder, projector).double()


def batch() -> tuple[Tensor, Tensor]:
    """Images of both processes, unequally many, and what their outputs are multiplied with."""
    made = torch.Generator().manual_seed(2)
    return tuple(torch.randn(shape, generator=made, dtype=torch.float64) for shape in ((8, 2, 8, 8), (8, 4)))


def outcome(images: Tensor, factors: Tensor) -> dict[str, list]:
    """Outputs, the gradient of the images and of all parameters, and the buffers afterwards."""
    model, images = network(), images.clone().requires_grad_()
    made = model(images)
    (made * factors).sum().backward()
    gradients = {f"gradient of {name}": part.grad for name, part in model.named_parameters()}
    parts = {"outputs": made.detach(), "images": images.grad, **gradients, **dict(model.named_buffers())}
    return {name: part.tolist() for name, part in parts.items()}


def refusal(rows: int, groups: int) -> str:
    """The message about a batch that has no statistics."""
    norm = BatchNorm1d(2)
    split_batches(norm, groups)
    try:
        norm(torch.zeros(rows, 2))
    except UsageError as error:
        return error.message
    return ""


def main(rank: int, rendezvous: str, out: Path) -> None:
    """Write the outcome of this rank."""
    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    found = outcome(*(part[slice(*SHARES[rank])] for part in batch()))
    out.write_text(json.dumps(found | {"one row each": refusal(1, 1), "no row here": refusal(1 - rank, 1)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
