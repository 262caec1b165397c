"""The evaluator language_model: what a transformer makes of a text."""

from __future__ import annotations

import math

import pytest
import torch

from tests.small_language_models import CAPITALS, TINY, sentences, trained
from textssl.errors import DataError, UsageError
from textssl.evaluators.language_model import LanguageModel
from textssl.models.base_folder import load_model
from textssl.text.sources import from_iterable


@pytest.fixture(scope="module", params=["masked_lm", "next_token"])
def opened(request):
    return request.param, *load_model(trained(request.param) / "model")


def measured(opened, cache, documents=None, **options):
    _, model, tokenizer = opened
    source = from_iterable(sentences(2) if documents is None else documents, name="capitals")
    return LanguageModel().evaluate(model, tokenizer, source, cache=cache, **options)


def test_a_text_like_that_of_training_is_predicted_better_than_nonsense(opened, tmp_path):
    own = measured(opened, tmp_path)
    words = [word for pair in CAPITALS.items() for word in pair]
    strange = measured(opened, tmp_path, [" ".join(words[::-1] + words[::2])] * 4)
    assert own.primary_value < strange.primary_value
    assert own.metrics["accuracy"] > strange.metrics["accuracy"]
    assert own.metrics["perplexity"] == pytest.approx(math.exp(own.metrics["loss_nats"]))
    assert own.name == "language_model"
    assert not own.greater_is_better


def test_an_evaluation_is_the_same_every_time(opened, tmp_path):
    assert measured(opened, tmp_path).metrics == measured(opened, tmp_path).metrics


def test_a_decoder_predicts_every_token_and_its_bits_are_shared_over_the_bytes(tmp_path):
    model, tokenizer = load_model(trained("next_token") / "model")
    documents = sentences(2)
    found = measured(("next_token", model, tokenizer), tmp_path).metrics
    num_bytes = sum(len(text.encode()) + 1 for text in documents)
    assert found["bytes"] == pytest.approx(num_bytes)
    assert found["predicted_tokens"] == sum(map(len, tokenizer.encode_batch(documents))) + len(documents)
    nats = found["loss_nats"] * found["predicted_tokens"]
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / num_bytes)


def test_the_loss_of_a_row_is_that_of_the_model_itself(tmp_path):
    model, tokenizer = load_model(trained("next_token") / "model")
    text = "the capital of france is paris"
    found = measured(("next_token", model, tokenizer), tmp_path, [text]).metrics
    ids = [tokenizer.separator_id, *tokenizer.encode_batch([text])[0].tolist(), tokenizer.separator_id]
    with torch.no_grad():
        logits = model.hidden(torch.tensor([ids[:-1]]))[0] @ model.output_table.T
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]))
    assert found["loss_nats"] == pytest.approx(float(expected), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float((logits.argmax(1) == torch.tensor(ids[1:])).double().mean()))


def test_some_rows_stand_for_a_long_text(opened, tmp_path):
    whole, part = measured(opened, tmp_path), measured(opened, tmp_path, max_rows=3)
    assert part.settings["rows"] == 3
    assert part.settings["rows_of_text"] == whole.settings["rows"] > 3


def test_options_out_of_range_and_texts_without_tokens_are_refused(opened, tmp_path):
    length = TINY["length"]
    with pytest.raises(UsageError, match=f"length must be at least 2 and at most {length}, the model's, got 1"):
        measured(opened, tmp_path, length=1)
    with pytest.raises(UsageError, match=f"at most {length}, the model's, got 99"):
        measured(opened, tmp_path, length=99)
    with pytest.raises(UsageError, match="max_rows must be at least 1, got 0"):
        measured(opened, tmp_path, max_rows=0)
    with pytest.raises(DataError, match="holds no text"):
        measured(opened, tmp_path, [" "])


def test_a_text_of_which_nothing_is_hidden_is_too_short(tmp_path):
    model, tokenizer = load_model(trained("masked_lm") / "model")
    with pytest.raises(DataError, match="capitals: is too short: no token of it is predicted\nUse more text."):
        measured(("masked_lm", model, tokenizer), tmp_path, ["the"])


def test_a_model_that_predicts_no_tokens_is_refused(tmp_path):
    _, tokenizer = load_model(trained("masked_lm") / "model")
    model = torch.nn.Linear(1, 1)
    model.config = type("Config", (), {"length": 24})()
    with pytest.raises(UsageError, match="the model is a Linear, which predicts no tokens"):
        measured(("", model, tokenizer), tmp_path)
