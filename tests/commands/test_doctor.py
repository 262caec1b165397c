"""`textssl doctor`."""

import json
from pathlib import Path

import pytest

from textssl.commands import doctor as module
from textssl.commands.doctor import Examination, Finding, doctor


def test_doctor_tells_versions_machine_and_storage(run, tmp_path):
    done = run("doctor")
    assert done.code == 0
    for word in ("textssl", "python", "threads usable", "write, fsync, rename", "numpy"):
        assert word in done.out
    assert list(tmp_path.iterdir()) == [], "the write test leaves nothing behind"


def test_doctor_as_json_has_state_of_every_finding(run):
    findings = json.loads(run("doctor", "--json").out)["findings"]
    assert {finding["state"] for finding in findings} <= {"ok", "missing", "warning", "failed"}


def test_doctor_as_markdown_is_made_of_tables(run):
    out = run("doctor", "--markdown").out
    assert "### versions\n\n| what | found | state |\n| --- | --- | --- |\n| textssl |" in out


def test_doctor_shows_the_variables_that_matter_and_no_others(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    names = {finding.name: finding.value for finding in doctor().findings if finding.section == "environment"}
    assert names["OMP_NUM_THREADS"] == "7"
    assert "SECRET_TOKEN" not in names


def test_doctor_fails_with_resources_where_it_cannot_write(run, monkeypatch, tmp_path):
    def refuse(self, *_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    done = run("doctor")
    assert done.code == 4
    assert "Read-only file system" in done.out
    assert "<- failed" in done.out
    assert list(tmp_path.iterdir()) == []


def test_doctor_tells_a_missing_package_from_a_missing_extra():
    assert module._packages(["no-such-package"], "packages", "failed")[0].state == "failed"
    assert module._packages(["no-such-package"], "extras", "missing")[0].state == "missing"
    assert Examination((Finding("extras", "x", "not installed", "missing"),)).exit_code == 0


def test_doctor_of_a_missing_folder_names_the_nearest(run, tmp_path):
    (tmp_path / "runs").mkdir()
    done = run("doctor", "--folder", "rums")
    assert done.code == 3
    assert "no folder at rums" in done.err
    assert "Did you mean 'runs'?" in done.err


@pytest.mark.parametrize("name", ["avx2", "unknown"])
def test_processor_is_named_even_without_cpuinfo(name, monkeypatch):
    if name == "unknown":
        monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert module._processor()
