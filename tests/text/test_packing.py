"""Packing against plain Python lists: every token once, padding only at the end, documents told apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.errors import DataError, UsageError
from textssl.text.packing import plan_blocks, split_documents

CLS, SEP, PAD = 2, 3, 0
LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def store_of(lengths, sentences=None):
    """A store whose ids count up from 100."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return SimpleNamespace(
        ids=np.arange(100, 100 + offsets[-1]).astype(np.uint16),
        offsets=offsets,
        sentence_offsets=None if sentences is None else np.array(sentences, dtype=np.int64),
    )


def stream_of(store, documents):
    """(id, document) of the joined documents."""
    return [
        pair
        for document in documents
        for pair in [
            *((id, document) for id in store.ids[store.offsets[document] : store.offsets[document + 1]].tolist()),
            (SEP, document),
        ]
    ]


def pairs_of(rows):
    return [
        list(zip(ids[:real], documents[:real], strict=True))
        for ids, documents, real in zip(
            rows.ids_BT.tolist(), rows.document_BT.tolist(), rows.num_real.tolist(), strict=True
        )
    ]


def plan(store, documents, length, **options):
    options = {"first_id": None, "separator_id": SEP, "pad_id": PAD, **options}
    return plan_blocks(store, documents=np.array(documents, dtype=np.int64), length=length, **options)


@settings(deadline=None)
@given(LENGTHS, st.integers(2, 40), st.sampled_from([None, CLS]), st.randoms())
def test_blocks_hold_every_token_once(lengths, length, first_id, random):
    store = store_of(lengths)
    documents = random.sample(range(len(lengths)), random.randint(1, len(lengths)))
    packing = plan(store, documents, length, first_id=first_id)
    rows = packing.rows(np.arange(packing.num_rows))
    assert rows.ids_BT.shape == rows.document_BT.shape == (packing.num_rows, length)
    content = pairs_of(rows)
    if first_id is not None:
        assert all(row[0] == (CLS, row[1][1]) for row in content)
        content = [row[1:] for row in content]
    stream = stream_of(store, documents)
    assert [pair for row in content for pair in row] == stream
    assert packing.num_tokens == len(stream)
    assert (rows.num_real[:-1] == length).all()
    assert (rows.ids_BT[rows.document_BT < 0] == PAD).all()
    assert packing.used_share == pytest.approx(rows.num_real.sum() / rows.ids_BT.size)


@settings(deadline=None)
@given(LENGTHS, st.integers(2, 40), st.randoms())
def test_overlapping_rows_predict_every_token_once(lengths, length, random):
    store = store_of(lengths)
    documents = random.sample(range(len(lengths)), random.randint(1, len(lengths)))
    packing = plan(store, documents, length, overlap=1)
    rows = packing.rows(np.arange(packing.num_rows))
    assert rows.ids_BT.shape == (packing.num_rows, length + 1)
    stream = stream_of(store, documents)
    context = [(SEP, documents[0]), *stream]
    found = [pair for row in pairs_of(rows) for pair in zip(row[:-1], row[1:], strict=True)]
    assert found == list(zip(context[:-1], stream, strict=True))
    assert packing.used_share == pytest.approx(rows.num_real.sum() / rows.ids_BT.size)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=6),
    st.integers(3, 20),
    st.randoms(),
)
def test_sentences_stay_whole_where_they_fit(lengths, length, random):
    ends = np.cumsum([size for document in lengths for size in document])
    store = store_of([sum(document) for document in lengths], [0, *ends])
    documents = random.sample(range(len(lengths)), random.randint(1, len(lengths)))
    packing = plan(store, documents, length, mode="sentences", first_id=CLS)
    content = [row[1:] for row in pairs_of(packing.rows(np.arange(packing.num_rows)))]
    assert [pair for row in content for pair in row] == stream_of(store, documents)
    room, expected, num_truncated = length - 1, [[]], 0
    for document in documents:
        *others, last = lengths[document]
        for size in [*others, last + 1]:
            num_truncated += size > room
            if sum(expected[-1]) + size > room and expected[-1]:
                expected.append([])
            while size > room:
                expected[-1].append(room)
                expected.append([])
                size -= room
            expected[-1].append(size)
    assert [len(row) for row in content] == [sum(row) for row in expected]
    assert packing.num_truncated == num_truncated


def test_rows_are_the_same_alone_and_in_any_order():
    packing = plan(store_of([5, 17, 3, 40]), [0, 1, 2, 3], 8, first_id=CLS)
    whole = packing.rows(np.arange(packing.num_rows))
    order = np.array([4, 0, packing.num_rows - 1, 4])
    some = packing.rows(order)
    assert np.array_equal(some.ids_BT, whole.ids_BT[order])
    assert np.array_equal(some.document_BT, whole.document_BT[order])
    assert np.array_equal(some.num_real, whole.num_real[order])


def test_at_least_99_percent_of_the_positions_are_used():
    lengths = np.random.default_rng(0).integers(1, 900, size=500).tolist()
    for options in ({"first_id": CLS}, {"overlap": 1}):
        packing = plan(store_of(lengths), range(500), 128, **options)
        assert packing.used_share >= 0.99
        assert packing.num_rows * 128 >= packing.num_tokens
        assert "100.0% of all positions used" in packing.describe()[0]


def test_plan_is_described():
    store = store_of([3, 30], [0, 3, 33])
    assert plan(store, [0, 1], 10, mode="sentences").describe() == [
        "5 rows of 10, 35 tokens with separators, 70.0% of all positions used",
        "1 sentences are longer than a row and are cut; nothing is left out",
    ]


def test_text_shorter_than_a_block_is_refused_where_rows_are_needed():
    expected = (
        "shorter than 1 block of 128: it has 8 tokens with separators, 127 are needed\nUse more text, or a smaller"
    )
    with pytest.raises(DataError, match=expected):
        plan(store_of([7]), [0], 128, first_id=CLS, least_rows=1)
    assert plan(store_of([7]), [0], 128, first_id=CLS).num_rows == 1


def test_impossible_plans_are_refused():
    with pytest.raises(UsageError, match="length must be at least 2, got 1"):
        plan(store_of([7]), [0], 1)
    with pytest.raises(DataError, match="there is no document to pack\nUse more text"):
        plan(store_of([7]), [], 8)
    with pytest.raises(UsageError, match='sentences cannot overlap\nUse mode "blocks"'):
        plan(store_of([7], [0, 7]), [0], 8, mode="sentences", overlap=1)
    with pytest.raises(UsageError, match="need a store with sentences\nBuild the store with SubwordSettings"):
        plan(store_of([7]), [0], 8, mode="sentences")


@given(st.integers(2, 300), st.integers(0, 5), st.floats(0.01, 0.99))
def test_split_parts_the_documents(num_documents, seed, share):
    training, validation = split_documents(num_documents, seed=seed, share=share)
    assert sorted([*training, *validation]) == list(range(num_documents))
    assert len(training) >= 1
    assert len(validation) >= 1


def test_split_depends_on_seed_and_number_alone():
    _, few = split_documents(1000, seed=1, share=0.1)
    _, more = split_documents(2000, seed=1, share=0.1)
    assert few.tolist() == more[more < 1000].tolist()
    assert 70 < len(few) < 130
    assert few.tolist() != split_documents(1000, seed=2, share=0.1)[1].tolist()


def test_split_of_too_little_is_refused():
    with pytest.raises(DataError, match="at least two documents, the text has 1\nPut a newline between documents"):
        split_documents(1, seed=0, share=0.1)
    for share in (0, 1):
        with pytest.raises(UsageError, match=f"must be above 0 and below 1, got {share}"):
            split_documents(5, seed=0, share=share)
