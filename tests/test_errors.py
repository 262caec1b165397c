"""Errors: text, exit codes and near names."""

import pytest

from textssl.errors import (
    DataError,
    DivergedError,
    Interrupted,
    ResourceError,
    TextsslError,
    UsageError,
    did_you_mean,
    nearest,
)


@pytest.mark.parametrize(
    ("kind", "code"), [(TextsslError, 1), (UsageError, 2), (DataError, 3), (ResourceError, 4), (DivergedError, 5)]
)
def test_error_has_the_exit_code_of_its_kind(kind, code):
    assert kind("x").exit_code == code


def test_error_text_gives_place_message_and_hint():
    assert str(TextsslError("is empty")) == "is empty"
    assert str(DataError("is empty", where="a.txt:3", hint="Add words.")) == "a.txt:3: is empty\nAdd words."


@pytest.mark.parametrize(("signal_number", "code"), [(2, 130), (15, 143)])
def test_interrupted_exits_with_128_plus_signal(signal_number, code):
    error = Interrupted(signal_number, hint="again")
    assert error.exit_code == code
    assert str(error) == f"stopped by signal {signal_number}, a checkpoint is saved\nagain"


@pytest.mark.parametrize("kind", [UsageError, DataError])
def test_usage_and_data_errors_are_value_errors(kind):
    assert issubclass(kind, ValueError)


def test_nearest_ignores_capitals_and_gives_best_first():
    assert nearest("Windw", ["dim", "window", "windows", "WINDOW"]) == ["window", "windows"]
    assert nearest("qqq", ["window"]) == []
    assert len(nearest("word", ["word1", "word2", "word3"], limit=2)) == 2


def test_did_you_mean_asks_with_the_near_names():
    assert did_you_mean("windw", ["window", "dim"]) == "Did you mean 'window'?"
    assert did_you_mean("windw", ["window", "windows"]) == "Did you mean 'window' or 'windows'?"
    assert did_you_mean("windw", ["window", "windows", "widow"]).count(",") == 1
    assert did_you_mean("zzz", ["window"]) == ""
