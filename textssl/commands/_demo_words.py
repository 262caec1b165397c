"""The first half of the demonstration: word vectors, the questions that they answer, and the figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands.base import print_table
from textssl.storage import commit_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from textssl.embeddings import Embeddings
    from textssl.report import Table

CORPUS = "demo"
QUESTIONS = "analogies.txt"
FIGURE = "capitals.png"
NUM_PAIRS = 14
"""Countries in the figure: as many as can be read."""
SETTINGS: dict[str, Any] = {"dim": 64, "window": 5, "epochs": 6, "subsample": 1e-3}
"""Chosen for this corpus of a million words: a small one needs its frequent words."""
ASKED = (
    "paris - france + italy",
    "berlin - germany + japan",
    "yen - japan + sweden",
    "swedish - sweden + spain",
    "texas - houston + chicago",
    "sang - singing + swimming",
    "faster - fast + slow",
)
"""Analogies that the generated facts answer; those with unknown words are left out."""
NEIGHBOURS_OF = ("paris", "king", "function", "seven", "yellow", "monday")
NUM_NEIGHBOURS = 5


@dataclass(frozen=True)
class AskedAnalogy:
    """An analogy and the words that answer it, best first."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """How many questions of a section were answered rightly."""

    name: str
    correct: int
    asked: int


@dataclass(frozen=True)
class WordAnswers:
    """What the word vectors know.

    Args:
        num_words: in the vocabulary.
        analogies: some of them, with answers.
        neighbours: words and their nearest.
        sections: scores on all analogy questions of the corpus, the total last.
    """

    num_words: int
    analogies: tuple[AskedAnalogy, ...]
    neighbours: dict[str, tuple[str, ...]]
    sections: tuple[Section, ...]

    @property
    def accuracy(self) -> float:
        """Share of the analogy questions that were answered rightly."""
        total = self.sections[-1]
        return total.correct / total.asked if total.asked else 0.0


def train_words(run: Path, *, threads: int, seed: int) -> Embeddings:
    """Train skip-gram vectors on the corpus of the demonstration, or open those that are finished."""
    from textssl.embeddings import Embeddings

    train = registry.module("commands", "train").train
    train("skipgram", CORPUS, out=run, threads=threads, seed=seed, **SETTINGS)
    return Embeddings.load(run)


def ask_words(vectors: Embeddings, run: Path, *, threads: int) -> WordAnswers:
    """Ask all questions that the corpus answers; they are left in the run folder."""
    import corpora
    from textssl.evaluators.analogy import Analogy

    questions = run / QUESTIONS
    commit_file(questions, corpora.load(CORPUS).questions or "")
    scores = Analogy().evaluate(vectors, questions, protocol="full", threads=threads)
    sections = tuple(Section(str(row[0]), int(row[2] or 0), int(row[3] or 0)) for row in scores.rows)
    return WordAnswers(len(vectors), _analogies(vectors), _neighbours(vectors), sections)


def draw_words(vectors: Embeddings, run: Path) -> Path:
    """Draw countries and their capitals into the run folder."""
    import numpy as np

    from textssl import figures
    from textssl.commands.base import CAPITALS

    pairs = [(country.lower(), capital.lower()) for country, capital in CAPITALS]
    known = [pair for pair in pairs if all(word in vectors for word in pair)][:NUM_PAIRS]
    words = [*(country for country, _ in known), *(capital for _, capital in known)]
    points, share = figures.principal_plane(np.stack([vectors.get_vector(word, norm=True) for word in words]))
    axes = figures.component_names(share)
    png = figures.draw_pairs(known, points, title="Countries and their capitals", axes=axes)
    commit_file(run / FIGURE, png)
    return run / FIGURE


def show_words(answers: WordAnswers, console: Console) -> None:
    """Print what the vectors know."""
    console.print(f"\nWORD VECTORS: {answers.num_words:,} words, known by the company they keep, without any labels.")
    console.print("\nAnalogies: the vector of a word minus another plus a third lies near the answer.")
    print_table(console, ("", "", ""), [("  " + each.question, "=", each.answers[0]) for each in answers.analogies])
    console.print("\nNeighbours: words that are used alike lie close together.")
    print_table(console, ("", ""), [("  " + word, ", ".join(near)) for word, near in answers.neighbours.items()])
    console.print(f"\nAll {answers.sections[-1].asked:,} analogy questions of this corpus, by section:")
    rows = [
        ("  " + each.name, f"{each.correct:,} of {each.asked:,}", f"{100 * each.correct / each.asked:.1f} %")
        for each in answers.sections
        if each.asked
    ]
    print_table(console, ("", "", ""), rows, right=(1, 2))


def tables_of_words(answers: WordAnswers) -> Sequence[Table]:
    """The same for the report."""
    from textssl.report import Table

    sections = [
        (each.name, each.correct, each.asked, each.correct / each.asked if each.asked else None)
        for each in answers.sections
    ]
    analogies = [(each.question, ", ".join(each.answers)) for each in answers.analogies]
    neighbours = [(word, ", ".join(near)) for word, near in answers.neighbours.items()]
    return (
        Table("Analogies", ("question", "answers"), analogies),
        Table("Neighbours", ("word", "nearest"), neighbours),
        Table("Analogy questions by section", ("section", "correct", "asked", "share"), sections),
    )


def _analogies(vectors: Embeddings) -> tuple[AskedAnalogy, ...]:
    from textssl.commands.base import parse_expression

    found = []
    for question in ASKED:
        expression = parse_expression(question)
        if all(word in vectors for word in (*expression.positive, *expression.negative)):
            near = vectors.most_similar(list(expression.positive), list(expression.negative), topn=3)
            found.append(AskedAnalogy(question, tuple(str(word) for word, _ in near)))
    return tuple(found)


def _neighbours(vectors: Embeddings) -> dict[str, tuple[str, ...]]:
    known = [word for word in NEIGHBOURS_OF if word in vectors]
    found = vectors.neighbours(known, topn=NUM_NEIGHBOURS)
    return {word: tuple(near for near, _ in row) for word, row in zip(known, found, strict=True)}
