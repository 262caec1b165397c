"""Sizes by name, and what a model costs: parameters, arithmetic and memory."""

from __future__ import annotations

from textssl.errors import UsageError, did_you_mean
from textssl.models.decoder import DecoderConfig
from textssl.models.encoder import EncoderConfig

# layers of encoder and decoder, width, heads, vocabulary, length
SIZES = {
    "tiny": (4, 4, 256, 4, 8_192, 128),
    "mini": (6, 6, 384, 6, 16_384, 256),
    "small": (12, 12, 512, 8, 32_768, 512),
    "base": (22, 12, 768, 12, 50_368, 1_024),
}
FLOAT_BYTES = 4
# parameter, gradient, and the two moments of AdamW
FLOATS_PER_PARAMETER = 4


def encoder_preset(
    name: str, *, vocabulary_size: int | None = None, length: int | None = None, dropout: float = 0.0
) -> EncoderConfig:
    """An encoder by the name of its size; the feed-forward part is 1.5 times as wide as the model.

    Args:
        name: tiny, mini, small or base.
        vocabulary_size: V; None: that of the preset.
        length: the most positions; None: that of the preset.
        dropout: share left out while training.

    Raises:
        UsageError: there is no such size.

    Source of the shape: Warner et al., ModernBERT (arXiv 2412.13663), table 4.
    """
    layers, _, width, heads, vocabulary, positions = _size(name)
    return EncoderConfig(
        vocabulary_size=vocabulary_size or vocabulary,
        width=width,
        layers=layers,
        heads=heads,
        feed_forward_width=width * 3 // 2,
        length=length or positions,
        dropout=dropout,
    )


def decoder_preset(
    name: str, *, vocabulary_size: int | None = None, length: int | None = None, dropout: float = 0.0
) -> DecoderConfig:
    """A decoder by the name of its size; the feed-forward part is 8/3 as wide as the model, a multiple of 64.

    Args:
        name: tiny, mini, small or base.
        vocabulary_size: V; None: that of the preset.
        length: the most positions; None: that of the preset.
        dropout: share left out while training.

    Raises:
        UsageError: there is no such size.

    Source of the shape: Touvron et al., Llama (arXiv 2302.13971), section 2.2.
    """
    _, layers, width, heads, vocabulary, positions = _size(name)
    return DecoderConfig(
        vocabulary_size=vocabulary_size or vocabulary,
        width=width,
        layers=layers,
        heads=heads,
        feed_forward_width=-(-width * 8 // (3 * 64)) * 64,
        length=length or positions,
        dropout=dropout,
    )


def parameter_count(config: EncoderConfig | DecoderConfig) -> int:
    """Parameters of the model with its prediction head; a tied table counts once."""
    D, table = config.width, config.vocabulary_size * config.width
    if isinstance(config, EncoderConfig):
        norms = (2 * config.layers - 1) * D + 3 * D
        return table + config.layers * _block(config) + norms + D * D + config.vocabulary_size
    tables = table if config.tied else 2 * table
    return tables + config.layers * _block(config) + (2 * config.layers + 1) * D


def flops_per_token(config: EncoderConfig | DecoderConfig, scored_share: float, length: int | None = None) -> float:
    """Floating-point operations of a training step per position, forward and backward, as the model needs them.

    A product of matrices counts 2 per multiply-add, and three times for its two gradients; causal attention counts as
    half; norms, activations and the optimizer do not count. The last block of an encoder works for scored positions,
    its keys and values for all.

    Args:
        config: of the model.
        scored_share: share of positions that are predicted, 0 to 1.
        length: positions of a row; None: the model's length.
    """
    T = length or config.length
    D, table = config.width, config.vocabulary_size * config.width
    if isinstance(config, EncoderConfig):
        seen = [min(T, config.window or T) if number in config.window_layers else T for number in range(config.layers)]
        last_share = scored_share
        keys, head = 2 * D * D, (table + D * D) * scored_share
        products = [float(_block(config) + 2 * D * T_seen) for T_seen in seen]
    else:
        last_share = 1.0
        keys, head = 0, table * scored_share
        width = config.heads * config.width_of_head
        products = [float(_block(config) + width * T)] * config.layers
    products[-1] = keys + (products[-1] - keys) * last_share
    return 6 * (sum(products) + head)


def memory_bytes(config: EncoderConfig | DecoderConfig, *, batch: int, length: int | None = None) -> int:
    """About how many bytes training takes: weights, gradients, AdamW's moments and what is kept for the gradient.

    Args:
        config: of the model.
        batch: rows of one part of a step.
        length: positions of a row; None: the model's length.
    """
    T = length or config.length
    kept = 9 * config.width + 4 * config.feed_forward_width + config.heads * min(T, 256)
    return FLOAT_BYTES * (FLOATS_PER_PARAMETER * parameter_count(config) + batch * T * config.layers * kept)


def _block(config: EncoderConfig | DecoderConfig) -> int:
    """Weights of the matrices of one block."""
    feed_forward = 3 * config.width * config.feed_forward_width
    if isinstance(config, EncoderConfig):
        return 4 * config.width**2 + feed_forward
    return 2 * config.width * config.width_of_head * (config.heads + config.key_heads) + feed_forward


def _size(name: str) -> tuple[int, int, int, int, int, int]:
    if name not in SIZES:
        hint = did_you_mean(name, SIZES) or None
        raise UsageError(f"preset must be one of {', '.join(SIZES)}, got {name!r}", hint=hint)
    return SIZES[name]
