"""Small texts and the tokenizers learnt from them, once a session."""

from __future__ import annotations

import functools
import json

from textssl.text.tokenizer import Tokenizer
from textssl.text.tokenizer_training import Kind

ENGLISH = [
    "The quick brown fox jumps over the lazy dog. It jumped (twice), the fox said.",
    "Jumping foxes are quicker than dogs; dogs are lazier than foxes!",
    "Hello! A dog's well-earned day: eating, sleeping, jumping and quickly running after the brown fox.",
] * 20
OTHERS = [
    "Der Ärger über naïve Füchse.",
    "中国人在北京。日本語のカタカナ",
    "สวัสดีครับ",
    "emoji 😀 and tabs\tand  two spaces",
] * 20


@functools.cache
def small_tokenizer(kind: Kind = "bpe", size: int = 400, lowercase: bool = False) -> Tokenizer:
    return Tokenizer.train(ENGLISH + OTHERS, kind=kind, vocabulary_size=size, lowercase=lowercase)


def foreign_llama_json() -> str:
    """A tokenizer of the SentencePiece kind as Llama's: spaces as marks, rare characters as bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "▁b", "ab"]
    return json.dumps(
        {
            "version": "1.0",
            "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": None,
            "added_tokens": [
                {"id": id, "content": pieces[id], "single_word": False, "lstrip": False, "rstrip": False}
                | {"normalized": False, "special": True}
                for id in range(3)
            ],
            "normalizer": {
                "type": "Sequence",
                "normalizers": [
                    {"type": "Prepend", "prepend": "▁"},
                    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                ],
            },
            "pre_tokenizer": None,
            "post_processor": None,
            "decoder": {
                "type": "Sequence",
                "decoders": [
                    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                    {"type": "ByteFallback"},
                    {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                ],
            },
            "model": {
                "type": "BPE",
                "unk_token": "<unk>",
                "byte_fallback": True,
                "vocab": {piece: id for id, piece in enumerate(pieces)},
                "merges": [["▁", "a"], ["▁", "b"], ["a", "b"]],
            },
        }
    )
