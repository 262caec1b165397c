"""What the tokens of a vocabulary write, as bytes of UTF-8: byte-level alphabet, "▁" for a space, "##" inside words."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from textssl.text.tokenizer import Tokenizer

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenBytes(NamedTuple):
    """One token.

    Args:
        content: what it writes; it may begin or end inside a character.
        begins_word: the tokenizer itself says that a word begins here (WordPiece, a token without ##).
    """

    content: bytes
    begins_word: bool


def token_bytes(tokenizer: Tokenizer) -> list[TokenBytes]:
    """What every token writes, by id.

    Args:
        tokenizer: of any of the three kinds.
    """
    settings = json.loads(tokenizer.json_text)
    tokens = tokenizer.token_strings()
    added = {entry["id"] for entry in settings.get("added_tokens", [])}
    if settings["model"].get("type") == "WordPiece":
        prefix = settings["model"].get("continuing_subword_prefix", "##")
        return [
            TokenBytes(token.removeprefix(prefix).encode(), not (prefix and token.startswith(prefix)))
            for token in tokens
        ]
    if _uses(settings, "ByteLevel"):
        return [
            TokenBytes(token.encode() if id in added else _from_byte_level(token), False)
            for id, token in enumerate(tokens)
        ]
    space = _space_mark(settings)
    return [TokenBytes(_from_pieces(token, space), False) for token in tokens]


def byte_level_alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for.

    Source: GPT-2, bytes_to_unicode: printable bytes are themselves, the others 256 and on in order.
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


_ALPHABET = byte_level_alphabet()


def _from_byte_level(token: str) -> bytes:
    return b"".join(bytes([_ALPHABET[letter]]) if letter in _ALPHABET else letter.encode() for letter in token)


def _from_pieces(token: str, space: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(space, " ").encode()


def _uses(settings: dict[str, Any], kind: str) -> bool:
    """Whether one of the tokenizer's steps is of a kind."""
    for name, inner in (("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")):
        step = settings.get(name) or {}
        if any(part.get("type") == kind for part in (step, *step.get(inner, []))):
            return True
    return False


def _space_mark(settings: dict[str, Any]) -> str:
    step = settings.get("pre_tokenizer") or {}
    marks = [part["replacement"] for part in (step, *step.get("pretokenizers", [])) if part.get("type") == "Metaspace"]
    return str(marks[0]) if marks else "\N{LOWER ONE EIGHTH BLOCK}"
