"""Which special token plays which part: padding, unknown, begin, separator, mask.

Tokenizers trained here use one set of names. Those of other people say it in `tokenizer_config.json` or
`special_tokens_map.json` beside the tokenizer, or their names are known ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from textssl.disk import reading, size_text
from textssl.errors import DataError

Role = Literal["pad", "unknown", "cls", "separator", "mask"]
ROLES: tuple[Role, ...] = get_args(Role)
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The special tokens of every tokenizer trained here, ids 0 to 4, in the order of `ROLES`; [SEP] ends a document."""

SIDE_FILES = ("tokenizer_config.json", "special_tokens_map.json")
_MAX_BYTES = 1 << 26
_KEYS: dict[Role, tuple[str, ...]] = {
    "pad": ("pad_token",),
    "unknown": ("unk_token",),
    "cls": ("cls_token", "bos_token"),
    "separator": ("sep_token", "eos_token"),
    "mask": ("mask_token",),
}
_KNOWN: dict[Role, tuple[str, ...]] = {
    "pad": ("[PAD]", "<pad>", "<|padding|>", "<|pad|>"),
    "unknown": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>", "<|begin_of_text|>", "<bos>"),
    "separator": ("[SEP]", "</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"),
    "mask": ("[MASK]", "<mask>"),
}


def roles_beside(folder: Path) -> dict[Role, str]:
    """The roles that the files beside a tokenizer name.

    Args:
        folder: may hold `tokenizer_config.json` or `special_tokens_map.json`; the first one that names a role decides.

    Raises:
        DataError: one of them is no JSON object, or far too large.
    """
    found: dict[Role, str] = {}
    for name in SIDE_FILES:
        if (folder / name).exists():
            settings = _read_object(folder / name)
            for role in ROLES:
                tokens = [token for key in _KEYS[role] if (token := _token(settings.get(key)))]
                if tokens:
                    found.setdefault(role, tokens[0])
    return found


def find_roles(given: Mapping[Role, str], id_of: Callable[[str], int | None]) -> dict[Role, int]:
    """The id of every role that a tokenizer has.

    Args:
        given: tokens by role, from `roles_beside`; other roles are looked for by known names.
        id_of: the id of a token, None where the vocabulary has no such token.
    """
    ids: dict[Role, int] = {}
    for role in ROLES:
        for token in (given[role],) if role in given else _KNOWN[role]:
            id = id_of(token)
            if id is not None:
                ids.setdefault(role, id)
    return ids


def special_tokens_map(tokens: Mapping[Role, str]) -> dict[str, str]:
    """What `special_tokens_map.json` holds: {"pad_token": "[PAD]", ...}.

    Args:
        tokens: by role.
    """
    return {_KEYS[role][0]: token for role, token in tokens.items()}


def _token(value: Any) -> str | None:
    """A token is written as text or as an object with its content."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) and content else None


def _read_object(file: Path) -> dict[str, Any]:
    with reading(file):
        size = file.stat().st_size
        if size > _MAX_BYTES:
            raise DataError(f"has {size_text(size)}, expected {size_text(_MAX_BYTES)} at most", where=str(file))
        content = file.read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is damaged: {error}", where=str(file)) from error
    if not isinstance(value, dict):
        raise DataError(f"holds a {type(value).__name__}, expected a JSON object", where=str(file))
    return value
