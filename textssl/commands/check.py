"""Examine a corpus, images, a run folder or a vector file before use: faults, sizes, what training will take.

Examples:
  textssl check corpus.txt
  textssl check corpus.csv --text-field body --encoding latin-1
  textssl check images/                   number, size and labels, the files that cannot be read
  textssl check runs/news                 every hash of the model and the checkpoints
  textssl check runs/lm --replay          make the step again at which training diverged
  textssl check GoogleNews-vectors.bin    read through to its end
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from textssl import registry
from textssl.commands._images import ImageReading, refuse_given
from textssl.commands.base import duration_text, gives_own_errors, next_commands, print_table, printable
from textssl.disk import size_text
from textssl.errors import DataError, TextsslError
from textssl.run_folder import CHECKPOINTS, MODEL, RunFolder
from textssl.storage import MANIFEST, verify_folder

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.commands._corpus_check import CorpusFindings
    from textssl.commands._image_check import ImageFindings
    from textssl.commands._replay import ReplayFindings
    from textssl.formats.base import ReadOptions, VectorFormat

Format = Literal[
    "text", "jsonl", "csv", "tsv", "parquet", "wikiextractor", "hub", "folder", "clips", "npz", "npy", "idx"
]
DEFAULT_MIN_COUNT = 5


@dataclass(frozen=True)
class Verified:
    """One committed folder, or one vector file, that was looked through.

    Args:
        path: which.
        size_bytes: of its files.
        problem: what is wrong with it, or None.
        details: what was found in it.
    """

    path: str
    size_bytes: int
    problem: str | None = None
    details: str = ""


@dataclass(frozen=True)
class ArtefactFindings:
    """What was verified of a run, a model or a vector file."""

    kind: Literal["run", "model", "vectors"]
    path: str
    state: str | None
    verified: tuple[Verified, ...]

    @property
    def exit_code(self) -> int:
        """3 (data) when something is damaged, else 0."""
        return 3 if any(part.problem for part in self.verified) else 0

    def as_dict(self) -> dict[str, Any]:
        """All findings in JSON's types."""
        return {
            "kind": self.kind,
            "path": self.path,
            "state": self.state,
            "verified": [asdict(x) for x in self.verified],
        }


Findings: TypeAlias = "ArtefactFindings | CorpusFindings | ImageFindings | ReplayFindings"


@gives_own_errors
def check(
    path: str,
    *,
    format: Format | None = None,
    text_field: str = "text",
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
    limit: int | None = None,
    labels: Path | None = None,
    image_size: int | None = None,
    replay: bool = False,
) -> Findings:
    """Examine a corpus, images, a run folder, a model folder or a vector file.

    Args:
        path: the file or folder, or the name of a corpus (see textssl list corpora).
        format: of a corpus or of images, where the first bytes do not tell; Parquet and hub are read as text.
        text_field: the column or field of a corpus that holds the text.
        encoding: of a corpus that is not UTF-8.
        on_bad: stop at the first fault of a corpus, or skip and count.
        limit: read so many documents or images at most.
        labels: of images, a file of labels where they lie apart.
        image_size: bring every image to this side first.
        replay: of a run that diverged, make the captured step again and say what is not finite.

    Returns:
        What was found; its exit code is 3 when something is wrong.

    Raises:
        DataError: nothing stands at that path, or it is of a kind that cannot be read at all.
        UsageError: a replay is asked for, and the path is no run or the run has no captured step; or an option is for
            text and these are images, or the other way round.
    """
    place = Path(path)
    if replay:
        from textssl.commands._replay import replay_run

        return replay_run(place)
    if RunFolder.is_run(place):
        return _check_run(place)
    if (place / MANIFEST).is_file():
        return ArtefactFindings("model", path, None, (_verify(place),))
    vector_format = _format_of(place) if place.is_file() and format is None else None
    if vector_format is not None:
        from textssl.formats.base import ReadOptions

        options = ReadOptions(encoding=encoding, on_bad=on_bad)
        return ArtefactFindings("vectors", path, None, (_read_through(place, vector_format, options),))
    import corpora
    from textssl.commands._corpus_check import check_corpus
    from textssl.commands._image_check import check_images, holds_images

    of_text: dict[str, Any] = {"text_field": text_field, "encoding": encoding}
    of_images: dict[str, Any] = {"labels": labels, "image_size": image_size}
    given: dict[str, Any] = {"format": format, "on_bad": on_bad, "limit": limit}
    words = _words_of({**given, **of_text, **of_images})
    if holds_images(str(path), format):
        refuse_given(check, of_text, what="text", because="images are read")
        return check_images(str(path), ImageReading(**of_images, **given), options=words)
    refuse_given(check, of_images, what="images", because="text is read")
    return check_corpus(corpora.load(path, **of_text, **given), given=path, options=words)


def show(result: Findings, console: "Console") -> None:
    """Print the findings as a table, and what to do next."""
    from textssl.commands._image_check import ImageFindings, show_images
    from textssl.commands._replay import ReplayFindings, show_replay

    if isinstance(result, ReplayFindings):
        show_replay(result, console)
    elif isinstance(result, ArtefactFindings):
        _show_artefact(result, console)
    elif isinstance(result, ImageFindings):
        show_images(result, console)
    else:
        _show_corpus(result, console)


def _words_of(given: Mapping[str, Any]) -> list[str]:
    """Those options that are not as they are by default, as words of a command line."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(check).parameters.items()}
    asked = {name: given[name] for name in defaults if name in given and given[name] != defaults[name]}
    return [word for name, value in asked.items() for word in ("--" + name.replace("_", "-"), str(value))]


def _check_run(path: Path) -> ArtefactFindings:
    run = RunFolder.view(path)
    folders = [run.model] if run.model.is_dir() else []
    if run.checkpoints.is_dir():
        folders += sorted(entry for entry in run.checkpoints.iterdir() if (entry / MANIFEST).exists())
    return ArtefactFindings("run", str(path), str(run.status().get("state")), tuple(_verify(each) for each in folders))


def _verify(folder: Path) -> Verified:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    try:
        verify_folder(folder, hashes=True)
    except DataError as error:
        return Verified(str(folder), size, f"{error.where}: {error.message}")
    return Verified(str(folder), size, None, "all hashes right")


def _format_of(path: Path) -> "VectorFormat | None":
    """The vector format that a file is in, or None."""
    from textssl.formats.base_stream import read_head

    head = read_head(path)
    formats = (registry.load("formats", name)() for name in registry.names("formats"))
    return next((each for each in formats if head and each.sniff(head, path)), None)


def _read_through(path: Path, vector_format: "VectorFormat", options: "ReadOptions") -> Verified:
    from textssl.formats.base import ReadReport

    size = path.stat().st_size
    report = ReadReport(path, type(vector_format).__name__, on_bad=options.on_bad)
    num_words = dimension = 0
    try:
        for block in vector_format.read(path, options, report):
            num_words += len(block.lengths)
            dimension = block.vectors.shape[1]
    except TextsslError as error:
        return Verified(str(path), size, f"{error.where}: {error.message}" if error.where else error.message)
    left_out = "".join(f", {number:,} left out: {kind}" for kind, number in sorted(report.skipped.items()))
    return Verified(str(path), size, None, f"{num_words:,} words x {dimension}{left_out}")


def _show_artefact(result: ArtefactFindings, console: "Console") -> None:
    state = f", {result.state}" if result.state else ""
    console.print(f"{result.kind} {printable(result.path)}{state}")
    rows = [(part.path, size_text(part.size_bytes), part.problem or part.details) for part in result.verified]
    print_table(console, ("what", "size", "found"), rows, right=(1,))
    if not result.verified:
        console.print(f"nothing to verify yet: no {MODEL}/ and no {CHECKPOINTS}/")
    elif result.exit_code:
        console.print("\nnext: the train command again falls back to the newest valid checkpoint")
    else:
        console.print("\nnext: " + "    ".join(map(printable, next_commands(Path(result.path)))))


def _show_corpus(found: "CorpusFindings", console: "Console") -> None:
    rows = [(name, value) for name, value in _corpus_rows(found) if value]
    print_table(console, ("", ""), rows)
    if found.num_words:
        sizes = [(str(least), f"{size:,}") for least, size in found.vocabulary.items()]
        console.print("")
        print_table(console, ("min count", "vocabulary"), sizes, right=(0, 1))
    if found.problem:
        console.print(f"\nproblem: {printable(found.problem)}\n  next: {found.problem_hint or 'mend the file'}")
        return
    if not found.vocabulary[DEFAULT_MIN_COUNT]:
        console.print(f"\nno word comes {DEFAULT_MIN_COUNT} times\nnext: {found.command} --min-count 1")
        return
    console.print(
        f"\ntraining skip-gram (100 dimensions, 5 epochs, min count 5, 2 threads) will take about "
        f"{duration_text(found.duration_s)} and {size_text(found.memory_bytes)} of memory\nnext: {found.command}"
    )


def _corpus_rows(found: "CorpusFindings") -> Iterable[tuple[str, str]]:
    yield "corpus", found.name
    yield "size", size_text(found.size_bytes) if found.size_bytes is not None else ""
    yield "documents", f"{found.num_documents:,}"
    yield "longest document", size_text(found.longest_document_bytes)
    yield "words", f"{found.num_words:,}"
    yield "different words", f"{found.num_distinct:,}"
    yield "repeated documents", f"{found.duplicate_rate:.1%}"
    yield "too long for words", f"{found.num_over_long:,} left out" if found.num_over_long else ""
    yield "NUL bytes", f"{found.num_nul:,}" if found.num_nul else ""
    yield "Windows line ends", f"{found.num_crlf:,} (taken as line ends)" if found.num_crlf else ""
    yield "byte order mark", "present (left out)" if found.byte_order_mark else ""
    yield from ((what, f"{number:,}") for what, number in found.skipped.items())
