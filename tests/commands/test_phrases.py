"""`textssl phrases`."""

import json

import pytest

from textssl.commands.phrases import phrases
from textssl.errors import UsageError

TEXT = "in new york we met\nnew york is big\nthe new york times\nwe like old york\nshe met us in new york city\nrare\n"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TEXTSSL_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_phrases_are_found_written_and_joined(run, tmp_path):
    (tmp_path / "c.txt").write_text(TEXT)
    done = run(
        *["phrases", "c.txt", "--min-count", "2", "--threshold", "1", "--table", "t.tsv", "--text", "joined.txt"]
    )
    assert done.code == 0, done.err
    table = (tmp_path / "t.tsv").read_text().splitlines()
    assert table[0] == "phrase\tcount\tscore"
    assert "new_york\t4\t" in "\n".join(table)
    assert "new_york" in done.out
    assert "next: textssl train skipgram joined.txt" in done.out


def test_joined_text_differs_from_the_corpus_by_its_delimiters_alone(run, tmp_path):
    (tmp_path / "c.txt").write_text(TEXT)
    run(*["phrases", "c.txt", "--min-count", "2", "--threshold", "1", "--text", "joined.txt"])
    joined = (tmp_path / "joined.txt").read_text()
    assert joined != TEXT
    assert joined.replace("_", " ") == TEXT


def test_second_pass_finds_longer_phrases(tmp_path):
    (tmp_path / "c.txt").write_text("a b c d\n" * 30 + "x y\n" * 30)
    found = phrases(str(tmp_path / "c.txt"), min_count=1, threshold=1, passes=2)
    assert any(phrase.text.count("_") >= 2 for phrase in found.best)


def test_phrases_by_npmi_as_json(run, tmp_path):
    (tmp_path / "c.txt").write_text(TEXT)
    result = json.loads(
        run(*["phrases", "c.txt", "--scoring", "npmi", "--threshold", "0.5", "--min-count", "2", "--json"]).out
    )
    assert result["num_phrases"] >= 1
    assert result["best"][0]["score"] <= 1


def test_phrases_replace_no_file_unasked(run, tmp_path):
    (tmp_path / "c.txt").write_text(TEXT)
    (tmp_path / "t.tsv").write_text("precious")
    done = run("phrases", "c.txt", "--table", "t.tsv")
    assert done.code == 2
    assert "t.tsv: exists already" in done.err
    assert (tmp_path / "t.tsv").read_text() == "precious"
    assert run("phrases", "c.txt", "--table", "t.tsv", "--force").code == 0


def test_passes_below_one_are_refused(tmp_path):
    with pytest.raises(UsageError, match="passes must be at least 1, got 0"):
        phrases(str(tmp_path), passes=0)
