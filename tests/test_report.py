"""report.html: everything inside, nothing from outside, every word escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from textssl.errors import UsageError
from textssl.report import Table, along, curves_of, write_report
from textssl.run_folder import RunFolder

EVIL = "</pre><script>alert(1)</script>\x1b[2J"


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "action", "data")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with RunFolder.open(tmp_path / "news", {"dim": 8, "note": EVIL}, ["textssl", EVIL], data={"corpus": EVIL}) as run:
        for step in range(4):
            run.append_metrics({"step": step, "words": step * 1000, "loss_nats": 3.0 - step})
        run.set_status("finished")
    return tmp_path / "news"


def test_report_escapes_every_word_and_loads_nothing(folder: Path):
    table = Table(EVIL, ("word", "score"), [(EVIL, 0.5), ("b", None)])
    path = write_report(folder, title=EVIL, tables=[table], warnings=[EVIL], figures={EVIL: b"\x89PNG"})
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert path == folder / "report.html"
    assert "script" not in page.tags
    assert "\x1b" not in text
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text


def test_report_shows_configuration_curves_tables_and_state(folder: Path):
    text = write_report(
        folder, tables=[Table("Scores", ("section", "right"), [("capitals", 12), ("all", 3)])]
    ).read_text()
    assert "dim = 8" in text
    assert "<h2>Scores</h2>" in text
    assert '<td class="number">12</td>' in text
    assert text.count("<img") == 1
    assert "finished" in text


def test_report_shows_pictures_of_the_folder_once(folder: Path):
    (folder / "map-pca.png").write_bytes(b"\x89PNG one")
    text = write_report(folder, figures={"Map": b"\x89PNG one"}).read_text()
    assert text.count("<img") == 2  # the curves and the map


def test_report_of_a_folder_without_run_says_so(tmp_path: Path):
    with pytest.raises(UsageError, match="is no run: it has no STATUS and config.toml"):
        write_report(tmp_path)


def test_curves_leave_out_what_does_not_change_and_flatten_what_is_nested():
    records = [
        {"step": 1, "words": 10, "loss_nats": 2.0, "rate": 1, "scores": {"analogy": 0.1}, "state": "x", "done": False},
        {"step": 2, "words": 20, "loss_nats": 1.5, "rate": 1, "scores": {"analogy": 0.2}},
    ]
    assert curves_of(records) == {"loss_nats": ([10, 20], [2.0, 1.5]), "scores.analogy": ([10, 20], [0.1, 0.2])}
    assert along(records) == "words"
    assert along([{"loss": 1}]) == "record"
    assert curves_of([]) == {}
