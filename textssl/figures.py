"""Pictures of vectors and of training as PNG: maps of words, pairs joined by arrows, curves.

Everything is drawn with matplotlib's Agg canvas, which needs no screen; words are never read as markup.
Source of the figure of pairs: Mikolov et al. 2013, "Distributed Representations of Words and Phrases", figure 2.
Legend of shapes: N words, D dimensions.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#1f2933", "#7b8794", "#e4e7eb"
FIRST, SECOND, THIRD = "#1d6fb8", "#c2410c", "#2f855a"
DOTS_PER_INCH = 150
LARGE = 10_000
"""Numbers from here on are written with k, M and G on the axes."""
Place = tuple[int, int, str, str]
LABEL_PLACES: tuple[Place, ...] = (
    (6, 0, "left", "center"),
    (-6, 0, "right", "center"),
    (0, 6, "center", "bottom"),
    (0, -6, "center", "top"),
    (5, 5, "left", "bottom"),
    (-5, 5, "right", "bottom"),
    (5, -5, "left", "top"),
    (-5, -5, "right", "top"),
)
"""Where a label may stand from its point (points right, points up, alignments), best first."""
LEFT_FIRST = tuple(sorted(LABEL_PLACES, key=lambda place: place[0]))
RIGHT_FIRST = tuple(sorted(LABEL_PLACES, key=lambda place: -place[0]))


def principal_plane(vectors: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project vectors on their first two principal components.

    ``points = (x - mean) @ v[:, :2]`` with ``u s v' = svd(x - mean)``; each component's largest weight is positive.

    Args:
        vectors: (N, D), N at least 2.

    Returns:
        points: (N, 2); share: (2,), the share of the variance along each of the two components.
    """
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((2, centred.shape[1]))
    plane[: len(directions[:2])] = directions[:2]
    largest = plane[np.arange(2), np.abs(plane).argmax(axis=1)]
    plane *= np.where(largest < 0, -1.0, 1.0)[:, None]
    variance = np.zeros(2)
    variance[: len(spread[:2])] = spread[:2] ** 2
    total = float((spread**2).sum())
    return centred @ plane.T, variance / total if total > 0 else variance


def component_names(share: NDArray[np.float64]) -> tuple[str, str]:
    """Names of the two axes of a principal plane, with the share of the variance (2,) along each."""
    return (
        f"first principal component ({share[0]:.0%} of the variance)",
        f"second principal component ({share[1]:.0%} of the variance)",
    )


def neighbour_map(vectors: NDArray[np.floating], *, seed: int = 1) -> NDArray[np.float64]:
    """Lay vectors out in the plane by t-SNE on cosine distance, so that near neighbours stay near.

    Args:
        vectors: (N, D), N at least 4.
        seed: of the layout.

    Returns:
        points: (N, 2).

    Source: van der Maaten and Hinton 2008, as scikit-learn computes it.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    layout = TSNE(n_components=2, metric="cosine", init="random", perplexity=perplexity, random_state=seed)
    with threadpool_limits(
        1
    ):  # the same layout whatever the machine; threads that wait for each other gain little here
        points: NDArray[np.float64] = layout.fit_transform(np.asarray(vectors, dtype=np.float32)).astype(np.float64)
    return points


def draw_map(words: Sequence[str], points: NDArray[np.floating], *, title: str, axes: tuple[str, str]) -> bytes:
    """A map of words: one dot and one label each; labels that would cover others are left out.

    Args:
        words: N labels, the most important first (they get their place first).
        points: (N, 2).
        title: of the picture.
        axes: names of the two axes.

    Returns:
        A PNG.
    """
    figure, plot = _canvas(title, axes, size=(9, 7))
    plot.scatter(points[:, 0], points[:, 1], s=14, color=FIRST, linewidths=0, alpha=0.8)
    _pad(plot, points)
    left_out = _place_labels(
        figure, plot, words, points, colours=[INK] * len(words), places=[LABEL_PLACES] * len(words)
    )
    if left_out:
        _note(plot, f"{left_out} of {len(words)} labels are left out where they would cover others")
    return as_png(figure)


def draw_pairs(
    pairs: Sequence[tuple[str, str]], points: NDArray[np.floating], *, title: str, axes: tuple[str, str]
) -> bytes:
    """Pairs of words in the plane with an arrow from the first of each pair to the second.

    Args:
        pairs: N pairs.
        points: (2 N, 2), the first words of all pairs and then the second words.
        title: of the picture.
        axes: names of the two axes.

    Returns:
        A PNG.
    """
    points, axes = _arrows_to_the_right(points, axes)
    first, second = points[: len(pairs)], points[len(pairs) :]
    figure, plot = _canvas(title, axes, size=(9, 7))
    for begin, end in zip(first, second, strict=True):
        arrow = {"arrowstyle": "-|>", "color": FAINT, "linewidth": 0.9, "shrinkA": 4, "shrinkB": 4, "alpha": 0.8}
        plot.annotate("", xy=tuple(end), xytext=tuple(begin), arrowprops=arrow)
    plot.scatter(first[:, 0], first[:, 1], s=26, color=FIRST, zorder=3, linewidths=0)
    plot.scatter(second[:, 0], second[:, 1], s=26, color=SECOND, zorder=3, linewidths=0)
    _pad(plot, points)
    words = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    colours = [FIRST] * len(pairs) + [SECOND] * len(pairs)
    places = [LEFT_FIRST] * len(pairs) + [RIGHT_FIRST] * len(pairs)
    _place_labels(figure, plot, words, points, colours=colours, places=places, all_of_them=True)
    return as_png(figure)


def _arrows_to_the_right(
    points: NDArray[np.floating], axes: tuple[str, str]
) -> tuple[NDArray[np.floating], tuple[str, str]]:
    """The same picture, turned and mirrored: order and signs of principal components say nothing."""
    half = len(points) // 2
    along = (points[half:] - points[:half]).mean(axis=0)
    if abs(along[1]) > abs(along[0]):
        points, along, axes = points[:, ::-1], along[::-1], (axes[1], axes[0])
    return (points * (-1.0, 1.0) if along[0] < 0 else points), axes


def draw_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, title: str, along: str) -> bytes:
    """Curves of training, one panel below the other, over one common axis.

    Args:
        curves: name to (x, y); values that are not finite leave a gap.
        title: of the picture.
        along: name of the common axis.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    figure = Figure(figsize=(8, 1 + 1.9 * len(curves)), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, (x, y)), colour in zip(panels, curves.items(), _cycle(len(curves)), strict=True):
        marker = "o" if len(x) < 40 else None
        panel.plot(x, y, color=colour, linewidth=1.6, marker=marker, markersize=3)
        dress(panel)
        panel.set_ylabel(name, fontsize=9, color=INK, parse_math=False)
        panel.margins(x=0.02, y=0.12)
        if max(map(abs, y)) >= LARGE:
            panel.yaxis.set_major_formatter(EngFormatter(sep=" "))
    if max(max(x) for x, _ in curves.values()) >= LARGE:
        panels[-1].xaxis.set_major_formatter(EngFormatter(sep=" "))
    figure.align_ylabels(panels)
    panels[-1].set_xlabel(along, fontsize=9, color=INK)
    figure.suptitle(title, fontsize=11, color=INK, parse_math=False)
    return as_png(figure)


def _cycle(number: int) -> list[str]:
    return [(FIRST, SECOND, THIRD)[index % 3] for index in range(number)]


def _canvas(title: str, axes: tuple[str, str], *, size: tuple[float, float]) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    plot = figure.add_subplot()
    dress(plot)
    plot.set_title(title, fontsize=12, color=INK, pad=10, parse_math=False)
    plot.set_xlabel(axes[0], fontsize=9, color=FAINT)
    plot.set_ylabel(axes[1], fontsize=9, color=FAINT)
    return figure, plot


def dress(plot: Axes) -> None:
    """Grid, small grey numbers, lines at the left and at the bottom."""
    plot.grid(color=GRID, linewidth=0.7)
    plot.set_axisbelow(True)
    plot.tick_params(labelsize=8, colors=FAINT, length=0)
    for name, spine in plot.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(GRID)


def _pad(plot: Axes, points: NDArray[np.floating]) -> None:
    """Room at the sides, so that labels of outer points stay inside."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum((high - low) * (0.1, 0.06), 1e-6)
    plot.set_xlim(low[0] - margin[0], high[0] + margin[0])
    plot.set_ylim(low[1] - margin[1], high[1] + margin[1])


def _place_labels(
    figure: Figure,
    plot: Axes,
    words: Sequence[str],
    points: NDArray[np.floating],
    *,
    colours: Sequence[str],
    places: Sequence[Sequence[Place]],
    all_of_them: bool = False,
) -> int:
    """Write each label at the first of its places where it covers nothing; return how many found none."""
    figure.draw_without_rendering()  # sets the layout, so that positions on the canvas are final
    dots = plot.transData.transform(points)
    half = 4.0 * DOTS_PER_INCH / 100
    taken = _Boxes()
    for x, y in dots:
        taken.add((x - half, y - half, x + half, y + half))
    left_out = 0
    for index, word in enumerate(words):
        label = plot.annotate(
            word,
            points[index],
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8.5,
            color=colours[index],
            parse_math=False,
        )
        free = _free_place(label, places[index], figure, plot, taken)
        if free is None and not all_of_them:
            label.remove()
            left_out += 1
            continue
        right, up, horizontal, vertical = free or places[index][0]
        label.set(position=(right, up), horizontalalignment=horizontal, verticalalignment=vertical)
        taken.add(_extent(label, figure))
    return left_out


def _free_place(label: object, places: Sequence[Place], figure: Figure, plot: Axes, taken: _Boxes) -> Place | None:
    frame = plot.get_window_extent()
    for right, up, horizontal, vertical in places:
        label.set(position=(right, up), horizontalalignment=horizontal, verticalalignment=vertical)  # type: ignore[attr-defined]
        box = _extent(label, figure)
        inside = frame.x0 <= box[0] and box[2] <= frame.x1 and frame.y0 <= box[1] and box[3] <= frame.y1
        if inside and not taken.hit(box):
            return right, up, horizontal, vertical
    return None


def _extent(label: object, figure: Figure) -> tuple[float, float, float, float]:
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    box = label.get_window_extent(renderer)  # type: ignore[attr-defined]
    return box.x0, box.y0, box.x1, box.y1


class _Boxes:
    """Rectangles on the canvas, sorted into cells so that a question touches few of them."""

    CELL = 80.0

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}

    def add(self, box: tuple[float, float, float, float]) -> None:
        for cell in self._cells_of(box):
            self.cells.setdefault(cell, []).append(box)

    def hit(self, box: tuple[float, float, float, float]) -> bool:
        """Whether the rectangle overlaps one that was added."""
        return any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for cell in self._cells_of(box)
            for other in self.cells.get(cell, ())
        )

    def _cells_of(self, box: tuple[float, float, float, float]) -> list[tuple[int, int]]:
        columns = range(math.floor(box[0] / self.CELL), math.floor(box[2] / self.CELL) + 1)
        rows = range(math.floor(box[1] / self.CELL), math.floor(box[3] / self.CELL) + 1)
        return [(column, row) for column in columns for row in rows]


def _note(plot: Axes, text: str) -> None:
    plot.text(1.0, 1.005, text, transform=plot.transAxes, ha="right", va="bottom", fontsize=7, color=FAINT)


def as_png(figure: Figure) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return buffer.getvalue()
