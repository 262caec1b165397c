"""What `train` says and decides before it begins: what ends the run, how long rows are for a model to start from."""

from __future__ import annotations

import json

import pytest

from tests.objectives.topics import SMALL, documents
from textssl.commands._train_options import resolve_options
from textssl.commands.train import train
from textssl.objectives.masked_lm import MaskedLM
from textssl.training.budget import TrainerConfig


def test_a_budget_is_part_of_the_plan(tmp_path):
    planned = train("skipgram", documents(20), dry_run=True, max_steps=3, cache=tmp_path, **SMALL)
    assert planned.notes[-1] == "it stops after 3 steps (--max-steps), if its epochs are not over before"


def test_a_budget_is_told_with_every_limit_in_its_unit():
    (told,) = TrainerConfig(max_steps=1, max_units=20_000, max_minutes=0.5).describe("words")
    limits = "1 step (--max-steps) or 20,000 words (--max-units) or 0.5 minutes (--max-minutes)"
    assert told == f"it stops after {limits}, if its epochs are not over before"
    assert TrainerConfig().describe("words") == []


@pytest.fixture
def short_model(tmp_path):
    """The config of a model that reads 32 tokens at once."""
    (tmp_path / "model").mkdir()
    content = {"model_type": "modernbert", "max_position_embeddings": 32}
    (tmp_path / "model" / "config.json").write_text(json.dumps(content))
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("given", "length"), [({}, 32), ({"length": 16}, 16), ({"length": 64}, 64), ({"preset": "mini"}, 256)]
)
def test_rows_are_as_long_as_a_short_model_takes_unless_somebody_says_otherwise(short_model, given, length):
    for place in (short_model, short_model.parent):
        _, config = resolve_options("masked_lm", MaskedLM, {"from_": place, **given})
        assert config.length == length


@pytest.mark.parametrize("content", ['{"max_position_embeddings": 8192}', '{"model_type": "modernbert"}', "[]", "{"])
def test_the_usual_length_stays_where_the_model_takes_it_or_does_not_say(short_model, content):
    (short_model / "config.json").write_text(content)
    _, config = resolve_options("masked_lm", MaskedLM, {"from_": short_model})
    assert config.length == 128
