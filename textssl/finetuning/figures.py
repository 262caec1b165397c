"""Pictures of a classifier as PNG: its confusion matrix, and how loss and score went while it learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from textssl.figures import DOTS_PER_INCH, FAINT, FIRST, GRID, INK, SECOND, as_png, dress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_NUMBERED = 20
"""Classes up to which every cell shows its count."""
MAX_NAMED = 60
MAX_NAME_LENGTH = 24
Curve = tuple[Sequence[float], Sequence[float]]


def draw_confusion(counts: NDArray[np.int64], names: Sequence[str], *, title: str) -> bytes:
    """How often each class was taken for each; the shade is the share of the row.

    Args:
        counts: (C, C), true class by predicted class.
        names: C names.
        title: of the picture.

    Returns:
        A PNG.
    """
    size = len(names)
    side = min(4 + 0.45 * size, 16)
    figure = _figure((side + 1, side))
    plot = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    plot.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if size <= MAX_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else INK
            plot.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=colour)
    shown = [name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…" for name in names]
    if size <= MAX_NAMED:
        plot.set_xticks(range(size), shown, rotation=45 if size > 4 else 0, ha="right" if size > 4 else "center")
        plot.set_yticks(range(size), shown)
        for label in [*plot.get_xticklabels(), *plot.get_yticklabels()]:
            label.set(parse_math=False)
    plot.tick_params(labelsize=8, colors=INK, length=0)
    for spine in plot.spines.values():
        spine.set_color(GRID)
    plot.set_xlabel("predicted", fontsize=9, color=FAINT)
    plot.set_ylabel("true", fontsize=9, color=FAINT)
    plot.set_title(title, fontsize=11, color=INK, parse_math=False)
    return as_png(figure)


def draw_learning(losses: Mapping[str, Curve], scores: Mapping[str, Curve], *, title: str, score: str) -> bytes:
    """Training loss and dev score along the epochs, a line for each seed.

    Args:
        losses: name of a seed to (epochs, nats); a lone point is drawn as one.
        scores: the same with the dev score; may be empty.
        title: of the picture.
        score: name of the score.

    Returns:
        A PNG.
    """
    panels = [("training loss (nats)", losses, FIRST), (f"dev {score}", scores, SECOND)]
    panels = [panel for panel in panels if panel[1]]
    figure = _figure((8, 1 + 2.2 * len(panels)))
    plots = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for plot, (name, curves, colour) in zip(plots, panels, strict=True):
        for x, y in curves.values():
            faint = 1.0 if len(curves) == 1 else 0.6
            plot.plot(x, y, color=colour, linewidth=1.5, alpha=faint, marker="o" if len(x) < 40 else None, markersize=3)
        _finish(plot, name)
    plots[-1].set_xlabel("epoch", fontsize=9, color=INK)
    figure.suptitle(title, fontsize=11, color=INK, parse_math=False)
    return as_png(figure)


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _finish(plot: Axes, name: str) -> None:
    dress(plot)
    plot.set_ylabel(name, fontsize=9, color=INK, parse_math=False)
    plot.margins(x=0.02, y=0.12)
