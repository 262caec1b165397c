"""`textssl demo`, shortened."""

from pathlib import Path

import pytest

from corpora import labelled_docs
from textssl.cli import result_console
from textssl.commands import _demo_language, _demo_words
from textssl.commands import demo as module
from textssl.commands.base import jsonable

SHORT = {"dim": 16, "epochs": 1, "subsample": 1e-3, "limit": 20_000}
SHORT_LANGUAGE = {
    "layers": 1, "width": 16, "heads": 2, "length": 16, "vocabulary_size": 512, "limit": 300, "epochs": 1
}  # fmt: skip


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("TEXTSSL_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(_demo_words, "CORPUS", "facts")
    monkeypatch.setattr(_demo_words, "SETTINGS", SHORT)
    monkeypatch.setattr(_demo_language, "SETTINGS", SHORT_LANGUAGE)
    monkeypatch.setattr(_demo_language, "FINETUNE_SETTINGS", {"dev_share": 0.0, "seeds": 2, "epochs": 1})


def without_torch(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "torch" else name)


def test_demo_trains_asks_measures_draws_and_reports(run, tmp_path, capsys, monkeypatch):
    without_torch(monkeypatch)
    capsys.readouterr()
    result = module.demo(out=Path("runs/d"), threads=1)
    module.show(result, result_console())
    told = capsys.readouterr()
    assert "1 of 4" in told.err
    assert "4 of 4" in told.err
    assert "paris - france + italy" in told.out
    assert "capital-common-countries" in told.out
    assert told.out.count("  textssl ") >= 5, "five commands to try next"
    assert (tmp_path / "runs/d/capitals.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "runs/d/report.html").read_text()
    assert "Analogy questions by section" in page
    assert page.count("<img") >= 1
    assert 0 < jsonable(result.as_dict())["accuracy"] <= 1
    assert run(*["query", "runs/d"], "paris - france + italy").code == 0


def test_demo_without_torch_says_how_to_get_the_rest(run, monkeypatch):
    without_torch(monkeypatch)
    monkeypatch.setattr(_demo_words, "SETTINGS", {**SHORT, "limit": 4_000})
    done = run("demo", "--out", "d", "--threads", "1")
    assert done.code == 0
    assert done.out.count("torch") == 2
    assert 'needs torch, which is not installed: pip install "textssl[torch]"' in done.out
    assert "textssl fill" not in done.out


def test_demo_goes_on_to_a_language_model_and_few_labels_and_again_says_the_same(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_demo_words, "SETTINGS", {**SHORT, "limit": 4_000})
    few = labelled_docs.labelled_docs()
    monkeypatch.setattr(labelled_docs, "labelled_docs", lambda: few._replace(test=few.test[:120]))
    done = run("demo", "--out", "d", "--threads", "1")
    assert done.code == 0, done.err
    assert "7 of 7" in done.err
    assert "the capital of [MASK] is paris" in done.out
    table = done.out[done.out.index("right answers") :].splitlines()[1:6]
    methods = ["this model, fine-tuned", "the same network untrained, fine-tuned", "majority", "TF-IDF", "averaged"]
    assert all(any(line.strip().startswith(method) for line in table) for method in methods)
    accuracies = [float(line.split()[-2] if "±" not in line else line.split()[-4]) for line in table]
    assert accuracies == sorted(accuracies, reverse=True), "whatever wins stands first"
    page = (tmp_path / "d/report.html").read_text()
    assert "Packages of docstrings: 180 texts to learn from, 120 to test with" in page
    assert page.count("<img") >= 3
    again = run("demo", "--out", "d", "--threads", "1")
    assert "is finished already" in again.err
    assert answers(again.out) == answers(done.out)


def answers(out):
    return out[: out.index("All of it took")]


def test_demo_into_a_folder_with_something_else_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_demo_words, "SETTINGS", {**SHORT, "limit": 4_000})
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    done = run("demo", "--out", "home")
    assert done.code == 2
    assert "is not empty and holds no run" in done.err
