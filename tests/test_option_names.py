"""A person who types the option of another tool is told ours, by every face."""

from __future__ import annotations

from dataclasses import fields

import pytest

import textssl
from textssl import cli, registry
from textssl.commands._train_options import TrainOptions
from textssl.errors import UsageError
from textssl.finetuning.options import FinetuneOptions
from textssl.option_names import OTHER_NAMES, OTHER_WAYS, option_hint

WORD_OPTIONS = {
    "--vector-size": "--dim",
    "--workers": "--threads",
    "--size": "--dim",
    "--lr": "--learning-rate",
    "--negative": "--negatives",
    "--ws": "--window",
    "--iter": "--epochs",
    "--num_train_epochs": "--epochs",
    "--alpha": "--learning-rate",
    "--sample": "--subsample",
    "--output_dir": "--out",
}


def options_of(kind: type) -> set[str]:
    return {field.name.strip("_") for field in fields(kind)}


@pytest.mark.parametrize(("other", "own"), WORD_OPTIONS.items())
def test_command_line_answers_with_the_own_option(other: str, own: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["train", "skipgram", "corpus.txt", "--out", "run", other, "4"]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: textssl train skipgram has no option {other}\n  next: textssl calls it {own}. See: "
    )


@pytest.mark.parametrize(("typed", "own"), [("-dim", "--dim"), ("--minCount", "--min-count"), ("--epoch", "--epochs")])
def test_near_spellings_are_compared_without_hyphens_and_capitals(
    typed: str, own: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["train", "skipgram", "corpus.txt", "--out", "run", typed, "4"]) == 2
    assert f"Did you mean '{own}'" in capsys.readouterr().err


def test_hyphens_alone_make_no_option_near():
    assert option_hint("--qq", ["--from", "--out"]) == ""


def test_batch_size_is_the_batch_of_the_command():
    assert option_hint("--per_device_train_batch_size", ["--batch-rows", "--batch"]) == "textssl calls it --batch-rows."
    assert option_hint("batch_size", ["batch_images", "batch"]) == "textssl calls it batch_images."
    assert option_hint("batch_size", ["batch", "epochs"]) == "textssl calls it batch."


def test_another_way_is_described_where_no_option_has_the_same_values():
    hint = option_hint("--hs", ["--output", "--epochs"])
    assert hint == "textssl calls it --output, with the value hierarchical_softmax."
    first_word = option_hint("sg", ["window"])
    assert first_word == "The method is the first word: textssl train skipgram, or textssl train cbow."
    assert option_hint("warmup_steps", ["warmup"]) == "textssl calls it warmup, and takes a share of all steps."


def test_python_answers_with_the_own_argument():
    with pytest.raises(UsageError, match=r"^vector_size is no option of skipgram\ntextssl calls it dim\.$"):
        textssl.train("skipgram", ["one two"], out="run", vector_size=100, workers=4)
    with pytest.raises(UsageError, match=r"^num_train_epochs is no option of finetune\ntextssl calls it epochs\.$"):
        textssl.finetune("run", "table.csv", out="classes", num_train_epochs=3)


def test_a_configuration_file_answers_with_the_own_key(tmp_path):
    file = tmp_path / "words.toml"
    file.write_text("vector_size = 100\n")
    with pytest.raises(UsageError, match=r"words\.toml: there is no option 'vector_size'\ntextssl calls it dim\.$"):
        textssl.train("skipgram", ["one two"], out=tmp_path / "run", config=file)


def test_the_table_leads_to_options_that_exist():
    methods = [registry.load("objectives", name).Config for name in registry.names("objectives")]
    known = {"out"}.union(*map(options_of, [TrainOptions, FinetuneOptions, *methods]))
    led_to = {own for names in OTHER_NAMES.values() for own in names} | {own for own, _ in OTHER_WAYS.values()}
    assert led_to - known == set()
