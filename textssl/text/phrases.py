"""Phrases: neighbouring words that come together more often than by chance become one word (new_york).

    default  (count(a b) - min_count) * N / (count(a) * count(b))           > threshold
    npmi     ln(p(a b) / (p(a) p(b))) / -ln p(a b),  p = count / N          > threshold

Connector words ("of", "the") may stand between: bank_of_america; then a b is the whole chain.
Find phrases in the derived store again for longer ones.

Legend: P phrases; V words; N words of the store.
Source: Mikolov et al. 2013 (arXiv 1310.4546), section 4, and word2phrase.c; Bouma 2009 for npmi.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from textssl.disk import make_folder, translated
from textssl.errors import UsageError, did_you_mean
from textssl.text.counting import Counted, Segment
from textssl.text.ordered import ordered_map
from textssl.text.phrase_kernels import (
    COUNT_BITS,
    MAX_CONNECTORS,
    NUM_PENDING,
    SIZE,
    START,
    WRITTEN,
    count_pairs,
    fill_lookup,
    join_pairs,
    move_pairs,
)
from textssl.text.scan import scan
from textssl.text.selection import select
from textssl.text.tokens import TokenStore, commit_store, default_cache, store_key
from textssl.text.word_table import MAX_WORD_BYTES, WordTable

Scoring = Literal["default", "npmi"]
PHRASES = "phrases.json"
MAX_CONNECTOR_WORDS = 255  # three of them make a number below 2^24
_TOKENS_PER_PARTITION = 1 << 23  # so that the table of a partition stays near the processor
_MAX_PARTITIONS = 16  # every partition reads the whole store
_JOINED_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Phrases:
    """Phrases of a store, best first.

    Args:
        firsts: the id of the first word, int32 (P,).
        middles: the connectors between, as one number, int64 (P,).
        lasts: the id of the last word, int32 (P,).
        counts: how often the pair comes, int64 (P,).
        scores: float64 (P,), falling.
        connectors: the connector words in use, in the order of their numbers.
        settings: how the phrases were found.
        num_pruned: pairs that were forgotten because there were too many at a time; 0 for an exact count.
    """

    firsts: NDArray[np.int32]
    middles: NDArray[np.int64]
    lasts: NDArray[np.int32]
    counts: NDArray[np.int64]
    scores: NDArray[np.float64]
    connectors: tuple[str, ...]
    settings: dict[str, Any]
    num_pruned: int

    def __len__(self) -> int:
        return len(self.firsts)

    def texts(self, store: TokenStore) -> list[str]:
        """The phrases as words, their parts joined by the delimiter."""
        words, delimiter = store.vocabulary.words, self.settings["delimiter"]
        return [
            delimiter.join((words[int(first)], *self._between(int(middle)), words[int(last)]))
            for first, middle, last in zip(self.firsts, self.middles, self.lasts, strict=True)
        ]

    def _between(self, middle: int) -> list[str]:
        digits: list[str] = []
        while middle:
            middle, digit = divmod(middle, len(self.connectors) + 1)
            digits.insert(0, self.connectors[digit - 1])
        return digits

    def select(self, chosen: NDArray[np.int64]) -> Phrases:
        """Some of the phrases, by their places."""
        return replace(
            self,
            firsts=self.firsts[chosen],
            middles=self.middles[chosen],
            lasts=self.lasts[chosen],
            counts=self.counts[chosen],
            scores=self.scores[chosen],
        )


def find_phrases(
    store: TokenStore,
    *,
    min_count: int = 5,
    threshold: float = 10.0,
    scoring: Scoring = "default",
    delimiter: str = "_",
    connector_words: Sequence[str] = (),
    max_pairs: int = 32_000_000,
    threads: int = 2,
) -> Phrases:
    """Find the pairs of neighbouring words whose score is above a threshold.

    Neighbours are words that follow each other in the store: words that it leaves out do not separate.

    Args:
        store: the text.
        min_count: the discount of the default score; words (and, for npmi, pairs) that come less often are passed over.
        threshold: lower gives more phrases; word2phrase takes 100, npmi lies between -1 and 1.
        scoring: "default" or "npmi".
        delimiter: stands between the words of a phrase.
        connector_words: at most 255 words of which up to three may stand inside of a phrase, never at its ends.
        max_pairs: how many different pairs are counted; beyond, rare ones are forgotten, as in word2phrase.c.
        threads: 1 or more; the result does not depend on it.

    Raises:
        UsageError: a number is out of its range, the delimiter holds white space, or there is no such scoring.
    """
    connectors = _check(store, min_count, threshold, scoring, delimiter, connector_words, max_pairs, threads)
    counts = np.asarray(store.vocabulary.counts)
    partitions = min(_MAX_PARTITIONS, 1 << (store.num_tokens // _TOKENS_PER_PARTITION).bit_length())
    roles = _roles(store, connectors)
    roles[(roles == 0) & ~_eligible(counts, min_count, threshold, scoring)] = -1
    counter = _PairCounter(store, roles, len(connectors) + 1, partitions, max_pairs)

    def scored(partition: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float64], int]:
        keys, values, num_pruned = counter.count(partition)
        scores = _scores(keys, _pair_counts(values), counts, min_count, scoring)
        good = scores > threshold
        return keys[good], values[good], scores[good], num_pruned

    with ThreadPoolExecutor(threads) as executor:
        found = list(ordered_map(scored, range(partitions), threads=threads, executor=executor))
    keys, values, scores = (np.concatenate(arrays) for arrays in list(zip(*found, strict=True))[:3])
    settings = {"min_count": min_count, "threshold": threshold, "scoring": scoring, "delimiter": delimiter}
    phrases = Phrases(
        firsts=(keys >> np.uint64(32)).astype(np.int32),
        middles=(values >> np.uint64(COUNT_BITS)).astype(np.int64),
        lasts=(keys & np.uint64(0xFFFFFFFF)).astype(np.int32),
        counts=_pair_counts(values),
        scores=scores,
        connectors=connectors,
        settings={**settings, "connector_words": sorted(connector_words), "max_pairs": max_pairs},
        num_pruned=sum(part[3] for part in found),
    )
    return phrases.select(np.lexsort((phrases.middles, phrases.lasts, phrases.firsts, -phrases.scores)))


def derive_store(store: TokenStore, phrases: Phrases, cache: Path | None = None, *, threads: int = 2) -> TokenStore:
    """Write a store in which phrases are single words, or open it when it exists.

    Phrases are joined greedily from left to right. Words are counted anew, and min_count of the store holds again.

    Args:
        store: the store that the phrases were found in.
        phrases: from `find_phrases(store)`; they are saved beside the ids as phrases.json.
        cache: the folder of token stores.
        threads: 1 or more.

    Raises:
        DataError: fewer than two words are left.
        ResourceError: the disk is full or not writable.
    """
    cache = Path(cache) if cache else default_cache()
    texts = phrases.texts(store)
    listing = json.dumps(
        {
            "settings": phrases.settings,
            "num_pruned": phrases.num_pruned,
            "phrases": list(zip(texts, phrases.counts.tolist(), phrases.scores.tolist(), strict=True)),
        },
        ensure_ascii=False,
    )
    fingerprint = hashlib.sha256(f"{store.path.name} {listing}".encode()).hexdigest()
    settings = store.metadata["settings"]
    about = {"name": store.metadata["name"], "fingerprint": fingerprint, "settings": settings}
    with translated(cache / "text store", 0):
        make_folder(cache)
    target = cache / store_key(fingerprint, settings)

    def counted() -> Counted:
        short = np.array([len(text.encode()) <= MAX_WORD_BYTES for text in texts], dtype=np.bool_)
        names = [text for text, fits in zip(texts, short, strict=True) if fits]
        return _joined(store, phrases.select(np.flatnonzero(short)), names, cache)

    def save_phrases(folder: Path) -> None:
        (folder / PHRASES).write_text(listing + "\n", encoding="utf-8")

    if (existing := TokenStore.open_existing(target)) is not None:
        return existing
    found = counted()
    selection = select(
        found.table,
        min_count=settings["min_count"],
        max_vocabulary=settings["max_vocabulary"],
        name=store.metadata["name"],
        num_bytes=found.num_bytes,
    )
    return commit_store(target, found, selection, about, threads=threads, write_more=save_phrases)


class _PairCounter:
    """Counts the pairs of a store, one partition at a time."""

    def __init__(self, store: TokenStore, roles: NDArray[np.int16], base: int, partitions: int, max_pairs: int) -> None:
        self.text = (store.ids, store.offsets, roles, base, partitions)
        self.max_size = max(1, max_pairs // partitions)
        expected = min(self.max_size, store.num_tokens // (4 * partitions))
        self.first_slots = 1 << max(4, (2 * expected - 1).bit_length())

    def count(self, partition: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64], int]:
        """Keys and values of the pairs of one partition, and how many pairs were forgotten."""
        pairs = np.zeros((self.first_slots, 2), dtype=np.uint64)
        state = np.zeros(SIZE + 1, dtype=np.int64)
        state[START] = -1
        largest_pruned = num_pruned = 0
        while not count_pairs(*self.text, partition, pairs, state):
            before = int(state[SIZE])
            if full := before >= self.max_size:
                largest_pruned += 1
            moved = np.zeros((len(pairs) if full else 2 * len(pairs), 2), dtype=np.uint64)
            state[SIZE] = move_pairs(pairs, largest_pruned if full else 0, moved)
            num_pruned += before - int(state[SIZE])
            pairs = moved
        pairs = pairs[pairs[:, 1] != 0]
        return pairs[:, 0], pairs[:, 1], num_pruned


def _check(
    store: TokenStore,
    min_count: int,
    threshold: float,
    scoring: str,
    delimiter: str,
    connector_words: Sequence[str],
    max_pairs: int,
    threads: int,
) -> tuple[str, ...]:
    names = get_args(Scoring)
    if scoring not in names:
        raise UsageError(
            f"scoring must be {' or '.join(names)}, got {scoring!r}", hint=did_you_mean(scoring, names) or None
        )
    for name, number in (("min_count", min_count), ("max_pairs", max_pairs), ("threads", threads)):
        if number < 1:
            raise UsageError(f"{name} must be at least 1, got {number}")
    low, high = (0.0, float("inf")) if scoring == "default" else (-1.0, 1.0)
    if not low <= threshold < high:
        raise UsageError(
            f"threshold must be {low:g} or more and below {high:g} for scoring {scoring!r}, got {threshold:g}"
        )
    if not delimiter or delimiter.encode().split() != [delimiter.encode()]:
        raise UsageError(f"delimiter must be one or more characters without white space, got {delimiter!r}")
    connectors = tuple(word for word in sorted(set(connector_words)) if word in store.vocabulary.words)
    if len(connectors) > MAX_CONNECTOR_WORDS:
        raise UsageError(f"connector_words must be at most {MAX_CONNECTOR_WORDS} words, got {len(connectors)}")
    return connectors


def _roles(store: TokenStore, connectors: Sequence[str]) -> NDArray[np.int16]:
    """The number of each word as a connector, 0 for all other words."""
    roles = np.zeros(len(store.vocabulary), dtype=np.int16)
    roles[store.vocabulary.words.find_many(connectors)] = np.arange(1, len(connectors) + 1)
    return roles


def _eligible(counts: NDArray[np.int64], min_count: int, threshold: float, scoring: Scoring) -> NDArray[np.bool_]:
    """Which words can be part of a phrase at all: a pair comes at most as often as each of its words."""
    eligible = counts >= min_count
    if scoring == "default":
        # The best partner of a word comes as often as the word itself, and never without it.
        eligible &= (counts - min_count) * float(counts.sum()) > threshold * counts.astype(np.float64) ** 2
    return np.asarray(eligible, dtype=np.bool_)


def _pair_counts(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (values & np.uint64((1 << COUNT_BITS) - 1)).astype(np.int64)


def _scores(
    keys: NDArray[np.uint64],
    pairs: NDArray[np.int64],
    counts: NDArray[np.int64],
    min_count: int,
    scoring: Scoring,
) -> NDArray[np.float64]:
    firsts = counts[(keys >> np.uint64(32)).astype(np.int64)].astype(np.float64)
    lasts = counts[(keys & np.uint64(0xFFFFFFFF)).astype(np.int64)].astype(np.float64)
    total = float(counts.sum())
    if scoring == "default":
        return np.asarray((pairs - min_count) / firsts / lasts * total, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # a pair that is all there is has p = 1
        scores = np.log(pairs * total / (firsts * lasts)) / -np.log(pairs / total)
    return np.where(pairs >= min_count, scores, -np.inf)


def _joined(store: TokenStore, phrases: Phrases, texts: list[str], folder: Path) -> Counted:
    """The store's text with phrases joined, as a pass over text would have counted it."""
    num_words = len(store.vocabulary)
    slots = max(2, 1 << (2 * len(phrases)).bit_length())
    pairs = np.zeros((slots, 2), dtype=np.uint64)
    fill_lookup(phrases.firsts, phrases.middles, phrases.lasts, pairs)
    counts = np.zeros(num_words + len(phrases), dtype=np.int64)
    pending = np.zeros(MAX_CONNECTORS + 1, dtype=np.int64)
    state = np.zeros(NUM_PENDING + 1, dtype=np.int64)
    lookup = (store.ids, store.offsets, _roles(store, phrases.connectors), len(phrases.connectors) + 1, pairs)
    segments: list[Segment] = []
    end = 0
    with tempfile.TemporaryFile(dir=folder) as file, translated(folder / "text store", 4 * store.num_tokens):
        for begin in range(0, store.num_tokens, _JOINED_AT_ONCE):
            stop = min(begin + _JOINED_AT_ONCE, store.num_tokens)
            numbers = np.empty(2 * (stop - begin) + MAX_CONNECTORS + 2, dtype=np.int32)
            join_pairs(*lookup, stop, pending, numbers, counts, state)
            file.write(numbers[: state[WRITTEN]].data)
            segments.append(Segment(end, end + int(state[WRITTEN]), 0, 0))
            end += int(state[WRITTEN])
        file.flush()
        provisional = np.memmap(file, dtype=np.int32, mode="r", shape=(end,))
    table, ordinals = _table(store, texts, counts)
    read = store.metadata
    return Counted(
        table, provisional, segments, [[ordinals]], read["num_over_long"], read["num_pruned"], read["num_bytes"]
    )


def _table(store: TokenStore, texts: list[str], counts: NDArray[np.int64]) -> tuple[WordTable, NDArray[np.int32]]:
    """Words and phrases as one table; a phrase that is spelt like a word becomes that word."""
    table = WordTable()
    names = "\n".join((*store.vocabulary.words, *texts)).encode()
    ordinals = scan(np.frombuffer(names.replace(b"\n", b" "), dtype=np.uint8), table).ordinals
    table.counts[:] = 0
    np.add.at(table.counts, ordinals, counts)
    return table, ordinals
