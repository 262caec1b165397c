"""The token store against plain Python; the same bytes whatever the threads and blocks; every message."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textssl.errors import DataError, ResourceError, UsageError
from textssl.storage import commit_folder
from textssl.text import counting, pieces, tokens
from textssl.text.encoding import id_type
from textssl.text.sources import from_iterable
from textssl.text.tokens import StoreSettings, TokenStore, build_store

WORDS = ["a", "b", "the", "Der", "ÄRGER", "ärger", "Σ", "ς", "ΣΑΣ", "don't", "x" * 1001, "y" * 30, "日本"]
DOCUMENTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=12), max_size=30)


class Blocks:
    """A source with blocks of a chosen size."""

    size_bytes = None
    name = "blocks"

    def __init__(self, text: bytes, size: int = 1 << 20, fingerprint: str | None = None) -> None:
        self.text, self.size, self._fingerprint = text, size, fingerprint
        self.passes = 0

    def blocks(self) -> Iterator[bytes]:
        self.passes += 1
        for begin in range(0, len(self.text), self.size):
            yield self.text[begin : begin + self.size]

    def fingerprint(self) -> str | None:
        return self._fingerprint


def reference(documents: list[list[str]], min_count: int) -> tuple[list[tuple[str, int]], list[list[str]]]:
    """Vocabulary and documents by dictionaries."""
    counts = Counter(word for document in documents for word in document if len(word.encode()) <= 1000)
    vocabulary = sorted(
        ((word, count) for word, count in counts.items() if count >= min_count),
        key=lambda entry: (-entry[1], entry[0].encode()),
    )
    known = dict(vocabulary)
    kept = [[word for word in document if word in known] for document in documents]
    return vocabulary, [document for document in kept if document]


def documents_of(store: TokenStore) -> list[list[str]]:
    words = list(store.vocabulary.words)
    return [
        [words[id] for id in store.ids[begin:end]]
        for begin, end in zip(store.offsets[:-1], store.offsets[1:], strict=True)
    ]


def files_of(store: TokenStore) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(store.path.iterdir())}


def test_store_of_a_small_text(tmp_path):
    source = Blocks(b"the cat sat\n\nthe cat\n rare \nthe dog sat")
    store = build_store(source, StoreSettings(min_count=2), cache=tmp_path)
    assert list(store.vocabulary.words) == ["the", "cat", "sat"]
    assert store.vocabulary.counts.tolist() == [3, 2, 2]
    assert store.ids.dtype == np.uint16
    assert documents_of(store) == [["the", "cat", "sat"], ["the", "cat"], ["the", "sat"]]
    assert (store.num_tokens, store.num_documents, store.num_left_out) == (7, 3, 2)
    assert store.offsets.tolist() == [0, 3, 5, 7]
    assert store.size_bytes == sum(map(len, files_of(store).values()))
    assert store.describe()[:2] == [
        "7 words, 3 distinct, in 3 documents",
        "left out: 2 of 9 words read: 2 distinct words below min_count = 2",
    ]
    assert store.path.parent == tmp_path
    assert str(store.path) in store.describe()[-1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS, st.integers(1, 3), st.booleans())
def test_store_equals_reference(tmp_path_factory, documents, min_count, lowercase):
    read = [[word.lower() for word in document] for document in documents] if lowercase else documents
    vocabulary, kept = reference(read, min_count)
    if len(vocabulary) < 2:
        return
    store = build_store(
        from_iterable(documents),
        StoreSettings(min_count=min_count, lowercase=lowercase),
        cache=tmp_path_factory.mktemp("cache"),
    )
    assert list(zip(store.vocabulary.words, store.vocabulary.counts.tolist(), strict=True)) == vocabulary
    assert documents_of(store) == kept
    read_in_all = sum(map(len, documents))
    metadata = store.metadata
    assert metadata["num_words_read"] == read_in_all
    assert metadata["num_over_long"] == sum(document.count("x" * 1001) for document in documents)
    assert read_in_all == store.num_tokens + store.num_left_out + metadata["num_over_long"] + metadata["num_pruned"]
    assert metadata["num_documents"] == len(kept)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from([*"abcdefghijklmnopqrstuvw", "É", "é", "long_word_here", "\n"]), min_size=30, max_size=300
    ),
    st.sampled_from([3, 7, 30_000_000]),
    st.integers(1, 3),
    st.integers(1, 50),
)
def test_store_bytes_do_not_depend_on_threads_and_blocks(tmp_path_factory, words, max_distinct, threads, size):
    text = ("aa aa bb bb " * 4 + " ".join(words)).encode()
    options = StoreSettings(min_count=1, lowercase=True, max_distinct=max_distinct)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "cut", lambda blocks, span_bytes: pieces.cut(blocks, piece_bytes=16, span_bytes=40))
        stores = [
            build_store(Blocks(text, one_size), options, cache=tmp_path_factory.mktemp("cache"), threads=one_threads)
            for one_size, one_threads in ((len(text), 1), (size, threads), (size + 3, 2))
        ]
    first = files_of(stores[0])
    assert first == files_of(stores[1]) == files_of(stores[2])
    store = stores[0]
    assert np.bincount(store.ids, minlength=len(store.vocabulary)).tolist() == store.vocabulary.counts.tolist()
    num_words = len(text.split())
    assert num_words == store.num_tokens + store.num_left_out + store.metadata["num_pruned"]


def test_pruning_keeps_frequent_words_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "cut", lambda blocks, span_bytes: pieces.cut(blocks, span_bytes=100))
    text = b" ".join(b"often also w%d" % number for number in range(300))
    store = build_store(Blocks(text), StoreSettings(min_count=2, max_distinct=10), cache=tmp_path)
    assert list(store.vocabulary.words) == ["also", "often"]
    assert store.vocabulary.counts.tolist() == [300, 300]
    assert store.metadata["num_pruned"] + store.num_left_out == 300
    assert "pruned because there were more than 10 distinct words" in "\n".join(store.describe())


def test_store_with_many_words_has_larger_ids(tmp_path):
    text = b" ".join(b"w%d" % (number % 70_000) for number in range(140_000))
    store = build_store(Blocks(text), StoreSettings(min_count=2), cache=tmp_path)
    assert store.ids.dtype == np.int32
    assert documents_of(store)[0] == text.decode().split()


def test_max_vocabulary_keeps_the_most_frequent(tmp_path):
    store = build_store(Blocks(b"a a a b b c c d"), StoreSettings(min_count=1, max_vocabulary=2), cache=tmp_path)
    assert list(store.vocabulary.words) == ["a", "b"]
    assert store.num_left_out == 3
    assert "2 beyond max_vocabulary" in store.describe()[1]


def test_over_long_tokens_are_said(tmp_path):
    store = build_store(Blocks(b"a b " + b"x" * 2000), StoreSettings(min_count=1), cache=tmp_path)
    assert "left out: 1 tokens of more than 1,000 bytes" in store.describe()


def test_words_tokenizer_reads_prose(tmp_path):
    settings_ = StoreSettings(tokenizer="words", min_count=1)
    store = build_store(from_iterable(["It's Ünal, ÜNAL!", "it's"]), settings_, cache=tmp_path)
    assert documents_of(store) == [["it's", "ünal", "ünal"], ["it's"]]


def test_ties_are_ordered_by_bytes_beyond_the_eighth(tmp_path):
    words = sorted(["prefix__" + tail for tail in ("zz", "a", "ab", "", "é", "B")] + ["b", "ab"], key=str.encode)
    store = build_store(Blocks(" ".join(reversed(words)).encode()), StoreSettings(min_count=1), cache=tmp_path)
    assert list(store.vocabulary.words) == words


def test_second_call_opens_without_reading(tmp_path):
    first = Blocks(b"a b a", fingerprint="f1")
    store = build_store(first, StoreSettings(min_count=1), cache=tmp_path)
    second = Blocks(b"a b a", fingerprint="f1")
    again = build_store(second, StoreSettings(min_count=1), cache=tmp_path)
    assert (again.path, second.passes) == (store.path, 0)
    assert (
        build_store(Blocks(b"a b a", fingerprint="f2"), StoreSettings(min_count=1), cache=tmp_path).path != store.path
    )
    other = build_store(first, StoreSettings(min_count=1, lowercase=True), cache=tmp_path)
    assert other.path != store.path


def test_iterables_are_hashed_while_they_are_read(tmp_path):
    documents = ["a b", "b a"]
    store = build_store(from_iterable(documents), StoreSettings(min_count=1), cache=tmp_path)
    assert build_store(from_iterable(tuple(documents)), StoreSettings(min_count=1), cache=tmp_path).path == store.path
    documents.append("a")
    assert build_store(from_iterable(documents), StoreSettings(min_count=1), cache=tmp_path).path != store.path


def test_damaged_store_is_built_again(tmp_path):
    source = Blocks(b"a b a", fingerprint="f")
    store = build_store(source, StoreSettings(min_count=1), cache=tmp_path)
    before = files_of(store)
    with (store.path / "ids.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="ids.bin: has 7 bytes, expected 6"):
        TokenStore.open(store.path)
    assert files_of(build_store(source, StoreSettings(min_count=1), cache=tmp_path)) == before


def test_concurrent_builders_do_not_harm_each_other(tmp_path):
    def build(_: int) -> TokenStore:
        return build_store(Blocks(b"a b a " * 1000, 100, "f"), StoreSettings(min_count=1), cache=tmp_path)

    with ThreadPoolExecutor(4) as executor:
        stores = list(executor.map(build, range(8)))
    assert len({store.path for store in stores}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [stores[0].path.name]
    assert stores[0].ids.tolist() == [0, 1, 0] * 1000


def test_store_of_another_format_is_refused(tmp_path):
    def write(folder: Path) -> None:
        (folder / "store.json").write_text(json.dumps({"format": 99}))

    commit_folder(tmp_path / "s", write)
    with pytest.raises(UsageError, match=r"store.json: has format 99, this textssl reads format 1\nDelete the folder"):
        TokenStore.open(tmp_path / "s")
    commit_folder(tmp_path / "t", lambda folder: (folder / "store.json").write_text("{") and None)
    with pytest.raises(DataError, match="store.json: is damaged"):
        TokenStore.open(tmp_path / "t")


def test_progress_is_reported(tmp_path):
    calls: list[tuple[str, int, int | None]] = []
    build_store(
        Blocks(b"a b a\n"), StoreSettings(min_count=1), cache=tmp_path, progress=lambda *call: calls.append(call)
    )
    assert calls == [("reading", 6, None), ("encoding", 4, 4)]  # three words and the end of a document


@pytest.mark.parametrize("text", [b"", b" \n\t \n"])
def test_empty_corpus_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"blocks: holds no words: \d bytes were read.*\n.*textssl check"):
        build_store(Blocks(text), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_word_is_refused(tmp_path):
    with pytest.raises(
        DataError, match="blocks: holds only one distinct word, 'same', 3 times; at least two are needed"
    ):
        build_store(Blocks(b"same same same"), StoreSettings(min_count=1), cache=tmp_path)


def test_all_words_below_min_count_are_refused(tmp_path):
    expected = (
        "no word comes at least min_count = 5 times: 6 words were read, 3 of them distinct, and the most frequent one "
        "comes 3 times; at least two are needed\nUse more text, or a smaller minimum, at most: --min-count 2"
    )
    with pytest.raises(DataError, match=expected):
        build_store(Blocks(b"a a a b b c"), cache=tmp_path)
    with pytest.raises(DataError, match="only one word comes at least min_count = 3 times.*\n.*--min-count 2"):
        build_store(Blocks(b"a a a b b c"), StoreSettings(min_count=3), cache=tmp_path)
    assert build_store(Blocks(b"a a a b b c"), StoreSettings(min_count=2), cache=tmp_path).num_tokens == 5


def test_words_that_are_no_utf8_are_named(tmp_path):
    with pytest.raises(DataError, match=r"blocks: holds a word that is no UTF-8: b'\\xff'\n.*--encoding latin-1"):
        build_store(Blocks(b"a a \xff"), StoreSettings(min_count=1), cache=tmp_path)


def test_lists_of_tokens_are_not_cut_again(tmp_path):
    with pytest.raises(UsageError, match="lists of tokens are cut already, got tokenizer 'words'\nUse tokenizer"):
        build_store(from_iterable([["a", "b"]]), StoreSettings(tokenizer="words"), cache=tmp_path)


def test_threads_must_be_positive(tmp_path):
    with pytest.raises(UsageError, match="threads must be at least 1, got 0"):
        build_store(Blocks(b"a b"), cache=tmp_path, threads=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_count": 0}, "min_count must be at least 1, got 0"),
        ({"max_vocabulary": 1}, "max_vocabulary must be at least 2, got 1"),
        ({"max_distinct": 1}, "max_distinct must be at least 2, got 1"),
        ({"tokenizer": "word"}, "tokenizer must be .*, got 'word'"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(UsageError, match=message):
        StoreSettings(**options)


def test_too_many_words_for_an_id_are_refused():
    assert (id_type(65_536), id_type(65_537)) == (np.uint16, np.int32)
    with pytest.raises(
        DataError, match="has 2,147,483,649 words, at most 2,147,483,648 can be numbered\n.*--min-count"
    ):
        id_type((1 << 31) + 1)


def test_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, _):
            raise OSError(28, os.strerror(28))

    real = counting.tempfile.TemporaryFile
    monkeypatch.setattr(counting.tempfile, "TemporaryFile", lambda dir: Full(real(dir=dir)))
    with pytest.raises(ResourceError, match="the disk is full.*\nFree some space"):
        build_store(Blocks(b"a b a"), StoreSettings(min_count=1), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unusable_cache_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="file.*cannot be written|not writable"):
        build_store(Blocks(b"a b a"), StoreSettings(min_count=1), cache=tmp_path / "file" / "tokens")


def test_errors_of_the_source_pass_through(tmp_path):
    class Broken(Blocks):
        def blocks(self):
            yield b"a b "
            raise DataError("is damaged at byte 4", where="file")

    with pytest.raises(DataError, match="file: is damaged at byte 4"):
        build_store(Broken(b""), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_default_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTSSL_CACHE", str(tmp_path))
    assert tokens.default_cache() == tmp_path / "tokens"
    assert build_store(Blocks(b"a b"), StoreSettings(min_count=1)).path.parent == tmp_path / "tokens"
