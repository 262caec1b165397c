"""Encoder of masked language modelling: ModernBERT's block, every position sees every other.

    x = LN(E[ids]);   x += Wo attend(turn(q), turn(k), v) of LN(x);   x += Wo(gelu(u) * g) of LN(x);   LN(x)
    prediction: LN(gelu(W x)) E^T + b

Parameters are named as in transformers' ModernBertForMaskedLM, so a saved model needs no mapping.
Legend: B batch, T position, D width, V vocabulary, N scored positions, M = B * T all positions, Q queries of a row.
Source: Warner et al., ModernBERT (arXiv 2412.13663), section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.models.base import check_at_least, check_divides, check_dropout
from textssl.models.base_attention import Rotary, Turn, attend, bias_of, same_document, split_heads
from textssl.models.layers import LayerNorm, added, check_activation, gated


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes and ids of an encoder.

    Args:
        vocabulary_size: V, rows of the embedding table.
        width: D, a multiple of the heads.
        layers: number of blocks.
        heads: attention heads of a block.
        feed_forward_width: width of the gated part.
        length: the most positions.
        rope_theta: base of the wavelengths of the turns.
        pad_id, cls_id, separator_id: what fills up rows, begins them and ends documents.
        dropout: share left out of embeddings, attention outputs and feed-forward activations while training.
        window: positions that a layer with a window sees, half of them on each side; None without such layers.
        window_layers: numbers of the layers with a window, from 0.
        window_rope_theta: base of the wavelengths in these.
        norm_epsilon: added to variances.
        activation: of the feed-forward part, "gelu" or "silu".
        pooling: how classifiers make one vector of a text.
    """

    vocabulary_size: int
    width: int
    layers: int
    heads: int
    feed_forward_width: int
    length: int
    rope_theta: float = 10_000.0
    pad_id: int = 0
    cls_id: int = 2
    separator_id: int = 3
    dropout: float = 0.0
    window: int | None = None
    window_layers: tuple[int, ...] = ()
    window_rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-5
    activation: str = "gelu"
    pooling: Literal["mean", "cls"] = "mean"

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("vocabulary_size", "width", "layers", "heads", "length")}
        check_at_least(1, **sizes, feed_forward_width=self.feed_forward_width)
        check_divides(2 * self.heads, self.width, ("2 * heads", "width"))
        check_dropout(self.dropout)
        check_activation(self.activation)


class Encoder(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Embeddings, blocks and the head that predicts masked tokens; the output table is the embedding table."""

    head_is_new = False
    """True where the weights were those of a body alone, and nobody has trained the head yet."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.model = EncoderBody(config)
        self.head = PredictionHead(config)
        self.decoder = _OutputBias(config.vocabulary_size)

    def hidden(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Hidden vectors; see `EncoderBody.forward`."""
        return self.model(ids_BT, documents_BT=documents_BT, positions=positions)

    def mlm_hidden(self, hidden_ND: Tensor) -> Tensor:
        """What is scored against the output table: LN(gelu(W x)), (N, D)."""
        return self.head(hidden_ND)

    @property
    def output_table(self) -> tuple[Tensor, Tensor]:
        """The table (V, D) and bias (V,) that `mlm_hidden` is scored with."""
        return self.model.embeddings.tok_embeddings.weight, self.decoder.bias


class EncoderBody(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Embeddings and blocks, without a head."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.layers = nn.ModuleList(EncoderLayer(config, number) for number in range(config.layers))
        self.final_norm = LayerNorm(config.width, config.norm_epsilon)
        head_width = config.width // config.heads
        self.rotary = Rotary(head_width, config.length, config.rope_theta)
        self.window_rotary = Rotary(head_width, config.length, config.window_rope_theta)

    def forward(self, ids_BT: Tensor, *, documents_BT: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Hidden vectors of all positions, or of some.

        Args:
            ids_BT: integer (B, T).
            documents_BT: integer (B, T): positions see each other where the numbers are equal; -1 at padding. None:
                every row is one document without padding.
            positions: integer (N,), rising places in B * T; the last block then works for these only, from the keys
                and values of all.

        Returns:
            (B, T, D), or (N, D) with positions.

        Raises:
            UsageError: T is above the model's length.
        """
        B, T = ids_BT.shape
        views = self._views(B, T, documents_BT)
        hidden_MD = self.embeddings(ids_BT.reshape(-1))
        *others, last = self.layers
        for layer in others:
            hidden_MD = layer(hidden_MD, views[layer.windowed])
        hidden = last(hidden_MD, views[last.windowed], positions)
        hidden = self.final_norm(hidden)
        return hidden if positions is not None else hidden.view(B, T, -1)

    def _views(self, B: int, T: int, documents_BT: Tensor | None) -> dict[bool, View]:
        """What layers see, for those without and with a window."""
        device = self.embeddings.tok_embeddings.weight.device
        bias = None if documents_BT is None else bias_of(same_document(documents_BT))
        views = {False: View((B, T), self.rotary.turn(0, T), bias)}
        if self.config.window is not None:
            near = _near(T, self.config.window // 2, device)
            seen = near if documents_BT is None else same_document(documents_BT) & near
            views[True] = View((B, T), self.window_rotary.turn(0, T), bias_of(seen))
        return views


class View(NamedTuple):
    """What the layers of one kind share: (B, T), the turns of positions, and which keys a query sees."""

    shape: tuple[int, int]
    turn: Turn
    bias: Tensor | None


class EncoderLayer(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """One block; the first has no norm before its attention, the embeddings have theirs."""

    def __init__(self, config: EncoderConfig, number: int) -> None:
        super().__init__()
        self.windowed = number in config.window_layers
        self.attn_norm = LayerNorm(config.width, config.norm_epsilon) if number else nn.Identity()
        self.attn = Attention(config)
        self.mlp_norm = LayerNorm(config.width, config.norm_epsilon)
        self.mlp = FeedForward(config)

    def forward(self, hidden_MD: Tensor, view: View, positions: Tensor | None = None) -> Tensor:
        """(M, D) to (M, D), or to (N, D) with positions."""
        normed_MD = self.attn_norm(hidden_MD)
        if positions is None:
            attended = self.attn(normed_MD, view)
        else:
            attended = self.attn.at(normed_MD, view, positions)
            hidden_MD = hidden_MD.index_select(0, positions)
        hidden = added(attended, hidden_MD)
        return added(self.mlp(self.mlp_norm(hidden)), hidden)


class Attention(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Attention of a block: one matrix for queries, keys and values, one for the output."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.scale = (config.width // config.heads) ** -0.5
        self.Wqkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.Wo = nn.Linear(config.width, config.width, bias=False)

    def forward(self, hidden_MD: Tensor, view: View) -> Tensor:
        """(M, D) to (M, D)."""
        return self._out(self._everywhere(hidden_MD, view))

    def at(self, hidden_MD: Tensor, view: View, positions: Tensor) -> Tensor:
        """(M, D) to (N, D)."""
        if hidden_MD.device.type != "cpu":  # how many queries a row has would have to be read back from the device
            return self._out(self._everywhere(hidden_MD, view).index_select(0, positions))
        width = hidden_MD.shape[1]
        rows = _rows_of(positions, *view.shape)
        turn, bias = view.turn, view.bias
        query_BQE = F.linear(hidden_MD.index_select(0, rows.padded), self.Wqkv.weight[:width])
        (queries,) = split_heads(
            query_BQE.view(*rows.places.shape, -1), (self.heads,), turn.at(rows.places), (self.scale,)
        )
        both_BTE = F.linear(hidden_MD, self.Wqkv.weight[width:]).view(*view.shape, -1)
        keys, values = split_heads(both_BTE, (self.heads, self.heads), turn, (1.0, None))
        if bias is not None:
            rows_B1 = torch.arange(len(rows.places))[:, None] if len(bias) > 1 else 0
            bias = bias[:, 0][rows_B1, rows.places][:, None]
        out_BQD = attend(queries, keys, values, bias=bias, causal=False)
        return self._out(out_BQD.flatten(0, 1).index_select(0, rows.slots))

    def _everywhere(self, hidden_MD: Tensor, view: View) -> Tensor:
        heads_BTE = self.Wqkv(hidden_MD).view(*view.shape, -1)
        scales = (self.scale, 1.0, None)
        queries, keys, values = split_heads(heads_BTE, (self.heads,) * 3, view.turn, scales)
        return attend(queries, keys, values, bias=view.bias, causal=False).flatten(0, 1)

    def _out(self, attended: Tensor) -> Tensor:
        return F.dropout(self.Wo(attended), self.dropout, self.training)


class FeedForward(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Wo(activation(u) * g), where Wi gives u and g."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.dropout = config.dropout
        self.Wi = nn.Linear(config.width, 2 * config.feed_forward_width, bias=False)
        self.Wo = nn.Linear(config.feed_forward_width, config.width, bias=False)

    def forward(self, hidden_ND: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        inner = gated(self.Wi(hidden_ND), self.activation)
        return self.Wo(F.dropout(inner, self.dropout, self.training))


class PredictionHead(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """LN(gelu(W x)), before the output table and before a classifier."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width, bias=False)
        self.norm = LayerNorm(config.width, config.norm_epsilon)

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return self.norm(F.gelu(self.dense(hidden)))


class _Embeddings(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(config.vocabulary_size, config.width)
        self.norm = LayerNorm(config.width, config.norm_epsilon)
        self.dropout = config.dropout

    def forward(self, ids_M: Tensor) -> Tensor:
        return F.dropout(self.norm(self.tok_embeddings(ids_M)), self.dropout, self.training)


class _OutputBias(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """The bias of the output table, which is the embedding table itself."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))


class _QueryRows(NamedTuple):
    """Scored positions as rows of equal length.

    Args:
        padded: (B * Q,) places in B * T; where a row has fewer than Q, its first position.
        places: (B, Q), the same as positions in their row.
        slots: (N,), where each scored position lies in B * Q.
    """

    padded: Tensor
    places: Tensor
    slots: Tensor


def _rows_of(positions: Tensor, B: int, T: int) -> _QueryRows:
    row_N = positions // T
    counts_B = torch.bincount(row_N, minlength=B)
    longest = max(1, int(counts_B.max()))
    begin_B = counts_B.cumsum(0) - counts_B
    slots_N = row_N * longest + torch.arange(len(positions)) - begin_B[row_N]
    places_BQ = torch.zeros(B, longest, dtype=torch.int64)
    places_BQ.view(-1)[slots_N] = positions % T
    return _QueryRows((places_BQ + torch.arange(B)[:, None] * T).view(-1), places_BQ, slots_N)


def _near(T: int, reach: int, device: torch.device) -> Tensor:
    places = torch.arange(T, device=device)
    return ((places[:, None] - places[None, :]).abs() <= reach)[None, None]
