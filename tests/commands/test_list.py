"""`textssl list`."""

import json

from textssl import registry
from textssl.commands.list import list as list_command


def test_list_without_kind_tells_the_kinds(run):
    done = run("list")
    assert done.code == 0
    assert "commands" in done.out
    assert "corpora" in done.out


def test_list_of_commands_is_that_of_the_folder(run):
    listed = json.loads(run("list", "commands", "--json").out)
    assert [entry["name"] for entry in listed["entries"]] == registry.names("commands")
    assert all(entry["summary"] for entry in listed["entries"])


def test_list_of_corpora_tells_kind_and_licence():
    import corpora

    listed = list_command("corpora")
    assert [entry.name for entry in listed.entries] == corpora.names()
    for entry in listed.entries:
        assert corpora.card(entry.name).licence in entry.summary
        assert f"({corpora.card(entry.name).content}, " in entry.summary


def test_list_of_a_misspelt_kind_names_the_nearest(run):
    done = run("list", "objctives")
    assert done.code == 2
    assert "there is no kind 'objctives' to list" in done.err
    assert "Did you mean 'objectives'?" in done.err


def test_list_of_something_else_names_all_kinds(run):
    assert "There are objectives, corpora, evaluators" in run("list", "zzz").err


def test_a_preset_that_sets_nothing_says_so(run):
    assert "moco v2            what the options are by default" in run("list", "presets").out
