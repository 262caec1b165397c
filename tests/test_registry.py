"""Name = file: open folders are read without importing."""

import sys

import pytest

from textssl import registry
from textssl.errors import TextsslError, UsageError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An open folder textssl/open_folder with two good members, three bad ones and bases."""
    members = {
        "red": '"""Red things.\n\nMore."""\nfrom pathlib import Path\n'
        "class RedConfig: ...\nclass _Part: ...\nclass Red: ...\n",
        "blue": '"""Blue things."""\nclass Blue: ...\n',
        "none": '"""Nothing."""\n',
        "two": '"""Two."""\nclass One: ...\nclass Two: ...\n',
        "heavy": '"""Imports what is not there."""\nimport no_such_module_at_all\n',
        "base": "",
        "base_things": "",
        "core": "",
        "layers": "",
        "heads": "",
        "_private": "",
        "__init__": "",
    }
    path = tmp_path / "open_folder"
    path.mkdir()
    for name, text in members.items():
        (path / f"{name}.py").write_text(text)
    monkeypatch.setattr(registry, "PACKAGE", tmp_path)
    import textssl

    monkeypatch.setattr(textssl, "__path__", [*textssl.__path__, str(tmp_path)])
    yield "open_folder"
    for name in [name for name in sys.modules if name.startswith("textssl.open_folder")]:
        del sys.modules[name]


def test_names_leave_out_bases_and_private_modules(folder):
    assert registry.names(folder) == ["blue", "heavy", "none", "red", "two"]


def test_names_and_summary_import_nothing(folder):
    assert registry.summary(folder, "heavy") == "Imports what is not there."
    assert registry.summary(folder, "red") == "Red things."
    assert not [name for name in sys.modules if name.startswith("textssl.open_folder")]


def test_load_gives_the_one_public_class(folder):
    assert registry.load(folder, "red").__name__ == "Red"
    assert registry.load(folder, "blue").__name__ == "Blue"


def test_module_imports_the_member(folder):
    assert registry.module(folder, "blue").__doc__ == "Blue things."


@pytest.mark.parametrize("read", [registry.load, registry.summary, registry.module])
def test_unknown_name_gets_the_nearest(folder, read):
    with pytest.raises(UsageError, match=r"open_folder has no 'bleu', it has blue, heavy, none, red, two") as caught:
        read(folder, "bleu")
    assert caught.value.hint == "Did you mean 'blue'?"


@pytest.mark.parametrize("name", ["base", "../registry", "_private", ""])
def test_bases_and_paths_are_no_members(folder, name):
    with pytest.raises(UsageError, match=r"open_folder has no"):
        registry.load(folder, name)


@pytest.mark.parametrize(("name", "found"), [("none", "none"), ("two", "One, Two")])
def test_member_without_exactly_one_public_class_is_refused(folder, name, found):
    with pytest.raises(TextsslError, match=rf"{name}.py must define exactly one public class, found {found}"):
        registry.load(folder, name)
