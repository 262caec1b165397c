"""Measure word vectors (analogies, similarity, texts), a transformer (predicting a text), or a network for images.

Examples:
  textssl evaluate runs/news --analogies questions-words.txt
  textssl evaluate runs/news --similarity wordsim353.tsv simlex999.tsv
  textssl evaluate vectors.bin --classification reviews.csv --text review --label stars
  textssl evaluate runs/news --analogies questions-words.txt --protocol full --json
  textssl evaluate runs/gpt --corpus other.txt         loss, perplexity, bits per byte
  textssl evaluate runs/views --images test/           k-NN, linear probe, gauges of collapse, a map
  textssl evaluate runs/views --images test.npz --train-images train.npz --labels labels.csv --json
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl.commands._images import ImageReading, is_for_images
from textssl.commands.base import (
    at_least,
    existing,
    gives_own_errors,
    holds_transformer,
    open_vectors,
    print_table,
    printable,
)
from textssl.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.commands._evaluate_images import ImageEvaluation
    from textssl.embeddings import Embeddings
    from textssl.evaluators.base import EvaluationResult

TRAINING_SHARE = 0.8
"""Of a labelled file without a test file."""
SPLIT_SEED = 1


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one set of vectors or one model.

    Args:
        run: the vectors or the model.
        num_words: size of their vocabulary; None for a transformer.
        results: one for each measurement, in the order asked for.
        notes: what a reader of the numbers should know.
    """

    run: str
    num_words: int | None
    results: "tuple[EvaluationResult, ...]"
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {
            "run": self.run,
            "num_words": self.num_words,
            "results": [result.as_dict() for result in self.results],
            "notes": list(self.notes),
        }


@gives_own_errors
def evaluate(
    run: str | Path,
    *,
    analogies: Sequence[Path] = (),
    similarity: Sequence[Path] = (),
    classification: Path | None = None,
    protocol: Literal["both", "restricted", "full"] = "both",
    restrict_vocab: int = 30_000,
    method: Literal["3cosadd", "3cosmul"] = "3cosadd",
    case: Literal["ignore", "exact"] = "ignore",
    text: str = "text",
    label: str = "label",
    test: Path | None = None,
    sizes: Sequence[int] = (),
    corpus: str | None = None,
    max_rows: int | None = None,
    images: str | None = None,
    labels: Path | None = None,
    train_images: str | None = None,
    train_labels: Path | None = None,
    image_field: str = "image",
    image_size: int | None = None,
    on_bad: Literal["error", "skip"] = "error",
    threads: int = 2,
    device: str = "auto",
) -> "Evaluation | ImageEvaluation":
    """Measure word vectors, with --corpus a transformer, or with --images a network for images.

    Args:
        run: run folder, vector folder or vector file; for --corpus a run of masked_lm or next_token, or a model folder;
            for --images a run of a method for images, or its model folder.
        analogies: files of analogy questions: sections ": name" with lines of four words.
        similarity: files of word pairs with a human score.
        classification: CSV or TSV file with texts and labels, for a classifier on averaged vectors.
        protocol: of analogies: restricted looks among the most frequent words only, full among all; both tells both.
        restrict_vocab: number of words of the restricted protocol.
        method: of analogies: 3cosadd sums cosines, 3cosmul multiplies them.
        case: ignore takes words that differ in capitals only as one, exact does not.
        text: the column of texts.
        label: the column or field of labels.
        test: file with the texts to test on; without it a fifth of the labelled texts is kept back.
        sizes: numbers of training texts to draw, an experiment each; all of them when left out.
        corpus: text for a transformer to predict: file, folder or name of a built-in corpus.
        max_rows: predict so many rows of the corpus at most, spread over it; all of them when left out.
        images: labelled test images: folder with a sub-folder for each label, .npz, idx, Parquet or a built-in name.
        labels: a file of their labels, where these lie apart: columns file and label, or one label a line, in order.
        train_images: labelled images to find neighbours among and to fit a probe on; by default those of the run.
        train_labels: a file of the labels of these, or of the run's own images, where they lie apart.
        image_field: the field or column that holds the images.
        image_size: bring every image to this side, in pixels.
        on_bad: stop at the first image that cannot be read, or skip and count them.
        threads: to compare with.
        device: of a transformer or a network for images: auto, cpu, cuda, cuda:N or mps.

    Returns:
        The results in the order of the options; each says how it was measured and how many words were known.

    Raises:
        UsageError: nothing to measure, or an option is out of its range.
        DataError: a file is missing or in another layout, or none of its words is known.
    """
    at_least("restrict_vocab", restrict_vocab, 1)
    at_least("threads", threads, 1)
    if images is not None or is_for_images(run):
        _refuse_measures_of_text(run, images, (*analogies, *similarity, classification, corpus))
        reading = ImageReading(labels, image_size, image_field, label, on_bad)
        from textssl.commands._evaluate_images import evaluate_images

        return evaluate_images(
            run, images or "", reading, train_images=train_images, train_labels=train_labels, device=device
        )
    if corpus is not None:
        return _predicted(run, corpus, max_rows, device, others=(*analogies, *similarity, classification))
    questions, pairs = _files(analogies, "analogy questions"), _files(similarity, "word pairs")
    if not questions and not pairs and classification is None:
        if holds_transformer(Path(run)):
            raise UsageError("nothing to measure", hint=f"Give a text to predict: textssl evaluate {run} --corpus FILE")
        raise UsageError(
            "nothing to measure",
            hint=f"Give --analogies, --similarity or --classification: textssl evaluate {run} --analogies FILE",
        )
    vectors = open_vectors(run)
    results: list[EvaluationResult] = []
    notes: list[str] = []
    for file in questions:
        results += _analogies(vectors, file, protocol, restrict_vocab, method, case, threads)
    for file in pairs:
        results.append(_similarity(vectors, file, case))
    if classification is not None:
        result, shared = _classification(vectors, classification, test, text, label, sizes)
        results.append(result)
        notes += [f"{shared:,} texts of the test set stand in the training set too"] if shared else []
    return Evaluation(str(run), len(vectors), tuple(results), tuple(notes))


def show(result: "Evaluation | ImageEvaluation", console: "Console") -> None:
    """Print a table for each measurement."""
    if not isinstance(result, Evaluation):
        from textssl.commands._evaluate_images import show_images

        show_images(result, console)
        return
    words = "" if result.num_words is None else f": {result.num_words:,} words"
    console.print(f"{printable(result.run)}{words}")
    analogies = [each for each in result.results if each.name == "analogy"]
    for source in dict.fromkeys(each.source for each in analogies):
        _show_analogies([each for each in analogies if each.source == source], console)
    for each in result.results:
        if each.name == "similarity":
            _show_similarity(each, console)
        elif each.name == "language_model":
            _show_language_model(each, console)
        elif each.name != "analogy":
            console.print(f"\n{each.name}: {printable(each.source)}")
            rows = [[_cell(value) for value in row] for row in each.rows]
            print_table(console, each.columns, rows, right=range(1, len(each.columns)))
            console.print(f"{each.metrics['coverage']:.1%} of the words of the test texts are known")
    for note in result.notes:
        console.print(note)


def _refuse_measures_of_text(run: str | Path, images: str | None, others: "Sequence[Path | str | None]") -> None:
    """Refuse images for what is no network for images, measures of text for one, and nothing to measure."""
    if not is_for_images(existing(run, what="run folder or model folder")):
        raise DataError(
            "holds no network for images",
            where=str(run),
            hint=f"Train one: textssl train simclr images/ --out runs/views. To measure this one: textssl evaluate "
            f"{run} --analogies FILE, or --corpus FILE",
        )
    if images is None or any(other is not None for other in others):
        given = "nothing to measure" if images is None and not any(others) else "analogies and texts measure no images"
        raise UsageError(
            given, where=str(run), hint=f"It is a network for images: textssl evaluate {run} --images test/"
        )


def _predicted(
    run: str | Path, corpus: str, max_rows: int | None, device: str, *, others: "Sequence[Path | None]"
) -> Evaluation:
    """How well a transformer predicts a text."""
    import corpora
    from textssl.commands._language_models import open_language_model
    from textssl.evaluators.language_model import LanguageModel

    if any(other is not None for other in others):
        raise UsageError(
            "corpus measures a transformer, analogies, similarity and classification measure word vectors",
            hint="Give one or the other.",
        )
    model, tokenizer = open_language_model(run, device)
    source = corpora.load(corpus)
    device = str(next(model.parameters()).device)
    result = LanguageModel().evaluate(model, tokenizer, source, max_rows=max_rows, device=device)
    return Evaluation(str(run), None, (result,))


def _show_language_model(result: "EvaluationResult", console: "Console") -> None:
    found, settings = result.metrics, result.settings
    what = "tokens" if settings["kind"] == "decoder" else "hidden tokens (15 %, the same every time)"
    rows = f"{settings['rows']:,} of {settings['rows_of_text']:,} rows of {settings['length']}"
    console.print(f"\npredicts {printable(result.source)}: {found['predicted_tokens']:,.0f} {what} in {rows}")
    line = f"loss {found['loss_nats']:.4f} nats  perplexity {found['perplexity']:.2f}  accuracy {found['accuracy']:.1%}"
    if "bits_per_byte" in found:
        line += f"  bits per byte {found['bits_per_byte']:.4f}"
    console.print(line)


def _files(given: Sequence[Path] | Path | str, what: str) -> list[Path]:
    paths = [given] if isinstance(given, str | Path) else given
    return [existing(path, what=f"file of {what}") for path in paths]


def _analogies(
    vectors: "Embeddings",
    file: Path,
    protocol: Literal["both", "restricted", "full"],
    restrict_vocab: int,
    method: Literal["3cosadd", "3cosmul"],
    case: Literal["ignore", "exact"],
    threads: int,
) -> "Iterator[EvaluationResult]":
    from textssl.evaluators.analogy import Analogy

    chosen: tuple[Literal["restricted", "full"], ...] = ("restricted", "full") if protocol == "both" else (protocol,)
    if protocol == "both" and len(vectors) <= restrict_vocab:
        chosen = ("full",)  # both protocols would look at the same words
    for each in chosen:
        yield Analogy().evaluate(
            vectors,
            file,
            protocol=each,
            restrict_vocab=restrict_vocab,
            method="3CosAdd" if method == "3cosadd" else "3CosMul",
            case=case,
            threads=threads,
        )


def _similarity(vectors: "Embeddings", file: Path, case: Literal["ignore", "exact"]) -> "EvaluationResult":
    from textssl.evaluators.similarity import Similarity

    return Similarity().evaluate(vectors, file, case=case)


def _classification(
    vectors: "Embeddings", file: Path, test: Path | None, text: str, label: str, sizes: Sequence[int]
) -> "tuple[EvaluationResult, int]":
    """The result, and how many test texts stand in the training set too."""
    from textssl.evaluators.classification import Classification, read_labelled

    labelled = read_labelled(existing(file, what="file of labelled texts"), text=text, label=label)
    if test is None:
        train_set, test_set = _split(labelled)
    else:
        train_set = labelled
        test_set = read_labelled(existing(test, what="file of test texts"), text=text, label=label)
    shared = len(set(train_set[0]) & set(test_set[0]))
    return Classification().evaluate(vectors, train_set, test_set, sizes=tuple(sizes), source=str(file)), shared


def _split(labelled: tuple[list[str], list[str]]) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """Training and test texts; classes keep their proportions."""
    import numpy as np

    from textssl.evaluators.classification import draw

    texts, labels = labelled
    chosen = set(draw(np.array(labels), max(1, round(TRAINING_SHARE * len(texts))), SPLIT_SEED).tolist())
    sides = [[at for at in range(len(texts)) if (at in chosen) == wanted] for wanted in (True, False)]
    train, test = (([texts[at] for at in side], [labels[at] for at in side]) for side in sides)
    return train, test


def _show_analogies(results: "Sequence[EvaluationResult]", console: "Console") -> None:
    """One table for one file: the protocols side by side."""
    method = results[0].settings["method"]
    console.print(f"\nanalogies: {printable(results[0].source)}, {method}")
    headings = ["section"]
    for each in results:
        words = f"{each.settings['words']:,} words"
        headings += [f"{each.settings['protocol']} ({words})", "%"]
    rows = []
    for together in zip(*(each.rows for each in results), strict=True):
        cells = [str(together[0][0])]
        for row in together:
            _, _, correct, asked, _, accuracy = row
            cells += [f"{correct:,} of {asked:,}", f"{100 * float(accuracy or 0):.1f}" if asked else "-"]
        rows.append(cells)
    print_table(console, headings, rows, right=range(1, len(headings)))
    for each in results:
        in_file = each.rows[-1][4]
        console.print(
            f"{each.settings['protocol']}: {each.metrics['coverage']:.1%} of {in_file:,} questions could be asked"
        )


def _show_similarity(result: "EvaluationResult", console: "Console") -> None:
    found = result.metrics
    console.print(
        f"\nsimilarity: {printable(result.source)}\nSpearman {found['spearman']:.3f}  Pearson {found['pearson']:.3f}  "
        f"on {found['pairs']:,} of {result.settings['pairs_in_file']:,} pairs"
    )


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
