"""Functions and dataclasses become options; only what was typed is given."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any, Literal

import cyclopts
import pytest

from textssl import cli_options
from textssl.config import option


def example(run: str, *words: str, topn: int = 10, loud: bool = False, mild: bool = True, given: Any = None) -> None:
    """One sentence.

    Args:
        run: the run folder
            or a file.
        words: some words.
        topn: how many.

    Returns:
        Nothing.
    """


@dataclasses.dataclass(frozen=True)
class Settings:
    window: int = option(5, "Words on each side.", minimum=1)
    subsample: float = option(1e-4, "Threshold.", above=0, maximum=1)
    loss: Literal["ns", "hs"] = option("ns", "Which loss.")
    from_: str | None = option(None, "A run to start from.")


def bind(parameters: list[inspect.Parameter], tokens: list[str]) -> dict[str, Any]:
    app = cyclopts.App(name="t")
    app.default(cli_options.command_function("t", parameters))
    return dict(app.parse_args(tokens, exit_on_error=False, print_error=False)[1].arguments)


def test_argument_help_joins_continuation_lines_and_stops_at_the_next_section():
    helps = cli_options.argument_help(inspect.getdoc(example) or "")
    assert helps == {"run": "The run folder or a file.", "words": "Some words.", "topn": "How many."}


def test_argument_help_of_a_docstring_without_section_is_empty():
    assert cli_options.argument_help("One sentence.") == {}


def test_binding_gives_only_what_was_typed():
    assert bind(cli_options.from_function(example), ["r"]) == {"run": "r"}
    assert bind(cli_options.from_dataclass(Settings), []) == {}
    assert bind(cli_options.from_dataclass(Settings), ["--window", "3"]) == {"window": 3}


def test_function_arguments_keep_their_kinds():
    bound = bind(cli_options.from_function(example), ["r", "a", "b", "--topn", "3", "--loud", "--no-mild"])
    assert bound == {"run": "r", "words": ("a", "b"), "topn": 3, "loud": True, "mild": False}


def test_switch_that_may_be_unset_has_both_forms():
    @dataclasses.dataclass
    class Case:
        lowercase: bool | None = option(None, "Small letters.")

    parameters = cli_options.from_dataclass(Case)
    assert bind(parameters, ["--lowercase"]) == {"lowercase": True}
    assert bind(parameters, ["--no-lowercase"]) == {"lowercase": False}
    assert bind(parameters, []) == {}


def test_switch_that_is_off_has_no_negative_form():
    with pytest.raises(cyclopts.UnknownOptionError):
        bind(cli_options.from_function(example), ["r", "--no-loud"])


def test_snake_case_fields_become_kebab_case_flags_and_a_trailing_underscore_is_dropped():
    @dataclasses.dataclass
    class Rates:
        learning_rate: float = option(0.05, "Rate.")
        from_: str | None = option(None, "Run.")

    assert bind(cli_options.from_dataclass(Rates), ["--learning-rate", "0.1", "--from", "r"]) == {
        "learning_rate": 0.1,
        "from_": "r",
    }


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"minimum": 1}, "[at least 1]"),
        ({"above": 0, "maximum": 1}, "[above 0, at most 1]"),
        ({"below": 3}, "[below 3]"),
        ({"minimum": None}, ""),
    ],
)
def test_range_text_says_each_bound(metadata: dict[str, Any], text: str):
    assert cli_options.range_text(metadata) == text


def test_help_shows_range_default_and_choices(capsys: pytest.CaptureFixture[str]):
    app = cyclopts.App(name="t", help_format="plaintext")
    app.default(cli_options.command_function("t", cli_options.from_dataclass(Settings, group="Options of t")))
    app.help_print([])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--window INT Words on each side. [at least 1] [default: 5]" in shown
    assert "[above 0, at most 1] [default: 0.0001]" in shown
    assert "[choices: ns, hs] [default: ns]" in shown
    assert "Options of t" in shown


def test_usage_line_brackets_what_may_be_left_out():
    parameters = cli_options.from_function(example)
    assert cli_options.usage_line("textssl example", parameters) == "Usage: textssl example RUN [WORDS ...] [OPTIONS]"


@pytest.mark.parametrize(
    ("hint", "typed"),
    [
        (str | Path, str),
        (str | Path | None, str | None),
        (Path | None, Path | None),
        (list[str], list[str]),
        (int, int),
    ],
)
def test_argument_that_takes_text_among_others_is_text_on_the_command_line(hint: Any, typed: Any):
    assert cli_options.as_typed(hint) == typed


def test_left_out_arguments_do_not_appear():
    names = [parameter.name for parameter in cli_options.from_function(example, leave_out=["run"])]
    assert names == ["words", "topn", "loud", "mild", "given"]


def test_argument_that_is_also_an_option_is_a_mistake_of_the_module():
    positional = inspect.Parameter("x", inspect.Parameter.POSITIONAL_ONLY, annotation=int)
    keyword = inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, annotation=int)
    with pytest.raises(TypeError, match="t: x is an argument and an option at once"):
        cli_options.command_function("t", [positional, keyword])
