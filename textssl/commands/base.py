"""What several commands share: text that is safe to print, values as JSON, plain tables, and opening vectors."""

import dataclasses
import errno
import functools
import json
import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from textssl import registry
from textssl.errors import DataError, UsageError, did_you_mean
from textssl.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.embeddings import Embeddings

Given = ParamSpec("Given")
Result = TypeVar("Result")
MAX_MISSING_SHOWN = 5
MAX_CONFIG_BYTES = 1 << 20
TRANSFORMERS = ("modernbert", "llama")
IMAGE_MODEL = "textssl_image_encoder"
SIGNS = {"+": 1, "-": -1, "\u2212": -1}
"""Operators, which stand apart by spaces so that words may hold hyphens; the last one is the typographer's minus."""
FORM = 'Write for instance: "paris - france + italy"'
CAPITALS = (
    ("China", "Beijing"),
    ("Russia", "Moscow"),
    ("Japan", "Tokyo"),
    ("Turkey", "Ankara"),
    ("Poland", "Warsaw"),
    ("Germany", "Berlin"),
    ("France", "Paris"),
    ("Italy", "Rome"),
    ("Greece", "Athens"),
    ("Spain", "Madrid"),
    ("Portugal", "Lisbon"),
)
"""The countries of Mikolov et al. 2013, figure 2, and their capitals."""


@dataclass(frozen=True)
class Expression:
    """Words to add and words to subtract."""

    text: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def gives_own_errors(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """A command whose errors are all `TextsslError`: those of corpora, which knows nothing of them, become `DataError`.

    They are raised where a corpus is opened and, since it is read block by block, wherever it is read; the function of
    the command is what all of these ways have in common, for the command line and for Python.
    """

    @functools.wraps(function)
    def guarded(*arguments: Given.args, **given: Given.kwargs) -> Result:
        try:
            return function(*arguments, **given)
        except ValueError as error:
            from corpora import CorpusError

            if not isinstance(error, CorpusError):
                raise
            raise DataError(error.message, where=error.where, hint=error.hint) from error

    return guarded


def open_vectors(source: "Embeddings | str | Path") -> "Embeddings":
    """Word vectors from a run folder, a model folder or any vector file; vectors already open are passed on.

    Raises:
        DataError: nothing stands at that path (the nearest name beside it is suggested), or it holds no vectors; a
            transformer or a network for images is told apart.
    """
    from textssl.embeddings import Embeddings

    if isinstance(source, Embeddings):
        return source
    path = existing(source, what="run folder, model folder or vector file")
    if holds_transformer(path):
        raise DataError(
            "holds a transformer, not word vectors",
            where=str(path),
            hint=f"Ask it with textssl fill or textssl generate; measure it: textssl evaluate {path} --corpus FILE",
        )
    hint = f"Measure it: textssl evaluate {path} --images IMAGES; look at it: textssl plot {path}"
    refuse_network_for_images(path, hint=hint)
    return Embeddings.load(path)


def refuse_network_for_images(path: Path, *, hint: str) -> None:
    """Refuse a network for images where word vectors are needed.

    Args:
        path: a run, folder or file.
        hint: what to type instead.

    Raises:
        DataError: it is one.
    """
    if model_type_of(path) == IMAGE_MODEL:
        raise DataError("holds a network for images, not word vectors", where=str(path), hint=hint)


def model_type_of(path: Path) -> str | None:
    """The kind of model that a run or folder holds, by its config.json; torch is not needed to tell."""
    found = model_config_of(path).get("model_type")
    return found if isinstance(found, str) else None


def model_config_of(path: Path) -> Mapping[str, Any]:
    """The config.json of the model that a run or folder holds; empty where there is none that can be read."""
    for config in (path / "config.json", path / "model" / "config.json"):
        if config.is_file() and config.stat().st_size < MAX_CONFIG_BYTES:
            try:
                found = json.loads(config.read_bytes())
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}


def holds_transformer(path: Path) -> bool:
    """Whether a run or folder holds a model of the kinds that transformers knows."""
    return model_type_of(path) in TRANSFORMERS


def next_commands(path: Path) -> list[str]:
    """What to type about a run or a model folder, by what it holds; paths with spaces are quoted."""
    place = shlex.quote(str(path))
    run = RunFolder.view(path) if RunFolder.is_run(path) else None
    if run is not None and run.status()["state"] != "finished":
        return list(filter(None, [run.command()]))
    config = {} if run is None else run.config()
    kind = model_type_of(path)
    if config.get("command") == "finetune":
        return [f"textssl predict {place} {'images/' if kind == IMAGE_MODEL else 'NEW.csv'}"]
    if "objective" in config:
        method: Any = registry.load("objectives", config["objective"])
        commands = method.NEXT
    elif kind == IMAGE_MODEL:
        commands = ("embed {run} images/ --out vectors.npy",)
    else:
        commands = ("embed {run} texts.txt --out vectors.npy",) if kind in TRANSFORMERS else ("query {run} WORD",)
    return [f"textssl {words.format(run=place)}" for words in commands]


def train_command(objective: str, source: str, options: Sequence[str]) -> str:
    """The command that trains on a source, to type next; words with spaces are quoted.

    Args:
        objective: its name.
        source: what the person called it.
        options: words about how it is read.
    """
    out = f"runs/{Path(source).name.partition('.')[0] or 'first'}"
    return shlex.join(["textssl", "train", objective, source, *options, "--out", out])


def parse_expression(text: str) -> Expression:
    """Read an expression: words, with + or - between them; words that stand side by side are added.

    >>> parse_expression("paris - france + italy").negative
    ('france',)
    >>> parse_expression("so-called").positive
    ('so-called',)

    Raises:
        UsageError: no word to add, two operators in a row, or an operator at the end.
    """
    signed: dict[int, list[str]] = {1: [], -1: []}
    pending: str | None = None
    for token in text.split():
        if token not in SIGNS:
            signed[SIGNS[pending or "+"]].append(token)
            pending = None
        elif pending is not None:
            raise UsageError(f"{text!r} has two operators in a row, a word is expected between them", hint=FORM)
        else:
            pending = token
    if pending is not None:
        raise UsageError(f"{text!r} ends with {pending}, a word is expected after it", hint=FORM)
    if not signed[1]:
        raise UsageError(f"{text!r} has no word to add", hint=FORM)
    return Expression(text.strip(), tuple(signed[1]), tuple(signed[-1]))


def require_known(vectors: "Embeddings", words: Sequence[str], *, where: str) -> None:
    """Check that all words have vectors.

    Raises:
        DataError: some have none; the nearest known words are named.
    """
    missing = [word for word in dict.fromkeys(words) if word not in vectors]
    if not missing:
        return
    listed = ", ".join(repr(printable(word)) for word in missing[:MAX_MISSING_SHOWN])
    more = f" and {len(missing) - MAX_MISSING_SHOWN} more" if len(missing) > MAX_MISSING_SHOWN else ""
    near = {word: vectors.words.nearest(word) for word in missing[:MAX_MISSING_SHOWN]}
    hints = [f"{printable(word)}: {', '.join(map(printable, known))}" for word, known in near.items() if known]
    verb = "is" if len(missing) == 1 else "are"
    raise DataError(
        f"{listed}{more} {verb} not in the vocabulary of {len(vectors.words):,} words",
        where=where,
        hint=f"Near known words: {'; '.join(hints)}"
        if hints
        else "Words are asked for exactly as the corpus wrote them.",
    )


def is_there(path: Path) -> bool:
    """Whether something stands at a path; not so of words that are longer than a name may be."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def existing(path: str | Path, *, what: str) -> Path:
    """The path, if something stands there.

    Args:
        path: file or folder.
        what: what was expected there, for the message.

    Raises:
        DataError: nothing there; the nearest names beside it are suggested.
    """
    path = Path(path)
    if is_there(path):
        return path
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, beside) or "Check the path."
    raise DataError(f"no {what} at {path}", where=None if path.parent.is_dir() else str(path.parent), hint=hint)


def at_least(name: str, value: int, minimum: int) -> int:
    """The value, if it is no smaller than the minimum.

    Raises:
        UsageError: too small.
    """
    if value < minimum:
        raise UsageError(f"{name} must be at least {minimum}, got {value}")
    return value


def printable(text: str) -> str:
    """The text with everything that could move a terminal's cursor or break a line written as an escape.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def jsonable(value: Any) -> Any:
    """The value in JSON's own types: paths as text, arrays as lists, NaN and infinity as null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    return str(value)


def print_table(
    console: "Console", headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """Print aligned columns without borders, so that they read well and cut well.

    Args:
        console: where to.
        headings: one per column; all empty for a table without a head.
        rows: the cells.
        right: the columns to align at the right, counted from 0.
    """
    from rich.cells import cell_len

    cells = [[printable(cell) for cell in row] for row in rows]
    table = ([list(headings)] if any(headings) else []) + cells
    if not table:
        return
    widths = [max(cell_len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        padded = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blank = " " * (width - cell_len(cell))
            padded.append(blank + cell if column in right else cell + blank)
        console.print("  ".join(padded).rstrip())


def duration_text(seconds: float) -> str:
    """A duration for people.

    >>> duration_text(200)
    '3 min 20 s'
    """
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
