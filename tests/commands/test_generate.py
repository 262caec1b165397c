"""`textssl generate`: texts that go on from prompts."""

from __future__ import annotations

import io
import json

import pytest

from tests.small_language_models import trained


@pytest.fixture(scope="module")
def gpt():
    return trained("next_token")


def test_generate_prints_the_prompt_and_what_follows(run, gpt):
    done = run("generate", gpt, "the capital of france is", "--temperature", "0", "--max-new-tokens", "5")
    assert done.code == 0, done.err
    assert done.out.startswith("the capital of france is ")
    assert len(done.out.splitlines()) == 1


def test_generate_is_the_same_for_the_same_seed(run, gpt):
    words = ("generate", gpt, "the", "--temperature", "1.5", "--max-new-tokens", "12", "--json")
    first, second, other = (json.loads(run(*words, "--seed", seed).out) for seed in ("4", "4", "5"))
    assert first == second
    assert first["texts"] != other["texts"]
    assert first["texts"][0]["stopped"] in ("end", "max_new_tokens")


def test_lines_of_a_file_are_prompts_in_their_order(run, gpt, tmp_path):
    (tmp_path / "prompts.txt").write_text("the capital\nparis is\n")
    done = run("generate", gpt, "prompts.txt", "--json", "--max-new-tokens", "3")
    assert [each["prompt"] for each in json.loads(done.out)["texts"]] == ["the capital", "paris is"]


def test_prompts_come_from_standard_input(run, gpt, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("rome\nlima\n"))
    done = run("generate", gpt, "-", "--max-new-tokens", "2")
    assert [line[:4] for line in done.out.splitlines() if line] == ["rome", "lima"]


def test_no_prompt_at_all_is_refused(run, gpt, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    done = run("generate", gpt, "-")
    assert done.code == 3
    assert "holds no prompt" in done.err


def test_what_generate_cannot_do_is_said(run, gpt):
    for words, code, message in (
        ((gpt, "the", "--temperature", "-1"), 2, "temperature must be at least 0, got -1.0"),
        ((gpt, "the", "--top-k", "0"), 2, "top_k must be at least 1, got 0"),
        ((gpt, "the", "--top-p", "1.5"), 2, "top_p must be above 0 and at most 1, got 1.5"),
        ((gpt, "the", "--max-new-tokens", "0"), 2, "max_new_tokens must be at least 1, got 0"),
        ((gpt, "the " * 40), 2, "the model has 24 in all"),
        ((trained("masked_lm"), "the"), 2, "holds a model of the kind encoder, expected decoder"),
    ):
        done = run("generate", *words)
        assert done.code == code, (words, done.err)
        assert message in done.err
