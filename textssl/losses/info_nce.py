"""InfoNCE: tell the key that belongs to a query from the keys of the others, by cosine; SimCLR, MoCo, CLIP, SimCSE.

    loss_i = logsumexp_j (cos(q_i, k_j) / temperature) - cos(q_i, k_i) / temperature

Shapes: N queries, M keys, D width. Vectors need no unit length; they are divided by their norms here.
Source: van den Oord, Li, Vinyals (arXiv 1807.03748), equation 4; NT-Xent: Chen et al. (arXiv 2002.05709), equation 1;
queue: He et al. (arXiv 1911.05722), equation 1; both directions: Radford et al. (arXiv 2103.00020), figure 3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.base_gather import first_row, gathered
from textssl.losses.core import LossTensor, scored


def info_nce(queries: Tensor, keys: Tensor, *, temperature: float | Tensor, first_key: int = 0) -> LossTensor:
    """Each query against all keys, of which one is its own.

    Args:
        queries: (N, D) floating.
        keys: (M, D) floating, M at least N; the keys of all ranks when they were gathered.
        temperature: above 0; a 0-d tensor receives a gradient.
        first_key: the place of the first query's own key; the others follow. On rank r of gathered keys r * N.

    Returns:
        The total in nats, and N.

    Raises:
        UsageError: the temperature is not above 0, or a query has no own key.
    """
    own_N = torch.arange(first_key, first_key + len(queries), device=queries.device)
    if first_key < 0 or first_key + len(queries) > len(keys):
        raise UsageError(
            f"first_key must be 0 to {len(keys) - len(queries)} with {len(queries)} queries and {len(keys)} keys, "
            f"got {first_key}"
        )
    return scored(_unit(queries), _unit(keys), own_N, kind="softmax", scale=_scale(temperature))


def symmetric_info_nce(first: Tensor, second: Tensor, *, temperature: float | Tensor) -> LossTensor:
    """Both directions: every vector of the first view against the second view, and back; 2 N terms.

    Args:
        first, second: (N, D) floating, row i of one belongs to row i of the other; keys are those of all processes.
        temperature: above 0; a 0-d tensor receives a gradient.

    Raises:
        UsageError: the temperature is not above 0.
    """
    start = first_row(first)
    forth = info_nce(first, gathered(second), temperature=temperature, first_key=start)
    return forth + info_nce(second, gathered(first), temperature=temperature, first_key=start)


def nt_xent(first: Tensor, second: Tensor, *, temperature: float | Tensor) -> LossTensor:
    """Every one of 2 N vectors against the 2 N - 1 others, of which its second view is right.

    Where several processes train, the others are those of all processes, so that their losses add up to that of one
    process with all samples.

    Args:
        first, second: (N, D) floating, two views of N samples; N equal in all processes.
        temperature: above 0; a 0-d tensor receives a gradient.

    Returns:
        The total in nats of the own 2 N vectors, and 2 N. SimCLR's code adds two means over N: twice this mean.

    Raises:
        UsageError: the temperature is not above 0, or the processes have different numbers of samples.
    """
    views = _unit(torch.cat([first, second]))
    keys, start = gathered(views), first_row(views)
    places = torch.arange(len(views), device=views.device)
    others = torch.ones(len(views), len(keys), dtype=torch.bool, device=views.device)
    others[places, start + places] = False
    targets = start + places.roll(len(first))
    return scored(views, keys, targets, kind="softmax", scale=_scale(temperature), mask=others)


def queue_info_nce(queries: Tensor, keys: Tensor, queue: Tensor, *, temperature: float | Tensor) -> LossTensor:
    """Each query against its own key and the keys of a queue, which are all wrong.

    Args:
        queries, keys: (N, D) floating, row i of one belongs to row i of the other.
        queue: (M, D) floating, keys of earlier batches; it receives a gradient if it asks for one.
        temperature: above 0; a 0-d tensor receives a gradient.

    Returns:
        The total in nats, and N.

    Raises:
        UsageError: the temperature is not above 0, or shapes do not fit.
    """
    own_column_N = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    scale = _scale(temperature)
    return scored(_unit(queries), _unit(queue), own_column_N, kind="softmax", scale=scale, own=_unit(keys))


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=-1)


def _scale(temperature: float | Tensor) -> float | Tensor:
    if not isinstance(temperature, Tensor) and not temperature > 0:
        raise UsageError(f"temperature must be above 0, got {temperature}")
    return 1 / temperature
