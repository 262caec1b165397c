"""Configs: checked values, four sources, readable differences."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from textssl.config import Interval, difference, option, parse_interval, read_toml, resolve, to_toml, validate
from textssl.errors import UsageError


@dataclass(frozen=True)
class Example:
    window: int = option(5, "Words on each side.", minimum=1)
    learning_rate: float = option(0.05, "Learning rate.", above=0, maximum=10)
    share: float = option(0.5, "A share.", minimum=0, below=1)
    lowercase: bool = option(False, "Lower-case.")
    scoring: Literal["default", "npmi"] = option("default", "Score.")
    level: Literal[1, 2] = option(1, "Level.")
    out: Path | None = option(None, "Folder.")
    limit: int | None = option(None, "Limit.", minimum=1)
    words: tuple[str, ...] = option((), "Words.")
    rate: float | Literal["auto"] = option("auto", "Rate.")
    count: int | str = option("all", "Count.")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Required:
    corpus: str = option(dataclasses.MISSING, "The corpus.")


def test_defaults_are_valid_and_frozen():
    config = Example()
    assert config.window == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.window = 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": 0}, r"^window must be at least 1, got 0$"),
        ({"learning_rate": 0.0}, r"^learning_rate must be above 0 and at most 10, got 0.0$"),
        ({"learning_rate": 11}, r"^learning_rate must be above 0 and at most 10, got 11.0$"),
        ({"share": -0.1}, r"^share must be at least 0 and below 1, got -0.1$"),
        ({"share": 1}, r"^share must be at least 0 and below 1, got 1.0$"),
        ({"share": float("nan")}, r"^share must be a finite number, got nan$"),
        ({"learning_rate": float("inf")}, r"^learning_rate must be a finite number, got inf$"),
        ({"limit": 0}, r"^limit must be at least 1, got 0$"),
        ({"window": "5"}, r"^window must be a whole number, got '5'$"),
        ({"window": 5.0}, r"^window must be a whole number, got 5.0$"),
        ({"window": True}, r"^window must be a whole number, got True$"),
        ({"window": None}, r"^window must be a whole number, got None$"),
        ({"learning_rate": "fast"}, r"^learning_rate must be a number, got 'fast'$"),
        ({"lowercase": 1}, r"^lowercase must be true or false, got 1$"),
        ({"scoring": "npm"}, r"^scoring must be one of default, npmi, got 'npm'\nDid you mean 'npmi'\?$"),
        ({"scoring": 3}, r"^scoring must be one of default, npmi, got 3$"),
        ({"level": True}, r"^level must be one of 1, 2, got True$"),
        ({"out": 3}, r"^out must be a path, got 3$"),
        ({"words": "abc"}, r"^words must be a list, each item text, got 'abc'$"),
        ({"words": ["a", 1]}, r"^words\[1\] must be text, got 1$"),
        ({"rate": "fast"}, r"^rate must be a number or one of auto, got 'fast'$"),
        ({"count": 1.5}, r"^count must be a whole number or text, got 1.5$"),
    ],
)
def test_wrong_value_is_named_in_python_and_in_resolve(given, message):
    with pytest.raises(UsageError, match=message):
        Example(**given)
    with pytest.raises(UsageError, match=message):
        resolve(Example, given)


def test_values_take_the_type_of_their_field():
    config = Example(learning_rate=1, out="runs/x", words=["a", "b"], rate=2, count=3)
    assert type(config.learning_rate) is float
    assert config.out == Path("runs/x")
    assert config.words == ("a", "b")
    assert type(config.rate) is float
    assert config.count == 3


def test_resolve_takes_the_strongest_source_and_says_which(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("window = 7\nshare = 0.25\n")
    config, origins = resolve(
        Example, {"window": 8}, file=file, preset={"window": 6, "share": 0.1, "level": 2, "limit": 3}
    )
    assert (config.window, config.share, config.level, config.limit, config.scoring) == (8, 0.25, 2, 3, "default")
    assert origins["window"] == "given"
    assert origins["share"] == str(file)
    assert origins["level"] == "preset"
    assert origins["scoring"] == "default"
    assert list(origins) == [field.name for field in dataclasses.fields(Example)]


def test_unknown_key_is_named_with_file_and_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"^there is no option 'windw'\nDid you mean 'window'\?$"):
        resolve(Example, {"windw": 3})
    (tmp_path / "c.toml").write_text("windw = 3\n")
    with pytest.raises(UsageError, match=r"c\.toml: there is no option 'windw'\nDid you mean 'window'\?$"):
        resolve(Example, {}, file=tmp_path / "c.toml")
    with pytest.raises(UsageError, match=r"^there is no option 'zzzzz'$"):
        resolve(Example, {"zzzzz": 3})


def test_wrong_value_in_a_file_is_named_with_the_file(tmp_path):
    (tmp_path / "c.toml").write_text("window = 0\n")
    with pytest.raises(UsageError, match=r"c\.toml: window must be at least 1, got 0$"):
        resolve(Example, {}, file=tmp_path / "c.toml")
    (tmp_path / "c.toml").write_text("[window]\nsize = 3\n")
    with pytest.raises(UsageError, match=r"c\.toml: window must be a whole number, got \{'size': 3\}$"):
        resolve(Example, {}, file=tmp_path / "c.toml")


def test_missing_option_is_named():
    with pytest.raises(UsageError, match=r"^corpus must be given\nThe corpus\.$"):
        resolve(Required, {})
    assert resolve(Required, {"corpus": "a.txt"})[0].corpus == "a.txt"


def test_saved_config_resolves_to_the_same_config(tmp_path):
    config = Example(window=9, out=Path("größe"), words=("a", "ü"), rate=0.5)
    (tmp_path / "config.toml").write_text(to_toml(dataclasses.asdict(config)), encoding="utf-8")
    again, _ = resolve(Example, {}, file=tmp_path / "config.toml")
    assert again == config
    assert difference(read_toml(tmp_path / "config.toml"), dataclasses.asdict(again)) == []


def test_difference_shows_old_and_new():
    old = {"window": 5, "out": "a", "words": ["x"], "same": 1, "on": True, "gone": 2}
    new = {"window": 8, "out": Path("a"), "words": ("x", "y"), "same": 1, "on": 1, "limit": 3, "none": None}
    assert difference(old, new) == [
        "window: 5 -> 8",
        "words: ['x'] -> ['x', 'y']",
        "on: True -> 1",
        "gone: 2 -> (not set)",
        "limit: (not set) -> 3",
    ]


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("30s", Interval(30.0, None)),
        ("0.5s", Interval(0.5, None)),
        ("5m", Interval(300.0, None)),
        (" 2 h ", Interval(7200.0, None)),
        ("100steps", Interval(None, 100)),
        ("1 step", Interval(None, 1)),
    ],
)
def test_interval_is_read(text, interval):
    assert parse_interval(text) == interval


@pytest.mark.parametrize("text", ["", "30", "s", "0s", "0steps", "1.5steps", "-5s", "5 minutes", "nans", "1e3s"])
def test_bad_interval_is_refused(text):
    message = "every must be a time or a number of steps, got .*\nWrite 30s, 5m, 2h or 100steps"
    with pytest.raises(UsageError, match=message):
        parse_interval(text, name="every")
