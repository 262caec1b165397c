"""Flat TOML files, written and read; errors name the file and the line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textssl.disk import size_text
from textssl.errors import UsageError

_MAX_BYTES = 1 << 20


def to_toml(mapping: Mapping[str, Any], comments: Mapping[str, str] = {}) -> str:
    """One line per key; values that are None are left out, mappings become tables at the end.

    Args:
        mapping: str, int, float, bool, Path, or lists of these.
        comments: put behind the value of the key that they are filed under.

    Raises:
        UsageError: a value that TOML cannot hold.
    """
    lines = []
    tables = []
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{_key_text(key)}]\n{to_toml(value)}")
        elif value is not None:
            comment = f"  # {' '.join(comments[key].split())}" if comments.get(key) else ""
            lines.append(f"{_key_text(key)} = {_value_text(key, value)}{comment}\n")
    return "".join(lines + tables)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        UsageError: the file is missing, too large, not UTF-8, or not TOML; with the line where it is wrong.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            limit = size_text(_MAX_BYTES)
            raise UsageError(f"has {size_text(size)}, a configuration file has {limit} at most", where=str(path))
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return parse_toml(content, where=str(path))


def parse_toml(content: bytes, *, where: str) -> dict[str, Any]:
    """Parse TOML; `where` names its origin in errors."""
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"is not UTF-8 at byte {error.start}", where=where) from error
    except RecursionError as error:
        raise UsageError("is nested too deeply", where=where) from error
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), flags=re.DOTALL)
        reason = found[1] if found else str(error)
        line = found[2] if found and found[2] else str(content.count(b"\n") + 1)
        raise UsageError(
            f"is not TOML: {reason[:1].lower()}{reason[1:]}",
            where=f"{where}:{line}",
            hint='A line reads: name = 5, name = 0.1, name = true, name = "text" or name = [1, 2].',
        ) from error


def _key_text(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string_text(key, key)


def _value_text(key: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | Path():
            return _string_text(key, str(value))
        case list() | tuple():
            return f"[{', '.join(_value_text(key, item) for item in value)}]"
    given = type(value).__name__
    raise UsageError(f"{key} is a {given}, a configuration file holds numbers, text, true, false and lists")


def _string_text(key: str, text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{key} is not valid Unicode: {text!r}") from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
