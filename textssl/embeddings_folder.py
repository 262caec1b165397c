"""The folder in which vectors lie: model2vec's three files, the word list, and what else the vectors carry.

    model.safetensors    embeddings float32 (V, D), then model2vec's token mapping
    config.json          tokenizer.json            what model2vec needs beside
    words.safetensors    the word list's arrays, counts int64 (V,) where known, norms float32 (V,)
    context.safetensors  context float32 (V, D), the output table, when it was kept
    ngrams.safetensors   vectors float32 (R, D) of the n-gram buckets in use, buckets int64 (R,) rising
    manifest.json        sizes, hashes, metadata

Opening reads headers only and maps the arrays. Legend: V words, D width, R n-gram rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from textssl import storage
from textssl.errors import DataError
from textssl.model2vec_layout import (
    EMBEDDINGS,
    MAPPING,
    MODEL_FILE,
    TOKENIZER_FILE,
    read_model2vec,
    token_mapping,
    write_config,
    write_tokenizer,
)
from textssl.neighbours import Floats, row_blocks, row_norms
from textssl.ngram_table import NgramTable
from textssl.run_folder import RunFolder
from textssl.tensor_file import TensorWriter, open_tensors
from textssl.words import ARRAY_DTYPES, Words

WORDS_FILE = "words.safetensors"
CONTEXT_FILE = "context.safetensors"
NGRAMS_FILE = "ngrams.safetensors"
RUN_MODEL = "model"
MAX_DIMENSION = 65_536


@dataclass(frozen=True)
class VectorFolder:
    """What a vector folder holds.

    Args:
        words: V words.
        vectors: float32 (V, D).
        norms: their lengths, float32 (V,).
        counts: how often each word stands in the corpus, int64 (V,), or None.
        context: the output table, float32 (V, D), or None.
        ngrams: vectors of n-grams for words that are not in the list, or None.
        metadata: what is known about the vectors, JSON values.
    """

    words: Words
    vectors: Floats
    norms: Floats
    counts: NDArray[np.int64] | None = None
    context: Floats | None = None
    ngrams: NgramTable | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def vector_folder(path: Path) -> Path:
    """The vector folder that a path means: itself, or the folder `model` of a run.

    Raises:
        DataError: there is no vector folder.
    """
    for folder in (path, path / RUN_MODEL):
        if (folder / MODEL_FILE).is_file() and (folder / TOKENIZER_FILE).is_file():
            return folder
    if RunFolder.is_run(path):
        RunFolder.view(path).finished_model()
    raise DataError(
        f"is no run and no vector folder: it holds no {MODEL_FILE} with a {TOKENIZER_FILE}",
        where=str(path),
        hint="Give a run folder, a vector folder, or a vector file such as vectors.bin.",
    )


def open_folder(folder: Path) -> VectorFolder:
    """Map a vector folder; sizes are checked, hashes are not (`textssl check` does that).

    Raises:
        DataError: a file is missing or damaged, or the files do not belong together.
    """
    if not (folder / WORDS_FILE).exists():
        words, vectors = read_model2vec(folder)
        _check_dimension(folder, vectors)
        return VectorFolder(words, vectors, row_norms(vectors), metadata={"format": "model2vec"})
    metadata = storage.verify_folder(folder, hashes=False)
    tensors = open_tensors(folder / WORDS_FILE).tensors
    words = Words.from_arrays({name: tensors[name] for name in ARRAY_DTYPES if name in tensors})
    size = len(words)
    vectors = _matrix(folder / MODEL_FILE, EMBEDDINGS, size)
    _check_dimension(folder, vectors)
    norms = tensors.get("norms")
    if norms is None or norms.dtype != np.float32 or norms.shape != (size,):
        _refuse(folder / WORDS_FILE, f"has no norms, float32 ({size},)")
    counts = tensors.get("counts")
    if counts is not None and (counts.dtype != np.int64 or counts.shape != (size,)):
        _refuse(folder / WORDS_FILE, f"has counts of {counts.dtype} {counts.shape}, expected int64 ({size},)")
    context = _matrix(folder / CONTEXT_FILE, "context", size) if (folder / CONTEXT_FILE).exists() else None
    if context is not None and context.shape != vectors.shape:
        _refuse(folder / CONTEXT_FILE, f"has width {context.shape[1]}, the vectors have {vectors.shape[1]}")
    ngrams = NgramTable.open(folder / NGRAMS_FILE, vectors.shape[1]) if (folder / NGRAMS_FILE).exists() else None
    return VectorFolder(words, vectors, norms, counts, context, ngrams, metadata)


def save_folder(
    target: Path, content: VectorFolder, *, metadata: Mapping[str, Any] | None = None, replace: bool = False
) -> Path:
    """Commit a vector folder.

    Args:
        target: the folder to make.
        content: what to write.
        metadata: JSON values for the manifest, added to those of the content.
        replace: put it in the place of a folder that textssl wrote before.

    Raises:
        DataError: there are no words, or a vector holds NaN or inf.
        UsageError, ResourceError: as `storage.commit_folder`.
    """
    matrices = [content.vectors, content.context, content.ngrams.vectors if content.ngrams else None]

    def write(folder: Path) -> None:
        with FolderWriter(folder, content.vectors.shape[1]) as writer:
            for rows in row_blocks(len(content.vectors), content.vectors.shape[1] * 4):
                writer.append(content.vectors[rows])
            writer.finish(content.words, content.counts)
        if content.context is not None:
            with TensorWriter(folder / CONTEXT_FILE) as context_writer:
                for rows in row_blocks(len(content.context), content.context.shape[1] * 4):
                    context_writer.append("context", finite(content.context[rows], rows.start, "context vector"))
        if content.ngrams is not None:
            content.ngrams.write(folder / NGRAMS_FILE)

    return storage.commit_folder(
        target,
        write,
        expected_bytes=sum(matrix.nbytes for matrix in matrices if matrix is not None),
        metadata={**content.metadata, **(metadata or {})},
        replace=replace,
    )


class FolderWriter:
    """Fills a vector folder row by row, in bounded memory; `finish` takes the words.

    Args:
        folder: an empty folder, inside a commit.
        dimension: D, from 1 to 65,536.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder = folder
        self._dimension = dimension
        self._norms: list[Floats] = []
        self._model = TensorWriter(folder / MODEL_FILE, {"format": "pt"})

    def __enter__(self) -> Self:
        self._model.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._model.__exit__(kind, error, trace)

    def append(self, rows: Floats) -> None:
        """Add vectors, float32 (rows, D).

        Raises:
            DataError: one holds NaN or inf.
        """
        self._model.append(EMBEDDINGS, finite(rows, sum(map(len, self._norms)), "vector"))
        self._norms.append(row_norms(rows))

    def keep_rows(self, places: NDArray[np.int64]) -> None:
        """Leave only some of the rows so far, given by their rising places."""
        self._model.keep_rows(places)
        self._norms = [np.concatenate(self._norms)[places]]

    def finish(self, words: Words, counts: NDArray[np.int64] | None) -> None:
        """Write everything beside the vectors.

        Args:
            words: V words, one for each row.
            counts: int64 (V,), or None.

        Raises:
            DataError: there are no words.
        """
        if not len(words):
            raise DataError("there are no words, so there is nothing to write")
        self._model.append(MAPPING, token_mapping(len(words)))
        write_config(self._folder, self._dimension)
        write_tokenizer(self._folder, words)
        arrays = words.arrays()
        with TensorWriter(self._folder / WORDS_FILE) as writer:
            for name in ("offsets", "hashes"):
                writer.append(name, arrays[name])
            if counts is not None:
                writer.append("counts", np.asarray(counts, dtype=np.int64))
            writer.append("norms", np.concatenate(self._norms))
            writer.append("order", arrays["order"])
            writer.append("utf8", arrays["utf8"])


def finite(rows: Floats, first: int, what: str) -> Floats:
    """The rows, if all their numbers are finite.

    Args:
        rows: float32 (rows, D).
        first: the number of the first one, from 0, for the message.
        what: what a row is, for the message.

    Raises:
        DataError: naming the first row that holds NaN or inf.
    """
    rows = np.asarray(rows)
    good = np.isfinite(rows).all(axis=1)
    if not good.all():
        raise DataError(
            f"{what} {first + int(np.argmin(good)) + 1} holds NaN or inf, vectors must be finite",
            hint="Training diverged, or the file that it comes from is damaged.",
        )
    return rows


def _matrix(path: Path, name: str, num_rows: int) -> Floats:
    matrix = open_tensors(path).tensors.get(name)
    if matrix is None or matrix.dtype != np.float32 or matrix.ndim != 2 or len(matrix) != num_rows:
        found = "none" if matrix is None else f"{matrix.dtype} {matrix.shape}"
        _refuse(path, f"must hold {name!r} as float32 ({num_rows}, D), found {found}")
    return matrix


def _check_dimension(folder: Path, vectors: Floats) -> None:
    if not 1 <= vectors.shape[1] <= MAX_DIMENSION:
        raise DataError(f"the vectors are {vectors.shape[1]} wide, expected 1 to {MAX_DIMENSION:,}", where=str(folder))


def _refuse(path: Path, message: str) -> NoReturn:
    raise DataError(message, where=str(path), hint="The files of the folder do not belong together; make it again.")
