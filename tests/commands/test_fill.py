"""`textssl fill`: what stands at [MASK]."""

from __future__ import annotations

import json

import pytest

from tests.small_language_models import CAPITALS, trained


@pytest.fixture(scope="module")
def lm():
    return trained("masked_lm")


def test_fill_prints_tokens_probabilities_and_whole_texts(run, lm):
    done = run("fill", lm, "the capital of france is [MASK]", "--topn", "3")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["token", "probability", "text"]
    assert len(lines) == 4
    token, probability, text = lines[1].split(maxsplit=2)
    assert text == f"the capital of france is {token}"
    assert 0 < float(probability) <= 1


def test_fill_gives_json_with_falling_probabilities(run, lm):
    done = run("fill", lm, "[MASK] is the capital of italy", "--topn", "20", "--json")
    candidates = json.loads(done.out)["answers"][0]["masks"][0]
    chances = [each["probability"] for each in candidates]
    assert len(candidates) == 20
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) <= 1 + 1e-6
    assert not any("[" in each["token"] for each in candidates), "no special token is proposed"


def test_several_masks_are_answered_one_by_one(run, lm):
    done = run("fill", lm, "the [MASK] of france is [MASK]", "--topn", "2")
    assert done.out.splitlines()[0] == "the [MASK] of france is [MASK]"
    assert "mask 1" in done.out
    assert "mask 2" in done.out


def test_lines_of_a_file_are_texts_and_do_not_depend_on_each_other(run, lm, tmp_path):
    texts = [f"the capital of {country} is [MASK]" for country in CAPITALS] + ["[MASK]"]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    together = json.loads(run("fill", lm, "texts.txt", "--json").out)["answers"]
    assert [answer["text"] for answer in together] == texts
    alone = json.loads(run("fill", lm, texts[2], "--json").out)["answers"][0]
    for one, other in zip(alone["masks"][0], together[2]["masks"][0], strict=True):
        assert one["token"] == other["token"]
        assert one["probability"] == pytest.approx(other["probability"], rel=1e-4)


def test_what_fill_cannot_do_is_said(run, lm):
    for words, code, message in (
        ((lm, "no mask at all"), 2, "text 1 has no [MASK]: 'no mask at all'"),
        ((lm, " ".join(["[MASK]"] * 40)), 2, "text 1 takes 42 positions, the model has 24"),
        ((lm, "missing.txt"), 3, "missing.txt"),
        (("nowhere", "a [MASK]"), 3, "nowhere"),
        ((lm, "a [MASK]", "--topn", "0"), 2, "topn must be at least 1, got 0"),
        ((trained("next_token"), "a [MASK]"), 2, "holds a model of the kind decoder, expected encoder"),
    ):
        done = run("fill", *words)
        assert done.code == code, (words, done.err)
        assert message in done.err
        assert done.out == ""
