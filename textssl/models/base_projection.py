"""What objectives for images put behind the encoder: projector, predictor, prototypes.

Legend: N rows, D width, K prototypes.
Source: Chen et al., SimCLR (arXiv 2002.05709), section 4.2; Grill et al., BYOL (arXiv 2006.07733), section 3.1;
Caron et al., SwAV (arXiv 2006.09882), section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.errors import UsageError, did_you_mean
from textssl.models.base import check_at_least
from textssl.models.base_image_folder import CONFIG, PROJECTOR_WEIGHTS, load_state, read_part
from textssl.models.base_images import initialise_network
from textssl.models.base_norm import BatchNorm1d
from textssl.models.base_weights import read_object

Norm = Literal["affine", "plain", "none"]
Activation = Literal["relu", "gelu"]


class Projector(nn.Sequential):  # type: ignore[misc]  # torch is not followed by mypy here
    """Linear layers with norm and activation between them.

    A layer before a norm has no bias, which the norm would take away again.

    Args:
        widths: of the input, the hidden layers and the output, at least two. (512, 2048, 128) has one hidden layer.
        norm: after each hidden layer: "affine", "plain" (without weight and bias), "none".
        last_norm: after the last layer, likewise.
        last_bias: whether a last layer without a norm has a bias.
        activation: after each hidden layer, "relu" or "gelu".

    Raises:
        UsageError: a width is below 1, there are fewer than two, or a name is unknown.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        norm: Norm = "affine",
        last_norm: Norm = "none",
        last_bias: bool = True,
        activation: Activation = "relu",
    ) -> None:
        if len(widths) < 2:
            raise UsageError(f"widths must be at least an input and an output, got {tuple(widths)}")
        check_at_least(1, **{f"widths[{place}]": width for place, width in enumerate(widths)})
        _check_known("norm", norm, get_args(Norm))
        _check_known("last_norm", last_norm, get_args(Norm))
        _check_known("activation", activation, get_args(Activation))
        layers: list[nn.Module] = []
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Linear(before, after, bias=norm == "none"), *_norm(norm, after)]
            layers.append(nn.ReLU(inplace=True) if activation == "relu" else nn.GELU())
        last = nn.Linear(widths[-2], widths[-1], bias=last_bias and last_norm == "none")
        super().__init__(*layers, last, *_norm(last_norm, widths[-1]))
        self.options: Mapping[str, Any] = {
            "widths": tuple(widths), "norm": norm, "last_norm": last_norm, "last_bias": last_bias,
            "activation": activation,
        }  # fmt: skip

    @property
    def width(self) -> int:
        """D of the output."""
        return int(self.last.out_features)

    @property
    def last(self) -> nn.Linear:
        """The last linear layer."""
        return [layer for layer in self if isinstance(layer, nn.Linear)][-1]


class Predictor(Projector):
    """A projector back to its own width: one view's vectors predict the other's.

    Args:
        width: D.
        hidden_width: of the hidden layer; 0: one matrix without a bias, as DirectPred sets it.
        norm, last_norm, last_bias: as of `Projector`.
    """

    def __init__(
        self, width: int, hidden_width: int, *, norm: Norm = "affine", last_norm: Norm = "none", last_bias: bool = True
    ) -> None:
        widths = (width, hidden_width, width) if hidden_width else (width, width)
        super().__init__(widths, norm=norm, last_norm=last_norm, last_bias=last_bias and hidden_width > 0)


class Prototypes(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """K vectors of unit length that embeddings are scored against by cosine.

    Call `normalise` after every update of the weights: the reference does so before every forward pass, which is the
    same, and must not happen between a forward and its backward pass.

    Args:
        count: K.
        width: D.
    """

    def __init__(self, count: int, width: int) -> None:
        check_at_least(1, count=count, width=width)
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, width))

    def forward(self, rows_ND: Tensor) -> Tensor:
        """Cosines (N, K) of rows (N, D), which need no unit length; in float32 at least, since temperatures are low."""
        with torch.autocast(rows_ND.device.type, enabled=False):
            return F.normalize(rows_ND.to(torch.promote_types(rows_ND.dtype, self.weight.dtype)), dim=1) @ self.weight.T

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def normalise(self) -> None:
        """Bring every prototype to unit length."""
        self.weight.copy_(F.normalize(self.weight, dim=1))


def initialise_parts(parts: Mapping[str, nn.Module], *, seed: int) -> None:
    """First weights of what stands behind the encoder, each part by its name.

    Args:
        parts: by name, for instance "projector" and "predictor".
        seed: 0 to 2**64 - 1.
    """
    for name, part in parts.items():
        initialise_network(part, seed=seed, prefix=f"{name}.")
        if isinstance(part, Prototypes):
            part.normalise()


def load_projector(folder: Path) -> Projector | None:
    """The projector of a saved network in float32 on the CPU, in evaluation mode; None where it was saved without.

    Args:
        folder: what `base_image_folder.save_image_model` wrote.

    Raises:
        DataError: a file is missing or damaged, or the files do not fit each other.
    """
    options = read_object(Path(folder) / CONFIG).get("projector")
    if options is None:
        return None
    projector: Projector = read_part(Path(folder), options, lambda given: Projector(**given))
    load_state(Path(folder) / PROJECTOR_WEIGHTS, projector)
    projector.eval()
    return projector


def _norm(name: Norm, width: int) -> list[nn.Module]:
    return [] if name == "none" else [BatchNorm1d(width, affine=name == "affine")]


def _check_known(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise UsageError(
            f"{option} must be one of {', '.join(known)}; got {given!r}", hint=did_you_mean(given, known) or None
        )
