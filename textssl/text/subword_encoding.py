"""Writes the files of a subword store: documents are encoded in batches of bounded size, in text order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textssl.text.document_pieces import PIECE_BYTES, DocumentPiece, document_pieces
from textssl.text.encoding import id_type
from textssl.text.sentences import split_sentences
from textssl.text.sources import Source
from textssl.text.store_folder import DOCUMENT_BYTES, IDS, OFFSETS, SENTENCES, no_text
from textssl.text.subword_units import UnitEncoder
from textssl.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from textssl.text.counting import Progress

BATCH_BYTES = 1 << 20


class Unit(NamedTuple):
    """A text that is encoded by itself: a piece of a document, or a sentence."""

    text: str
    num_bytes: int
    ends_document: bool


def encode_source(
    source: Source,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    split: Literal["documents", "sentences"],
    progress: Progress | None,
) -> dict[str, Any]:
    """Write ids, document offsets and bytes, and sentence offsets where they are asked for.

    Args:
        source: the text.
        tokenizer: what the ids mean.
        folder: takes the files.
        split: which borders to keep.
        progress: called after every batch.

    Returns:
        The counts, and the type of the ids, for the description.

    Raises:
        DataError: there is no text, or it is no UTF-8.
    """
    pieces = document_pieces(source)
    units: Iterable[Unit] = map(_unit_of, pieces) if split == "documents" else _sentences(pieces)
    if tokenizer.adds_space_at_begin:
        units = _without_first_spaces(units)
    dtype = id_type(tokenizer.vocabulary_size)
    with ExitStack() as stack:
        names = (IDS, OFFSETS, DOCUMENT_BYTES, *([SENTENCES] if split == "sentences" else []))
        files: dict[str, BinaryIO] = {name: stack.enter_context((folder / name).open("wb")) for name in names}
        writer = _Writer(files, dtype, tokenizer.find("unknown"))
        encoder = UnitEncoder(tokenizer)
        for batch in _batches(units):
            writer.add(batch, *encoder.encode([unit.text for unit in batch]))
            if progress:
                progress("encoding", writer.num_bytes, source.size_bytes)
        writer.finish()
    if not writer.num_tokens:
        raise no_text(source.name, writer.num_bytes)
    return {
        "dtype": dtype.name,
        "num_tokens": writer.num_tokens,
        "num_documents": writer.num_documents,
        "num_sentences": writer.num_sentences if split == "sentences" else None,
        "num_bytes": writer.num_bytes,
        "num_unknown": writer.num_unknown,
    }


@dataclass
class _Writer:
    """Appends to the files and keeps count; documents and sentences without tokens are left out."""

    files: dict[str, BinaryIO]
    dtype: np.dtype[Any]
    unknown_id: int | None
    num_tokens: int = 0
    num_documents: int = 0
    num_sentences: int = 0
    num_bytes: int = 0
    num_unknown: int = 0
    _open_bytes: int = field(default=0, init=False)
    _document_begin: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for name in {OFFSETS, SENTENCES} & self.files.keys():
            self.files[name].write(np.zeros(1, dtype=np.int64).data)

    def add(self, units: list[Unit], ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        """Write a batch of units with their ids, one after the other."""
        self.files[IDS].write(ids.astype(self.dtype).data)
        if self.unknown_id is not None:
            self.num_unknown += int(np.count_nonzero(ids == self.unknown_id))
        ends = self.num_tokens + np.cumsum(lengths)
        if SENTENCES in self.files:
            kept = ends[lengths > 0]
            self.files[SENTENCES].write(kept.data)
            self.num_sentences += len(kept)
        sums = np.cumsum([unit.num_bytes for unit in units], dtype=np.int64)
        last = np.array([unit.ends_document for unit in units], dtype=np.bool_)
        self._end_documents(ends[last], np.diff(sums[last], prepend=-self._open_bytes))
        ended = int(sums[last][-1]) if last.any() else -self._open_bytes
        self._open_bytes = int(sums[-1]) - ended
        self.num_tokens += len(ids)

    def finish(self) -> None:
        """End the last document where nothing else did."""
        if self._document_begin < self.num_tokens:
            self._end_documents(np.array([self.num_tokens]), np.array([self._open_bytes]))

    def _end_documents(self, ends: NDArray[np.int64], num_bytes: NDArray[np.int64]) -> None:
        begins = np.concatenate([[self._document_begin], ends])
        filled = np.diff(begins) > 0
        self.files[OFFSETS].write(np.ascontiguousarray(ends[filled], dtype=np.int64).data)
        self.files[DOCUMENT_BYTES].write(np.ascontiguousarray(num_bytes[filled], dtype=np.int64).data)
        self.num_documents += int(np.count_nonzero(filled))
        self.num_bytes += int(num_bytes[filled].sum())
        self._document_begin = int(begins[-1])


def _unit_of(piece: DocumentPiece) -> Unit:
    return Unit(*piece)


def _without_first_spaces(units: Iterable[Unit]) -> Iterator[Unit]:
    """Units that go on with a document lose the space before them, which the tokenizer puts there itself."""
    begins_document = True
    for unit in units:
        yield unit if begins_document else unit._replace(text=unit.text.removeprefix(" "))
        begins_document = unit.ends_document


def _sentences(pieces: Iterable[DocumentPiece]) -> Iterator[Unit]:
    """The sentences of documents; one that a cut between two pieces has torn apart is put together again."""
    begun = ""
    for piece in pieces:
        *whole, last = split_sentences(begun + piece.text) or [""]
        begun = ""
        for sentence in whole:
            yield Unit(sentence, len(sentence.encode()), False)
        if piece.ends_document or len(last) > PIECE_BYTES:
            yield Unit(last, len(last.encode()), piece.ends_document)
        else:
            begun = last
    if begun:
        yield Unit(begun, len(begun.encode()), True)


def _batches(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    batch: list[Unit] = []
    num_bytes = 0
    for unit in units:
        batch.append(unit)
        num_bytes += unit.num_bytes
        if num_bytes >= BATCH_BYTES or len(batch) >= BATCH_BYTES >> 4:
            yield batch
            batch, num_bytes = [], 0
    if batch:
        yield batch
