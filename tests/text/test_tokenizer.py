"""Tokenizers: round trips, special tokens that text never becomes, roles of foreign ones, training, every message."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.subword_texts import ENGLISH, foreign_llama_json, small_tokenizer
from textssl.errors import DataError, UsageError
from textssl.text import token_roles
from textssl.text import tokenizer as tokenizer_module
from textssl.text.sources import from_iterable
from textssl.text.tokenizer import SPECIALS, Tokenizer
from textssl.text.tokenizer_sample import Sample

KINDS = ("bpe", "wordpiece", "unigram")


@pytest.mark.parametrize("kind", KINDS)
def test_specials_come_first(kind):
    tokenizer = small_tokenizer(kind)
    assert tuple(tokenizer.token_strings()[:5]) == SPECIALS
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)
    assert (tokenizer.pad_id, tokenizer.unknown_id, tokenizer.cls_id, tokenizer.separator_id, tokenizer.mask_id) == (
        (0, 1, 2, 3, 4)
    )
    assert tokenizer.vocabulary_size == len(tokenizer.token_strings()) <= 400


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_byte_level_writes_every_text_and_reads_it_back(text):
    tokenizer = small_tokenizer()
    ids = tokenizer.encode_batch([text])[0]
    assert ids.dtype == np.int32
    assert tokenizer.decode(ids) == text
    assert not set(ids.tolist()) & set(tokenizer.special_ids)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*SPECIALS, " ", "fox", "[", "]", "MASK", "(", "\t"]), max_size=8).map("".join))
@pytest.mark.parametrize("kind", KINDS)
def test_text_never_becomes_a_special_token(kind, text):
    tokenizer = small_tokenizer(kind)
    assert not set(tokenizer.encode_batch([text])[0].tolist()) & {0, 2, 3, 4}


@pytest.mark.parametrize("kind", KINDS)
def test_marked_text_has_its_special_tokens(kind):
    tokenizer = small_tokenizer(kind)
    ids = tokenizer.encode_marked("the quick [MASK] jumps")
    assert ids.tolist().count(tokenizer.mask_id) == 1
    assert tokenizer.decode(ids, with_specials=True).replace("[MASK]", "").split() == ["the", "quick", "jumps"]
    assert tokenizer.decode(ids).split() == ["the", "quick", "jumps"]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_mask_takes_the_space_before_it_along(kind):
    tokenizer = small_tokenizer(kind)
    names = [tokenizer.token_strings()[id] for id in tokenizer.encode_marked("the [MASK] dog")]
    assert names[names.index("[MASK]") - 1] not in ("Ġ", "▁")


def test_unigram_with_special_tokens_among_its_pieces_breaks_their_spelling():
    settings_ = json.loads(small_tokenizer("unigram").json_text)
    settings_["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
    tokenizer = Tokenizer.from_json_text(json.dumps(settings_))
    raw = tokenizer._backend.encode("the [MASK] fox[SEP]", add_special_tokens=False).ids
    assert {3, 4} <= set(raw)  # what must not happen
    assert not {0, 2, 3, 4} & set(tokenizer.encode_batch(["the [MASK] fox[SEP]"])[0].tolist())


def test_tokenizer_that_cannot_tell_text_from_specials_is_refused():
    settings_ = json.loads(small_tokenizer("unigram").json_text)
    settings_["added_tokens"].append(settings_["added_tokens"][4] | {"content": "f", "id": 5})
    settings_["model"]["vocab"][5] = ["f", -1.0]
    settings_["added_tokens"].sort(key=lambda token: token["id"])
    tokenizer = Tokenizer.from_json_text(json.dumps(settings_))
    with pytest.raises(DataError, match=r"writes the text 'f f' with a special token.*\nUse another tokenizer"):
        tokenizer.encode_batch(["f f"])


def test_lowercase_is_an_option():
    assert "##" in "".join(small_tokenizer("wordpiece").token_strings())
    for kind in KINDS:
        tokenizer = small_tokenizer(kind, lowercase=True)
        assert tokenizer.decode(tokenizer.encode_batch(["THE Fox"])[0]).strip() == "the fox"
    assert small_tokenizer("wordpiece", lowercase=False).identity() != small_tokenizer("wordpiece", lowercase=True)


def test_accents_survive_lowercasing():
    tokenizer = small_tokenizer("wordpiece", lowercase=True)
    assert "ä" in tokenizer.decode(tokenizer.encode_batch(["Ärger"])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_saved_tokenizer_is_the_same(kind, tmp_path):
    tokenizer = small_tokenizer(kind)
    tokenizer.save(tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        again = Tokenizer.open(path)
        assert again.identity() == tokenizer.identity()
        assert np.array_equal(again.encode_batch(ENGLISH[:1])[0], tokenizer.encode_batch(ENGLISH[:1])[0])
        assert again.training_report == ()
    names = json.loads((tmp_path / "special_tokens_map.json").read_text())
    assert names == {
        "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"
    }  # fmt: skip


def test_identity_does_not_depend_on_spaces_and_key_order():
    settings_ = json.loads(small_tokenizer().json_text)
    other = json.dumps(dict(reversed(settings_.items())), indent=4)
    assert Tokenizer.from_json_text(other).identity() == small_tokenizer().identity()
    settings_["model"]["merges"].pop()
    assert Tokenizer.from_json_text(json.dumps(settings_)).identity() != small_tokenizer().identity()


def test_foreign_tokenizer_names_its_roles(tmp_path):
    (tmp_path / "tokenizer.json").write_text(foreign_llama_json())
    tokenizer = Tokenizer.open(tmp_path)
    assert (tokenizer.unknown_id, tokenizer.cls_id, tokenizer.separator_id) == (0, 1, 2)
    assert (tokenizer.find("mask"), tokenizer.find("pad")) == (None, None)
    assert tokenizer.special_tokens == {"unknown": "<unk>", "cls": "<s>", "separator": "</s>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"mask_token": "b", "pad_token": "a"}))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": {"content": "</s>"}, "mask_token": {"content": "a"}, "bos_token": None})
    )
    tokenizer = Tokenizer.open(tmp_path)
    assert (tokenizer.mask_id, tokenizer.pad_id) == (260, 260)  # tokenizer_config.json comes first
    assert 260 in tokenizer.special_ids


def test_foreign_tokenizer_truncates_nothing():
    tokenizer = Tokenizer.from_json_text(foreign_llama_json())
    assert len(tokenizer.encode_batch(["a b a b a b a b"])[0]) == 8
    assert len(tokenizer.encode_marked("a b a b a b a b")) == 8


def test_missing_role_is_said():
    tokenizer = Tokenizer.from_json_text(foreign_llama_json())
    expected = re.escape("no token for 'mask', which is needed here; it has unknown <unk>, cls <s>, separator </s>")
    with pytest.raises(UsageError, match=expected + r"\nName it in special_tokens_map.json .*\"mask_token\""):
        _ = tokenizer.mask_id
    with pytest.raises(UsageError, match="no token for 'pad'"):
        _ = tokenizer.pad_id


def test_tokenizers_that_add_a_space_themselves_are_found():
    assert not small_tokenizer().adds_space_at_begin
    assert not small_tokenizer("unigram").adds_space_at_begin
    assert Tokenizer.from_json_text(foreign_llama_json()).adds_space_at_begin


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b"", b'{"model": {"type": "BPE", "vocab": {}, "merges": [["a", "b"]]}}']
)
def test_damaged_tokenizer_is_said(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DataError, match=r"tokenizer.json: is no tokenizer: .*\nA tokenizer.json of the tokenizers"):
        Tokenizer.open(tmp_path)


def test_missing_unreadable_and_huge_tokenizers_are_said(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="tokenizer.json: is missing"):
        Tokenizer.open(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_bytes(b"\xff")
    with pytest.raises(DataError, match="tokenizer.json: is damaged: invalid start byte at byte 0"):
        Tokenizer.open(tmp_path)
    monkeypatch.setattr(tokenizer_module, "_MAX_BYTES", 0)
    with pytest.raises(DataError, match="tokenizer.json: has 1 bytes, expected 0 bytes at most"):
        Tokenizer.open(file)
    file.write_text(small_tokenizer().json_text)
    monkeypatch.undo()
    monkeypatch.setattr(token_roles, "_MAX_BYTES", 3)
    side = tmp_path / "tokenizer_config.json"
    side.write_text("[12]")
    with pytest.raises(DataError, match="tokenizer_config.json: has 4 bytes, expected 3 bytes at most"):
        Tokenizer.open(file)
    monkeypatch.undo()
    with pytest.raises(DataError, match="tokenizer_config.json: holds a list, expected a JSON object"):
        Tokenizer.open(file)
    side.write_text("{")
    with pytest.raises(DataError, match="tokenizer_config.json: is damaged: "):
        Tokenizer.open(file)


def test_wrong_ids_are_not_decoded():
    tokenizer = small_tokenizer()
    for wrong in (-1, tokenizer.vocabulary_size):
        with pytest.raises(UsageError, match=f"at least 0 and below the vocabulary's {tokenizer.vocabulary_size}, got"):
            tokenizer.decode([5, wrong])


def test_sample_is_of_the_whole_text_bounded_and_repeatable():
    documents = [f"document {number} " + "with words " * 20 for number in range(4000)]
    source = from_iterable(documents)
    size = sum(len(document) for document in documents)
    sample = Sample.of(source, max_bytes=size // 10, seed=1)
    texts = list(sample.texts())
    assert sample.num_bytes == size
    assert 0.08 * size < sum(map(len, texts)) < 0.12 * size
    numbers = [int(text.split()[1]) for text in texts]
    assert numbers == sorted(numbers)
    assert max(np.diff([0, *numbers, 4000])) < 200
    assert texts == list(Sample.of(source, max_bytes=size // 10, seed=1).texts())
    assert texts != list(Sample.of(source, max_bytes=size // 10, seed=2).texts())
    assert list(Sample.of(source, max_bytes=size, seed=1).texts()) == documents


def test_sample_of_one_long_document_is_of_all_its_parts():
    text = " ".join(f"w{number}" for number in range(200_000))
    sample = Sample.of(from_iterable([text]), max_bytes=len(text) // 4, seed=0)
    begins = [int(piece.split()[0].strip("w") or 0) for piece in sample.texts()]
    assert 5 < len(begins) < 40
    assert min(begins) < 60_000
    assert max(begins) > 140_000


def test_sample_of_text_without_spaces_is_smaller():
    spaced, unspaced = from_iterable(["a few words " * 1000] * 50), from_iterable(["ab" * 6000] * 50)
    assert Sample.of(spaced, max_bytes=60_000, seed=0).share == pytest.approx(0.1, rel=0.01)
    assert Sample.of(unspaced, max_bytes=60_000, seed=0).share == pytest.approx(0.01, rel=0.01)


def test_letters_are_counted():
    assert Sample.of(from_iterable(["abca", "中a"]), max_bytes=100, seed=0).count_letters() == {
        "a": 3, "b": 1, "c": 1, "中": 1
    }  # fmt: skip


def test_training_says_how_much_it_read():
    documents = ENGLISH * 200
    size = sum(map(len, documents))
    whole = Tokenizer.train(documents, vocabulary_size=300)
    assert whole.training_report == (f"tokenizer: bpe, 300 tokens, learnt from all {size / 1e3:.1f} kB of the text",)
    part = Tokenizer.train(documents, vocabulary_size=300, max_bytes=size // 5)
    assert re.fullmatch(
        rf"tokenizer: bpe, 300 tokens, learnt from .* of {size / 1e3:.1f} kB \([12]\d\.\d%\), spread over .*",
        part.training_report[0],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_smaller_than_asked_for_is_said(kind):
    tokenizer = Tokenizer.train(["aa ab"] * 5, kind=kind, vocabulary_size=5000)
    assert tokenizer.training_report[1] == (
        f"the vocabulary has {tokenizer.vocabulary_size} tokens, 5,000 were asked for: the text has no more pieces "
        "that occur often enough"
    )


def test_rare_letters_do_not_fill_a_small_vocabulary():
    documents = [*ENGLISH, "".join(chr(0x4E00 + number) for number in range(2000))]
    for kind in ("wordpiece", "unigram"):
        tokenizer = Tokenizer.train(documents, kind=kind, vocabulary_size=200)
        assert tokenizer.vocabulary_size <= 200
        assert tokenizer.unknown_id in tokenizer.encode_batch(["\u4e50"])[0]
        assert tokenizer.decode(tokenizer.encode_batch(["the lazy dog"])[0]).strip() == "the lazy dog"


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_training_is_the_same_in_another_process(kind):
    code = f"from tests.text.subword_texts import small_tokenizer;print(small_tokenizer({kind!r}).identity())"
    found = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    assert found == small_tokenizer(kind).identity()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"vocabulary_size": 260},
            r"at least 261 for 'bpe' \(5 special tokens and the 256 bytes\), got 260\n8,192 serves a small model well",
        ),
        (
            {"vocabulary_size": 20, "kind": "wordpiece"},
            r"at least 21 for 'wordpiece' \(5 special tokens and an alphabet\)",
        ),
        (
            {"vocabulary_size": 300, "kind": "bqe"},
            "kind must be one of bpe, wordpiece, unigram, got 'bqe'\nDid you mean 'bpe'",
        ),
        ({"vocabulary_size": 300, "max_bytes": 0}, "max_bytes must be at least 1 and at most 2,000,000,000, got 0"),
        ({"vocabulary_size": 300, "max_bytes": 1 << 31}, "at most 2,000,000,000, got 2,147,483,648"),
    ],
)
def test_training_options_are_checked(options, message):
    with pytest.raises(UsageError, match=message):
        Tokenizer.train(ENGLISH, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_training_on_nothing_is_refused(kind):
    with pytest.raises(
        DataError, match=r"documents: holds no text to learn a tokenizer from: 2 bytes.*\nGive a corpus"
    ):
        Tokenizer.train([" ", " "], kind=kind, vocabulary_size=300)
