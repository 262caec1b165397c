"""Tables and numbers of README.md as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right."""
    if not rows:
        return ""
    lines = [columns, [":--", *["--:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def between(values: dict[str, Any] | None, form: str = "{:.1f}") -> str:
    """A median, and least and largest where there are several values."""
    if values is None:
        return "-"
    middle = form.format(values["median"])
    if len(values["all"]) == 1:
        return middle
    return f"{middle} ({form.format(values['min'])} to {form.format(values['max'])})"


def mean(values: dict[str, Any], form: str, scale: float) -> str:
    """A mean, and the standard deviation where there are several values."""
    middle = form.format(values["mean"] * scale)
    return middle if len(values["all"]) == 1 else f"{middle} ± {form.format(values['deviation'] * scale)}"


def footer(result: dict[str, Any]) -> str:
    """How, where and when a result was measured."""
    where = result["machine"]
    packages = ", ".join(f"{name} {result['versions'][name]}" for name in ("python", "numpy", "numba"))
    return (
        f"\n\n{result['protocol']}\n\n{where['processor']}, {where['cores']} cores, {where['memory_gb']} GB, "
        f"{result['date']}; {packages}. `{result['command']}`"
    )
