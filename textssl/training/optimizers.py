"""The optimizers of a model: which parameter is updated how, and their state as named arrays.

    AdamW (fused)   everything, or what Muon leaves: embeddings, output layers, parameters with one axis
    Muon            the matrices inside numbered layers; its updates are scaled to AdamW's size, so that one learning
                    rate serves both
    SGD, LARS       everything, with momentum; LARS with steps in proportion to each matrix's norm
    SparseSgd       tables of which a batch touches some rows

Weight decay holds for matrices. Parameters with one axis (norms, biases) have none, nor have embeddings: the row of a
rare word would shrink at every step and grow at few, and small embeddings make the gradients of the first layers large.

Source: Loshchilov, Hutter (arXiv 1711.05101); Jordan et al., "Muon" (2024), scaled as in Liu et al. (arXiv 2502.16982),
section 2.2; embeddings without decay: OLMo 2 (arXiv 2501.00656), section 3.4; layer decay: Howard, Ruder (arXiv
1801.06146), section 3.2, Clark et al. (arXiv 2003.10555), appendix A.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textssl.errors import DataError, UsageError
from textssl.objectives.base import Optimisation
from textssl.training.devices import multiplies_bfloat16
from textssl.training.lars import Lars
from textssl.training.muon import Float32Muon
from textssl.training.sparse_sgd import DEFAULT_MAX_VISITS, SparseSgd

PREFIX = "optimizer/"
MOMENTUM = 0.95
_IN_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|blocks|h)\.(\d+)\.")


def make_optimizers(model: nn.Module, optimisation: Optimisation) -> list[torch.optim.Optimizer]:
    """The optimizers over all parameters that take gradients; every group has a "scale" for its learning rate.

    Args:
        model: on its device already.
        optimisation: method, weight_decay, betas, momentum, nesterov, max_visits, layer_decay and constant_rate.

    Raises:
        UsageError: the model has no parameter to train.
    """
    named = [(name, part) for name, part in model.named_parameters() if part.requires_grad]
    if not named:
        raise UsageError("the model has no parameter to train: all are frozen")
    rate = optimisation.learning_rate
    if optimisation.method == "sparse_sgd":
        visits = optimisation.max_visits if optimisation.max_visits is not None else DEFAULT_MAX_VISITS
        parts = [{"params": [part for _, part in named], "scale": 1.0}]
        return [SparseSgd(parts, learning_rate=rate, max_visits=visits)]
    embeddings = _embeddings(model)
    muon = {
        name
        for name, part in named
        if optimisation.method == "muon" and part.dim() == 2 and _IN_LAYER.search(name) and name not in embeddings
    }
    groups = _groups([pair for pair in named if pair[0] not in muon], embeddings, optimisation, model)
    fused = all(part.is_floating_point() for _, part in named) and named[0][1].device.type in ("cpu", "cuda", "mps")
    optimizers: list[torch.optim.Optimizer] = []
    if groups and optimisation.method == "lars":
        optimizers.append(Lars(groups, rate=rate, momentum=optimisation.momentum))
    elif groups and optimisation.method == "sgd":
        momentum, nesterov = optimisation.momentum, optimisation.nesterov
        optimizers.append(torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=nesterov, fused=fused))
    elif groups:
        optimizers.append(torch.optim.AdamW(groups, lr=rate, betas=optimisation.betas, eps=1e-8, fused=fused))
    if muon:
        groups = _groups([pair for pair in named if pair[0] in muon], embeddings, optimisation, model)
        kind = torch.optim.Muon if multiplies_bfloat16(named[0][1].device) else Float32Muon
        optimizers.append(kind(groups, lr=rate, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"))
    return optimizers


def set_learning_rate(optimizers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """Give every group its share of a learning rate, or of the constant one that it has."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.get("constant_rate", rate) * group["scale"]


def optimizer_arrays(
    model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, NDArray[np.generic[Any]]]:
    """All that the optimizers remember, as optimizer/PARAMETER/KEY; on the CPU views, not copies."""
    names = {part: name for name, part in model.named_parameters()}
    return {
        f"{PREFIX}{names[part]}/{key}": value.detach().cpu().numpy()
        for optimizer in optimizers
        for part, remembered in optimizer.state.items()
        for key, value in remembered.items()
        if isinstance(value, Tensor)
    }


def load_optimizer_arrays(
    model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], arrays: Mapping[str, NDArray[np.generic[Any]]]
) -> None:
    """Put back what `optimizer_arrays` gave; what is not in it is forgotten.

    Raises:
        DataError: an array is of a parameter that is not trained, or of another shape.
    """
    remembered: dict[str, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        parameter, _, key = name.removeprefix(PREFIX).rpartition("/")
        remembered.setdefault(parameter, {})[key] = torch.from_numpy(np.array(array))
    names = {part: name for name, part in model.named_parameters()}
    for optimizer in optimizers:
        parts = [part for group in optimizer.param_groups for part in group["params"]]
        state = {}
        for number, part in enumerate(parts):
            values = remembered.pop(names[part], None)
            if values is not None:
                _require_shapes(names[part], part, values)
                state[number] = values
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    if remembered:
        raise DataError(
            f"the optimizer's state is of parameters that are not trained here: {', '.join(sorted(remembered)[:3])}",
            hint="Start anew, or resume the run it is from.",
        )


def _require_shapes(name: str, part: Tensor, values: Mapping[str, Tensor]) -> None:
    for key, value in values.items():
        if value.dim() and value.shape != part.shape:
            raise DataError(
                f"the optimizer's {key} of {name} must have the shape {tuple(part.shape)}, got {tuple(value.shape)}",
                hint="Start anew, or resume the run it is from.",
            )


def _embeddings(model: nn.Module) -> set[str]:
    """The names of the parameters that are tables of embeddings."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return {name for name, part in model.named_parameters() if id(part) in tables}


def _groups(
    named: Sequence[tuple[str, Tensor]], embeddings: set[str], optimisation: Optimisation, model: nn.Module
) -> list[dict[str, Any]]:
    """Parameters of one decay and one scale together, in the order of the model."""
    numbers = [int(found[1]) for name, _ in model.named_parameters() if (found := _IN_LAYER.search(name))]
    depth = max(numbers, default=-1) + 1
    groups: dict[tuple[float, float, bool], list[Tensor]] = {}
    for name, part in named:
        decay = optimisation.weight_decay if part.dim() > 1 and name not in embeddings else 0.0
        scale = (optimisation.layer_decay or 1.0) ** _layers_above(name, depth, embeddings)
        constant = bool(optimisation.constant_rate) and name.startswith(optimisation.constant_rate)
        groups.setdefault((decay, scale, constant), []).append(part)
    return [
        {"params": parts, "weight_decay": decay, "scale": scale}
        | ({"constant_rate": optimisation.learning_rate} if constant else {})
        for (decay, scale, constant), parts in groups.items()
    ]


def _layers_above(name: str, depth: int, embeddings: set[str]) -> int:
    """How many steps a parameter stands below the head: 0 for what comes after the layers, most for embeddings."""
    found = _IN_LAYER.search(name)
    if found:
        return depth - int(found[1])
    return depth + 1 if name in embeddings or "embed" in name else 0
