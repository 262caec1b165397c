"""`textssl plot`."""

import json

import pytest

from textssl.commands.base import CAPITALS
from textssl.commands.plot import plot
from textssl.errors import DataError, UsageError
from textssl.run_folder import RunFolder

PNG = b"\x89PNG\r\n\x1a\n"


def test_map_of_the_most_frequent_words_goes_into_the_run(run, finished_run):
    done = run("plot", finished_run, "--most-frequent", "12", "--json")
    result = json.loads(done.out)
    assert done.code == 0
    assert result["num_items"] == 12
    assert (finished_run / "map-pca.png").read_bytes().startswith(PNG)


def test_map_of_chosen_words_of_a_vector_folder_goes_where_one_stands(run, vectors, tmp_path):
    assert run("plot", vectors, "paris", "rome", "france").out == "countries-map-pca.png\n"
    assert (tmp_path / "countries-map-pca.png").read_bytes().startswith(PNG)


def test_map_by_tsne(run, vectors, tmp_path):
    assert run("plot", vectors, "--method", "tsne", "--out", "t.png").code == 0
    assert (tmp_path / "t.png").read_bytes().startswith(PNG)


def test_capitals_are_found_in_lower_case_and_the_missing_are_named(run, vectors):
    done = run("plot", vectors, "--capitals", "--out", "c.png")
    assert done.code == 0
    assert "not in the vocabulary: china beijing, turkey ankara" in done.out


def test_capitals_that_are_not_there_say_what_to_do(run, tmp_path):
    (tmp_path / "v.txt").write_text("a 1 2\nb 3 4\n")
    done = run("plot", "v.txt", "--capitals")
    assert done.code == 3
    assert f"0 of {len(CAPITALS)} pairs are in the vocabulary, at least 3 are needed" in done.err
    assert "--pairs" in done.err


def test_pairs_of_a_file(vectors, tmp_path):
    (tmp_path / "p.txt").write_text("france paris\n\nitaly rome\nspain madrid\nno where\n")
    drawn = plot(vectors, pairs=tmp_path / "p.txt", out=tmp_path / "p.png")
    assert (drawn.kind, drawn.num_items, drawn.left_out) == ("pairs", 3, ("no where",))


def test_pairs_of_another_length_name_the_line(vectors, tmp_path):
    (tmp_path / "p.txt").write_text("france paris\nitaly rome latium\n")
    with pytest.raises(DataError, match="must have two words, got 3") as caught:
        plot(vectors, pairs=tmp_path / "p.txt")
    assert caught.value.where.endswith("p.txt:2")


def test_pairs_in_another_encoding_name_the_byte(vectors, tmp_path):
    (tmp_path / "p.txt").write_bytes(b"a \xff\n")
    with pytest.raises(DataError, match="is not UTF-8 at byte 2"):
        plot(vectors, pairs=tmp_path / "p.txt")


def test_curves_of_a_run(run, finished_run):
    done = run("plot", finished_run, "--curves")
    assert done.code == 0
    assert (finished_run / "curves.png").read_bytes().startswith(PNG)


def test_curves_without_metrics_say_so(run, tmp_path):
    RunFolder.open(tmp_path / "new", {"dim": 1}, ["textssl"], data={}).close()
    done = run("plot", "new", "--curves")
    assert done.code == 3
    assert "has no curves yet" in done.err


def test_curves_of_a_vector_folder_are_refused(run, vectors):
    done = run("plot", vectors, "--curves")
    assert done.code == 2
    assert "is no run" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"most_frequent": 1}, "most_frequent must be at least 2, got 1"),
        ({"out": "map.svg"}, r"out must be a \.png file, got map\.svg"),
        ({"capitals": True, "curves": True}, "one picture at a time, got --capitals and --curves"),
    ],
)
def test_options_that_cannot_be(vectors, options, message):
    from pathlib import Path

    given = {name: Path(value) if name == "out" else value for name, value in options.items()}
    with pytest.raises(UsageError, match=message):
        plot(vectors, **given)


def test_map_of_one_word_is_refused(vectors):
    with pytest.raises(UsageError, match="a map by pca needs at least 2 words, got 1"):
        plot(vectors, "paris")


def test_unknown_word_on_a_map_names_the_nearest(run, vectors):
    done = run("plot", vectors, "parris", "rome")
    assert done.code == 3
    assert "parris: paris" in done.err
