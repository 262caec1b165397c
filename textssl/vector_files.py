"""Vector files of other programs: recognised, read into memory when small, converted in bounded memory, written.

    convert(Path("GoogleNews-vectors-negative300.bin"), Path("news"))
    Embeddings.load("news")                                               3 M x 300, in no time

Legend: V words, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from textssl import registry, storage
from textssl.disk import size_text
from textssl.embeddings_folder import FolderWriter, VectorFolder
from textssl.errors import DataError, ResourceError, UsageError, did_you_mean
from textssl.formats.base import HasVectors, ReadOptions, ReadReport, VectorBlock, VectorFormat
from textssl.formats.base_stream import read_head, refuse_other_files
from textssl.neighbours import Floats, row_norms
from textssl.word_bytes import offsets_of
from textssl.words import Words

WordBytes = tuple[NDArray[np.uint8], NDArray[np.int64]]

FOLDER = "formats"
# What is read whole takes its size in memory; larger files are converted once and then mapped.
LARGEST_IN_MEMORY_BYTES = 1 << 31
COMPRESSED = (".gz", ".xz")


def read_vectors(
    path: Path, options: ReadOptions | None = None, *, format: str | None = None
) -> tuple[VectorFolder, ReadReport]:
    """Read a vector file whole.

    Args:
        path: the file, plain or compressed by gzip, xz or zstd.
        options: encoding, and what to do about bad records.
        format: the name of its format; found out when not given.

    Returns:
        Words and vectors, and what was found on the way.

    Raises:
        DataError: the file is damaged or something else.
        UsageError: no format or no encoding has this name.
        ResourceError: it takes more than 2 GB of memory.
    """
    options = options or ReadOptions()
    blocks, report = _open(path, options, format)
    if path.stat().st_size > LARGEST_IN_MEMORY_BYTES:
        raise _too_large(path)
    pieces: list[Floats] = []
    words: list[WordBytes] = []
    for block in blocks:
        pieces.append(block.vectors)
        words.append((block.utf8, block.lengths))
        if sum(map(len, pieces)) * block.vectors.shape[1] * 4 > LARGEST_IN_MEMORY_BYTES:
            raise _too_large(path)
    unique, kept = _words(words, report)
    vectors = _joined(pieces)
    vectors = vectors if kept is None else vectors[kept]
    norms = row_norms(vectors)
    _count(report, unique, norms, kept, sum(len(lengths) for _, lengths in words))
    return VectorFolder(unique, vectors, norms, metadata=_origin(report)), report


def convert(
    path: Path,
    folder: Path,
    options: ReadOptions | None = None,
    *,
    format: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> ReadReport:
    """Turn a vector file of any size into a vector folder, in bounded memory: words, hashes and one block of vectors.

    Args:
        path: the file, plain or compressed by gzip, xz or zstd.
        folder: the folder to make.
        options: encoding, what to do about bad records, and progress.
        format: the name of its format; found out when not given.
        metadata: JSON values for the folder's manifest.
        replace: put it in the place of a folder that textssl wrote before.

    Returns:
        What was found on the way.

    Raises:
        DataError: the file is damaged or something else; then no folder is made.
        UsageError: no format or no encoding has this name, or the folder exists.
        ResourceError: the folder cannot be written.
    """
    options = options or ReadOptions()
    blocks, report = _open(path, options, format)

    def write(temporary: Path) -> None:
        words: list[WordBytes] = []
        norms: list[Floats] = []
        first = next(blocks, None)
        if first is None:
            raise _nothing(path)
        with FolderWriter(temporary, first.vectors.shape[1]) as writer:
            for block in _chained(first, blocks):
                writer.append(block.vectors)
                norms.append(row_norms(block.vectors))
                words.append((block.utf8, block.lengths))
            unique, kept = _words(words, report)
            if kept is not None:
                writer.keep_rows(kept)
            lengths = np.concatenate(norms)
            _count(report, unique, lengths if kept is None else lengths[kept], kept, len(lengths))
            writer.finish(unique, None)

    storage.commit_folder(
        folder,
        write,
        expected_bytes=path.stat().st_size if path.suffix == ".bin" else 0,
        metadata={**_origin(report), **(metadata or {})},
        replace=replace,
    )
    return report


def write_vectors(vectors: HasVectors, path: Path, *, format: str | None = None) -> Path:
    """Write words and vectors as a file for other programs.

    Args:
        vectors: what to write, for instance `Embeddings`.
        path: the file; .gz or .xz at the end compresses it.
        format: the name of the format; told by the file's name when not given (.bin, .txt, .vec, .glove).

    Returns:
        The path.

    Raises:
        UsageError: the name tells no format, or no format has the name.
        DataError: the format cannot hold a word.
        ResourceError: the file cannot be written.
    """
    name = format or _format_of_name(path)
    _format(name).write(vectors, path)
    return path


def format_names() -> list[str]:
    """The formats that can be read and written."""
    return registry.names(FOLDER)


def detect_format(path: Path) -> str:
    """Find out by its first bytes in which format a file is.

    Raises:
        DataError: none recognises it; the message says what it looks like instead.
    """
    head = read_head(path)
    if head:
        for name in format_names():
            if _format(name).sniff(head, path):
                return name
    refuse_other_files(path, head)
    raise DataError(
        f"is no vector file that textssl knows ({', '.join(format_names())}); it begins with {head[:40]!r}",
        where=str(path),
        hint="Give word2vec text or binary, GloVe text, or a vector folder.",
    )


def _open(path: Path, options: ReadOptions, format: str | None) -> tuple[Iterator[VectorBlock], ReadReport]:
    if format is None:
        name = detect_format(path)
    else:
        name, head = format, read_head(path)
        if not _format(name).sniff(head, path):
            refuse_other_files(path, head)
    report = ReadReport(path, name, options.on_bad)
    return _format(name).read(path, options, report), report


def _format(name: str) -> VectorFormat:
    return cast(VectorFormat, registry.load(FOLDER, name)())


def _format_of_name(path: Path) -> str:
    suffix = path.with_suffix("").suffix if path.suffix in COMPRESSED else path.suffix
    known = {ending: name for name in format_names() for ending in _format(name).suffixes}
    if suffix not in known:
        raise UsageError(
            f"the name ends in {suffix or 'nothing'!r}, which tells no format; expected {', '.join(known)}",
            where=str(path),
            hint=did_you_mean(suffix, known) or f"Or name one with --format: {', '.join(format_names())}",
        )
    return known[suffix]


def _words(blocks: list[WordBytes], report: ReadReport) -> tuple[Words, NDArray[np.int64] | None]:
    if not blocks:
        raise _nothing(report.path)
    utf8, lengths = (np.concatenate(side) for side in zip(*blocks, strict=True))
    return Words.first_of_each(utf8, offsets_of(lengths))


def _joined(pieces: list[Floats]) -> Floats:
    """The blocks as one matrix; each is let go when it is copied, so that the memory holds the vectors once."""
    vectors = np.empty((sum(map(len, pieces)), pieces[0].shape[1]), dtype=np.float32)
    end = len(vectors)
    while pieces:
        piece = pieces.pop()
        vectors[end - len(piece) : end] = piece
        end -= len(piece)
    return vectors


def _count(report: ReadReport, words: Words, norms: Floats, kept: NDArray[np.int64] | None, num_read: int) -> None:
    report.num_words = len(words)
    report.duplicates = 0 if kept is None else num_read - len(kept)
    report.zero_vectors = int(np.count_nonzero(norms == 0))


def _origin(report: ReadReport) -> dict[str, Any]:
    return {"source": report.path.name, "source_format": report.format}


def _chained(first: VectorBlock, rest: Iterator[VectorBlock]) -> Iterator[VectorBlock]:
    yield first
    yield from rest


def _nothing(path: Path) -> DataError:
    return DataError("holds no vectors", where=str(path), hint="Give a file with at least one word and its vector.")


def _too_large(path: Path) -> ResourceError:
    return ResourceError(
        f"takes more than {size_text(LARGEST_IN_MEMORY_BYTES)} of memory when it is read whole",
        where=str(path),
        hint=f"Convert it once, then it opens in no time: textssl export {path} {path.with_suffix('').name}-vectors",
    )
