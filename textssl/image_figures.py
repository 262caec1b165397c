"""Pictures of what a network for images has learnt, as PNG: a map of images by label, and images with their nearest.

Legend of shapes: N images, Q images that are asked about, K neighbours of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.figures import DOTS_PER_INCH, FAINT, INK, as_png, dress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    *("#1d6fb8", "#c2410c", "#2f855a", "#7c3aed", "#b7791f", "#be185d", "#0e7490", "#4d7c0f", "#7f1d1d", "#475569"),
    *("#60a5fa", "#fb923c", "#6ee7b7", "#c4b5fd", "#facc15", "#f9a8d4", "#67e8f9", "#bef264", "#f87171", "#94a3b8"),
)
"""Of the labels; further ones share a grey."""
RIGHT, WRONG = "#2f855a", "#c2410c"
MAX_NAME_LENGTH = 18
GAP, CAPTION = 0.25, 0.26
"""In widths of a picture: behind the one that is asked about, and below each."""
SHOWN_SIDE = 96
"""Larger images are thinned out to about this many rows before they are drawn."""


def draw_image_map(
    points: NDArray[np.floating],
    targets: NDArray[np.int64] | None,
    names: Sequence[str],
    *,
    title: str,
    axes: tuple[str, str],
) -> bytes:
    """A map of images: one dot each, in the colour of its label, which stands at the middle of its dots.

    Args:
        points: (N, 2).
        targets: int64 (N,), numbers of the labels, -1 for none; None where there are no labels.
        names: of the labels.
        title: of the picture.
        axes: names of the two axes.

    Returns:
        A PNG.
    """
    targets = np.full(len(points), -1, dtype=np.int64) if targets is None else targets
    present = [label for label in np.unique(targets).tolist() if label >= 0]
    figure = _figure((9.5, 7) if present else (9, 7))
    plot = figure.add_subplot()
    dress(plot)
    size = float(np.clip(9000 / len(points), 6, 30))
    without = targets < 0
    if without.any():
        name = "no label" if present else None
        _dots(plot, points[without], size=size, color=FAINT, alpha=0.5, label=name)
    for label in present:
        _dots(plot, points[targets == label], size=size, color=_colour(label), alpha=0.75, label=_short(names[label]))
    for label in present if len(present) <= len(COLOURS) else ():
        _name_at_middle(plot, points[targets == label], _short(names[label]), _colour(label))
    if 1 < len(present) <= len(COLOURS):
        legend = plot.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9, markerscale=1.6)
        for text in legend.get_texts():
            text.set(parse_math=False, color=INK)
    plot.set_title(title, fontsize=12, color=INK, pad=10, parse_math=False)
    plot.set_xlabel(axes[0], fontsize=9, color=FAINT)
    plot.set_ylabel(axes[1], fontsize=9, color=FAINT)
    plot.margins(0.04)
    return as_png(figure)


def draw_nearest(
    queries: NDArray[Any],
    neighbours: NDArray[Any],
    cosines: NDArray[np.floating],
    labels: tuple[Sequence[str | None], Sequence[Sequence[str | None]]],
    *,
    title: str,
) -> bytes:
    """Some images, one in each row, and at its right the images whose features are nearest.

    A green frame has the label of the first, a red one another; without labels frames are grey.

    Args:
        queries: pixels (Q, H, W, channels), uint8 or uint16.
        neighbours: pixels (Q, K, H, W, channels), the nearest first.
        cosines: (Q, K).
        labels: of the queries, Q names or None; of the neighbours, Q times K.
        title: of the picture.

    Returns:
        A PNG.
    """
    own, others = labels
    shown = _as_pictures(np.concatenate([queries[:, None], neighbours], axis=1))
    height = queries.shape[1] / queries.shape[2]
    rows, columns = neighbours.shape[:2]
    step_x, step_y = 1.08, height + CAPTION
    size = (0.9 * (step_x * (columns + 1) + GAP), 0.9 * step_y * rows + 0.5)
    figure = _figure(size)
    plot = figure.add_subplot()  # one for all pictures: a hundred of them would take seconds
    for row in range(rows):
        _picture(plot, shown[row, 0], (0.0, row * step_y, height), INK, _short(own[row] or ""))
        for column, name in enumerate(others[row]):
            known = name is not None and own[row] is not None
            colour = (RIGHT if name == own[row] else WRONG) if known else FAINT
            caption = f"{_short(name)}  {cosines[row, column]:.2f}" if name else f"{cosines[row, column]:.2f}"
            place = (GAP + step_x * (column + 1), row * step_y, height)
            _picture(plot, shown[row, column + 1], place, colour, caption)
    plot.set_xlim(-0.05, step_x * (columns + 1) + GAP)
    plot.set_ylim(rows * step_y, -0.05)
    plot.set_aspect("equal")
    plot.axis("off")
    plot.set_title(title, fontsize=11, color=INK, parse_math=False)
    return as_png(figure)


def _dots(
    plot: Axes, points: NDArray[np.floating], *, size: float, color: str, alpha: float, label: str | None
) -> None:
    plot.scatter(points[:, 0], points[:, 1], s=size, color=color, alpha=alpha, linewidths=0, label=label)


def _picture(
    plot: Axes, picture: NDArray[np.float64], place: tuple[float, float, float], frame: str, caption: str
) -> None:
    """A picture of width 1 with its frame and caption; place: left, top, height."""
    from matplotlib.patches import Rectangle

    left, top, height = place
    extent = (left, left + 1, top + height, top)
    plot.imshow(picture, extent=extent, interpolation="nearest", cmap="gray", vmin=0, vmax=1)
    plot.add_patch(Rectangle((left, top), 1, height, fill=False, edgecolor=frame, linewidth=2.2))
    plot.text(left + 0.5, top + height + 0.04, caption, ha="center", va="top", fontsize=7, color=INK, parse_math=False)


def _as_pictures(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Pixels (..., H, W, channels) as gray (..., H, W) or RGB (..., H, W, 3) from 0 to 1.

    Of other numbers of channels the first one or three are shown. 8 bits are shown as they are; 16 bits rarely fill
    their range, so that they are stretched to what the pictures hold.
    """
    step = max(1, min(pixels.shape[-3:-1]) // SHOWN_SIDE)
    thinned = pixels[..., ::step, ::step, :].astype(np.float64)
    chosen = thinned[..., :3] if pixels.shape[-1] >= 3 else thinned[..., 0]
    low, high = (0.0, 255.0) if pixels.dtype == np.uint8 else map(float, np.percentile(chosen, (0.5, 99.5)))
    return np.asarray(np.clip((chosen - low) / max(high - low, 1.0), 0, 1))


def _name_at_middle(plot: Axes, points: NDArray[np.floating], name: str, colour: str) -> None:
    from matplotlib.patheffects import withStroke

    x, y = np.median(points, axis=0)
    plot.text(x, y, name, ha="center", va="center", fontsize=11, fontweight="bold", color=colour, parse_math=False,
              path_effects=[withStroke(linewidth=4, foreground="white")], zorder=5)  # fmt: skip


def _colour(label: int) -> str:
    return COLOURS[label] if label < len(COLOURS) else FAINT


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"


def _figure(size: tuple[float, float]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
