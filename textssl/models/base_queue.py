"""A queue of the last keys, kept with the run: what MoCo contrasts with and SwAV assigns beside the batch.

Legend: M rows of the queue, N rows of a batch, D width.
Source: He et al., MoCo (arXiv 1911.05722), section 3.1; Caron et al., SwAV (arXiv 2006.09882), section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.models.base import check_at_least, normal
from textssl.randomness import Purpose, stream_key


class Queue(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """The last M rows, oldest overwritten first; its state is saved and loaded with the model that holds it.

    It begins with random unit vectors, so the loss rises until they are all replaced.

    Args:
        size: M.
        width: D.
        seed: of the first rows, 0 to 2**64 - 1.

    Attributes:
        rows: (M, D) float32.
        place: where the next row goes, int64 0-d.
        filled: how many rows were pushed, at most M, int64 0-d.
    """

    rows: Tensor
    place: Tensor
    filled: Tensor

    def __init__(self, size: int, width: int, seed: int) -> None:
        check_at_least(1, size=size, width=width)
        super().__init__()
        values = torch.from_numpy(normal(stream_key(seed, Purpose.SAMPLE), 0, size * width))
        self.register_buffer("rows", F.normalize(values.view(size, width), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def push(self, keys: Tensor) -> None:
        """Put keys in the place of the oldest rows, after the backward pass of the loss that read the queue.

        Args:
            keys: (N, D) floating, N at most M; those of all processes where several train.

        Raises:
            UsageError: there are more keys than the queue has rows, or of another width.
        """
        size, width = self.rows.shape
        if len(keys) > size:
            raise UsageError(
                f"a queue of {size} rows cannot take {len(keys)} keys at once",
                hint="Choose a longer queue or a smaller batch.",
            )
        if keys.shape[1:] != (width,):
            raise UsageError(f"keys must have the width {width} of the queue, got the shape {tuple(keys.shape)}")
        places_N = (self.place + torch.arange(len(keys), device=self.rows.device)) % size
        self.rows.index_copy_(0, places_N, keys.to(self.rows))
        self.place.copy_((self.place + len(keys)) % size)
        self.filled.copy_((self.filled + len(keys)).clamp(max=size))

    @property
    def is_full(self) -> bool:
        """Whether every row was pushed (waits for the device)."""
        return int(self.filled) == len(self.rows)
