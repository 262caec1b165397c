"""Labelled texts as an objective for the trainer, for a whole model or for its classifier alone, and predictions.

Losses are those of `losses/core.py`: softmax over classes, sigmoid for each class of several, square for numbers.
Legend: N texts, B batch, T position, D width, C outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textssl.finetuning.classifier import Classifier, features, last_layer
from textssl.finetuning.embedding import rectangle
from textssl.finetuning.encoding import BatchPlan, EncodedTexts, batches_by_length
from textssl.finetuning.labels import Labels
from textssl.losses.core import Kind, LossTensor, fenchel_young
from textssl.objectives.base import GradientHooks

KINDS: dict[str, Kind] = {"single_label": "softmax", "multi_label": "sigmoid", "regression": "square"}
EVALUATION_TOKENS = 4096
"""Positions in a batch of predictions: more run no faster on a CPU, since they leave its cache."""
Adapt = Literal["full", "head"]


@dataclass(frozen=True)
class TextBatch:
    """Texts with their targets.

    Args:
        ids_BT: int32.
        documents_BT: int32, 0 at texts and -1 at padding; None where there is no padding.
        targets: as `Labels.encode` gives them, numbers of regression standardised.
        weights: float32 (B,) of the class weights, or None.
    """

    ids_BT: Tensor
    documents_BT: Tensor | None
    targets: Tensor
    weights: Tensor | None

    def to(self, device: torch.device | str) -> TextBatch:
        """The same batch on a device."""
        return TextBatch(*(None if part is None else part.to(device) for part in _parts(self)))


@dataclass(frozen=True)
class FeatureBatch:
    """Vectors of texts with their targets, where the model is frozen.

    Args:
        features_BD: float32.
        targets, weights: as in `TextBatch`.
    """

    features_BD: Tensor
    targets: Tensor
    weights: Tensor | None

    def to(self, device: torch.device | str) -> FeatureBatch:
        """The same batch on a device."""
        return FeatureBatch(*(None if part is None else part.to(device) for part in _parts(self)))


class LabelledTexts:
    """N encoded texts with their targets.

    Args:
        encoded: the texts.
        targets: as `Labels.encode` gives them.
        labels: what they mean.
        pad_id: of the tokenizer.
        class_weights: float32 (C,), or None for equal ones.
    """

    def __init__(
        self,
        encoded: EncodedTexts,
        targets: NDArray[Any],
        labels: Labels,
        *,
        pad_id: int,
        class_weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.encoded = encoded
        self.labels = labels
        self.pad_id = pad_id
        scaled = (targets - labels.mean) / labels.deviation if labels.task == "regression" else targets
        self._targets = torch.from_numpy(np.ascontiguousarray(scaled))
        self._weights = None if class_weights is None else torch.from_numpy(class_weights[targets])

    def __len__(self) -> int:
        return len(self.encoded)

    def batch(self, rows: NDArray[np.int64]) -> TextBatch:
        """Some texts as one rectangle."""
        return TextBatch(*rectangle(self.encoded, rows, self.pad_id), *self.targets_of(rows))

    def targets_of(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """Targets and weights of some texts."""
        at = torch.from_numpy(rows)
        return self._targets[at], None if self._weights is None else self._weights[at]


class FineTuning(GradientHooks):
    """The `GradientObjective` of a classifier: the whole model learns."""

    unit = "tokens"
    additive = True

    def __init__(self, texts: LabelledTexts, plan: BatchPlan, *, flops_per_token: float | None = None) -> None:
        self.texts = texts
        self.plan = plan
        self.num_steps = plan.num_steps
        self.flops_per_unit = flops_per_token

    def units_before(self, step: int) -> int:
        """Tokens scheduled before a step, special ones counted, padding not."""
        return self.plan.tokens_before(step)

    def epoch(self, step: int) -> float:
        """Epochs that are over before a step, with fraction."""
        return step / self.plan.steps_in_an_epoch

    def batch(self, step: int, part: int, num_parts: int) -> TextBatch:
        """A slice of the batch of a step; empty where there are more slices than texts."""
        return self.texts.batch(_slice(self.plan.rows(step), part, num_parts))

    def loss(self, model: Classifier, batch: TextBatch) -> LossTensor:
        """The summed loss of a batch and its count, which is the sum of the weights where there are some."""
        if not len(batch.targets):
            return _nothing(batch.ids_BT.device)
        scores_BC = model.logits(batch.ids_BT, documents_BT=batch.documents_BT)
        return summed_loss(self.texts.labels, scores_BC, batch.targets, batch.weights)

    def evaluation(self) -> Iterator[TextBatch] | None:
        """None: scores need all predictions at once, see `predict`."""
        return None

    def scores(self, loss: LossTensor) -> dict[str, float]:
        """The mean loss."""
        return {"loss_nats": loss.detached().mean}


class HeadTuning(FineTuning):
    """The same with a frozen model, of which the classifier alone learns: its inputs are computed once.

    Args:
        texts, plan: as before.
        features_ND: float32, what the classifier sees of each text.
    """

    def __init__(self, texts: LabelledTexts, plan: BatchPlan, *, features_ND: Tensor) -> None:
        super().__init__(texts, plan)
        self.features_ND = features_ND

    def batch(self, step: int, part: int, num_parts: int) -> FeatureBatch:  # type: ignore[override]  # its own kind
        """A slice of the batch of a step."""
        rows = _slice(self.plan.rows(step), part, num_parts)
        return FeatureBatch(self.features_ND[torch.from_numpy(rows)], *self.texts.targets_of(rows))

    def loss(self, model: Classifier, batch: FeatureBatch) -> LossTensor:  # type: ignore[override]  # its own kind
        """The summed loss of a batch."""
        if not len(batch.targets):
            return _nothing(batch.features_BD.device)
        scores_BC = last_layer(model)(batch.features_BD)
        return summed_loss(self.texts.labels, scores_BC, batch.targets, batch.weights)


def summed_loss(labels: Labels, scores_BC: Tensor, targets: Tensor, weights: Tensor | None = None) -> LossTensor:
    """Cross-entropy, the sum of binary cross-entropies over the classes, or 1/2 (s - t)^2, summed over the batch.

    Args:
        labels: the task.
        scores_BC: float, (B, 1) for regression.
        targets: as in `TextBatch`.
        weights: float32 (B,) or None.
    """
    if labels.task != "regression":
        return fenchel_young(scores_BC, targets, kind=KINDS[labels.task], weights=weights)
    loss = fenchel_young(scores_BC, targets[:, None], kind="square", weights=weights)
    return LossTensor(loss.total + 0.5 * targets.square().sum(), loss.count)


def predict(
    model: Classifier, encoded: EncodedTexts, labels: Labels, *, pad_id: int, device: torch.device | str
) -> NDArray[np.float32]:
    """What a classifier says of texts.

    Args:
        model: put back into the mode it was in.
        encoded: N texts.
        labels: what its outputs mean; numbers come back in their own scale.
        pad_id: of the tokenizer.
        device: where the model lies.

    Returns:
        float32 (N, C): probabilities; numbers (N, 1) for regression.
    """
    return probabilities(outputs(model, encoded, pad_id=pad_id, device=device), labels)


def probabilities(logits: Tensor, labels: Labels) -> NDArray[np.float32]:
    """Logits (N, C) as probabilities, or as numbers in their own scale; float32 (N, C)."""
    if labels.task == "regression":
        return np.asarray(logits.numpy() * labels.deviation + labels.mean, dtype=np.float32)
    return np.asarray((logits.softmax(dim=1) if labels.task == "single_label" else logits.sigmoid()).numpy())


def outputs(
    model: Classifier,
    encoded: EncodedTexts,
    *,
    pad_id: int,
    device: torch.device | str,
    what: Literal["logits", "features"] = "logits",
) -> Tensor:
    """Logits of texts, or the vectors that the classifier sees, float32 (N, C) or (N, D) on the CPU.

    The batches are a function of the lengths alone, so the result is the same at every call.
    """
    was_training = model.training
    model.eval()
    found: Tensor | None = None
    with torch.no_grad():
        for rows in batches_by_length(encoded.lengths, EVALUATION_TOKENS):
            ids_BT, documents_BT = rectangle(encoded, rows, pad_id)
            documents_BT = None if documents_BT is None else documents_BT.to(device)
            ids_BT = ids_BT.to(device)
            if what == "logits":
                part = model.logits(ids_BT, documents_BT=documents_BT)
            else:
                part = features(model, ids_BT, documents_BT)
            part = part.float().cpu()
            found = torch.empty(len(encoded), part.shape[1]) if found is None else found
            found[torch.from_numpy(rows)] = part
    model.train(was_training)
    return torch.empty(0, 0) if found is None else found


def mean_loss(labels: Labels, probabilities: NDArray[np.float32], targets: NDArray[Any]) -> float:
    """The mean loss of predictions in nats, from probabilities; of numbers in their own scale over the deviation."""
    if labels.task == "single_label":
        hit = probabilities[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(hit, np.finfo(np.float32).tiny)).mean())
    if labels.task == "multi_label":
        sure = np.where(targets > 0, probabilities, 1 - probabilities)
        return float(-np.log(np.maximum(sure, np.finfo(np.float32).tiny)).sum(axis=1).mean())
    error = (probabilities[:, 0] - targets) / labels.deviation
    return float(0.5 * np.square(error).mean())


def _slice(rows: NDArray[np.int64], part: int, num_parts: int) -> NDArray[np.int64]:
    begin, end = (len(rows) * at // num_parts for at in (part, part + 1))
    return rows[begin:end]


def _nothing(device: torch.device) -> LossTensor:
    zero = torch.zeros((), device=device)
    return LossTensor(zero, zero)


def _parts(batch: TextBatch | FeatureBatch) -> list[Any]:
    return [getattr(batch, name) for name in batch.__dataclass_fields__]
