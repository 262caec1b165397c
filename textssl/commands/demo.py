"""Try everything in two minutes, without a network: train, ask, measure, draw, report, on text that is always there.

Word vectors first; then, where torch is installed, a small masked language model, and fine-tuning on few labels.
With --vision on images instead: SimCLR on handwritten digits.

Examples:
  textssl demo
  textssl demo --vision
  textssl demo --out runs/first --threads 4
"""

import importlib.util
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl.commands import _demo_language as language
from textssl.commands import _demo_words as words
from textssl.commands.base import at_least, duration_text, gives_own_errors, printable
from textssl.errors import UsageError
from textssl.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.commands._demo_images import ImageDemo

FOLDER, FOLDER_OF_IMAGES = Path("runs/demo"), Path("runs/demo-vision")
WITHOUT_TORCH = 'The language model needs torch, which is not installed: pip install "textssl[torch]"'


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration did.

    Args:
        run: the run folder.
        duration_s: of everything.
        words: what the word vectors know.
        language: what the language model learnt; None without torch.
        figure: countries and capitals.
        report: the page that shows all of it.
    """

    run: Path
    duration_s: float
    words: words.WordAnswers
    language: language.LanguageAnswers | None
    figure: Path
    report: Path

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {**asdict(self), "accuracy": self.words.accuracy}


@gives_own_errors
def demo(*, out: Path | None = None, vision: bool = False, threads: int = 2, seed: int = 1) -> "DemoResult | ImageDemo":
    """Train on the built-in corpus, ask the models, measure them, draw them, and write a report.

    Args:
        out: the run folder, by default runs/demo or runs/demo-vision; the same command again goes on with it.
        vision: show images in place of text; this needs torch.
        threads: to train with.
        seed: of every random number.

    Returns:
        Answers, scores, and where figure and report are.

    Raises:
        UsageError: the folder holds something else, or images are to be shown and there is no torch.
        ResourceError: the folder cannot be written.
    """
    at_least("threads", threads, 1)
    has_torch = importlib.util.find_spec("torch") is not None
    if vision:
        return _images(Path(out or FOLDER_OF_IMAGES), has_torch, threads=threads, seed=seed)
    started = time.perf_counter()
    run = Path(out or FOLDER)
    steps = _Steps(7 if has_torch else 4)
    steps.begin("training skip-gram vectors on generated facts and the documentation of Python")
    vectors = words.train_words(run, threads=threads, seed=seed)
    steps.begin("asking the analogy questions that the facts answer")
    answers = words.ask_words(vectors, run, threads=threads)
    steps.begin("drawing countries and capitals")
    figure = words.draw_words(vectors, run)
    learnt = _language(run, steps, threads=threads, seed=seed) if has_torch else None
    steps.begin("writing the report")
    report = _report(run, answers, learnt)
    return DemoResult(run, time.perf_counter() - started, answers, learnt, figure, report)


def show(result: "DemoResult | ImageDemo", console: "Console") -> None:
    """Print what the models know, and what to try next."""
    if not isinstance(result, DemoResult):
        from textssl.commands._demo_images import show_demo

        show_demo(result, console)
        return
    words.show_words(result.words, console)
    if result.language is None:
        console.print(f"\n{WITHOUT_TORCH}")
    else:
        language.show_language(result.language, console)
    console.print(f"\nAll of it took {duration_text(result.duration_s)}.")
    console.print(f"Figure: {printable(str(result.figure))}")
    console.print(f"Report: {printable(str(result.report))}  (open it in a browser)")
    console.print("\nNext:")
    for command, about in _next_commands(result):
        console.print(f"  {command:<66}  {about}".rstrip())


class _Steps:
    """Says on the error stream which part of the demonstration begins."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0

    def begin(self, what: str) -> None:
        """Say that the next part begins."""
        self.number += 1
        _say(f"{self.number} of {self.total}  {what}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _images(run: Path, has_torch: bool, *, threads: int, seed: int) -> "ImageDemo":
    if not has_torch:
        raise UsageError("images need torch, which is not installed", hint='Install it: pip install "textssl[torch]"')
    from textssl.commands._demo_images import demonstrate_images

    return demonstrate_images(run, _Steps(4).begin, threads=threads, seed=seed)


def _language(run: Path, steps: _Steps, *, threads: int, seed: int) -> language.LanguageAnswers:
    steps.begin("training a small masked language model on the same text")
    model = language.train_language(run, words.CORPUS, threads=threads, seed=seed)
    steps.begin("filling in what is hidden in some sentences")
    filled = language.fill_texts(model.run)
    steps.begin("fine-tuning on docstrings that are labelled with their package")
    return language.language_answers(model, filled, language.fine_tune(run, seed=seed))


def _report(run: Path, answers: words.WordAnswers, learnt: "language.LanguageAnswers | None") -> Path:
    from textssl.report import write_report

    state = RunFolder.view(run).status().get("state")
    return write_report(
        run,
        title="textssl demo",
        tables=[*words.tables_of_words(answers), *(language.tables_of_language(learnt) if learnt else ())],
        figures=language.figures_of_language(learnt) if learnt else {},
        warnings=[] if state == "finished" else [f"the run is {state}: these are not its last vectors"],
    )


def _next_commands(result: DemoResult) -> Sequence[tuple[str, str]]:
    run = printable(str(result.run))
    found = [
        (f'textssl query {run} "madrid - spain + egypt"', "ask an analogy of your own"),
        (f"textssl plot {run} --method tsne", "a map of the words"),
        (f"textssl evaluate {run} --analogies {run}/{words.QUESTIONS}", "measure with both protocols"),
        (f"textssl export {run} vectors.bin", "vectors for other programs"),
    ]
    if result.language is not None:
        found += [
            (f'textssl fill {run}/{language.MODEL} "people in [MASK] love wine"', "fill in a sentence of your own"),
            (f'textssl predict {run}/{language.LABELS} "parse a header"', "the package of a sentence of your own"),
        ]
    return [
        *found,
        ("textssl train skipgram YOUR_CORPUS.txt --out runs/yours", "the same on your own text"),
    ]
