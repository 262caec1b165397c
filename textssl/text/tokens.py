"""The token store: a corpus as word ids on disk, with its vocabulary and the borders of its documents.

    cache/<key>/ids.bin  offsets.bin  vocabulary-*.npy  store.json  manifest.json

The key is a hash of the source's contents and of the settings, so the same text with the same settings opens at once.
The files do not depend on the number of threads or on the blocks in which the text came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
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
from textssl.text import store_folder
from textssl.text.sources import IterableSource, Source
from textssl.text.store_folder import (
    IDS,
    OFFSETS,
    check_sizes,
    commit_store_folder,
    opened_if_sound,
    read_description,
    write_description,
)
from textssl.text.store_folder import default_cache as default_cache
from textssl.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textssl.text.counting import Counted, Progress
    from textssl.text.selection import Selection

FORMAT = 1


@dataclass(frozen=True)
class StoreSettings:
    """How text becomes word ids."""

    tokenizer: Literal["whitespace", "words"] = option(
        "whitespace", 'What a word is: "whitespace" (word2vec\'s convention) or "words" (Unicode rules, for raw prose).'
    )
    lowercase: bool | None = option(None, "Write words in small letters; by default only with --tokenizer words.")
    min_count: int = option(5, "Leave out words that come less often.", minimum=1)
    max_vocabulary: int | None = option(None, "Keep so many of the most frequent words at most.", minimum=2)
    max_distinct: int = option(30_000_000, "Prune rare words while counting above so many distinct ones.", minimum=2)

    def __post_init__(self) -> None:
        validate(self)

    @property
    def folds_case(self) -> bool:
        """Whether words are written in small letters."""
        return self.tokenizer == "words" if self.lowercase is None else self.lowercase

    def identity(self) -> dict[str, Any]:
        """Everything that changes the ids."""
        return {**asdict(self), "lowercase": self.folds_case}


class TokenStore:
    """A corpus as word ids, memory-mapped. Made by `build_store`, opened by `TokenStore.open`.

    Attributes:
        path: the folder.
        vocabulary: the words and their counts; the counts are those of the ids.
        metadata: the counts of what was read and left out, see `build_store`.
    """

    def __init__(self, path: Path, vocabulary: Vocabulary, metadata: Mapping[str, Any]) -> None:
        self.path = path
        self.vocabulary = vocabulary
        self.metadata = metadata
        self.num_tokens: int = metadata["num_tokens"]
        self.num_documents: int = metadata["num_documents"]
        self.num_left_out: int = metadata["num_left_out"]
        self.fingerprint: str = metadata["fingerprint"]

    @classmethod
    def open(cls, path: Path) -> TokenStore:
        """Open a store; sizes are checked, contents are not read.

        Raises:
            DataError: a file is missing or damaged.
            UsageError: another version of textssl wrote it.
        """
        path = Path(path)
        metadata = read_description(path, format=FORMAT)
        store = cls(path, Vocabulary.load(path), metadata)
        sizes = {
            IDS: store.num_tokens * np.dtype(metadata["dtype"]).itemsize,
            OFFSETS: (store.num_documents + 1) * 8,
        }
        check_sizes(path, sizes)
        return store

    @classmethod
    def open_existing(cls, path: Path) -> TokenStore | None:
        """The store at `path`; None when there is none, or one that must be built anew since it is damaged."""
        return opened_if_sound(path, cls.open)

    @cached_property
    def ids(self) -> NDArray[Any]:
        """The word ids in text order, uint16 or int32 (num_tokens,), read-only."""
        return np.memmap(self.path / IDS, dtype=self.metadata["dtype"], mode="r", shape=(self.num_tokens,))

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each document begins and the last one ends, int64 (num_documents + 1,), read-only."""
        return np.memmap(self.path / OFFSETS, dtype=np.int64, mode="r", shape=(self.num_documents + 1,))

    @property
    def size_bytes(self) -> int:
        """The size of the store on disk."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    def describe(self) -> list[str]:
        """What the store holds and what was left out, as lines for people."""
        read, documents = self.metadata, counted(self.num_documents, "document")
        lines = [
            f"{self.num_tokens:,} words, {len(self.vocabulary):,} distinct, in {documents}",
            f"left out: {self.num_left_out:,} of {read['num_words_read']:,} words read: {read['num_rare_words']:,} "
            f"distinct words below min_count = {read['settings']['min_count']}"
            + (f", {read['num_beyond_words']:,} beyond max_vocabulary" if read["num_beyond_words"] else ""),
        ]
        if read["num_over_long"]:
            lines.append(f"left out: {read['num_over_long']:,} tokens of more than 1,000 bytes")
        if read["num_pruned"]:
            lines.append(
                f"left out: {read['num_pruned']:,} occurrences of rare words, pruned because there were more than "
                f"{read['settings']['max_distinct']:,} distinct words; counts of rare words are too low"
            )
        return [*lines, f"token store: {self.path} ({size_text(self.size_bytes)})"]


def build_store(
    source: Source,
    settings: StoreSettings | None = None,
    *,
    cache: Path | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> TokenStore:
    """Turn text into word ids, or open the store of an earlier call with the same text and settings.

    Counted in `TokenStore.metadata`: num_words_read = num_tokens + num_left_out (below min_count or beyond
    max_vocabulary) + num_over_long (tokens over 1,000 bytes) + num_pruned (above max_distinct); num_documents without
    empty ones; num_bytes.

    Args:
        source: the text; a corpus, or `from_iterable(documents)`.
        settings: how text becomes words; the default is white space and a min_count of 5.
        cache: the folder of token stores.
        threads: 1 or more; the result does not depend on it.
        progress: called with "reading" or "encoding", the bytes or words done, and how many there are, if known.

    Returns:
        The store.

    Raises:
        DataError: there are fewer than two words to learn.
        UsageError: threads is below 1, or lists of tokens are to be cut by another tokenizer than "whitespace".
        ResourceError: the disk is full or not writable.
    """
    settings = settings or StoreSettings()
    cache = Path(cache) if cache else default_cache()
    if threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    if settings.tokenizer != "whitespace" and isinstance(source, IterableSource) and source.holds_tokens():
        raise UsageError(
            f"documents given as lists of tokens are cut already, got tokenizer {settings.tokenizer!r}",
            where=source.name,
            hint='Use tokenizer "whitespace" (the default), or give the documents as texts.',
        )
    with ThreadPoolExecutor(1) as aside:
        hashed = aside.submit(source.fingerprint)
        import textssl.text.counting  # noqa: F401  (Numba takes its time, and hashing does not need the GIL)
    fingerprint = hashed.result()
    if fingerprint is not None:
        store = TokenStore.open_existing(cache / store_key(fingerprint, settings.identity()))
        if store is not None:
            return store
    return _build(source, settings, fingerprint, cache, threads, progress)


def _build(
    source: Source,
    settings: StoreSettings,
    fingerprint: str | None,
    cache: Path,
    threads: int,
    progress: Progress | None,
) -> TokenStore:
    from textssl.text.counting import count_words
    from textssl.text.normalise import normaliser
    from textssl.text.selection import select

    with translated(cache / "text store", 0):
        make_folder(cache)
    digest = hashlib.sha256()
    counted = count_words(
        source.blocks() if fingerprint is not None else _hashed(source.blocks(), digest),
        normalise=normaliser(settings.tokenizer, lowercase=settings.folds_case),
        lowercase=settings.folds_case,
        max_distinct=settings.max_distinct,
        folder=cache,
        threads=threads,
        size_bytes=source.size_bytes,
        progress=progress,
    )
    fingerprint = fingerprint or digest.hexdigest()
    selection = select(
        counted.table,
        min_count=settings.min_count,
        max_vocabulary=settings.max_vocabulary,
        name=source.name,
        num_bytes=counted.num_bytes,
    )
    about = {"name": source.name, "fingerprint": fingerprint, "settings": settings.identity()}
    target = cache / store_key(fingerprint, settings.identity())
    return commit_store(target, counted, selection, about, threads=threads, progress=progress)


def commit_store(
    target: Path,
    counted: Counted,
    selection: Selection,
    about: Mapping[str, Any],
    *,
    threads: int,
    progress: Progress | None = None,
    write_more: Callable[[Path], None] | None = None,
) -> TokenStore:
    """Write a store from counted words and a chosen vocabulary; if another process was faster, open what it wrote.

    Args:
        target: the folder of the store.
        counted: the text as provisional numbers.
        selection: the vocabulary.
        about: name, fingerprint and settings, for the description.
        threads: 1 or more.
        progress: called now and then.
        write_more: writes further files into the folder.
    """
    existing = TokenStore.open_existing(target)
    if existing is not None:
        return existing

    def write(folder: Path) -> None:
        _write_store(folder, counted, selection, about, threads, progress)
        if write_more:
            write_more(folder)

    from textssl.text.encoding import id_type

    expected_bytes = len(counted.provisional) * id_type(len(selection.vocabulary)).itemsize
    commit_store_folder(target, write, expected_bytes=expected_bytes)
    return TokenStore.open(target)


def _write_store(
    folder: Path,
    counted: Counted,
    selection: Selection,
    about: Mapping[str, Any],
    threads: int,
    progress: Progress | None,
) -> None:
    from textssl.text.encoding import Part, encode, id_type

    ids_of = [[_ranked(selection.ids, numbers) for numbers in tables] for tables in counted.numbers]

    def parts() -> Iterator[Part]:
        for segment in counted.segments:
            yield Part(counted.provisional[segment.begin : segment.end], ids_of[segment.generation][segment.table])
            if progress:
                progress("encoding", segment.end, len(counted.provisional))

    num_words = len(selection.vocabulary)
    encoded = encode(parts(), folder, num_words=num_words, threads=threads)
    selection.vocabulary.save(folder)
    num_kept = int(counted.table.counts.sum())
    description = {
        "format": FORMAT,
        **about,
        "dtype": id_type(num_words).name,
        "num_tokens": encoded.num_tokens,
        "num_documents": encoded.num_documents,
        "num_words_read": num_kept + counted.num_over_long + counted.num_pruned,
        "num_left_out": num_kept - encoded.num_tokens,
        "num_over_long": counted.num_over_long,
        "num_pruned": counted.num_pruned,
        "num_distinct_words": selection.num_distinct,
        "num_rare_words": selection.num_rare,
        "num_beyond_words": selection.num_beyond,
        "num_bytes": counted.num_bytes,
    }
    write_description(folder, description)


def _ranked(ids: NDArray[np.int32], numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """The id of each provisional number."""
    return np.append(ids, np.int32(-1))[numbers]


def store_key(fingerprint: str, settings: Mapping[str, Any]) -> str:
    """The name of a store's folder.

    Args:
        fingerprint: of the text.
        settings: everything else that changes the ids, see `StoreSettings.identity`.
    """
    return store_folder.store_key(fingerprint, settings, format=FORMAT)


def _hashed(blocks: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        yield block
