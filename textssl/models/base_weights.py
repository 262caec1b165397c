"""Weights of a Hugging Face folder: read from one safetensors file or several into a model, and checked against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from textssl.disk import reading, size_text
from textssl.errors import DataError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = "pytorch_model*.bin"
MAX_JSON_BYTES = 1 << 24
_NAMED_AT_MOST = 5
# Tables that old files hold although they follow from the configuration.
_COMPUTED = ("rotary_emb.inv_freq",)


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object from a small file.

    Raises:
        DataError: the file is missing, far too large, or no JSON object.
    """
    with reading(file):
        size = file.stat().st_size
        if size > MAX_JSON_BYTES:
            raise DataError(f"has {size_text(size)}, expected {size_text(MAX_JSON_BYTES)} at most", where=str(file))
        content = file.read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is damaged: {error}", where=str(file)) from error
    if not isinstance(value, dict):
        raise DataError(f"holds a {type(value).__name__}, expected a JSON object", where=str(file))
    return value


def load_weights(
    folder: Path, model: nn.Module, *, tied: Mapping[str, str] = {}, optional: tuple[str, ...] = ()
) -> list[str]:
    """Copy the weights of a folder into a model, raised to its type.

    Args:
        folder: holds `model.safetensors`, or its parts with an index.
        model: its parameters are overwritten.
        tied: names that a file may hold although the model has no such parameter, each with the parameter that it must
            equal.
        optional: how the names begin that all of them may be missing together; they keep their values then.

    Returns:
        The names that were missing.

    Raises:
        DataError: a tensor is missing, of another shape, no floating numbers, not finite or not known; or a file is
            damaged.
    """
    expected = dict(model.named_parameters())
    seen: set[str] = set()
    prefix = ""
    copies: dict[str, Tensor] = {}
    files = _files(folder)
    for file in files:
        with _opened(file) as tensors:
            names = list(tensors.keys())
            # A body saved without its head has no prefix.
            prefix = prefix or ("" if any(name.startswith("model.") for name in names) else "model.")
            for name in names:
                target = _target(name, prefix, expected)
                if name in tied and name not in expected:
                    copies[name] = tensors.get_tensor(name)
                elif target in expected:
                    _copy(file, name, tensors.get_tensor(name), expected[target])
                    seen.add(target)
                elif not name.endswith(_COMPUTED):
                    _refuse(file, f"holds {name!r}, which the model has not")
    missing = sorted(set(expected) - seen)
    if any(name.startswith(optional) for name in seen) or not optional:
        optional = ()
    _check_complete(folder, [name for name in missing if not (optional and name.startswith(optional))])
    for name, values in copies.items():
        if not torch.equal(values.float(), expected[tied[name]].detach()):
            _refuse(folder, f"has {name!r} different from {tied[name]!r}, expected one table for both")
    return missing


def _target(name: str, prefix: str, expected: Mapping[str, Any]) -> str:
    return name if name in expected else prefix + name


def _copy(file: Path, name: str, values: Tensor, parameter: nn.Parameter) -> None:
    if values.shape != parameter.shape:
        _refuse(file, f"has {name!r} of shape {tuple(values.shape)}, expected {tuple(parameter.shape)}")
    if not values.is_floating_point():
        _refuse(file, f"has {name!r} of type {values.dtype}, expected floating numbers")
    if not torch.isfinite(values).all():
        _refuse(file, f"has NaN or inf in {name!r}")
    with torch.no_grad():
        parameter.copy_(values)


def _check_complete(folder: Path, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - _NAMED_AT_MOST} more" if len(missing) > _NAMED_AT_MOST else ""
        _refuse(folder, f"lacks the weights {', '.join(missing[:_NAMED_AT_MOST])}{more}")


def _files(folder: Path) -> list[Path]:
    """The weight files, one or the parts that the index names."""
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / INDEX).exists():
        if any(folder.glob(PICKLES)):
            raise DataError(
                "holds its weights as a pickle, which can run any program when it is read",
                where=str(folder),
                hint="Save it anew with transformers: model.save_pretrained(folder) writes model.safetensors.",
            )
        raise DataError(f"holds no {WEIGHTS}", where=str(folder), hint="Give the folder of a saved model.")
    parts = read_object(folder / INDEX).get("weight_map")
    names = sorted(set(map(str, parts.values()))) if isinstance(parts, dict) else []
    if not names or any(Path(name).name != name for name in names):
        _refuse(folder / INDEX, "names no files of this folder as weight_map")
    return [folder / name for name in names]


def _opened(file: Path) -> Any:
    from safetensors import safe_open

    with reading(file):
        file.stat()
    return _Translated(file, lambda: safe_open(str(file), framework="pt"))


class _Translated:
    """A safetensors file whose own errors are ours."""

    def __init__(self, file: Path, make: Callable[[], Any]) -> None:
        self._file, self._make = file, make

    def __enter__(self) -> Any:
        from safetensors import SafetensorError

        try:
            self._opened = self._make()
            return self._opened.__enter__()
        except (SafetensorError, OSError) as error:
            _refuse(self._file, f"is damaged or no safetensors file: {error}")

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)


def _refuse(place: Path, message: str) -> NoReturn:
    raise DataError(message, where=str(place), hint="The files of the folder do not belong together; make it again.")
