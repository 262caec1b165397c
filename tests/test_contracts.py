"""The contract of every member of every open folder; a new file is held to it by being there."""

import ast
import dataclasses
import inspect
import os
import random
import typing
from pathlib import Path

import pytest

from textssl import registry
from textssl.config import resolve
from textssl.errors import UsageError

NEEDS_TORCH = {"losses", "models"}
ONE_CLASS = ("evaluators", "formats", "objectives")
ONE_FUNCTION = ("commands", "losses")
MAX_SUMMARY = 160


def members(*folders: str) -> list[tuple[str, str]]:
    return [(folder, name) for folder in folders for name in registry.names(folder)]


def open_folders() -> list[str]:
    """Every folder whose members a person may add to."""
    return ["commands", "evaluators", "formats", "interop", "losses", "models", "objectives"]


def parametrize(*folders: str) -> pytest.MarkDecorator:
    found = members(*folders)
    return pytest.mark.parametrize(("folder", "name"), found, ids=["/".join(pair) for pair in found])


def import_member(folder: str, name: str):
    if folder in NEEDS_TORCH:
        pytest.importorskip("torch")
    return registry.module(folder, name)


@parametrize(*open_folders())
def test_member_has_a_one_line_summary(folder, name):
    summary = registry.summary(folder, name)
    assert 10 <= len(summary) <= MAX_SUMMARY, summary
    docstring = ast.get_docstring(ast.parse((registry.PACKAGE / folder / f"{name}.py").read_text(encoding="utf-8")))
    rest = docstring.split("\n", 1)[1:]
    assert not rest or rest[0].startswith("\n"), "a blank line follows the summary"


@parametrize(*open_folders())
def test_member_has_a_test_of_its_own(folder, name):
    tests = Path(__file__).parent / folder
    assert list(tests.glob(f"test*{name}*.py")) or any(
        name in path.read_text(encoding="utf-8") for path in tests.glob("test_*.py")
    ), f"no file in tests/{folder} speaks of {name}"


@parametrize(*ONE_CLASS)
def test_member_defines_one_public_class_with_a_docstring(folder, name):
    import_member(folder, name)
    found = registry.load(folder, name)
    assert inspect.getdoc(found)
    assert not inspect.isabstract(found)


@parametrize(*ONE_FUNCTION)
def test_member_defines_a_function_of_its_name(folder, name):
    module = import_member(folder, name)
    function = getattr(module, name)
    assert inspect.isfunction(function)
    assert function.__module__ == module.__name__
    assert inspect.getdoc(function)
    annotations = typing.get_type_hints(function) if folder != "commands" else function.__annotations__
    assert "return" in annotations
    assert set(inspect.signature(function).parameters) <= set(annotations)


@parametrize("commands")
def test_command_can_show_its_result(folder, name):
    module = import_member(folder, name)
    assert list(inspect.signature(module.show).parameters) == ["result", "console"]


@parametrize("commands")
def test_command_explains_every_argument(folder, name):
    from textssl.cli_options import argument_help

    module = import_member(folder, name)
    function = getattr(module, name)
    explained = argument_help(inspect.getdoc(function) or "")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert explained.get(parameter.name), f"{name} does not explain {parameter.name}"


@parametrize("commands")
def test_command_gives_errors_of_textssl_alone(folder, name):
    module = import_member(folder, name)
    assert inspect.unwrap(getattr(module, name)) is not getattr(module, name), f"{name} needs @gives_own_errors"


@parametrize("evaluators")
def test_evaluator_says_its_name_and_the_number_that_counts(folder, name):
    from textssl.evaluators.base import Evaluator

    import_member(folder, name)
    found = registry.load(folder, name)
    assert issubclass(found, Evaluator)
    assert name == found.NAME
    assert isinstance(found.primary_metric, str)
    assert isinstance(found.greater_is_better, bool)
    assert found.evaluate is not Evaluator.evaluate


@parametrize("formats")
def test_format_sniffs_anything_without_an_error(folder, name, tmp_path):
    from textssl.formats.base import VectorFormat

    import_member(folder, name)
    found = registry.load(folder, name)
    assert issubclass(found, VectorFormat)
    assert all(isinstance(suffix, str) and suffix.startswith(".") for suffix in found.suffixes)
    source = random.Random(3)
    heads = [b"", b"\0", b"\n", b"3", b"3 2\n", b"\xff" * 100, b"a 1 2\n", b"-1 5\n", b"9" * 5000, b"\xef\xbb\xbf3 2\n"]
    for head in [*heads, *(source.randbytes(source.randrange(200)) for _ in range(300))]:
        assert isinstance(found().sniff(head, tmp_path / "vectors.txt"), bool)


@parametrize("losses")
def test_loss_takes_tensors_and_gives_total_and_count(folder, name):
    module = import_member(folder, name)
    from textssl.losses.core import LossTensor

    hints = typing.get_type_hints(getattr(module, name))
    assert hints["return"] is LossTensor
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert "nn.Module" not in source, "a loss takes tensors, never models"


@parametrize("objectives")
def test_objective_has_a_config_whose_options_have_help(folder, name):
    import_member(folder, name)
    config_class = registry.load(folder, name).Config
    assert dataclasses.is_dataclass(config_class)
    assert config_class.__dataclass_params__.frozen
    assert config_class.__name__.endswith("Config")
    fields = dataclasses.fields(config_class)
    assert fields
    for field in fields:
        text = field.metadata.get("help", "")
        assert text, f"{name}: {field.name} has no help"
        assert text[0].isupper() or not text[0].isalpha(), f"{name}: {field.name}: {text!r}"
    config, origins = resolve(config_class, {})
    assert set(origins.values()) == {"default"}
    assert config == config_class()


@parametrize("objectives")
def test_objective_checks_its_options(folder, name):
    import_member(folder, name)
    config_class = registry.load(folder, name).Config
    bounded = [field for field in dataclasses.fields(config_class) if field.metadata.get("minimum") is not None]
    for field in bounded:
        below = field.metadata["minimum"] - 1
        with pytest.raises(UsageError, match=rf"{field.name} must be at least"):
            config_class(**{field.name: below})


def test_open_folders_are_the_ones_that_exist():
    assert {folder for folder in open_folders() if not (registry.PACKAGE / folder).is_dir()} <= {"interop"}
    assert os.path.isdir(registry.PACKAGE / "objectives")
