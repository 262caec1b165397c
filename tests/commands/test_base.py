"""What the commands share."""

from pathlib import Path

import numpy as np
import pytest

import textssl
from corpora import CorpusError
from textssl.commands.base import (
    at_least,
    duration_text,
    existing,
    gives_own_errors,
    holds_transformer,
    jsonable,
    open_vectors,
    print_table,
    printable,
)
from textssl.errors import DataError, UsageError


def test_printable_escapes_what_moves_the_cursor():
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
    assert printable("café 北京") == "café 北京"


def test_jsonable_turns_every_value_into_jsons_types():
    value = {"path": Path("a"), 3: np.float32(0.5), "n": float("nan"), "rows": (np.arange(2), {1}), "none": None}
    assert jsonable(value) == {"path": "a", "3": 0.5, "n": None, "rows": [[0, 1], [1]], "none": None}


def test_existing_names_the_nearest_beside_it(tmp_path):
    (tmp_path / "news").mkdir()
    with pytest.raises(DataError, match="no run at .*nwes") as caught:
        existing(tmp_path / "nwes", what="run")
    assert caught.value.hint == "Did you mean 'news'?"


def test_existing_names_the_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no run at") as caught:
        existing(tmp_path / "none" / "x", what="run")
    assert caught.value.where == str(tmp_path / "none")


def test_at_least_says_given_and_expected():
    assert at_least("topn", 1, 1) == 1
    with pytest.raises(UsageError, match="topn must be at least 1, got 0"):
        at_least("topn", 0, 1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59, "59 s"), (200, "3 min 20 s"), (7320, "2 h 2 min")]
)
def test_duration_text(seconds, text):
    assert duration_text(seconds) == text


def test_table_aligns_wide_characters(capsys):
    from rich.console import Console

    print_table(Console(), ("word", "n"), [("北京", "1"), ("a", "10")], right=(1,))
    assert capsys.readouterr().out == "word   n\n北京   1\na     10\n"


@pytest.mark.parametrize("inside", ["", "model"])
def test_a_transformer_is_no_word_vectors(tmp_path, inside):
    folder = tmp_path / "lm"
    (folder / inside).mkdir(parents=True)
    (folder / inside / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(DataError, match=r"lm: holds a transformer, not word vectors\nAsk it with textssl fill or"):
        open_vectors(folder)
    (folder / inside / "config.json").write_text("[")
    assert not holds_transformer(folder)


def test_an_error_of_corpora_becomes_one_of_textssl_with_place_and_hint():
    @gives_own_errors
    def command():
        raise CorpusError("is binary", where="x", hint="go")

    with pytest.raises(DataError, match=r"^x: is binary\ngo$") as caught:
        command()
    assert (caught.value.where, caught.value.hint, caught.value.exit_code) == ("x", "go", 3)
    assert isinstance(caught.value.__cause__, CorpusError)


def test_another_value_error_stays_what_it_is():
    @gives_own_errors
    def command():
        raise ValueError("odd")

    with pytest.raises(ValueError, match="^odd$") as caught:
        command()
    assert type(caught.value) is ValueError


def test_one_except_catches_a_missing_corpus_in_python(tmp_path):
    gone = tmp_path / "gone.txt"
    calls = {
        "check": lambda: textssl.check(gone),
        "phrases": lambda: textssl.phrases(str(gone)),
        "query": lambda: textssl.query(gone, "word"),
        "train": lambda: textssl.train("skipgram", gone, out=tmp_path / "run"),
        "train images": lambda: textssl.train("simclr", gone, out=tmp_path / "run"),
    }
    for name, call in calls.items():
        with pytest.raises(textssl.TextsslError, match=r"gone\.txt") as caught:
            call()
        assert isinstance(caught.value, DataError), name


def test_one_except_catches_a_fault_that_is_met_while_reading(tmp_path):
    (tmp_path / "broken.txt").write_bytes(b"fine words\n" * 10 + b"\xff\xfe broken\n")
    with pytest.raises(textssl.TextsslError, match="broken"):
        textssl.train("skipgram", tmp_path / "broken.txt", out=tmp_path / "run", cache=tmp_path / "cache")
