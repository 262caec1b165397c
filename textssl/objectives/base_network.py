"""A transformer ready to train: its model, new or from a folder, what it takes, and the folder it is saved in."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.objectives.base import GradientParts, Setting, Start
from textssl.objectives.base_rows import RowOrder, spread_rows
from textssl.objectives.base_transformer import Corpus, TransformerConfig
from textssl.plural import counted
from textssl.text.packing import Packing

if TYPE_CHECKING:
    from textssl.text.tokenizer import Tokenizer

PAD_VOCABULARY_TO = 64
"""Rows of the embedding table are a multiple of this, which GPUs multiply faster; the tokenizer keeps its own size."""


class TransformerRun(ABC):
    """A corpus and options, ready to train (see `base.Prepared`).

    Args:
        corpus: ids and tokenizer.
        config: the options.
        setting: device, seed, start.
        model: the model to start from, or None for a new one.

    Raises:
        UsageError: the model's length is below that of the rows.
    """

    unit = "tokens"

    def __init__(self, corpus: Corpus, config: TransformerConfig, setting: Setting, model: Any | None) -> None:
        self.corpus, self.config, self.setting = corpus, config, setting
        self.num_epochs, self.learning_rate = config.epochs, config.learning_rate
        self._given = model
        if model is not None and config.length > model.config.length:
            raise UsageError(
                f"length must be at most {model.config.length}, that of the model to start from, got {config.length}",
                hint=f"Give --length {model.config.length}.",
            )
        self.training = self.packing(corpus.training, least_rows=1)
        self.validation = self.packing(corpus.validation, least_rows=0) if len(corpus.validation) else None

    @abstractmethod
    def packing(self, documents: NDArray[np.int64], *, least_rows: int) -> Packing:
        """Rows of some documents."""

    @abstractmethod
    def new_model(self, *, vocabulary_size: int) -> Any:
        """A model of the options' sizes, its weights filled."""

    @abstractmethod
    def objective(self) -> Any:
        """The `GradientObjective`."""

    @property
    @abstractmethod
    def scored_share(self) -> float:
        """The share of positions that are predicted."""

    @cached_property
    def model(self) -> Any:
        """The model that is trained."""
        if self._given is not None:
            return _with_dropout(self._given, self.config.dropout)
        rounded = -(-self.corpus.tokenizer.vocabulary_size // PAD_VOCABULARY_TO) * PAD_VOCABULARY_TO
        return self.new_model(vocabulary_size=rounded)

    @property
    def order(self) -> RowOrder:
        """Which rows make which batch."""
        config = self.config
        return RowOrder(self.training.num_rows, config.batch_rows, config.epochs, self.setting.seed, config.length)

    @property
    def validation_rows(self) -> NDArray[np.int64]:
        """The rows that are evaluated on, int64."""
        assert self.validation is not None, "there are documents to evaluate on"
        return spread_rows(self.validation.num_rows, self.config.validation_rows)

    def describe(self) -> list[str]:
        """What will be trained and what it takes, as lines for people."""
        lines = [*self.corpus.notes, *self.corpus.store.describe(), *self.training.describe()]
        if self.validation is not None:
            rows = len(self.validation_rows)
            held_back = len(self.corpus.validation)
            documents = counted(held_back, "document")
            lines.append(
                f"held back to evaluate on: {documents}, {rows:,} of {self.validation.num_rows:,} rows of them"
            )
        return [*lines, *self._describe_model(), self._describe_steps()]

    def _describe_model(self) -> list[str]:
        from textssl.models.base_presets import flops_per_token, memory_bytes, parameter_count

        shape, config = self.model.config, self.config
        count, table = parameter_count(shape), shape.vocabulary_size * shape.width
        layers, heads = counted(shape.layers, "layer"), counted(shape.heads, "head")
        kind = f"{type(self.model).__name__.lower()} of {layers} x {shape.width}, {heads}"
        rest = _millions(count - table)
        lines = [f"{kind}, vocabulary {shape.vocabulary_size:,}: {_millions(count)} parameters ({rest} in the blocks)"]
        if self.setting.start is not None:
            lines.append(f"its weights are those of {self.setting.start.source}; options of its size do not count")
            if self._given is not None and self._given.head_is_new:
                lines.append("that is a body without a head, which is new")
        flops = flops_per_token(shape, self.scored_share, config.length)
        memory = memory_bytes(shape, batch=-(-config.batch_rows // config.parts), length=config.length)
        lines.append(
            f"{flops / 1e6:,.1f} million operations a token, forward and backward; about {memory / 2**20:,.0f} MiB "
            f"on {self.setting.device}"
        )
        return lines

    def _describe_steps(self) -> str:
        order, config = self.order, self.config
        epochs, steps = counted(config.epochs, "epoch"), counted(order.steps_per_epoch, "step")
        return (
            f"{epochs} of {steps}, each of {config.batch_rows} rows of {config.length} tokens; "
            f"{config.optimizer}, learning rate {config.learning_rate:g}, {config.schedule}"
        )

    def data(self) -> dict[str, Any]:
        """What the run is trained on, for data.json."""
        store = self.corpus.store
        return {
            "fingerprint": self.corpus.fingerprint,
            "tokenizer": self.corpus.tokenizer.identity(),
            "num_tokens": store.num_tokens,
            "num_documents": store.num_documents,
            "num_documents_held_back": len(self.corpus.validation),
        }

    def blocks(self) -> None:
        """Nothing: a transformer is trained by gradients."""
        return

    def gradients(self) -> GradientParts:
        """Objective, model and how it is updated."""
        return GradientParts(self.objective(), self.model, self.config.optimisation)

    def save(self, folder: Path, tables: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Write the model as a Hugging Face folder, with its tokenizer.

        Args:
            folder: of the model.
            tables: the state of the task; the model's own are taken.
        """
        import torch

        from textssl.models.base_folder import save_model

        model = type(self.model)(self.model.config)
        own = {name: torch.from_numpy(np.array(tables[name])) for name in model.state_dict()}
        model.load_state_dict(own)
        save_model(folder, model, self.corpus.tokenizer, replace=True)


def started_from(start: Start | None, kind: str) -> tuple[Any, Tokenizer | None]:
    """The model and tokenizer of a folder to start from; two times None without one.

    Args:
        start: where from.
        kind: "Encoder" or "Decoder", what the objective trains.

    Raises:
        UsageError: the folder holds a model of the other kind.
        DataError: it holds none, or a damaged one.
    """
    if start is None:
        return None, None
    from textssl.models.base_folder import load_model

    model, tokenizer = load_model(start.path, new_head_seed=0)
    found = type(model).__name__
    fitting = {"Encoder": "masked_lm", "Decoder": "next_token"}.get(found)
    if fitting is None:
        raise UsageError(
            "holds a classifier, expected a model that predicts tokens",
            where=start.source,
            hint="Start from the run that the classifier was made of.",
        )
    if found != kind:
        raise UsageError(
            f"holds a model of the kind {found.lower()}, expected one of the kind {kind.lower()}",
            where=start.source,
            hint=f"Train it with textssl train {fitting}, or start from another folder.",
        )
    return model, tokenizer


def _with_dropout(model: Any, dropout: float) -> Any:
    """The model with another share left out while training; itself where it is the same."""
    if model.config.dropout == dropout:
        return model
    made = type(model)(dataclasses.replace(model.config, dropout=dropout))
    made.load_state_dict(model.state_dict())
    return made


def _millions(number: int) -> str:
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number:,}"
