"""Draw word vectors, images or a training run as a PNG: maps of words or images, pairs, nearest images, curves.

Examples:
  textssl plot runs/news                               the most frequent words
  textssl plot runs/news one two three red green blue
  textssl plot runs/news --method tsne --most-frequent 400
  textssl plot runs/news --capitals                    arrows from country to capital (Mikolov et al. 2013)
  textssl plot runs/news --pairs pairs.txt             the same for your own pairs, two words a line
  textssl plot runs/news --curves
  textssl plot runs/views --images test.npz            a map of images, and some with their nearest
  textssl plot runs/views --method tsne                the same of the images that it was trained on
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from textssl import figures
from textssl.commands._images import ImageReading, is_for_images
from textssl.commands.base import CAPITALS, at_least, existing, gives_own_errors, open_vectors, printable, require_known
from textssl.errors import DataError, UsageError
from textssl.report import along, curves_of
from textssl.run_folder import RunFolder
from textssl.storage import commit_file

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.commands._plot_images import ImagePlots
    from textssl.embeddings import Embeddings

MIN_PAIRS = 3
MIN_WORDS = {"pca": 2, "tsne": 4}


@dataclass(frozen=True)
class Plot:
    """The picture that was drawn.

    Args:
        path: the PNG.
        kind: what it shows.
        num_items: words, pairs or curves in it.
        left_out: what was asked for or known by heart, but is not in the vocabulary.
    """

    path: Path
    kind: Literal["map", "pairs", "curves"]
    num_items: int
    left_out: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Path and content in JSON's types."""
        return {"path": str(self.path), "kind": self.kind, "num_items": self.num_items, "left_out": list(self.left_out)}


@gives_own_errors
def plot(
    run: str | Path,
    *words: str,
    most_frequent: int = 200,
    method: Literal["pca", "tsne"] = "pca",
    seed: int = 1,
    capitals: bool = False,
    pairs: Path | None = None,
    curves: bool = False,
    images: str | None = None,
    labels: Path | None = None,
    image_size: int | None = None,
    most_images: int = 2000,
    out: Path | None = None,
) -> "Plot | ImagePlots":
    """Draw word vectors, what a network for images sees, or a training run.

    Args:
        run: run folder, model folder or vector file.
        words: the words of the map; the most frequent ones when none are given.
        most_frequent: number of words of the map when none are given.
        method: of the map: the plane of the two principal components, or t-SNE, which keeps neighbours together.
        seed: of t-SNE.
        capitals: draw countries and their capitals, joined by arrows, in the plane of their principal components.
        pairs: draw the pairs of this file likewise: two words a line.
        curves: draw the curves of the training, from metrics.jsonl of the run folder.
        images: images for a network for images; by default those that it was trained on.
        labels: a file of their labels, where these lie apart.
        image_size: bring every image to this side, in pixels.
        most_images: in the map, spread over all.
        out: the PNG to write; a file in the run folder when left out, else in the current folder.

    Returns:
        Where the picture is.

    Raises:
        UsageError: the options contradict each other.
        DataError: words are not in the vocabulary, or there are no curves yet.
        ResourceError: the picture cannot be written.
    """
    asked = [
        name
        for name, given in (("words", words), ("--capitals", capitals), ("--pairs", pairs), ("--curves", curves))
        if given
    ]
    if len(asked) > 1:
        raise UsageError(f"one picture at a time, got {' and '.join(asked)}", hint="Run textssl plot once for each.")
    if out is not None and out.suffix.lower() != ".png":
        raise UsageError(f"out must be a .png file, got {out}")
    if curves:
        return _plot_curves(Path(run), out)
    if is_for_images(run):
        from textssl.commands._plot_images import plot_images

        if asked:
            raise UsageError(
                f"{asked[0]} is for word vectors, this is a network for images",
                where=str(run),
                hint=f"Draw images: textssl plot {run} --images test/",
            )
        reading = ImageReading(labels, image_size)
        return plot_images(run, images, reading, method=method, seed=seed, most_images=most_images, output=out)
    if images is not None:
        raise DataError(
            "holds no network for images",
            where=str(run),
            hint="Train one: textssl train simclr images/ --out runs/views",
        )
    vectors = open_vectors(run)
    if capitals:
        return _plot_pairs(vectors, Path(run), _known_capitals(vectors), "capitals", out)
    if pairs is not None:
        return _plot_pairs(vectors, Path(run), _read_pairs(pairs), pairs.stem, out)
    at_least("most_frequent", most_frequent, MIN_WORDS[method])
    require_known(vectors, words, where=str(run))
    chosen = list(dict.fromkeys(words)) or vectors.words[:most_frequent]
    return _plot_map(vectors, Path(run), chosen, method, seed, out)


def show(result: "Plot | ImagePlots", console: "Console") -> None:
    """Print where the picture is."""
    if not isinstance(result, Plot):
        console.print(printable(str(result.map)))
        console.print(printable(str(result.nearest)))
        return
    console.print(printable(str(result.path)))
    if result.left_out:
        console.print(f"not in the vocabulary: {', '.join(map(printable, result.left_out))}")


def _plot_map(
    vectors: "Embeddings",
    run: Path,
    words: Sequence[str],
    method: Literal["pca", "tsne"],
    seed: int,
    output: Path | None,
) -> Plot:
    if len(words) < MIN_WORDS[method]:
        raise UsageError(f"a map by {method} needs at least {MIN_WORDS[method]} words, got {len(words)}")
    rows = _unit_rows(vectors, words)
    if method == "pca":
        points, share = figures.principal_plane(rows)
        axes = figures.component_names(share)
    else:
        points, axes = figures.neighbour_map(rows, seed=seed), ("t-SNE, first axis", "t-SNE, second axis")
    png = figures.draw_map(words, points, title=f"{len(words)} words of {run.name}", axes=axes)
    return Plot(_write(png, run, f"map-{method}", output), "map", len(words))


def _plot_pairs(
    vectors: "Embeddings", run: Path, pairs: Sequence[tuple[str, str]], name: str, output: Path | None
) -> Plot:
    known = [pair for pair in pairs if all(word in vectors for word in pair)]
    if len(known) < MIN_PAIRS:
        raise DataError(
            f"{len(known)} of {len(pairs)} pairs are in the vocabulary, at least {MIN_PAIRS} are needed",
            where=str(run),
            hint="Draw other pairs with --pairs FILE, two words a line; or words with: textssl plot RUN WORD WORD ...",
        )
    points, share = figures.principal_plane(_unit_rows(vectors, [*(a for a, _ in known), *(b for _, b in known)]))
    title = "Countries and their capitals" if name == "capitals" else name
    png = figures.draw_pairs(known, points, title=f"{title} ({run.name})", axes=figures.component_names(share))
    left_out = tuple(f"{a} {b}" for a, b in pairs if (a, b) not in known)
    return Plot(_write(png, run, name, output), "pairs", len(known), left_out)


def _plot_curves(run: Path, output: Path | None) -> Plot:
    records = RunFolder.view(existing(run, what="run folder")).read_metrics()
    found = curves_of(records)
    if not found:
        raise DataError(
            "has no curves yet: metrics.jsonl needs at least two records",
            where=str(run),
            hint="Let the run train longer, then draw again.",
        )
    png = figures.draw_curves(found, title=f"Training of {run.name}", along=along(records))
    return Plot(_write(png, run, "curves", output), "curves", len(found))


def _known_capitals(vectors: "Embeddings") -> list[tuple[str, str]]:
    """The pairs as the vocabulary spells them, capitalised or not."""
    lower = [(country.lower(), capital.lower()) for country, capital in CAPITALS]
    spellings = (list(CAPITALS), lower)
    return max(spellings, key=lambda pairs: sum(a in vectors and b in vectors for a, b in pairs))


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    content = existing(path, what="file of pairs").read_bytes()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 at byte {error.start:,}", where=str(path)) from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) == 2:
            pairs.append((words[0], words[1]))
        elif words:
            raise DataError(f"must have two words, got {len(words)}", where=f"{path}:{number}")
    return pairs


def _unit_rows(vectors: "Embeddings", words: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.stack([vectors.get_vector(word, norm=True) for word in words])


def _write(png: bytes, run: Path, name: str, output: Path | None) -> Path:
    if output is None:
        output = run / f"{name}.png" if RunFolder.is_run(run) else Path(f"{run.name.partition('.')[0]}-{name}.png")
    commit_file(output, png)
    return output
