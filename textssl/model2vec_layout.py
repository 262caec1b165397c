"""The files that make a vector folder a model2vec model: config.json and tokenizer.json, written and read.

The tokenizer splits at ASCII white space and looks every word up whole. model2vec leaves the unknown token out of its
means, but wants a row for it too: `mapping` leads token i to row i, and the unknown token, the last one, to row 0.
Source: model2vec 0.10, StaticModel.from_pretrained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.disk import reading
from textssl.errors import DataError
from textssl.tensor_file import open_tensors
from textssl.words import DECODED_AT_ONCE, Words

MODEL_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
EMBEDDINGS = "embeddings"
MAPPING = "mapping"
WEIGHTS = "weights"
MAX_TOKENIZER_BYTES = 1 << 30
_HINT = "A model2vec folder holds model.safetensors, config.json and tokenizer.json that belong together."


def token_mapping(num_words: int) -> NDArray[np.int32]:
    """Which row each token has: every word its own, the unknown token at the end row 0, int32 (V + 1,)."""
    mapping = np.arange(num_words + 1, dtype=np.int32)
    mapping[-1] = 0
    return mapping


def write_config(folder: Path, dimension: int) -> None:
    """Write config.json: no normalising, no cut of long texts."""
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": dimension,
        "embedding_dtype": "float32",
        "normalize": False,
        "max_length": None,
    }
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def write_tokenizer(folder: Path, words: Words) -> None:
    """Write tokenizer.json, in blocks of words."""
    unknown = next(name for name in _unknown_names() if name not in words)
    model: dict[str, Any] = {"type": "WordLevel", "unk_token": unknown, "vocab": {}}
    split = {"type": "Split", "pattern": {"Regex": "[ \\t\\n\\r\\x0b\\x0c]+"}, "behavior": "Removed", "invert": False}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
    before, after = json.dumps(tokenizer).split('"vocab": {}')
    with (folder / TOKENIZER_FILE).open("w", encoding="utf-8") as file:
        file.write(f'{before}"vocab": {{')
        for start in range(0, len(words), DECODED_AT_ONCE):
            block = words[start : start + DECODED_AT_ONCE]
            numbered = dict(zip(block, range(start, start + len(block)), strict=True))
            file.write(json.dumps(numbered, ensure_ascii=False)[1:-1] + ", ")
        file.write(f"{json.dumps(unknown)}: {len(words)}}}{after}")


def _unknown_names() -> Iterator[str]:
    yield "[UNK]"
    number = 0
    while True:
        number += 1
        yield f"[UNK{number}]"


def read_model2vec(folder: Path) -> tuple[Words, NDArray[Any]]:
    """Words and vectors of a folder that model2vec itself wrote: row of token times weight of token, where it has them.

    Args:
        folder: with model.safetensors and tokenizer.json.

    Returns:
        The tokens in the order of their numbers, and float32 (V, D), memory-mapped where the file holds just that.

    Raises:
        DataError: a file is missing, damaged, or does not fit the other.
    """
    tokens = _tokens(folder / TOKENIZER_FILE)
    path = folder / MODEL_FILE
    tensors = open_tensors(path).tensors
    if EMBEDDINGS not in tensors or tensors[EMBEDDINGS].ndim != 2:
        raise DataError(f"has no matrix {EMBEDDINGS!r}, it has {', '.join(tensors) or 'nothing'}", where=str(path))
    vectors = np.asarray(tensors[EMBEDDINGS], dtype=np.float32)
    if MAPPING in tensors:
        mapping = tensors[MAPPING]
        if mapping.dtype.kind not in "iu" or mapping.ndim != 1 or _outside(mapping, len(vectors)):
            raise DataError(f"has a {MAPPING!r} that leads outside its {len(vectors)} rows", where=str(path))
        vectors = vectors[mapping]
    if len(vectors) != len(tokens):
        raise DataError(f"has {len(vectors)} rows, the tokenizer has {len(tokens)} tokens", where=str(path), hint=_HINT)
    if WEIGHTS in tensors:
        weights = tensors[WEIGHTS]
        if weights.shape != (len(tokens),):
            raise DataError(f"has weights of shape {weights.shape} for {len(tokens)} tokens", where=str(path))
        vectors = (vectors * weights[:, None]).astype(np.float32)
    return Words.from_list(tokens), vectors


def _outside(mapping: NDArray[Any], num_rows: int) -> bool:
    return bool(len(mapping)) and not 0 <= int(mapping.min()) <= int(mapping.max()) < num_rows


def _tokens(path: Path) -> list[str]:
    with reading(path):
        if path.stat().st_size > MAX_TOKENIZER_BYTES:
            raise DataError(f"is larger than {MAX_TOKENIZER_BYTES:,} bytes", where=str(path))
        content = path.read_bytes()
    try:
        parsed = json.loads(content)
        numbers = _token_numbers(parsed)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError("is no tokenizer of the tokenizers library", where=str(path), hint=_HINT) from error
    tokens = sorted(numbers, key=numbers.__getitem__)
    if sorted(numbers.values()) != list(range(len(tokens))):
        raise DataError("numbers its tokens with gaps or twice", where=str(path), hint=_HINT)
    return tokens


def _token_numbers(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    vocabulary = tokenizer["model"]["vocab"]
    if isinstance(vocabulary, list):  # Unigram: pairs of token and score
        numbers = {token: number for number, (token, _) in enumerate(vocabulary)}
    else:
        numbers = dict(vocabulary)
    numbers.update({token["content"]: token["id"] for token in tokenizer.get("added_tokens") or []})
    if not all(isinstance(token, str) and type(number) is int for token, number in numbers.items()):
        raise TypeError("a token is no text or its number no integer")
    return numbers
