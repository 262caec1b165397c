"""Classifiers over a text: ModernBERT's over an encoder, Llama's over a decoder.

    encoder: W LN(gelu(U mean over positions of x)) + b          decoder: W x at the last position

Parameters are named as in transformers' ModernBertForSequenceClassification and LlamaForSequenceClassification.
Legend: B batch, T position, D width, K labels.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.models.base import normal
from textssl.models.decoder import Decoder, DecoderBody
from textssl.models.encoder import Encoder, EncoderBody, PredictionHead
from textssl.randomness import Purpose, stream_key

Problem = Literal["single_label", "multi_label", "regression"]


@dataclass(frozen=True)
class Labels:
    """What a classifier tells apart.

    Args:
        names: of the K outputs, in their order; for regression one.
        problem: one label for each text, any number of them, or a number.
    """

    names: tuple[str, ...]
    problem: Problem = "single_label"

    def __post_init__(self) -> None:
        if not self.names:
            raise UsageError("labels must be at least one name, got none")
        if len(set(self.names)) < len(self.names):
            raise UsageError(f"labels must be different names, got {', '.join(self.names)}")


class EncoderClassifier(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """An encoder's body, its prediction head on one vector of the text, and a layer of K outputs."""

    head_is_new = False

    def __init__(self, body: EncoderBody, head: PredictionHead, labels: Labels) -> None:
        super().__init__()
        self.config = body.config
        self.labels = labels
        self.model = body
        self.head = head
        self.classifier = nn.Linear(self.config.width, len(labels.names))

    def pooled(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None) -> Tensor:
        """One vector for each text, (B, D): the mean over its positions, or its first one, as the configuration says.

        Args:
            ids_BT: integer (B, T).
            documents_BT: integer (B, T), -1 at padding; None: no padding.
        """
        hidden_BTD = self.model(ids_BT, documents_BT=documents_BT)
        return pooled(hidden_BTD, documents_BT, self.config.pooling)

    def logits(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None) -> Tensor:
        """Scores of the labels, (B, K); arguments as for `pooled`."""
        hidden_BD = self.head(self.pooled(ids_BT, documents_BT=documents_BT))
        return self.classifier(F.dropout(hidden_BD, self.config.dropout, self.training))


class DecoderClassifier(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """A decoder's body and a layer of K outputs on the last position that is no padding."""

    head_is_new = False

    def __init__(self, body: DecoderBody, labels: Labels) -> None:
        super().__init__()
        self.config = body.config
        self.labels = labels
        self.model = body
        self.score = nn.Linear(self.config.width, len(labels.names), bias=False)

    def pooled(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None) -> Tensor:
        """One vector for each text, (B, D): its last position.

        Args:
            ids_BT: integer (B, T).
            documents_BT: integer (B, T), -1 at padding; None: no padding.
        """
        return self.model(ids_BT, documents_BT=documents_BT, positions=last_positions(ids_BT, documents_BT))

    def logits(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None) -> Tensor:
        """Scores of the labels, (B, K); arguments as for `pooled`."""
        return self.score(self.pooled(ids_BT, documents_BT=documents_BT))


def classifier_over(model: Encoder | Decoder, labels: Labels, *, seed: int) -> EncoderClassifier | DecoderClassifier:
    """A classifier with the weights of a model; they are shared, not copied. The last layer is new.

    Args:
        model: pre-trained, or not.
        labels: what to tell apart.
        seed: of the new layer's weights, normal with deviation 1 / sqrt(D).
    """
    made: EncoderClassifier | DecoderClassifier
    if isinstance(model, Encoder):
        made = EncoderClassifier(model.model, model.head, labels)
        layer = made.classifier
        nn.init.zeros_(layer.bias)
    else:
        made = DecoderClassifier(model.model, labels)
        layer = made.score
    key = stream_key(seed, Purpose.INITIALISE, zlib.crc32(b"classifier"))
    values = normal(key, 0, layer.weight.numel()) * np.float32(model.config.width**-0.5)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(values).view_as(layer.weight))
    made.to(next(model.parameters()).device)
    return made


def pooled(hidden_BTD: Tensor, documents_BT: Tensor | None, pooling: Literal["mean", "cls"]) -> Tensor:
    """One vector for each row, (B, D).

    Args:
        hidden_BTD: (B, T, D) floating.
        documents_BT: integer (B, T), -1 at padding; None: no padding.
        pooling: "mean" over the positions that are no padding, or "cls", the first position.
    """
    if pooling == "cls":
        return hidden_BTD[:, 0]
    if documents_BT is None:
        return hidden_BTD.mean(1)
    real_BT1 = (documents_BT >= 0).unsqueeze(2)
    return (hidden_BTD * real_BT1).sum(1) / real_BT1.sum(1).clamp(min=1)


def last_positions(ids_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
    """The place in B * T of the last position of each row that is no padding, int64 (B,)."""
    B, T = ids_BT.shape
    starts_B = torch.arange(B, device=ids_BT.device) * T
    if documents_BT is None:
        return starts_B + (T - 1)
    places_T = torch.arange(T, device=ids_BT.device)
    return starts_B + torch.where(documents_BT >= 0, places_T, 0).amax(1)
