"""Try everything in a minute, without a network: train, ask, measure, draw, report; on a corpus that is always there.

Examples:
  textssl demo
  textssl demo --out runs/first --threads 4
"""

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands.base import at_least, print_table, printable
from textssl.run_folder import RunFolder
from textssl.storage import commit_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from textssl.embeddings import Embeddings
    from textssl.evaluators.base import EvaluationResult

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
class DemoResult:
    """What the demonstration did.

    Args:
        run: the run folder.
        duration_s: of everything.
        num_words: in the vocabulary.
        analogies: some of them, with answers.
        neighbours: words and their nearest.
        sections: scores on all analogy questions of the corpus, the total last.
        figure: countries and capitals.
        report: the page that shows all of it.
    """

    run: Path
    duration_s: float
    num_words: int
    analogies: tuple[AskedAnalogy, ...]
    neighbours: dict[str, tuple[str, ...]]
    sections: tuple[Section, ...]
    figure: Path
    report: Path

    @property
    def accuracy(self) -> float:
        """Share of the analogy questions that were answered rightly."""
        total = self.sections[-1]
        return total.correct / total.asked if total.asked else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {**asdict(self), "accuracy": self.accuracy}


def demo(*, out: Path = Path("runs/demo"), threads: int = 2, seed: int = 1) -> DemoResult:
    """Train on the built-in corpus, ask the vectors, measure them, draw them, and write a report.

    Args:
        out: the run folder; the same command again goes on with it.
        threads: to train with.
        seed: of every random number.

    Returns:
        Answers, scores, and where figure and report are.

    Raises:
        UsageError: the folder holds something else.
        ResourceError: the folder cannot be written.
    """
    import corpora
    from textssl.embeddings import Embeddings
    from textssl.evaluators.analogy import Analogy

    at_least("threads", threads, 1)
    started = time.perf_counter()
    _say("1 of 4  training skip-gram vectors on generated facts and the documentation of Python")
    train = registry.module("commands", "train").train
    train("skipgram", CORPUS, out=out, threads=threads, seed=seed, **SETTINGS)
    run = Path(out)
    vectors = Embeddings.load(run)
    _say("2 of 4  asking the analogy questions that the facts answer")
    questions = run / QUESTIONS
    commit_file(questions, corpora.load(CORPUS).questions or "")
    scores = Analogy().evaluate(vectors, questions, protocol="full", threads=threads)
    analogies, neighbours = _ask(vectors), _neighbours(vectors)
    _say("3 of 4  drawing countries and capitals")
    figure = _draw(vectors, run)
    _say("4 of 4  writing the report")
    report = _report(run, analogies, neighbours, scores)
    sections = tuple(Section(str(row[0]), int(row[2] or 0), int(row[3] or 0)) for row in scores.rows)
    duration = time.perf_counter() - started
    return DemoResult(run, duration, len(vectors), analogies, neighbours, sections, figure, report)


def show(result: DemoResult, console: "Console") -> None:
    """Print what the vectors know, and the five commands to try next."""
    console.print(
        f"\n{result.num_words:,} words learnt from how they are used, without any labels, in {result.duration_s:.0f} s."
    )
    console.print("\nAnalogies: the vector of a word minus another plus a third lies near the answer.")
    print_table(console, ("", "", ""), [("  " + each.question, "=", each.answers[0]) for each in result.analogies])
    console.print("\nNeighbours: words that are used alike lie close together.")
    print_table(console, ("", ""), [("  " + word, ", ".join(near)) for word, near in result.neighbours.items()])
    console.print(f"\nAll {result.sections[-1].asked:,} analogy questions of this corpus, by section:")
    rows = [
        ("  " + each.name, f"{each.correct:,} of {each.asked:,}", f"{100 * each.correct / each.asked:.1f} %")
        for each in result.sections
        if each.asked
    ]
    print_table(console, ("", "", ""), rows, right=(1, 2))
    run = printable(str(result.run))
    console.print(
        f"\nFigure: {printable(str(result.figure))}\nReport: {printable(str(result.report))}  (open it in a browser)"
    )
    console.print("\nNext:")
    for command, about in _next_commands(run):
        console.print(f"  {command:<66}  {about}".rstrip())


def _next_commands(run: str) -> "Sequence[tuple[str, str]]":
    return (
        (f'textssl query {run} "madrid - spain + egypt"', "ask an analogy of your own"),
        (f"textssl plot {run} --method tsne", "a map of the words"),
        (f"textssl evaluate {run} --analogies {run}/{QUESTIONS}", "measure with both protocols"),
        (f"textssl export {run} vectors.bin", "vectors for other programs"),
        ("textssl train skipgram YOUR_CORPUS.txt --out runs/yours", "the same on your own text"),
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _ask(vectors: "Embeddings") -> tuple[AskedAnalogy, ...]:
    from textssl.commands.base import parse_expression

    found = []
    for question in ASKED:
        expression = parse_expression(question)
        if all(word in vectors for word in (*expression.positive, *expression.negative)):
            near = vectors.most_similar(list(expression.positive), list(expression.negative), topn=3)
            found.append(AskedAnalogy(question, tuple(str(word) for word, _ in near)))
    return tuple(found)


def _neighbours(vectors: "Embeddings") -> dict[str, tuple[str, ...]]:
    known = [word for word in NEIGHBOURS_OF if word in vectors]
    found = vectors.neighbours(known, topn=NUM_NEIGHBOURS)
    return {word: tuple(near for near, _ in row) for word, row in zip(known, found, strict=True)}


def _draw(vectors: "Embeddings", run: Path) -> Path:
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


def _report(
    run: Path,
    analogies: "Sequence[AskedAnalogy]",
    neighbours: dict[str, tuple[str, ...]],
    scores: "EvaluationResult",
) -> Path:
    from textssl.report import Table, write_report

    state = RunFolder.view(run).status().get("state")
    return write_report(
        run,
        title="textssl demo",
        tables=[
            Table(
                "Analogies", ("question", "answers"), [(each.question, ", ".join(each.answers)) for each in analogies]
            ),
            Table("Neighbours", ("word", "nearest"), [(word, ", ".join(near)) for word, near in neighbours.items()]),
            Table("Analogy questions by section", scores.columns, scores.rows),
        ],
        warnings=[] if state == "finished" else [f"the run is {state}: these are not its last vectors"],
    )
