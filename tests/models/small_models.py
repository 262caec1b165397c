"""Small models whose weights follow from their names, and the settings that the stored expectations are for."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import torch
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from textssl.models.base import normal
from textssl.models.base_folder import Model
from textssl.models.decoder import Decoder, DecoderBody, DecoderConfig
from textssl.models.encoder import Encoder, EncoderBody, EncoderConfig, PredictionHead
from textssl.models.heads import DecoderClassifier, EncoderClassifier, Labels
from textssl.randomness import Purpose, stream_key
from textssl.text.tokenizer import Tokenizer

EXPECTED = Path(__file__).with_name("expected_logits.json")
VOCABULARY = 17
ENCODER = EncoderConfig(
    vocabulary_size=VOCABULARY, width=16, layers=3, heads=2, feed_forward_width=12, length=16, rope_theta=1_000.0
)
DECODER = DecoderConfig(vocabulary_size=VOCABULARY, width=16, layers=2, heads=4, feed_forward_width=12, length=16)
LABELS = Labels(("bad", "fair", "good"))


def fill(model: torch.nn.Module) -> torch.nn.Module:
    """Matrices of deviation 0.3, norms about 1, biases about 0: everything matters for the logits."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            key = stream_key(3, Purpose.INITIALISE, zlib.crc32(name.encode()))
            values = torch.from_numpy(normal(key, 0, parameter.numel())).view_as(parameter) * 0.3
            norm = parameter.dim() == 1 and not name.endswith("bias")
            parameter.copy_(values + 1 if norm else values)
    return model.eval()


def settings() -> dict[str, Model]:
    """A model for each kind of folder."""
    from dataclasses import replace

    window = replace(ENCODER, window=4, window_layers=(1, 2), window_rope_theta=500.0)
    grouped = replace(DECODER, key_value_heads=2, head_width=6, tied=False, activation="gelu")
    first = replace(ENCODER, pooling="cls")
    made = {
        "encoder": Encoder(ENCODER),
        "encoder_window": Encoder(window),
        "encoder_silu": Encoder(replace(ENCODER, activation="silu")),
        "encoder_classifier_mean": EncoderClassifier(EncoderBody(ENCODER), PredictionHead(ENCODER), LABELS),
        "encoder_classifier_cls": EncoderClassifier(EncoderBody(first), PredictionHead(first), LABELS),
        "decoder": Decoder(DECODER),
        "decoder_grouped": Decoder(grouped),
        "decoder_classifier": DecoderClassifier(DecoderBody(DECODER), LABELS),
    }
    return {name: fill(model) for name, model in made.items()}


def ids_and_documents() -> tuple[torch.Tensor, torch.Tensor]:
    """Three rows of 12 positions, two of them with padding on the right: ids, and -1 where there is padding."""
    ids_BT = (torch.arange(36).view(3, 12) * 7) % 12 + 5
    documents_BT = torch.zeros_like(ids_BT)
    documents_BT[1, 9:] = -1
    documents_BT[2, 4:] = -1
    return torch.where(documents_BT < 0, 0, ids_BT), documents_BT


def logits(model: Model, ids_BT: torch.Tensor, documents_BT: torch.Tensor | None) -> torch.Tensor:
    """Scores of the vocabulary or of the labels."""
    with torch.no_grad():
        if isinstance(model, Encoder):
            table, bias = model.output_table
            return model.mlm_hidden(model.hidden(ids_BT, documents_BT=documents_BT)) @ table.T + bias
        if isinstance(model, Decoder):
            return model.hidden(ids_BT, documents_BT=documents_BT) @ model.output_table.T
        return model.logits(ids_BT, documents_BT=documents_BT)


def small_tokenizer(vocabulary_size: int = VOCABULARY) -> Tokenizer:
    """Five special tokens and the words a, b, c ..."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(97 + n) for n in range(vocabulary_size - 5))]
    backend = Backend(models.WordLevel({word: id for id, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(words[:5])
    return Tokenizer.from_json_text(backend.to_str())


def expected() -> dict[str, torch.Tensor]:
    """What transformers 5.23 gave for `settings()`; made by tests/interop/expect.py."""
    stored = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return {name: torch.tensor(values["logits"]).view(values["shape"]) for name, values in stored.items()}
