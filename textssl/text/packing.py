"""Rows of fixed length over a store: documents are joined by a separator and cut, so that hardly a position is padding.

    stream   document 0, separator, document 1, separator, ...         every token of the documents once
    blocks   row r holds the next `content` positions of the stream; with an overlap of 1 also the one before them
    sentences  row r holds as many whole sentences as fit

A plan is a few numbers; rows are made when they are asked for, in any order.

Legend: B rows, T positions of a row.

Source: GPT-2 (documents joined by a separator); Liu et al. 2019, RoBERTa, section 4.2 (FULL-SENTENCES).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError
from textssl.randomness import Purpose, stream_key, uniform
from textssl.text.bits import kernel

Mode = Literal["blocks", "sentences"]


class Documents(Protocol):
    """What is packed: a SubwordStore, or anything that has its ids."""

    @property
    def ids(self) -> NDArray[np.integer]:
        """All ids, (num_tokens,)."""
        ...

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each document begins and the last one ends, (num_documents + 1,)."""
        ...

    @property
    def sentence_offsets(self) -> NDArray[np.int64] | None:
        """The same of sentences, which end where documents end."""
        ...


@dataclass(frozen=True)
class PackedRows:
    """A batch of rows.

    Args:
        ids_BT: int32 (B, T).
        document_BT: int32 (B, T), the number of the document in the store at each position, -1 at padding. A separator
            belongs to the document that it ends, the id that begins a row to the document that comes next.
        num_real: int64 (B,), positions that are no padding; they come first.
    """

    ids_BT: NDArray[np.int32]
    document_BT: NDArray[np.int32]
    num_real: NDArray[np.int64]


class Packing:
    """A plan of rows. Made by `plan_blocks`.

    Attributes:
        num_rows: how many there are.
        length: positions of a row, the overlap among them.
        num_truncated: sentences that were longer than a row and were cut (mode "sentences").
    """

    def __init__(
        self,
        store: Documents,
        documents: NDArray[np.int64],
        *,
        length: int,
        first_id: int | None,
        separator_id: int,
        pad_id: int,
        overlap: int,
        begins: NDArray[np.int64],
        num_truncated: int,
    ) -> None:
        self._ids = np.asarray(store.ids).view(np.ndarray)
        self._sources, self._stream = _stream_of(store, documents, overlap)
        self._documents = documents
        self._first_id, self._separator_id, self._pad_id = first_id, separator_id, pad_id
        self._overlap = overlap
        self._begins = begins
        self.length = length + overlap
        self.num_rows = len(begins) - 1
        self.num_truncated = num_truncated

    def rows(self, indices: NDArray[np.integer]) -> PackedRows:
        """Make rows.

        Args:
            indices: int (B,), 0 to num_rows - 1, in any order.

        Returns:
            The rows.
        """
        indices = np.asarray(indices, dtype=np.int64)
        ids_BT = np.empty((len(indices), self.length), dtype=np.int32)
        document_BT = np.empty_like(ids_BT)
        num_real = np.empty(len(indices), dtype=np.int64)
        begins, ends = self._begins[indices], self._begins[indices + 1] + self._overlap
        places = np.searchsorted(self._stream, begins, side="right") - 1
        first = -1 if self._first_id is None else self._first_id
        _fill(
            self._ids, self._sources, self._stream, self._documents, begins, ends, places, self._overlap, first,
            self._separator_id, self._pad_id, ids_BT, document_BT, num_real,
        )  # fmt: skip
        return PackedRows(ids_BT, document_BT, num_real)

    @property
    def num_tokens(self) -> int:
        """Positions of the stream: the tokens of the documents and their separators; each comes once an epoch."""
        return int(self._stream[-1]) - self._overlap

    @property
    def used_share(self) -> float:
        """The share of all positions that is no padding."""
        per_row = self._overlap + (self._first_id is not None)
        return (self.num_tokens + per_row * self.num_rows) / (self.num_rows * self.length)

    def describe(self) -> list[str]:
        """How much of the rows is used, as lines for people."""
        rows = f"{self.num_rows:,} rows of {self.length - self._overlap}"
        lines = [f"{rows}, {self.num_tokens:,} tokens with separators, {self.used_share:.1%} of all positions used"]
        if self.num_truncated:
            lines.append(f"{self.num_truncated:,} sentences are longer than a row and are cut; nothing is left out")
        return lines


def plan_blocks(
    store: Documents,
    *,
    documents: NDArray[np.int64],
    length: int,
    mode: Mode = "blocks",
    first_id: int | None,
    separator_id: int,
    pad_id: int,
    overlap: Literal[0, 1] = 0,
    least_rows: int = 0,
) -> Packing:
    """Plan rows over some documents of a store; no token is left out, only the last row ("blocks") has padding.

    With an overlap of 1 rows have length + 1 positions, the stream begins with a separator, and each row begins with
    the last id of the row before: positions 1 to length are every token of the stream once, each with its predecessor.

    Args:
        store: a SubwordStore.
        documents: int64, the numbers of the documents to pack, in the order in which they are joined.
        length: positions of a row, the first id among them; at least 2.
        mode: "blocks" cuts anywhere; "sentences" keeps sentences whole where they fit into a row.
        first_id: begins every row ([CLS]), or None.
        separator_id: ends every document.
        pad_id: fills up rows.
        overlap: 0, or 1 for next-token training.
        least_rows: refuse documents that fill fewer rows (1 for training).

    Returns:
        The plan.

    Raises:
        UsageError: length is too small, or sentences are asked for with an overlap or of a store without them.
        DataError: there is no document, or they fill fewer rows than `least_rows`.
    """
    content = length - (first_id is not None)
    _check(store, documents, length=length, mode=mode, overlap=overlap)
    _, stream = _stream_of(store, documents, overlap)
    num_tokens = int(stream[-1]) - overlap
    if num_tokens < least_rows * content:
        needed = least_rows * content
        raise DataError(
            f"the text is shorter than {least_rows} block of {length}: it has {num_tokens:,} tokens with separators, "
            f"{needed:,} are needed",
            hint="Use more text, or a smaller --length.",
        )
    num_truncated = 0
    if mode == "blocks":
        begins = np.append(np.arange(0, num_tokens, content, dtype=np.int64), num_tokens)
    else:
        ends = _sentence_ends(store, documents, stream)
        lengths = np.diff(ends, prepend=0)
        num_truncated = int(np.count_nonzero(lengths > content))
        begins = np.empty(len(ends) + int(stream[-1]) // content + 2, dtype=np.int64)
        begins = begins[: _begin_rows(ends, content, begins)].copy()
    return Packing(
        store, documents, length=length, first_id=first_id, separator_id=separator_id, pad_id=pad_id, overlap=overlap,
        begins=begins, num_truncated=num_truncated,
    )  # fmt: skip


def split_documents(num_documents: int, *, seed: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part the documents into training and validation; where a document goes depends on seed and number alone.

    Args:
        num_documents: at least 2.
        seed: 0 or more.
        share: of the documents for validation, above 0 and below 1; both parts get one at least.

    Returns:
        The numbers of the documents for training and for validation, rising, int64 both.

    Raises:
        DataError: there are fewer than two documents.
        UsageError: the share is out of range.
    """
    if num_documents < 2:
        raise DataError(
            f"a validation part needs at least two documents, the text has {num_documents}",
            hint="Put a newline between documents, or give a text for validation of its own.",
        )
    if not 0 < share < 1:
        raise UsageError(f"the share for validation must be above 0 and below 1, got {share}")
    drawn = uniform(stream_key(seed, Purpose.SPLIT), np.arange(num_documents))
    held_out = drawn < share
    held_out[np.argmin(drawn)] = True
    held_out[np.argmax(drawn)] = False
    return np.flatnonzero(~held_out).astype(np.int64), np.flatnonzero(held_out).astype(np.int64)


def _check(store: Documents, documents: NDArray[np.int64], *, length: int, mode: Mode, overlap: int) -> None:
    if length < 2:
        raise UsageError(f"length must be at least 2, got {length}")
    if not len(documents):
        raise DataError("there is no document to pack", hint="Use more text.")
    if mode == "sentences" and overlap:
        raise UsageError("rows of whole sentences cannot overlap", hint='Use mode "blocks" for next-token training.')
    if mode == "sentences" and store.sentence_offsets is None:
        raise UsageError(
            "rows of whole sentences need a store with sentences",
            hint='Build the store with SubwordSettings(split="sentences").',
        )


def _stream_of(
    store: Documents, documents: NDArray[np.int64], overlap: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each document begins in the store, and where in the stream (and where the stream ends).

    With an overlap a separator stands before the first document: it belongs to that document and begins at -1 in the
    store.
    """
    offsets = np.asarray(store.offsets)
    sources = offsets[documents]
    lengths = offsets[documents + 1] - sources + 1
    lengths[0] += overlap
    sources[0] -= overlap
    return sources, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def _sentence_ends(store: Documents, documents: NDArray[np.int64], stream: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the sentences of the documents end in the stream; the last one of a document takes the separator along."""
    ends = np.asarray(store.sentence_offsets)[1:]
    begins, stops = np.asarray(store.offsets)[documents], np.asarray(store.offsets)[documents + 1]
    first, last = np.searchsorted(ends, begins, side="right"), np.searchsorted(ends, stops, side="left")
    counts = last - first + 1
    owner = np.repeat(np.arange(len(documents)), counts)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    found = ends[first[owner] + within] - begins[owner] + stream[owner]
    found[np.cumsum(counts) - 1] += 1
    return np.asarray(found, dtype=np.int64)


@kernel
def _begin_rows(ends, content, begins):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write where the rows begin, and where the last one ends; the number of what was written."""
    begins[0] = 0
    written = 1
    begin = previous = 0
    for place in range(len(ends)):
        end = ends[place]
        if end - begin > content and previous > begin:
            begin = previous
            begins[written] = begin
            written += 1
        while end - begin > content:
            begin += content
            begins[written] = begin
            written += 1
        previous = end
    if begin < previous:
        begins[written] = previous
        written += 1
    return written


@kernel
def _fill(  # type: ignore[no-untyped-def]  # noqa: ANN202
    ids, sources, stream, documents, begins, ends, places, overlap, first_id, separator_id, pad_id,  # noqa: ANN001
    ids_BT, document_BT, num_real,  # noqa: ANN001
):  # fmt: skip
    """Write the rows: of each document its part of the row, the separator where its end lies inside."""
    length = ids_BT.shape[1]
    for row in range(len(begins)):
        place, position, end = places[row], begins[row], ends[row]
        column = 0
        if first_id >= 0:
            ids_BT[row, 0] = first_id
            document_BT[row, 0] = documents[place]
            column = 1
        while position < end:
            document = documents[place]
            if position < overlap:  # the separator before the first document
                ids_BT[row, column] = separator_id
                document_BT[row, column] = document
                column += 1
                position += 1
            separator = stream[place + 1] - 1
            source = sources[place] + position - stream[place]
            for _ in range(min(separator, end) - position):
                ids_BT[row, column] = ids[source]
                document_BT[row, column] = document
                source += 1
                column += 1
            position = min(separator, end)
            if position < end:
                ids_BT[row, column] = separator_id
                document_BT[row, column] = document
                column += 1
                position += 1
                place += 1
        num_real[row] = column
        for rest in range(column, length):
            ids_BT[row, rest] = pad_id
            document_BT[row, rest] = -1
    return 0
