"""`textssl demo`, shortened."""

from pathlib import Path

import pytest

from textssl.cli import result_console
from textssl.commands import demo as module
from textssl.commands.base import jsonable

SHORT = {"dim": 16, "epochs": 1, "subsample": 1e-3, "limit": 20_000}


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("TEXTSSL_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(module, "CORPUS", "facts")
    monkeypatch.setattr(module, "SETTINGS", SHORT)


def test_demo_trains_asks_measures_draws_and_reports(run, tmp_path, capsys):
    capsys.readouterr()
    result = module.demo(out=Path("runs/d"), threads=1)
    module.show(result, result_console())
    told = capsys.readouterr()
    assert "1 of 4" in told.err
    assert "paris - france + italy" in told.out
    assert "capital-common-countries" in told.out
    assert told.out.count("textssl ") >= 5, "five commands to try next"
    assert (tmp_path / "runs/d/capitals.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "runs/d/report.html").read_text()
    assert "Analogy questions by section" in page
    assert page.count("<img") >= 1
    assert 0 < jsonable(result.as_dict())["accuracy"] <= 1
    assert run(*["query", "runs/d"], "paris - france + italy").code == 0


def test_demo_into_a_folder_with_something_else_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SETTINGS", {**SHORT, "limit": 500})
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    done = run("demo", "--out", "home")
    assert done.code == 2
    assert "is not empty and holds no run" in done.err
