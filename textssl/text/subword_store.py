"""The subword store: a corpus as the ids of a tokenizer on disk, with the borders of its documents and sentences.

    cache/<key>/ids.bin  offsets.bin  document_bytes.bin  [sentence_offsets.bin]  store.json  manifest.json

The key is a hash of the source's contents, of the tokenizer and of the settings. The ids hold no special tokens but the
unknown one; whoever packs them into rows puts separators between documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.config import option, validate
from textssl.disk import make_folder, size_text, translated
from textssl.errors import UsageError
from textssl.plural import counted
from textssl.text.sources import Source
from textssl.text.store_folder import (
    DOCUMENT_BYTES,
    IDS,
    OFFSETS,
    SENTENCES,
    check_sizes,
    commit_store_folder,
    default_cache,
    no_text,
    opened_if_sound,
    read_description,
    store_key,
    write_description,
)
from textssl.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from textssl.text.counting import Progress

FORMAT = 1
_BYTES_PER_ID = 2


@dataclass(frozen=True)
class SubwordSettings:
    """How text becomes subword ids, beside the tokenizer."""

    split: Literal["documents", "sentences"] = option(
        "documents", 'Borders to keep: of "documents" only, or of "sentences", too.'
    )

    def __post_init__(self) -> None:
        validate(self)


class SubwordStore:
    """A corpus as subword ids, memory-mapped. Made by `build_subword_store`, opened by `SubwordStore.open`.

    Attributes:
        path: the folder.
        tokenizer: what the ids mean.
        metadata: name, fingerprint, settings and the counts, see `build_subword_store`.
    """

    def __init__(self, path: Path, tokenizer: Tokenizer, metadata: Mapping[str, Any]) -> None:
        self.path = path
        self.tokenizer = tokenizer
        self.metadata = metadata
        self.num_tokens: int = metadata["num_tokens"]
        self.num_documents: int = metadata["num_documents"]
        self.num_sentences: int | None = metadata["num_sentences"]
        self.fingerprint: str = metadata["fingerprint"]

    @classmethod
    def open(cls, path: Path, tokenizer: Tokenizer) -> SubwordStore:
        """Open a store; sizes are checked, contents are not read.

        Args:
            path: the folder.
            tokenizer: the one with which it was made.

        Raises:
            DataError: a file is missing or damaged.
            UsageError: another tokenizer or another version of textssl made it.
        """
        path = Path(path)
        metadata = read_description(path, format=FORMAT)
        identity = tokenizer.identity()
        if metadata["tokenizer"] != identity:
            raise UsageError(
                f"was made with the tokenizer {metadata['tokenizer'][:12]}, the one given is {identity[:12]}",
                where=str(path),
                hint="Give the tokenizer that belongs to it, or build a store with the new one.",
            )
        store = cls(path, tokenizer, metadata)
        check_sizes(path, store._sizes())
        return store

    @cached_property
    def ids(self) -> NDArray[Any]:
        """The ids in text order, uint16 or int32 (num_tokens,), read-only."""
        return self._mapped(IDS, np.dtype(self.metadata["dtype"]), self.num_tokens)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each document begins and the last one ends, int64 (num_documents + 1,), read-only."""
        return self._mapped(OFFSETS, np.dtype(np.int64), self.num_documents + 1)

    @cached_property
    def document_bytes(self) -> NDArray[np.int64]:
        """The length of each document as UTF-8, int64 (num_documents,), read-only: for bits per byte."""
        return self._mapped(DOCUMENT_BYTES, np.dtype(np.int64), self.num_documents)

    @cached_property
    def sentence_offsets(self) -> NDArray[np.int64] | None:
        """Where each sentence begins and the last one ends, int64 (num_sentences + 1,); None without them.

        A document ends where a sentence ends.
        """
        if self.num_sentences is None:
            return None
        return self._mapped(SENTENCES, np.dtype(np.int64), self.num_sentences + 1)

    @property
    def size_bytes(self) -> int:
        """The size of the store on disk."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    def describe(self) -> list[str]:
        """What the store holds, as lines for people."""
        num_bytes = self.metadata["num_bytes"]
        line = f"{self.num_tokens:,} tokens in {counted(self.num_documents, 'document')}"
        if self.num_sentences is not None:
            line += f" and {self.num_sentences:,} sentences"
        lines = [f"{line}, {num_bytes / self.num_tokens:.2f} bytes a token"]
        if self.metadata["num_unknown"]:
            unknown = self.metadata["num_unknown"]
            lines.append(f"{unknown:,} tokens ({unknown / self.num_tokens:.2%}) are unknown to the tokenizer")
        return [*lines, f"token store: {self.path} ({size_text(self.size_bytes)})"]

    def _mapped(self, name: str, dtype: np.dtype[Any], size: int) -> NDArray[Any]:
        return np.memmap(self.path / name, dtype=dtype, mode="r", shape=(size,)).view(np.ndarray)

    def _sizes(self) -> dict[str, int]:
        sizes = {
            IDS: self.num_tokens * np.dtype(self.metadata["dtype"]).itemsize,
            OFFSETS: (self.num_documents + 1) * 8,
            DOCUMENT_BYTES: self.num_documents * 8,
        }
        if self.num_sentences is not None:
            sizes[SENTENCES] = (self.num_sentences + 1) * 8
        return sizes


def build_subword_store(
    source: Source,
    tokenizer: Tokenizer,
    *,
    settings: SubwordSettings | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> SubwordStore:
    """Turn text into subword ids, or open the store of an earlier call with the same text, tokenizer and settings.

    Counted in `SubwordStore.metadata`: num_tokens, num_documents without blank ones, num_sentences, num_bytes of the
    documents as UTF-8, num_unknown (tokens that are the unknown one). Nothing is truncated; memory is bounded.

    Args:
        source: the text; a corpus, or `from_iterable(documents)`.
        tokenizer: what the ids mean.
        settings: which borders to keep; documents only by default.
        cache: the folder of stores.
        progress: called with "encoding", the bytes done, and how many there are, if known.

    Returns:
        The store.

    Raises:
        DataError: there is no text, or it is no UTF-8.
        ResourceError: the disk is full or not writable.
    """
    settings = settings or SubwordSettings()
    cache = Path(cache) if cache else default_cache()
    fingerprint = source.fingerprint() or _hash_of(source)
    about = {
        "name": source.name,
        "fingerprint": fingerprint,
        "tokenizer": tokenizer.identity(),
        "settings": asdict(settings),
    }
    key = {"tokenizer": about["tokenizer"], **asdict(settings), "kind": "subwords"}
    target = cache / store_key(fingerprint, key, format=FORMAT)
    existing = opened_if_sound(target, lambda path: SubwordStore.open(path, tokenizer))
    if existing is not None:
        return existing

    def write(folder: Path) -> None:
        from textssl.text.subword_encoding import encode_source

        counts = encode_source(source, tokenizer, folder, split=settings.split, progress=progress)
        write_description(folder, {"format": FORMAT, **about, **counts})

    with translated(cache / "text store", 0):
        make_folder(cache)
    commit_store_folder(target, write, expected_bytes=(source.size_bytes or 0) // _BYTES_PER_ID)
    return SubwordStore.open(target, tokenizer)


def _hash_of(source: Source) -> str:
    """The fingerprint of a source that has none of its own: everything is read."""
    digest = hashlib.sha256()
    num_bytes = 0
    for block in source.blocks():
        digest.update(block)
        num_bytes += len(block)
    if not num_bytes:
        raise no_text(source.name, num_bytes)
    return digest.hexdigest()
