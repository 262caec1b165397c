"""The subword store against encoding every document by itself; keys, damage, every message."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.subword_texts import ENGLISH, OTHERS, foreign_llama_json, small_tokenizer
from tests.text.test_document_pieces import Blocks
from textssl.errors import DataError, ResourceError, UsageError
from textssl.text import subword_encoding, subword_units
from textssl.text.sentences import split_sentences
from textssl.text.sources import from_iterable
from textssl.text.subword_store import SubwordSettings, SubwordStore, build_subword_store
from textssl.text.subword_units import UnitEncoder
from textssl.text.tokenizer import Tokenizer

SENTENCES = SubwordSettings(split="sentences")
TOKENIZERS = {
    "bpe": small_tokenizer,
    "wordpiece": lambda: small_tokenizer("wordpiece"),
    "unigram": lambda: small_tokenizer("unigram"),
    "llama": lambda: Tokenizer.from_json_text(foreign_llama_json()),
}
TEXTS = st.lists(st.sampled_from([*"abT .é中", "\t", "\u00a0", "  ", "[MASK]", "'s", "́"]), max_size=30).map("".join)


def documents_of(store):
    return [store.ids[begin:end].tolist() for begin, end in zip(store.offsets[:-1], store.offsets[1:], strict=True)]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_store_is_every_document_encoded_by_itself(name, tmp_path):
    tokenizer = TOKENIZERS[name]()
    documents = [*ENGLISH[:3], "", *OTHERS[:4], "  ", "the [MASK] of [SEP]"]
    store = build_subword_store(from_iterable(documents), tokenizer, cache=tmp_path)
    kept = [document for document in documents if document.strip()]
    assert documents_of(store) == [ids.tolist() for ids in tokenizer.encode_batch(kept)]
    assert store.document_bytes.tolist() == [len(document.encode()) for document in kept]
    assert (store.num_documents, store.num_tokens) == (len(kept), len(store.ids))
    assert store.metadata["num_bytes"] == sum(store.document_bytes)
    assert store.ids.dtype == np.uint16
    assert store.sentence_offsets is None
    assert not {0, 2, 3, 4} & set(store.ids.tolist()) or name == "llama"
    assert store.path.parent == tmp_path


def test_sentences_have_borders(tmp_path):
    tokenizer = small_tokenizer()
    documents = ["One fox. Two dogs! Three.", "No end", "A dog. A fox."]
    store = build_subword_store(from_iterable(documents), tokenizer, settings=SENTENCES, cache=tmp_path)
    borders = store.sentence_offsets.tolist()
    found = [tokenizer.decode(store.ids[a:b]) for a, b in zip(borders[:-1], borders[1:], strict=True)]
    assert found == [sentence for document in documents for sentence in split_sentences(document)]
    assert set(store.offsets.tolist()) <= set(borders)
    plain = build_subword_store(from_iterable(documents), tokenizer, cache=tmp_path)
    assert plain.path != store.path
    assert plain.ids.tolist() == store.ids.tolist()
    assert store.describe()[0] == (
        f"{store.num_tokens} tokens in 3 documents and 6 sentences, {44 / store.num_tokens:.2f} bytes a token"
    )


@pytest.mark.parametrize("split", ["documents", "sentences"])
@pytest.mark.parametrize("name", ["bpe", "llama"])
def test_long_documents_in_small_batches_are_the_same(name, split, tmp_path, monkeypatch):
    tokenizer = TOKENIZERS[name]()
    documents = [" ".join(ENGLISH[:20]), "short", " ".join(ENGLISH[:30]), "中" * 300]
    expected = [ids.tolist() for ids in tokenizer.encode_batch(documents)]
    pieces = subword_encoding.document_pieces
    monkeypatch.setattr(subword_encoding, "document_pieces", lambda source, **o: pieces(source, piece_bytes=300, **o))
    monkeypatch.setattr(subword_encoding, "PIECE_BYTES", 300)
    monkeypatch.setattr(subword_encoding, "BATCH_BYTES", 500)
    monkeypatch.setattr(subword_units, "MAX_UNITS", 20)
    options = SubwordSettings(split=split)
    store = build_subword_store(from_iterable(documents), tokenizer, settings=options, cache=tmp_path)
    assert documents_of(store)[:3] == expected[:3]
    assert store.document_bytes.tolist() == [len(document.encode()) for document in documents]
    blocks = Blocks(("\n".join(documents) + "\n").encode(), 77)
    again = build_subword_store(blocks, tokenizer, settings=options, cache=tmp_path / "other")
    assert documents_of(again) == documents_of(store)
    assert again.fingerprint == store.fingerprint


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=5))
@pytest.mark.parametrize("name", TOKENIZERS)
def test_encoding_by_units_equals_encoding_whole(name, texts):
    tokenizer = TOKENIZERS[name]()
    ids, lengths = UnitEncoder(tokenizer).encode(texts)
    expected = tokenizer.encode_batch(texts)
    assert lengths.tolist() == [len(each) for each in expected]
    assert ids.tolist() == [id for each in expected for id in each.tolist()]


def test_tokenizers_that_join_words_are_not_encoded_by_units():
    assert UnitEncoder(small_tokenizer())._by_units is None
    assert UnitEncoder(TOKENIZERS["llama"]())._by_units is False


def test_second_call_opens_what_the_first_built(tmp_path, monkeypatch):
    source = from_iterable(ENGLISH)
    store = build_subword_store(source, small_tokenizer(), cache=tmp_path)
    monkeypatch.setattr(subword_encoding, "encode_source", None)
    assert build_subword_store(source, small_tokenizer(), cache=tmp_path).path == store.path


def test_other_tokenizer_makes_another_store_and_cannot_open_this_one(tmp_path):
    store = build_subword_store(from_iterable(ENGLISH), small_tokenizer(), cache=tmp_path)
    other = small_tokenizer("wordpiece")
    assert build_subword_store(from_iterable(ENGLISH), other, cache=tmp_path).path != store.path
    expected = (
        f"was made with the tokenizer {small_tokenizer().identity()[:12]}, the one given is {other.identity()[:12]}"
    )
    with pytest.raises(UsageError, match=expected + "\nGive the tokenizer that belongs to it"):
        SubwordStore.open(store.path, other)


def test_damaged_store_is_said_and_built_again(tmp_path):
    source = from_iterable(ENGLISH)
    store = build_subword_store(source, small_tokenizer(), cache=tmp_path)
    (store.path / "ids.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="ids.bin: has 1 bytes, expected"):
        SubwordStore.open(store.path, small_tokenizer())
    assert build_subword_store(source, small_tokenizer(), cache=tmp_path).num_tokens == store.num_tokens
    (store.path / "offsets.bin").unlink()
    with pytest.raises(DataError, match="offsets.bin: is missing"):
        SubwordStore.open(store.path, small_tokenizer())


def test_unknown_tokens_are_counted_and_said(tmp_path):
    tokenizer = Tokenizer.train(ENGLISH, kind="wordpiece", vocabulary_size=200)
    store = build_subword_store(from_iterable(["the dog 中 国"]), tokenizer, cache=tmp_path)
    assert store.metadata["num_unknown"] == 2
    assert store.describe()[1] == f"2 tokens ({2 / store.num_tokens:.2%}) are unknown to the tokenizer"


@pytest.mark.parametrize("text", [b"", b" \n\t \n"])
def test_empty_corpus_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"blocks: holds no text: \d bytes were read.*\nGive a corpus .* textssl check"):
        build_subword_store(Blocks(text), small_tokenizer(), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(subword_encoding, "encode_source", full)
    with pytest.raises(ResourceError, match="the disk is full.*\nFree some space"):
        build_subword_store(from_iterable(ENGLISH), small_tokenizer(), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_split_is_checked():
    with pytest.raises(UsageError, match="split must be one of documents, sentences, got 'lines'"):
        SubwordSettings(split="lines")


def test_progress_is_reported(tmp_path):
    calls = []
    build_subword_store(
        from_iterable(ENGLISH), small_tokenizer(), cache=tmp_path, progress=lambda *call: calls.append(call)
    )
    assert calls == [("encoding", sum(map(len, ENGLISH)), None)]
