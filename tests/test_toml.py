"""TOML out and in."""

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textssl.errors import UsageError
from textssl.toml import read_toml, to_toml

scalars = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(exclude_categories=["Cs"]))
)
mappings = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])), st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=5
)


@settings(max_examples=150, deadline=None)
@given(mappings)
def test_toml_gives_back_what_was_written(mapping):
    assert tomllib.loads(to_toml(mapping)) == mapping


def test_toml_writes_one_line_per_key_with_its_comment():
    text = to_toml(
        {"window": 5, "rate": 1e-5, "tables": None, "words": ("a", 'b"\n'), "deep": {"on": True}, "path": Path("x y")},
        {"window": "from\nthe preset"},
    )
    assert text == (
        'window = 5  # from the preset\nrate = 1e-05\nwords = ["a", "b\\"\\n"]\npath = "x y"\n\n[deep]\non = true\n'
    )


def test_toml_keeps_infinity():
    assert math.isinf(tomllib.loads(to_toml({"x": math.inf}))["x"])


def test_toml_refuses_what_it_cannot_hold():
    with pytest.raises(UsageError, match="x is a set, a configuration file holds numbers, text, true, false and lists"):
        to_toml({"x": {1}})
    with pytest.raises(UsageError, match=r"path is not valid Unicode: 'a\\udcff'"):
        to_toml({"path": "a\udcff"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nb = \n", r"c\.toml:2: is not TOML: invalid value\nA line reads: name = 5"),
        (b"a = 1\na = 2\n", r"c\.toml:2: is not TOML: cannot overwrite a value"),
        (b"a = 1\nwindow 5\n", r"c\.toml:2: is not TOML: expected '=' after a key"),
        (b"a = [1,\n", r"c\.toml:\d: is not TOML: "),
        (b"a = '\xff'\n", r"c\.toml: is not UTF-8 at byte 5"),
        (b"a = " + b"[" * 50_000, r"c\.toml: is nested too deeply"),
        (b" " * 2_000_000, r"c\.toml: has 2\.0 MB, a configuration file has 1\.0 MB at most"),
    ],
)
def test_bad_file_is_named_with_its_line(tmp_path, content, message):
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_toml(tmp_path / "c.toml")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no\.toml: cannot be read: No such file or directory"):
        read_toml(tmp_path / "no.toml")
