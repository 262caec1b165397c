"""Configurations are frozen dataclasses whose fields say their help and range; the same rules hold from every side.

    @dataclass(frozen=True)
    class WindowConfig:
        window: int = option(5, "Words on each side.", minimum=1)

        def __post_init__(self) -> None:
            validate(self)

Precedence: default < preset < file < given.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from textssl.errors import UsageError, did_you_mean
from textssl.option_names import option_hint
from textssl.toml import parse_toml as parse_toml
from textssl.toml import read_toml as read_toml
from textssl.toml import to_toml as to_toml

Config = TypeVar("Config")

NOT_SET = "(not set)"
_BOUNDS = {"minimum": "at least", "above": "above", "maximum": "at most", "below": "below"}
_TYPE_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path"}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a config dataclass.

    Args:
        default: the value when nothing is given; `dataclasses.MISSING` for an option that must be given.
        help: one sentence for the command line.
        minimum: smallest value allowed.
        maximum: largest value allowed.
        above: every value allowed is larger.
        below: every value allowed is smaller.
    """
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"help": help, **bounds})


def validate(config: Any) -> None:
    """Check the type, the choices and the range of every field; for `__post_init__`.

    Raises:
        UsageError: "window must be at least 1, got 0".
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        converted = _converted(field, hints[field.name], value)
        if type(converted) is not type(value):  # 1 for 1.0, a list for a tuple, text for a path
            object.__setattr__(config, field.name, converted)


def resolve(
    config_class: type[Config],
    given: Mapping[str, Any],
    *,
    file: Path | None = None,
    preset: Mapping[str, Any] | None = None,
) -> tuple[Config, dict[str, str]]:
    """Build a config from its four sources.

    Args:
        config_class: a dataclass made with `option`.
        given: the options that the person really gave.
        file: a TOML file with options.
        preset: options that a preset sets.

    Returns:
        The config, and for each field the origin of its value: "default", "preset", the file's name, or "given".

    Raises:
        UsageError: an unknown key, a value of the wrong type or out of range, or a missing option.
    """
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, config_class))}
    values: dict[str, Any] = {}
    origins = dict.fromkeys(fields, "default")
    from_file = read_toml(file) if file else {}
    for origin, source in (("preset", preset or {}), (str(file), from_file), ("given", given)):
        values |= checked(config_class, source, where=str(file) if source is from_file else None)
        origins |= dict.fromkeys(source, origin)
    missing = [name for name, field in fields.items() if name not in values and _is_required(field)]
    if missing:
        raise UsageError(f"{missing[0]} must be given", hint=fields[missing[0]].metadata.get("help"))
    return config_class(**values), origins


def checked(config_class: type, values: Mapping[str, Any], *, where: str | None = None) -> dict[str, Any]:
    """Values in the types of the config's fields, each checked alone.

    Args:
        config_class: a dataclass made with `option`.
        values: by the name of the field.
        where: where they come from, for messages.

    Raises:
        UsageError: an unknown name, or a value of the wrong type or out of range.
    """
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    hints = typing.get_type_hints(config_class)
    found = {}
    for name, value in values.items():
        if name not in fields:
            raise UsageError(f"there is no option {name!r}", where=where, hint=option_hint(name, fields) or None)
        try:
            found[name] = _converted(fields[name], hints[name], value)
        except UsageError as error:
            raise UsageError(error.message, where=where, hint=error.hint) from error
    return found


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line "window: 5 -> 8" for each key whose value differs, in the order of `old`."""
    lines = []
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = (_plain(side.get(key)) for side in (old, new))
        if before != after or isinstance(before, bool) != isinstance(after, bool):
            lines.append(f"{key}: {_shown(before)} -> {_shown(after)}")
    return lines


@dataclass(frozen=True, slots=True)
class Interval:
    """A distance in time or in steps; one of the two is None."""

    seconds: float | None
    steps: int | None


def parse_interval(text: str, *, name: str = "interval") -> Interval:
    """Read "30s", "5m", "2h" or "100steps".

    Raises:
        UsageError: anything else, or zero.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|steps?)\s*", text)
    number = float(found[1]) if found else 0.0
    if not found or number == 0 or (found[2].startswith("step") and not number.is_integer()):
        raise UsageError(
            f"{name} must be a time or a number of steps, got {text!r}", hint="Write 30s, 5m, 2h or 100steps."
        )
    if found[2] in _SECONDS:
        return Interval(seconds=number * _SECONDS[found[2]], steps=None)
    return Interval(seconds=None, steps=int(number))


def _converted(field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """The value in the field's own type, after all checks."""
    converted = _as_type(field.name, hint, value)
    if isinstance(converted, int | float) and not isinstance(converted, bool):
        _check_range(field, converted)
    return converted


def _as_type(name: str, hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _as_one_of(name, typing.get_args(hint), value)
    if origin is Literal:
        choices = typing.get_args(hint)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            listed = ", ".join(map(str, choices))
            near = did_you_mean(value, filter(lambda c: isinstance(c, str), choices)) if isinstance(value, str) else ""
            raise UsageError(f"{name} must be one of {listed}, got {value!r}", hint=near or None)
        return value
    if origin is tuple and isinstance(value, list | tuple):
        item = typing.get_args(hint)[0]
        return tuple(_as_type(f"{name}[{index}]", item, part) for index, part in enumerate(value))
    if hint is float and type(value) is int:
        return float(value)
    if hint is Path and isinstance(value, str | Path):
        return Path(value)
    plain = origin or hint
    if isinstance(plain, type) and isinstance(value, plain) and (plain is bool or not isinstance(value, bool)):
        return value
    raise UsageError(f"{name} must be {_type_words(hint)}, got {value!r}")


def _as_one_of(name: str, hints: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in hints:
        return None
    kinds = [hint for hint in hints if hint is not type(None)]
    if len(kinds) == 1:
        return _as_type(name, kinds[0], value)
    exact = [kind for kind in kinds if type(value) is kind]
    for kind in [*exact, *kinds]:
        try:
            return _as_type(name, kind, value)
        except UsageError:
            continue
    raise UsageError(f"{name} must be {' or '.join(map(_type_words, kinds))}, got {value!r}")


def _type_words(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return f"a list, each item {_type_words(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    return _TYPE_WORDS.get(hint, str(hint))


def _check_range(field: dataclasses.Field[Any], value: float) -> None:
    if not math.isfinite(value):
        raise UsageError(f"{field.name} must be a finite number, got {value}")
    bounds = {key: field.metadata[key] for key in _BOUNDS if field.metadata.get(key) is not None}
    inside = (
        value >= bounds.get("minimum", value)
        and value <= bounds.get("maximum", value)
        and value > bounds.get("above", -math.inf)
        and value < bounds.get("below", math.inf)
    )
    if not inside:
        wanted = " and ".join(f"{_BOUNDS[key]} {bound}" for key, bound in bounds.items())
        raise UsageError(f"{field.name} must be {wanted}, got {value}")


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    """As TOML would give it back."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _shown(value: Any) -> str:
    return NOT_SET if value is None else str(value)
