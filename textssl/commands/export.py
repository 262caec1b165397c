"""Write a model for other programs: word vectors, a transformer; or convert a vector file, in bounded memory.

Examples:
  textssl export runs/news vectors.bin            word2vec binary
  textssl export runs/news vectors.txt.gz         word2vec text, compressed
  textssl export runs/news news-vectors           a folder: textssl, model2vec
  textssl export GoogleNews.bin google-news       then it opens in no time
  textssl export runs/lm hf-folder                a Hugging Face folder, for transformers.AutoModel
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl.commands.base import existing, gives_own_errors, holds_transformer, printable, refuse_network_for_images
from textssl.disk import make_folder, size_text
from textssl.errors import UsageError, did_you_mean
from textssl.run_folder import RunFolder
from textssl.storage import TEMPORARY_PREFIX

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.embeddings import Embeddings

FOLDER, HUGGING_FACE = "folder", "hugging_face"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        path: the file or folder.
        format: its format; "folder" for a vector folder, "hugging_face" for that of a transformer.
        num_words: words in it, or tokens of a transformer.
        dimension: numbers of each vector, or the width of a transformer.
        size_bytes: on disk.
        notes: what was left out of a source file, and what is remarkable about it.
        num_parameters: of a transformer.
    """

    path: Path
    format: str
    num_words: int
    dimension: int
    size_bytes: int
    notes: tuple[str, ...] = ()
    num_parameters: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """What was written, in JSON's types."""
        return {
            "path": str(self.path),
            "format": self.format,
            "num_words": self.num_words,
            "dimension": self.dimension,
            "size_bytes": self.size_bytes,
            "notes": list(self.notes),
            **({} if self.num_parameters is None else {"num_parameters": self.num_parameters}),
        }


@gives_own_errors
def export(
    run: str | Path,
    target: str | Path,
    *,
    format: str | None = None,
    force: bool = False,
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
) -> Exported:
    """Write a model for other programs, or convert a vector file.

    A transformer becomes a Hugging Face folder: weights, configuration, tokenizer, model card.

    Args:
        run: run folder, vector folder, or vector file of any size.
        target: the file to write, whose ending tells the format (.bin, .txt, .vec, .glove; .gz or .xz behind it
            compresses), or a folder.
        format: of the target, where its name does not tell (see textssl list formats); folder for a vector folder.
        force: replace a target that is there.
        encoding: of the words in a vector file that is read.
        on_bad: stop at the first bad record of a vector file that is read, or skip and count.

    Returns:
        What was written; it appears whole or not at all.

    Raises:
        UsageError: the target is there, or its name tells no format.
        DataError: nothing is there to export, or it is damaged.
        ResourceError: the target cannot be written.
    """
    from textssl.formats.base import ReadOptions
    from textssl.vector_files import write_vectors

    source = existing(run, what="run folder, vector folder or vector file")
    hint = "Its model folder is for other programs as it is: model.safetensors under the names of torchvision and timm."
    refuse_network_for_images(source, hint=hint)
    if RunFolder.is_run(source):
        RunFolder.view(source).finished_model()
    target = Path(target)
    if holds_transformer(source):
        return _transformer(source, target, format, force=force)
    name = format or format_of(target)
    _known_format(name)
    _refuse_existing(target, force=force, as_folder=name == FOLDER)
    if target.exists() and target.resolve() == source.resolve():
        raise UsageError("source and target are the same", where=str(target), hint="Choose another name.")
    options = ReadOptions(encoding=encoding, on_bad=on_bad)
    if name == FOLDER:
        return _to_folder(source, target, options, force=force)
    with _opened(source, target.parent, options) as (vectors, notes):
        write_vectors(vectors, target, format=name)
        return Exported(target, name, len(vectors), vectors.vector_size, target.stat().st_size, notes)


def show(result: Exported, console: "Console") -> None:
    """Print what was written."""
    what = f"{result.num_words:,} words x {result.dimension}, {result.format}"
    if result.num_parameters is not None:
        what = f"{result.num_parameters:,} parameters, {result.num_words:,} tokens x {result.dimension}, Hugging Face"
    console.print(f"{printable(str(result.path))}  {what}, {size_text(result.size_bytes)}")
    for note in result.notes:
        console.print(printable(note))


def format_of(target: Path) -> str:
    """The format that a target's name means: a name without a known ending is a folder.

    Raises:
        UsageError: an ending that means nothing (a folder of that name is given with --format folder).
    """
    from textssl import registry
    from textssl.vector_files import COMPRESSED

    suffix = target.with_suffix("").suffix if target.suffix in COMPRESSED else target.suffix
    if not suffix or target.is_dir():
        return FOLDER
    known = {end: name for name in registry.names("formats") for end in registry.load("formats", name)().suffixes}
    if suffix not in known:
        raise UsageError(
            f"the ending {suffix!r} tells no format, there are {', '.join(known)}, and no ending for a folder",
            where=str(target),
            hint=did_you_mean(suffix, known) or "Or name it with --format; see: textssl list formats",
        )
    return known[suffix]


def _known_format(name: str) -> None:
    from textssl.vector_files import format_names

    known = [*format_names(), FOLDER]
    if name not in known:
        hint = did_you_mean(name, known) or "See: textssl list formats"
        raise UsageError(f"format must be one of {', '.join(known)}, got {name!r}", hint=hint)


def _refuse_existing(target: Path, *, force: bool, as_folder: bool) -> None:
    if not target.exists():
        return
    if target.is_dir() != as_folder:
        kind = "folder" if target.is_dir() else "file"
        raise UsageError(f"is a {kind} already", where=str(target), hint="Choose another name.")
    if not force:
        raise UsageError("exists already", where=str(target), hint="Replace it with --force, or choose another name.")


def _to_folder(source: Path, target: Path, options: Any, *, force: bool) -> Exported:
    from textssl.embeddings import Embeddings
    from textssl.vector_files import convert

    notes: tuple[str, ...] = ()
    if source.is_dir():
        Embeddings.load(source).save(target, replace=force)
    else:
        notes = tuple(convert(source, target, options, replace=force).lines()[1:])
    written = Embeddings.load(target)
    return Exported(target, FOLDER, len(written), written.vector_size, _size_of(target), notes)


def _transformer(source: Path, target: Path, format: str | None, *, force: bool) -> Exported:
    """A Hugging Face folder; no other format has room for a transformer."""
    from textssl.interop.hugging_face import export_folder
    from textssl.models.base_folder import CONFIG
    from textssl.models.base_weights import WEIGHTS, read_object
    from textssl.tensor_file import open_tensors
    from textssl.text.tokenizer import Tokenizer

    if format not in (None, FOLDER) or (format is None and format_of(target) != FOLDER):
        raise UsageError(
            "holds a transformer, which is written as a Hugging Face folder only",
            where=str(source),
            hint="Name a folder as target; one vector for each text: textssl embed RUN texts.txt --out vectors.npy",
        )
    _refuse_existing(target, force=force, as_folder=True)
    folder = export_folder(source, target, replace=force)
    num = sum(array.size for array in open_tensors(folder / WEIGHTS).tensors.values())  # mapped, not read
    num_tokens, width = Tokenizer.open(folder).vocabulary_size, read_object(folder / CONFIG)["hidden_size"]
    return Exported(target, HUGGING_FACE, num_tokens, width, _size_of(target), num_parameters=num)


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@contextmanager
def _opened(source: Path, beside: Path, options: Any) -> Iterator[tuple["Embeddings", tuple[str, ...]]]:
    """The vectors memory-mapped: those of a file by way of a folder on the disk that takes the target."""
    from textssl.embeddings import Embeddings
    from textssl.vector_files import convert

    if source.is_dir():
        yield Embeddings.load(source), ()
        return
    make_folder(beside)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=beside) as temporary:
        folder = Path(temporary) / "vectors"
        notes = tuple(convert(source, folder, options).lines()[1:])
        yield Embeddings.load(folder), notes
