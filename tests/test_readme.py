"""What the README says to type is a command line that is understood."""

import re
import shlex
from pathlib import Path

import pytest

from textssl import cli, registry

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def command_lines() -> list[str]:
    """Every `textssl ...` of a block of code, and of the tables, without what is said beside it."""
    blocks = re.findall(r"^```\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    in_tables = re.findall(r"`(textssl [^`]+)`", README)
    typed = [line for line in [*lines, *in_tables] if line.startswith("textssl ")]
    found = [re.split(r"\s{2,}#|\s{3,}", line)[0].strip() for line in typed]
    whole = ("textssl demo", "textssl doctor")  # other lines of two words only name a command
    return [line for line in dict.fromkeys(found) if len(line.split()) > 2 or line in whole]


@pytest.mark.parametrize("line", command_lines())
def test_readme_command_is_understood(line):
    if any(name in line for name in ("masked_lm", "next_token")):
        pytest.importorskip("torch")
    tokens = shlex.split(line)[1:]
    app, module = cli._build(tokens)
    target, _, _ = app.parse_args(tokens, exit_on_error=False, print_error=False, verbose=False)
    assert module is not None
    assert callable(target)


def test_readme_names_every_command_and_every_objective():
    missing = [name for name in registry.names("commands") if f"textssl {name}" not in README]
    assert missing == []
    assert [name for name in registry.names("objectives") if not re.search(rf"\b{name}\b", README)] == []
