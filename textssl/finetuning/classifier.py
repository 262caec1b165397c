"""A pre-trained model with a classifier on top, made, saved and opened; the folder opens in transformers, too.

Legend: B batch, T position, D width, C outputs.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from textssl.errors import DataError
from textssl.finetuning.embedding import TextModel, model_folder
from textssl.finetuning.labels import Labels
from textssl.models import heads
from textssl.models.base_folder import is_model_folder, load_model, save_model
from textssl.models.decoder import Decoder
from textssl.models.encoder import Encoder
from textssl.models.heads import DecoderClassifier, EncoderClassifier, classifier_over
from textssl.text.token_roles import Role
from textssl.text.tokenizer import Tokenizer

Classifier = EncoderClassifier | DecoderClassifier


def new_classifier(
    source: TextModel,
    labels: Labels,
    *,
    pooling: Literal["auto", "mean", "cls"] = "auto",
    dropout: float = 0.0,
    seed: int = 0,
) -> Classifier:
    """A classifier that starts from a copy of a model's weights; the model stays as it is.

    Args:
        source: pre-trained, or a classifier already, of which the last layer is left.
        labels: what is predicted.
        pooling: of an encoder; "auto" keeps the model's own.
        dropout: while training.
        seed: of the last layer.
    """
    config = dataclasses.replace(source.model.config, dropout=dropout)
    body: Encoder | Decoder
    if source.is_decoder:
        body = Decoder(config)
    else:
        body = Encoder(config if pooling == "auto" else dataclasses.replace(config, pooling=pooling))
        body.head.load_state_dict(source.model.head.state_dict())
    body.model.load_state_dict(source.model.model.state_dict())
    return classifier_over(body, heads.Labels(labels.names, labels.task), seed=seed)


def save_classifier(folder: Path, model: Classifier, source: TextModel, labels: Labels) -> None:
    """Commit a classifier as a model folder; one of numbers gives them in their own scale.

    Args:
        folder: the folder to make, in place of an older one.
        model: stays as it is.
        source: what it started from, for the tokenizer.
        labels: what it predicts.

    Raises:
        ResourceError: it cannot be written.
    """
    layer = last_layer(model)
    kept = [parameter.detach().clone() for parameter in layer.parameters()]
    if labels.task == "regression":
        _unscale(layer, labels)
    try:
        save_model(folder, model, _with_template(source), metadata={"task": labels.task}, replace=True)
    finally:
        with torch.no_grad():
            for parameter, old in zip(layer.parameters(), kept, strict=True):
                parameter.copy_(old)


def open_classifier(path: str | Path) -> tuple[TextModel, Labels]:
    """Open the classifier of a run, or a folder of a sequence classifier.

    Raises:
        DataError: nothing is there, or the model is none that classifies.
    """
    folder = model_folder(path)
    if not is_model_folder(folder):
        raise DataError(
            "holds no transformer", where=str(path), hint="Make a classifier: textssl finetune RUN DATA.csv"
        )
    model, tokenizer = load_model(folder)
    if not isinstance(model, EncoderClassifier | DecoderClassifier):
        raise DataError(
            "is no classifier, it is a model that was only pre-trained",
            where=str(path),
            hint=f"Make one of it: textssl finetune {path} DATA.csv --label COLUMN --out runs/classifier",
        )
    return TextModel(model, tokenizer, folder), Labels(model.labels.problem, model.labels.names)


def features(model: Classifier, ids_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
    """What the last layer sees of each text, (B, D)."""
    pooled_BD = model.pooled(ids_BT, documents_BT=documents_BT)
    return model.head(pooled_BD) if isinstance(model, EncoderClassifier) else pooled_BD


def last_layer(model: Classifier) -> torch.nn.Linear:
    """The layer with the C outputs."""
    return model.classifier if isinstance(model, EncoderClassifier) else model.score


def _with_template(source: TextModel) -> Tokenizer:
    """The tokenizer, whose file also says which special tokens stand around one text and two.

    Other libraries then make the very rows of ids that the classifier has learnt from.
    """
    tokenizer = source.tokenizer
    roles: tuple[Role, ...] = ("separator",) if source.is_decoder else ("cls", "separator")
    names = {role: tokenizer.special_tokens[role] for role in roles}
    begin = [{"SpecialToken": {"id": names["cls"], "type_id": 0}}] if "cls" in names else []
    end = {"SpecialToken": {"id": names["separator"], "type_id": 0}}
    first, second = ({"Sequence": {"id": which, "type_id": 0}} for which in "AB")
    content = json.loads(tokenizer.json_text)
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [*begin, first, end],
        "pair": [*begin, first, end, second, end],
        "special_tokens": {
            name: {"id": name, "ids": [tokenizer.find(role)], "tokens": [name]} for role, name in names.items()
        },
    }
    return Tokenizer.from_json_text(json.dumps(content, ensure_ascii=False), roles=tokenizer.special_tokens)


def _unscale(layer: torch.nn.Linear, labels: Labels) -> None:
    """Let the layer give numbers in their own scale: (s * deviation + mean) instead of s."""
    with torch.no_grad():
        layer.weight.mul_(labels.deviation)
        if layer.bias is not None:
            layer.bias.mul_(labels.deviation).add_(labels.mean)
