"""report.html: one file about one run that opens anywhere, without scripts and without anything from outside.

Pictures are inside as data URIs. Every word, path and setting is escaped: words come from corpora and are not trusted.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textssl.figures import draw_curves
from textssl.run_folder import COMMAND, CONFIG, ENVIRONMENT, RunFolder
from textssl.storage import commit_file

NAME = "report.html"
NOT_CURVES = frozenset({"step", "time", "epoch", "version", "seed", "elapsed_s", "num_terms", "epoch_loss_nats"})
AXES = ("words", "step")
"""What the curves are drawn along: the first of these that the metrics have."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #e4e7eb }
p.state { color: #52606d; margin-top: 0 }
.warning { background: #fff7e6; border-left: 4px solid #de911d; padding: .4rem .8rem }
table { border-collapse: collapse; margin: .6rem 0 }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; vertical-align: top }
th { color: #52606d; font-weight: 600; border-bottom: 1px solid #cbd2d9 }
td { border-bottom: 1px solid #f0f2f5; overflow-wrap: anywhere }
td.number, th.number { text-align: right }
pre { background: #f5f7fa; padding: .8rem; overflow-x: auto; font-size: 13px }
img { max-width: 100%; height: auto }
figure { margin: 1rem 0 }
figcaption { color: #52606d; font-size: .9rem }
"""


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Args:
        heading: what it shows.
        columns: one heading per column.
        rows: cells; numbers stand at the right.
    """

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]


def write_report(
    run: str | Path,
    *,
    title: str | None = None,
    tables: Sequence[Table] = (),
    figures: Mapping[str, bytes] | None = None,
    warnings: Sequence[str] = (),
) -> Path:
    """Write report.html into a run folder.

    Args:
        run: the run folder; its configuration, metrics, environment and state are shown.
        title: of the page; the folder's name when left out.
        tables: scores, neighbours and the like, in this order.
        figures: caption to PNG; the folder's own PNG files are shown as well.
        warnings: shown at the top.

    Returns:
        The file written.

    Raises:
        UsageError: the folder holds no run.
        DataError: one of its files is damaged.
    """
    folder = RunFolder.view(Path(run))
    path, name = folder.path, title or folder.path.name
    pictures = {**_curves(folder), **(figures or {})}
    on_disk = {file.stem: file.read_bytes() for file in sorted(path.glob("*.png"))}
    pictures |= {caption: png for caption, png in on_disk.items() if png not in pictures.values()}
    body = [
        _heading(name, folder.status()),
        *(f'<p class="warning">{_text(warning)}</p>' for warning in warnings),
        *(_table(table) for table in tables),
        *(_figure(caption, png) for caption, png in pictures.items()),
        _settings("How it went", folder.status().get("summary", {})),
        _preformatted("Command", _read_text(path / COMMAND)),
        _preformatted("Configuration", _read_text(path / CONFIG)),
        _settings("Data", folder.data()),
        _settings("Environment", json.loads(_read_text(path / ENVIRONMENT) or "{}")),
    ]
    commit_file(path / NAME, _page(name, "\n".join(part for part in body if part)))
    return path / NAME


def curves_of(records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """The numbers of a run's metrics as curves.

    Args:
        records: the lines of metrics.jsonl; nested mappings count as ``outer.inner``.

    Returns:
        Name to (x, y), x being what `along` names; only what has two values or more, and changes.
    """
    along_name = along(records)
    found: dict[str, tuple[list[float], list[float]]] = {}
    for number, record in enumerate(records):
        flat = _flatten(record)
        position = flat.get(along_name, float(number))
        for name, value in flat.items():
            if name not in NOT_CURVES and name != along_name:
                x, y = found.setdefault(name, ([], []))
                x.append(position)
                y.append(value)
    return {name: (x, y) for name, (x, y) in found.items() if len(y) > 1 and len(set(y)) > 1}


def along(records: Sequence[Mapping[str, Any]]) -> str:
    """What a run's curves are drawn along: words, steps, or the lines of metrics.jsonl."""
    return next((name for name in AXES if any(name in record for record in records)), "record")


def _curves(run: RunFolder) -> dict[str, bytes]:
    records = run.read_metrics()
    found = curves_of(records)
    return {"Training": draw_curves(found, title=f"training of {run.path.name}", along=along(records))} if found else {}


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[prefix + str(key)] = float(value)
    return flat


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _heading(title: str, status: Mapping[str, Any]) -> str:
    state = ", ".join(str(status[name]) for name in ("state", "reason", "time") if name in status)
    return f'<h1>{_text(title)}</h1>\n<p class="state">{_text(state)}</p>'


def _table(table: Table) -> str:
    numeric = [
        bool(table.rows) and all(isinstance(row[column], int | float | None) for row in table.rows)
        for column in range(len(table.columns))
    ]
    head = "".join(_cell("th", name, right) for name, right in zip(table.columns, numeric, strict=True))
    rows = "".join(
        "<tr>" + "".join(_cell("td", value, right) for value, right in zip(row, numeric, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    return f"<h2>{_text(table.heading)}</h2>\n<table><tr>{head}</tr>\n{rows}</table>"


def _cell(tag: str, value: str | int | float | None, right: bool) -> str:
    number = ' class="number"' if right else ""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return f"<{tag}{number}>-</{tag}>"
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else value
    return f"<{tag}{number}>{_text(text)}</{tag}>"


def _figure(caption: str, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img alt="{_text(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _preformatted(heading: str, text: str) -> str:
    return f"<h2>{_text(heading)}</h2>\n<pre>{_text(text.strip())}</pre>" if text.strip() else ""


def _settings(heading: str, values: Mapping[str, Any]) -> str:
    rows = [(name, _in_words(value)) for name, value in values.items() if value not in (None, {}, [])]
    return _table(Table(heading, ("name", "value"), rows)) if rows else ""


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_words(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _text(text: object) -> str:
    """Escaped for HTML, control characters shown as a replacement sign."""
    visible = "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in str(text))
    return html.escape(visible, quote=True)
