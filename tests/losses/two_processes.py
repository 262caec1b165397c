"""One of two processes of a test: its share of a contrastive loss over the keys of both. Not a test itself.

Arguments: rank, file of the rendezvous, file for the result.
"""

import sys
from pathlib import Path

import torch
from torch import distributed

from textssl.losses.base_gather import first_row, gathered
from textssl.losses.cross_entropy import cross_entropy
from textssl.losses.info_nce import info_nce

ROWS, WIDTH = 3, 4


def everything() -> dict[str, torch.Tensor]:
    """The vectors of both processes."""
    made = torch.Generator().manual_seed(1)
    shapes = {"queries": (2 * ROWS, WIDTH), "keys": (2 * ROWS, WIDTH), "table": (5, WIDTH)}
    return {name: torch.randn(shape, generator=made, dtype=torch.float64) for name, shape in shapes.items()}


def losses(queries: torch.Tensor, keys: torch.Tensor, table: torch.Tensor, *, first: int) -> torch.Tensor:
    """In-batch contrast over all keys, and a vocabulary, summed over the rows of this process."""
    contrast = info_nce(queries, gathered(keys), temperature=0.3, first_key=first_row(keys))
    targets = torch.arange(first, first + len(queries)) % len(table)
    return contrast.total + cross_entropy(queries, table, targets, tile_rows=2).total


def main(rank: int, rendezvous: str, out: Path) -> None:
    """Write total and gradients of this rank, and the message about unequal rows."""
    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    own = slice(rank * ROWS, (rank + 1) * ROWS)
    whole = everything()
    leaves = [part.requires_grad_() for part in (whole["queries"][own].clone(), whole["keys"][own].clone())]
    table = whole["table"].requires_grad_()
    total = losses(*leaves, table, first=rank * ROWS)
    gradients = torch.autograd.grad(total, [*leaves, table])
    try:
        gathered(torch.zeros(2 + rank, 1))
        message = ""
    except ValueError as error:
        message = str(error)
    flat = torch.cat([total.detach().reshape(1), *(part.reshape(-1) for part in gradients)])
    out.write_text("\n".join([message.replace("\n", " "), *map(repr, flat.tolist())]))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
