"""A corpus of one file, or of all the text files below a folder."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from corpora.corpus import Corpus, Tally
from corpora.errors import CorpusError, did_you_mean, listed
from corpora.readers.options import Format, ReadOptions
from corpora.readers.sniff import binary_kind, format_of, head_of, is_wide, refuse_binary
from corpora.readers.unpack import RawFile, open_file, raw_file

HASH_BYTES = 1 << 20
READERS: dict[Format, str] = {
    "text": "text.read_text",
    "jsonl": "jsonl.read_jsonl",
    "csv": "delimited.read_csv",
    "tsv": "delimited.read_tsv",
    "parquet": "parquet.read_parquet",
    "wikiextractor": "wikiextractor.read_wikiextractor",
}
Reader = Callable[[RawFile, ReadOptions, Tally], Iterator[bytes]]


@dataclass(frozen=True)
class TextFile:
    """A file and the kind of text in it."""

    raw: RawFile
    format: Format


class FileCorpus(Corpus):
    """Documents from files, in their given order.

    Args:
        path: A file, or a folder whose text files are read in natural order ("part-2" before "part-10").
        options: How to read them.
        limit: Read this many documents at most.
    """

    def __init__(self, path: Path, options: ReadOptions, *, limit: int | None = None) -> None:
        super().__init__(path.name or str(path), limit=limit)
        self.path = path
        self.options = options
        self._left_out = Tally()
        self.files = files_below(path, options, self._left_out) if path.is_dir() else [text_file(path, options)]
        self.size_bytes = sum(file.raw.size_bytes for file in self.files)

    def fingerprint(self) -> str:
        """Returns a sha256 in hex of the files' contents and of the options that change what is read, paths apart."""
        digest = hashlib.sha256(f"limit {self.limit}".encode())
        for file in self.files:
            digest.update(f"\n{self.options.key(file.format)}\n".encode())
            digest.update(sha256_of(file.raw.path))
        return digest.hexdigest()

    def _read(self, tally: Tally) -> Iterator[bytes]:
        tally.counts.update(self._left_out.counts)
        for file in self.files:
            yield from reader_of(file.format)(file.raw, self.options, tally)

    def _no_text(self, tally: Tally) -> CorpusError:
        faults = {what: number for what, number in tally.counts.items() if number}
        if faults:
            counted = ", ".join(f"{number:,} {what}" for what, number in faults.items())
            return CorpusError(
                f"no text is left: {counted}", where=str(self.path), hint="look at the file; --text-field names a field"
            )
        return CorpusError(
            "there is only white space in it", where=str(self.path), hint="give a file with at least one word"
        )


def reader_of(format_: Format) -> Reader:
    """Returns the function that reads a kind of file (imported only now: some kinds need pyarrow)."""
    module, _, function = READERS[format_].partition(".")
    reader: Reader = getattr(import_module(f"corpora.readers.{module}"), function)
    return reader


def sha256_of(path: Path) -> bytes:
    """Returns the sha256 of a file's contents."""
    digest = hashlib.sha256()
    buffer = bytearray(HASH_BYTES)
    with open_file(path) as file:
        while size := file.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(memoryview(buffer)[:size])
    return digest.digest()


def text_file(path: Path, options: ReadOptions) -> TextFile:
    """Looks at one file that somebody named.

    Raises:
        CorpusError: It is missing, unreadable, empty, or binary.
    """
    if not path.exists():
        raise missing(path)
    if not path.is_file():
        raise CorpusError(
            "neither a file nor a folder (a pipe or device cannot be read twice)",
            where=str(path),
            hint="write the text to a file first",
        )
    raw = raw_file(path)
    head = head_of(raw)
    if not head:
        inside = "holds nothing" if raw.size_bytes else "is empty (0 bytes)"
        raise CorpusError(f"the file {inside}", where=str(path), hint="give a file with at least one word")
    return classified(raw, head, options)


def classified(raw: RawFile, head: bytes, options: ReadOptions) -> TextFile:
    """Returns the file with its kind; raises when it is binary or packed where it must not be."""
    format_ = options.format or format_of(raw, head)
    refuse_binary(raw, head, format_, options.encoding)
    if format_ == "parquet" and not head.startswith(b"PAR1"):
        raise CorpusError(
            "no Parquet file (it does not begin with PAR1)" + (", but packed" if raw.packing else ""),
            where=str(raw.path),
            hint="Parquet files are given as they are, not packed; for other kinds leave --format out",
        )
    if format_ == "parquet" and raw.packing:
        raise CorpusError("a packed Parquet file cannot be read", where=str(raw.path), hint="unpack it first")
    return TextFile(raw, format_)


def files_below(folder: Path, options: ReadOptions, left_out: Tally) -> list[TextFile]:
    """Returns the text files below a folder; hidden ones do not count, empty and binary ones are counted as left out.

    Raises:
        CorpusError: A file or folder cannot be read, or there is no text file.
    """
    files: list[TextFile] = []
    for path in walk(folder):
        raw = raw_file(path)
        head = head_of(raw)
        if not head:
            left_out.add("empty files left out")
        elif options.format is None and is_binary(raw, head, options):
            left_out.add("files that are no text left out")
        else:
            files.append(classified(raw, head, options))
    if not files:
        seen = ", ".join(f"{number:,} {what}" for what, number in left_out.counts.items())
        raise CorpusError(
            f"no text file in the folder{f' ({seen})' if seen else ''}",
            where=str(folder),
            hint="give a folder with .txt, .jsonl, .csv, .tsv or .parquet files (.gz, .xz, .zst too)",
        )
    return files


def is_binary(raw: RawFile, head: bytes, options: ReadOptions) -> bool:
    """Returns whether a file found in a folder is no text."""
    if format_of(raw, head) == "parquet":
        return False
    return binary_kind(head) is not None or (b"\0" in head and not is_wide(options.encoding))


def walk(folder: Path) -> Iterator[Path]:
    """Yields the regular files below a folder that are not hidden, in natural order."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: natural_order(entry.name))
    except PermissionError as error:
        raise CorpusError(
            "the folder cannot be read: permission denied",
            where=str(folder),
            hint=f"allow it with: chmod u+rx {folder}",
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def natural_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """Returns a sort key in which numbers inside names count as numbers."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in parts], name


def missing(path: Path, content: Literal["text", "images"] = "text") -> CorpusError:
    """Returns the error for a path that is not there, with what is nearest to it and the built-in corpora."""
    from corpora.cards import names

    folder = path.parent
    if not folder.is_dir():
        first = next(parent for parent in [folder, *folder.parents] if parent.parent.is_dir())
        return CorpusError(f"no such folder: {first}", where=str(path), hint="check the path")
    here = [entry.name for entry in folder.iterdir()] if os.access(folder, os.R_OK) else []
    hint = did_you_mean(path.name, [*here, *names(content)])
    built_in = f"built-in corpora: {listed(names(content))}"
    return CorpusError("no such file or folder", where=str(path), hint=f"{hint}\n{built_in}" if hint else built_in)
