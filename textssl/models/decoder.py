"""Decoder of next-token prediction: Llama's block, a position sees itself and those before it.

    x = E[ids];   x += Wo attend(turn(q), turn(k), v) of RMS(x);   x += Wd(silu(Wg x) * Wu x) of RMS(x);   RMS(x)
    prediction: x E^T, or x times a table of its own

Parameters are named as in transformers' LlamaForCausalLM, so a saved model needs no mapping.
Legend: B batch, T position, S positions with those in the cache, D width, V vocabulary, N chosen positions, C width
of a head, M = B * T.
Source: Touvron et al., Llama (arXiv 2302.13971), section 2.2; Ainslie et al., GQA (arXiv 2305.13245).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.models.base import check_at_least, check_divides, check_dropout
from textssl.models.base_attention import Rotary, Turn, attend, bias_of, same_document, split_heads
from textssl.models.layers import RMSNorm, added, check_activation, gated


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes and ids of a decoder.

    Args:
        vocabulary_size: V, rows of the embedding table.
        width: D.
        layers: number of blocks.
        heads: attention heads of a block.
        feed_forward_width: width of the gated part.
        length: the most positions.
        rope_theta: base of the wavelengths of the turns.
        pad_id, separator_id: what fills up rows and ends documents.
        begin_id: what begins a text, or None.
        dropout: share left out of embeddings, attention outputs and feed-forward activations while training.
        key_value_heads: heads of keys and values, a divisor of the heads; None: as many.
        head_width: C, even; None: width / heads.
        tied: the output table is the embedding table.
        norm_epsilon: added to mean squares.
        activation: of the feed-forward part, "silu" or "gelu".
    """

    vocabulary_size: int
    width: int
    layers: int
    heads: int
    feed_forward_width: int
    length: int
    rope_theta: float = 10_000.0
    pad_id: int | None = 0
    separator_id: int | None = 3
    begin_id: int | None = None
    dropout: float = 0.0
    key_value_heads: int | None = None
    head_width: int | None = None
    tied: bool = True
    norm_epsilon: float = 1e-6
    activation: str = "silu"

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("vocabulary_size", "width", "layers", "heads", "length")}
        check_at_least(1, **sizes, feed_forward_width=self.feed_forward_width, key_value_heads=self.key_heads)
        check_divides(self.key_heads, self.heads, ("key_value_heads", "heads"))
        if self.head_width is None:
            check_divides(2 * self.heads, self.width, ("2 * heads", "width"))
        else:
            check_divides(2, self.head_width, ("2", "head_width"))
        check_dropout(self.dropout)
        check_activation(self.activation)

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.heads if self.key_value_heads is None else self.key_value_heads

    @property
    def width_of_head(self) -> int:
        """C."""
        return self.width // self.heads if self.head_width is None else self.head_width


class Cache:
    """Keys and values of the positions so far, so that a next position costs one position.

    Args:
        config: of the decoder.
        batch: B.
        capacity: the most positions it can hold.
        like: a tensor of the type and device of the model.
    """

    def __init__(self, config: DecoderConfig, *, batch: int, capacity: int, like: Tensor) -> None:
        shape = (config.layers, batch, config.key_heads, capacity, config.width_of_head)
        self.keys = like.new_empty(shape)
        self.values = like.new_empty(shape)
        self.documents = torch.zeros(batch, capacity, dtype=torch.int64, device=like.device)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take (B, H, T, C) of new positions of a layer, give those of all positions (B, H, S, C)."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Decoder(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Embeddings, blocks and the output table."""

    head_is_new = False
    """True where the weights were those of a body alone, and nobody has trained an output table yet."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.model = DecoderBody(config)
        if not config.tied:
            self.lm_head = nn.Linear(config.width, config.vocabulary_size, bias=False)

    def hidden(
        self,
        ids_BT: Tensor,
        *,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Hidden vectors; see `DecoderBody.forward`."""
        return self.model(ids_BT, documents_BT=documents_BT, cache=cache, positions=positions)

    @property
    def output_table(self) -> Tensor:
        """The table (V, D) that hidden vectors are scored with."""
        return self.model.embed_tokens.weight if self.config.tied else self.lm_head.weight


class DecoderBody(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Embeddings and blocks, without a head."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary_size, config.width)
        self.layers = nn.ModuleList(DecoderLayer(config, number) for number in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_epsilon)
        self.rotary = Rotary(config.width_of_head, config.length, config.rope_theta)

    def forward(
        self,
        ids_BT: Tensor,
        *,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Hidden vectors of all positions, or of some.

        Args:
            ids_BT: integer (B, T).
            documents_BT: integer (B, T): a position sees those before it with the same number; -1 at padding. None:
                every row is one document without padding.
            cache: what came before these T positions; extended by them. Not while training.
            positions: integer (N,), places in B * T; the last feed-forward part then works for these only.

        Returns:
            (B, T, D), or (N, D) with positions.

        Raises:
            UsageError: there are more positions than the model's length.
        """
        view = self._view(ids_BT, documents_BT, cache)
        hidden_MD = F.dropout(self.embed_tokens(ids_BT.reshape(-1)), self.config.dropout, self.training)
        for layer in self.layers[:-1]:
            hidden_MD = layer(hidden_MD, view)
        hidden = self.norm(self.layers[-1](hidden_MD, view, positions))
        if cache is not None:
            cache.length += ids_BT.shape[1]
        return hidden if positions is not None else hidden.view(*ids_BT.shape, -1)

    def _view(self, ids_BT: Tensor, documents_BT: Tensor | None, cache: Cache | None) -> View:
        B, T = ids_BT.shape
        start = 0 if cache is None else cache.length
        turn = self.rotary.turn(start, start + T)
        keys_BS = documents_BT
        if cache is not None:
            cache.documents[:, start : start + T] = 0 if documents_BT is None else documents_BT
            keys_BS = cache.documents[:, : start + T]
        if keys_BS is None:
            return View((B, T), turn, None, cache)
        queries_BT = keys_BS[:, start:]
        places = torch.arange(start + T, device=ids_BT.device)
        before = places[start:, None] >= places[None, :]
        return View((B, T), turn, bias_of(same_document(queries_BT, keys_BS) & before), cache)


class View(NamedTuple):
    """What the layers share: (B, T), turns of positions, which keys a query sees (None: those before it), the cache."""

    shape: tuple[int, int]
    turn: Turn
    bias: Tensor | None
    cache: Cache | None


class DecoderLayer(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """One block."""

    def __init__(self, config: DecoderConfig, number: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.width, config.norm_epsilon)
        self.self_attn = CausalAttention(config, number)
        self.post_attention_layernorm = RMSNorm(config.width, config.norm_epsilon)
        self.mlp = GatedFeedForward(config)

    def forward(self, hidden_MD: Tensor, view: View, positions: Tensor | None = None) -> Tensor:
        """(M, D) to (M, D), or to (N, D) with positions."""
        attended = self.self_attn(self.input_layernorm(hidden_MD), view, positions)
        stream = hidden_MD if positions is None else hidden_MD.index_select(0, positions)
        hidden = added(attended, stream)
        return added(self.mlp(self.post_attention_layernorm(hidden)), hidden)


class CausalAttention(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Attention of a block; on the way in the three matrices are one product."""

    def __init__(self, config: DecoderConfig, number: int) -> None:
        super().__init__()
        self.number = number
        self.counts = (config.heads, config.key_heads, config.key_heads)
        self.dropout = config.dropout
        width = config.width_of_head
        self.scale = width**-0.5
        self.q_proj = nn.Linear(config.width, config.heads * width, bias=False)
        self.k_proj = nn.Linear(config.width, config.key_heads * width, bias=False)
        self.v_proj = nn.Linear(config.width, config.key_heads * width, bias=False)
        self.o_proj = nn.Linear(config.heads * width, config.width, bias=False)

    def forward(self, hidden_MD: Tensor, view: View, positions: Tensor | None) -> Tensor:
        """(M, D) to (M, D), or to (N, D) with positions."""
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        heads_BTE = F.linear(hidden_MD, weight).view(*view.shape, -1)
        queries, keys, values = split_heads(heads_BTE, self.counts, view.turn, (self.scale, 1.0, None))
        if view.cache is not None:
            keys, values = view.cache.extend(self.number, keys, values)
        attended = attend(queries, keys, values, bias=view.bias, causal=view.bias is None).flatten(0, 1)
        if positions is not None:
            attended = attended.index_select(0, positions)
        return F.dropout(self.o_proj(attended), self.dropout, self.training)


class GatedFeedForward(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Wd(activation(Wg x) * Wu x); on the way in the two matrices are one product."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.dropout = config.dropout
        self.gate_proj = nn.Linear(config.width, config.feed_forward_width, bias=False)
        self.up_proj = nn.Linear(config.width, config.feed_forward_width, bias=False)
        self.down_proj = nn.Linear(config.feed_forward_width, config.width, bias=False)

    def forward(self, hidden_ND: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        weight = torch.cat([self.gate_proj.weight, self.up_proj.weight])
        inner = gated(F.linear(hidden_ND, weight), self.activation)
        return self.down_proj(F.dropout(inner, self.dropout, self.training))
