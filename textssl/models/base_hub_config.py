"""config.json of a Hugging Face folder: written from a configuration, read into one, and refused where it says more.

What a reader of these families could do that we do not (biases, other kinds of turns, other activations) is an error
that names the key, never left out silently.
Source: transformers 5.23, configuration_modernbert.py and configuration_llama.py; older names of keys are read, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from textssl.errors import DataError, UsageError
from textssl.models.decoder import DecoderConfig
from textssl.models.encoder import EncoderConfig
from textssl.models.heads import Labels, Problem

ENCODER_TYPE = "modernbert"
DECODER_TYPE = "llama"
PROBLEMS: dict[Problem, str] = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}
_CLASSIFIERS = ("ModernBertForSequenceClassification", "LlamaForSequenceClassification")
_NO_BIAS = ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias")
ValueT = TypeVar("ValueT", int, float, str, bool)


@dataclass(frozen=True)
class HubConfig:
    """What config.json says.

    Args:
        config: of the model.
        labels: of a classifier, None where there is none.
    """

    config: EncoderConfig | DecoderConfig
    labels: Labels | None = None


def to_json(config: EncoderConfig | DecoderConfig, labels: Labels | None = None) -> dict[str, Any]:
    """The content of config.json.

    Args:
        config: of the model.
        labels: of a classifier, or None.
    """
    values = _encoder_json(config) if isinstance(config, EncoderConfig) else _decoder_json(config)
    if labels is not None:
        values["architectures"] = [_CLASSIFIERS[0 if isinstance(config, EncoderConfig) else 1]]
        values["id2label"] = {str(number): name for number, name in enumerate(labels.names)}
        values["label2id"] = {name: number for number, name in enumerate(labels.names)}
        values["problem_type"] = PROBLEMS[labels.problem]
    return values


def from_json(values: Mapping[str, Any], *, where: str) -> HubConfig:
    """A configuration from the content of config.json.

    Args:
        values: the JSON object.
        where: the file, for messages.

    Raises:
        DataError: another family, a value of another type, or something that our models do not have.
    """
    fields = _Fields(values, where)
    family = fields.text("model_type", "")
    try:
        if family == ENCODER_TYPE:
            config: EncoderConfig | DecoderConfig = _encoder(fields)
        elif family == DECODER_TYPE:
            config = _decoder(fields)
        else:
            fields.refuse(f"model_type must be {ENCODER_TYPE} or {DECODER_TYPE}, got {family!r}")
        architectures = values.get("architectures") or []
        classifies = isinstance(architectures, list) and any(name in _CLASSIFIERS for name in architectures)
        return HubConfig(config, _labels(fields) if classifies else None)
    except UsageError as error:
        raise DataError(error.message, where=where, hint=error.hint) from error


def _encoder_json(config: EncoderConfig) -> dict[str, Any]:
    types = ["sliding_attention" if n in config.window_layers else "full_attention" for n in range(config.layers)]
    return {
        "architectures": ["ModernBertForMaskedLM"],
        "model_type": ENCODER_TYPE,
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "hidden_activation": config.activation,
        "classifier_activation": "gelu",
        "max_position_embeddings": config.length,
        "norm_eps": config.norm_epsilon,
        **dict.fromkeys(_NO_BIAS, False),
        "decoder_bias": True,
        "layer_types": types,
        "local_attention": config.window if config.window is not None else 128,
        "rope_parameters": {
            "full_attention": {"rope_theta": config.rope_theta, "rope_type": "default"},
            "sliding_attention": {"rope_theta": config.window_rope_theta, "rope_type": "default"},
        },
        "tie_word_embeddings": True,
        "classifier_pooling": config.pooling,
        "pad_token_id": config.pad_id,
        "bos_token_id": config.cls_id,
        "eos_token_id": config.separator_id,
        "cls_token_id": config.cls_id,
        "sep_token_id": config.separator_id,
        "embedding_dropout": config.dropout,
        "attention_dropout": config.dropout,
        "mlp_dropout": config.dropout,
        "classifier_dropout": config.dropout,
        "dtype": "float32",
    }


def _decoder_json(config: DecoderConfig) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": DECODER_TYPE,
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_heads,
        "head_dim": config.width_of_head,
        "hidden_act": config.activation,
        "max_position_embeddings": config.length,
        "rms_norm_eps": config.norm_epsilon,
        "attention_bias": False,
        "mlp_bias": False,
        "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "default"},
        "tie_word_embeddings": config.tied,
        "pad_token_id": config.pad_id,
        "bos_token_id": config.begin_id,
        "eos_token_id": config.separator_id,
        "attention_dropout": config.dropout,
        "dtype": "float32",
    }


def _encoder(fields: _Fields) -> EncoderConfig:
    fields.only(_NO_BIAS, False)
    fields.only(("decoder_bias", "tie_word_embeddings"), True)
    if fields.text("classifier_activation", "gelu") != "gelu":
        fields.refuse(f"classifier_activation must be gelu, got {fields.values['classifier_activation']!r}")
    layers = fields.whole("num_hidden_layers", 22)
    windowed = _window_layers(fields, layers)
    pooling = fields.text("classifier_pooling", "cls")
    if pooling not in ("cls", "mean"):
        fields.refuse(f"classifier_pooling must be cls or mean, got {pooling!r}")
    return EncoderConfig(
        vocabulary_size=fields.whole("vocab_size", 50_368),
        width=fields.whole("hidden_size", 768),
        layers=layers,
        heads=fields.whole("num_attention_heads", 12),
        feed_forward_width=fields.whole("intermediate_size", 1_152),
        length=fields.whole("max_position_embeddings", 8_192),
        rope_theta=fields.theta("full_attention", fields.number("global_rope_theta", 160_000.0)),
        pad_id=fields.whole("pad_token_id", 50_283),
        cls_id=fields.whole("cls_token_id", 50_281),
        separator_id=fields.whole("sep_token_id", 50_282),
        dropout=fields.number("embedding_dropout", 0.0),
        window=fields.whole("local_attention", 128) if windowed else None,
        window_layers=windowed,
        window_rope_theta=fields.theta("sliding_attention", fields.number("local_rope_theta", 10_000.0)),
        norm_epsilon=fields.number("norm_eps", 1e-5),
        activation=fields.text("hidden_activation", "gelu"),
        pooling="cls" if pooling == "cls" else "mean",
    )


def _window_layers(fields: _Fields, layers: int) -> tuple[int, ...]:
    types = fields.values.get("layer_types")
    if types is None:
        every = fields.whole("global_attn_every_n_layers", 3)
        return tuple(number for number in range(layers) if number % max(1, every))
    known = ("full_attention", "sliding_attention")
    if not isinstance(types, list) or len(types) != layers or any(name not in known for name in types):
        fields.refuse(f"layer_types must be {layers} times one of {', '.join(known)}, got {types!r:.200}")
    return tuple(number for number, name in enumerate(types) if name == known[1])


def _decoder(fields: _Fields) -> DecoderConfig:
    fields.only(("attention_bias", "mlp_bias"), False)
    heads = fields.whole("num_attention_heads", 32)
    width = fields.whole("hidden_size", 4_096)
    return DecoderConfig(
        vocabulary_size=fields.whole("vocab_size", 32_000),
        width=width,
        layers=fields.whole("num_hidden_layers", 32),
        heads=heads,
        feed_forward_width=fields.whole("intermediate_size", 11_008),
        length=fields.whole("max_position_embeddings", 2_048),
        rope_theta=fields.theta(None, fields.number("rope_theta", 10_000.0)),
        pad_id=fields.id("pad_token_id", None),
        separator_id=fields.id("eos_token_id", 2),
        begin_id=fields.id("bos_token_id", 1),
        dropout=fields.number("attention_dropout", 0.0),
        key_value_heads=_unless(heads, fields.whole("num_key_value_heads", heads)),
        head_width=_unless(width // max(1, heads), fields.whole("head_dim", width // max(1, heads))),
        tied=fields.flag("tie_word_embeddings", False),
        norm_epsilon=fields.number("rms_norm_eps", 1e-6),
        activation=fields.text("hidden_act", "silu"),
    )


def _unless(usual: int, given: int) -> int | None:
    return None if given == usual else given


def _labels(fields: _Fields) -> Labels:
    named = fields.values.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    try:
        names = tuple(str(named[str(number)]) for number in range(len(named)))
    except (KeyError, TypeError):
        fields.refuse(f"id2label must name the labels 0, 1, ..., got {named!r:.200}")
    given = fields.values.get("problem_type")
    if given is None:
        return Labels(names, "regression" if len(names) == 1 else "single_label")
    problem = next((ours for ours, theirs in PROBLEMS.items() if theirs == given), None)
    if problem is None:
        fields.refuse(f"problem_type must be one of {', '.join(PROBLEMS.values())}, got {given!r:.200}")
    return Labels(names, problem)


@dataclass(frozen=True)
class _Fields:
    """The values of config.json, each checked when it is asked for; null stands for its default."""

    values: Mapping[str, Any]
    where: str

    def whole(self, key: str, default: int) -> int:
        return self._of(key, default, (int,), "a whole number")

    def number(self, key: str, default: float) -> float:
        return float(self._of(key, default, (int, float), "a number"))

    def text(self, key: str, default: str) -> str:
        return self._of(key, default, (str,), "a text")

    def flag(self, key: str, default: bool) -> bool:
        return self._of(key, default, (bool,), "true or false")

    def id(self, key: str, default: int | None) -> int | None:
        """An id, the first one of several, or None."""
        value = self.values.get(key, default)
        first = value[0] if isinstance(value, list) and value else value
        if first is not None and type(first) is not int:
            self.refuse(f"{key} must be an id, got {value!r:.200}")
        return first

    def theta(self, kind: str | None, older: float) -> float:
        """The base of the turns; turns of another kind are refused."""
        parameters = self.values.get("rope_parameters") or self.values.get("rope_scaling") or {}
        if kind is not None and isinstance(parameters, dict):
            parameters = parameters.get(kind) or {}
        if not isinstance(parameters, dict):
            self.refuse(f"rope_parameters must be an object, got {parameters!r:.200}")
        inner = _Fields(parameters, self.where)
        name = inner.text("rope_type", inner.text("type", "default"))
        if name != "default":
            self.refuse(f"rope_type must be default, got {name!r}: turns that are scaled are not known here")
        return inner.number("rope_theta", older)

    def only(self, keys: tuple[str, ...], expected: bool) -> None:
        """Refuse a model that has what ours have not."""
        for key in keys:
            if self.flag(key, expected) is not expected:
                self.refuse(f"{key} must be {str(expected).lower()}, our models have no other form")

    def refuse(self, message: str) -> NoReturn:
        hint = f"Models of the families {ENCODER_TYPE} and {DECODER_TYPE} without biases and scaled turns can be used."
        raise DataError(message, where=self.where, hint=hint)

    def _of(self, key: str, default: ValueT, types: tuple[type, ...], expected: str) -> ValueT:
        value = self.values.get(key)
        if value is None:
            return default
        if type(value) not in types:
            self.refuse(f"{key} must be {expected}, got {value!r:.200}")
        return value  # type: ignore[no-any-return]
