"""The command line as a whole: lazy, quiet on standard output, right exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import textssl
from textssl import cli, registry

HEAVY = ("torch", "numba", "sklearn", "matplotlib", "pyarrow", "pandas", "datasets", "tokenizers", "scipy", "corpora")


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["--help"], ["query", "--help"], ["doctor", "--help"], ["list", "formats"]])
def test_help_imports_nothing_heavy(words: list[str]):
    program = (
        "import sys; from textssl.cli import main; code = main(sys.argv[1:]); "
        f"print('HEAVY', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = python(program, *words)
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


def test_importing_the_package_imports_nothing():
    done = python("import sys, textssl; print('numpy' in sys.modules, 'cyclopts' in sys.modules)")
    assert done.stdout == "False False\n"


def test_help_lists_every_command_with_its_first_line(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name in registry.names("commands"):
        assert f"{name} {registry.summary('commands', name)}" in shown


@pytest.mark.parametrize("name", registry.names("commands"))
def test_help_of_every_command_has_usage_json_and_examples(name: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: textssl {name}")
    assert f"  textssl {name}" in shown
    assert "--json" in shown or name == "train"


LINES = [[name] for name in registry.names("commands") if name != "train"]
LINES += [["train", objective] for objective in registry.names("objectives")]


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_every_argument_and_option_has_help(words: list[str]):
    name = words[0]
    app = cli._command(name, registry.module("commands", name), words)
    app = app[words[1]] if len(words) > 1 else app
    for argument in app.assemble_argument_collection(parse_docstring=True):
        assert argument.parameter.help, f"{name}: {argument.name}"


def test_no_words_print_the_help(capsys: pytest.CaptureFixture[str]):
    assert cli.main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: textssl COMMAND")


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"textssl {textssl.__version__}\n"


def test_json_is_one_document_on_standard_output(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["list", "commands", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["kind"] == "commands"
    assert captured.err == ""


def test_debug_is_taken_anywhere_and_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TEXTSSL_DEBUG", raising=False)
    for words in (["--debug", "list", "x"], ["list", "x", "--debug"]):
        assert cli.main(words) == 2
        assert "Traceback" in capsys.readouterr().err
    assert cli.main(["list", "x"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("TEXTSSL_DEBUG", "1")
    assert cli.main(["list", "x"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_debug_after_two_hyphens_is_a_word():
    tokens = ["query", "run", "--", "--debug"]
    assert not cli._take_debug(tokens)
    assert tokens == ["query", "run", "--", "--debug"]


def test_reader_that_goes_away_is_no_error(tmp_path: Path):
    program = f"{sys.executable} -m textssl list commands --json; echo code $? >&2"
    done = subprocess.run(["bash", "-c", f"({program}) | true"], capture_output=True, text=True, check=False)
    assert done.stderr == "code 0\n"


def test_warnings_are_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]):
    cli._show_warning(UserWarning("check this"), UserWarning, "file.py", 3)
    assert capsys.readouterr().err == "warning: check this\n"


def test_lone_hyphen_comes_back_in_every_kind_of_value():
    assert cli._restore_hyphen((cli.LONE_HYPHEN, "a-b")) == ("-", "a-b")
    assert cli._restore_hyphen(Path(cli.LONE_HYPHEN)) == Path("-")
    assert cli._restore_hyphen(5) == 5
