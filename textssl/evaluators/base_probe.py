"""Logistic regression on standardised features, its penalty chosen on images kept back.

    minimise  mean of -log softmax(W x + b)[label]  +  penalty / 2 |W|^2        x standardised, no penalty on b

With N images the penalty is 1 / (N C) of scikit-learn's C. The problem is convex; L-BFGS solves it in one pass from the
largest penalty to the smallest, each from the solution of the one before.
Legend: N images, F features, C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(0, -6, -1))
USUAL_PENALTY = 1e-2
"""Where there are no images to choose it by."""
MAX_ITERATIONS = 100
PATIENCE = 2
NEVER = -1e4
"""Bias of a label that does not occur."""
_TINY = 1e-6


@dataclass(frozen=True)
class Probe:
    """A linear classifier of features as they come, not standardised.

    Args:
        weight_CF, bias_C: float32.
        penalty: that it was fitted with.
        accuracy: on the images kept back; None where there were none.
    """

    weight_CF: NDArray[np.float32]
    bias_C: NDArray[np.float32]
    penalty: float
    accuracy: float | None = None

    def scores(self, features_NF: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits, float32 (N, C)."""
        return np.asarray(features_NF @ self.weight_CF.T + self.bias_C, dtype=np.float32)

    def predict(self, features_NF: NDArray[np.float32]) -> NDArray[np.int64]:
        """The most probable label of each, int64 (N,)."""
        return np.asarray(self.scores(features_NF).argmax(axis=1), dtype=np.int64)


def fitted_probe(
    features_NF: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    num_labels: int,
    *,
    penalty: float = USUAL_PENALTY,
    device: str = "cpu",
) -> Probe:
    """Fit with one penalty.

    Args:
        features_NF: of the images.
        targets_N: their labels.
        num_labels: C; labels that do not occur are never predicted.
        penalty: above 0.
        device: where to compute.
    """
    return next(_path(features_NF, targets_N, num_labels, (penalty,), device))


def chosen_probe(
    features_NF: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    num_labels: int,
    *,
    validation: tuple[NDArray[np.float32], NDArray[np.int64]],
    penalties: Sequence[float] = PENALTIES,
    device: str = "cpu",
) -> Probe:
    """Fit with one penalty after the other and keep the one with the best accuracy on other images.

    Of equal ones the largest is kept; where two in a row are no better than the best, smaller ones are not tried.

    Args:
        features_NF, targets_N, num_labels, device: as of `fitted_probe`.
        validation: features and labels of images that are not among them.
        penalties: to choose from, the largest first.
    """
    features, labels = validation
    best: Probe | None = None
    no_better = 0
    for probe in _path(features_NF, targets_N, num_labels, penalties, device):
        accuracy = float(np.mean(probe.predict(features) == labels))
        no_better += 1
        if best is None or accuracy > (best.accuracy or 0.0):
            best, no_better = Probe(probe.weight_CF, probe.bias_C, probe.penalty, accuracy), 0
        if no_better == PATIENCE:
            break
    assert best is not None, "there is a penalty to choose"
    return best


def _path(
    features_NF: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    num_labels: int,
    penalties: Sequence[float],
    device: str,
) -> Iterator[Probe]:
    """A probe for each penalty, each started from the one before."""
    mean_F, deviation_F = features_NF.mean(0, dtype=np.float64), features_NF.std(0, dtype=np.float64)
    scale_F = np.where(deviation_F > _TINY * max(1.0, float(deviation_F.max())), deviation_F, np.inf)
    inputs_NF = torch.from_numpy(((features_NF - mean_F) / scale_F).astype(np.float32)).to(device)
    targets = torch.from_numpy(np.ascontiguousarray(targets_N)).to(device)
    weight_CF = torch.zeros(num_labels, inputs_NF.shape[1], device=device, requires_grad=True)
    bias_C = torch.zeros(num_labels, device=device, requires_grad=True)
    absent = torch.from_numpy(np.bincount(targets_N, minlength=num_labels) == 0).to(device)
    for penalty in penalties:
        _solve(inputs_NF, targets, weight_CF, bias_C, absent, penalty)
        weights = weight_CF.detach().cpu().double().numpy() / scale_F
        bias = bias_C.detach().cpu().double().numpy() - weights @ mean_F
        bias[absent.cpu().numpy()] = NEVER
        yield Probe(weights.astype(np.float32), bias.astype(np.float32), penalty)


def _solve(
    inputs_NF: Tensor, targets_N: Tensor, weight_CF: Tensor, bias_C: Tensor, absent_C: Tensor, penalty: float
) -> None:
    solver = torch.optim.LBFGS(
        [weight_CF, bias_C],
        max_iter=MAX_ITERATIONS,
        tolerance_grad=1e-5,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        solver.zero_grad()
        scores_NC = (inputs_NF @ weight_CF.T + bias_C).masked_fill(absent_C, -torch.inf)
        value = F.cross_entropy(scores_NC, targets_N) + 0.5 * penalty * weight_CF.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(loss)
