"""What masked_lm and next_token share: options, tokenizer, documents held back, description, start (base_*)."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import corpora
from tests.models.small_models import LABELS
from tests.small_language_models import TINY, sentences
from textssl import registry
from textssl.config import resolve
from textssl.errors import DataError, UsageError
from textssl.models.base_folder import save_model
from textssl.models.encoder import EncoderBody, PredictionHead
from textssl.models.heads import EncoderClassifier
from textssl.objectives.base import Setting, Start
from textssl.objectives.base_transformer import TransformerConfig, nats_scores
from textssl.text.sources import from_iterable

NAMES = ("masked_lm", "next_token")


def prepared(name: str, cache, *, documents: list[str] | None = None, start: Start | None = None, **options):
    method = registry.load("objectives", name)
    source = from_iterable(sentences(3) if documents is None else documents)
    config = method.Config(**{**TINY, **options})
    return method().prepare(source, config, Setting(1, 1, "cpu", cache, start))


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_those_of_the_models(name):
    from textssl.models.base_presets import SIZES, decoder_preset, encoder_preset

    method = registry.load("objectives", name)
    made = encoder_preset if name == "masked_lm" else decoder_preset
    assert set(method.PRESETS) == set(SIZES)
    for preset, options in method.PRESETS.items():
        config, origins = resolve(method.Config, {}, preset=options)
        assert {option for option, origin in origins.items() if origin == "preset"} == set(options)
        shape = made(preset)
        for field in ("layers", "width", "heads", "length", "vocabulary_size"):
            assert getattr(config, field) == getattr(shape, field), (preset, field)


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_the_preset_tiny(name):
    method = registry.load("objectives", name)
    assert method.Config(**method.PRESETS["tiny"]) == method.Config()


@pytest.mark.parametrize("name", NAMES)
def test_default_feed_forward_widths_are_those_of_the_presets(name, tmp_path):
    from textssl.models.base_presets import decoder_preset, encoder_preset

    expected = (encoder_preset if name == "masked_lm" else decoder_preset)("tiny").feed_forward_width
    assert prepared(name, tmp_path, layers=1, width=256).model.config.feed_forward_width == expected
    assert prepared(name, tmp_path, feed_forward_width=40).model.config.feed_forward_width == 40


@pytest.mark.parametrize("name", NAMES)
def test_the_description_says_what_it_takes(name, tmp_path):
    lines = "\n".join(prepared(name, tmp_path).describe())
    for part in (
        r"tokenizer: bpe, \d+ tokens",
        r"[\d,]+ tokens in 48 documents",
        r"rows of 24, [\d,]+ tokens with separators, 9\d\.\d% of all positions used|100\.0%",
        r"held back to evaluate on: \d+ documents?, [12] of [12] rows of them",
        r"coder of 2 layers x 64, 2 heads, vocabulary \d+: [\d,]+ parameters \([\d,]+ in the blocks\)",
        r"\d\.\d million operations a token, forward and backward; about \d+ MiB on cpu",
        r"5 epochs of \d+ steps, each of 8 rows of 24 tokens; adamw, learning rate 0\.005, linear",
    ):
        assert re.search(part, lines), (part, lines)


def test_the_embedding_table_is_padded_and_the_tokenizer_is_not(tmp_path):
    run = prepared("masked_lm", tmp_path)
    assert run.model.config.vocabulary_size % 64 == 0
    assert 0 <= run.model.config.vocabulary_size - run.corpus.tokenizer.vocabulary_size < 64


def test_the_tokenizer_of_a_file_is_trained_once(tmp_path, monkeypatch):
    from textssl.text.tokenizer import Tokenizer

    file = tmp_path / "text.txt"
    file.write_text("\n".join(sentences(3)))
    method = registry.load("objectives", "masked_lm")
    setting = Setting(1, 1, "cpu", tmp_path / "cache", None)
    first = method().prepare(corpora.load(file), method.Config(**TINY), setting)
    monkeypatch.setattr(Tokenizer, "train", None)
    second = method().prepare(corpora.load(file), method.Config(**TINY), setting)
    assert first.data() == second.data()
    assert first.describe() == second.describe()


def test_a_tokenizer_file_is_taken_as_it_is(tmp_path):
    first = prepared("masked_lm", tmp_path)
    (tmp_path / "made").mkdir()
    first.corpus.tokenizer.save(tmp_path / "made")
    second = prepared("next_token", tmp_path, documents=["another text"] * 90, tokenizer_file=tmp_path / "made")
    assert second.corpus.tokenizer.identity() == first.corpus.tokenizer.identity()
    assert second.describe()[0].startswith(f"tokenizer {tmp_path / 'made'}, ")


def test_documents_held_back_do_not_depend_on_the_seed_and_are_not_trained_on(tmp_path):
    run = prepared("masked_lm", tmp_path, validation_share=0.2)
    assert not set(run.corpus.training) & set(run.corpus.validation)
    assert len(run.corpus.training) + len(run.corpus.validation) == 48
    shown = run.training.rows(np.arange(run.training.num_rows)).document_BT
    assert set(np.unique(shown)) - {-1} == set(run.corpus.training)
    method = registry.load("objectives", "masked_lm")
    config = method.Config(**{**TINY, "validation_share": 0.2})
    other = method().prepare(from_iterable(sentences(3)), config, Setting(2, 1, "cpu", tmp_path, None))
    assert other.corpus.validation.tolist() == run.corpus.validation.tolist()


def test_nothing_is_held_back_on_request(tmp_path):
    run = prepared("next_token", tmp_path, validation_share=0.0)
    assert run.gradients().objective.evaluation() is None
    assert len(run.corpus.training) == 48
    assert not any("held back" in line for line in run.describe())


def test_one_document_has_no_part_to_hold_back(tmp_path):
    message = "the text is one document, of which no part can be held back to evaluate on\nPut a newline between"
    with pytest.raises(DataError, match=message):
        prepared("next_token", tmp_path, documents=[" ".join(sentences(3))])
    run = prepared("next_token", tmp_path, documents=[" ".join(sentences(3))], validation_share=0.0)
    assert run.training.num_rows > 1


def test_a_text_shorter_than_a_row_is_refused(tmp_path):
    with pytest.raises(DataError, match="the text is shorter than 1 block of 5000"):
        prepared("masked_lm", tmp_path, length=5_000)


def test_training_goes_on_from_a_saved_model_with_its_tokenizer(tmp_path):
    run = prepared("masked_lm", tmp_path)
    state = {name: part.detach().numpy() for name, part in run.model.state_dict().items()}
    run.save(tmp_path / "saved", {**state, "optimizer/other": np.zeros(1)})
    start = Start(None, None, {}, "runs/lm", tmp_path / "saved")
    documents = ["a very different text with other words"] * 40
    second = prepared("masked_lm", tmp_path, documents=documents, start=start, layers=3)
    assert second.corpus.tokenizer.identity() == run.corpus.tokenizer.identity()
    for name, part in second.model.state_dict().items():
        np.testing.assert_array_equal(part.numpy(), state[name])
    assert "its weights are those of runs/lm; options of its size do not count" in second.describe()


def test_the_share_left_out_is_that_of_the_options_and_a_classifier_is_no_start(tmp_path):
    run = prepared("masked_lm", tmp_path, dropout=0.1)
    run.save(tmp_path / "saved", {name: part.numpy() for name, part in run.model.state_dict().items()})
    start = Start(None, None, {}, "runs/lm", tmp_path / "saved")
    for dropout in (0.0, 0.3):
        model = prepared("masked_lm", tmp_path, start=start, dropout=dropout).model
        assert (model.config.dropout, model.model.layers[0].attn.dropout) == (dropout, dropout)
        assert all(torch.equal(one, two) for one, two in zip(model.parameters(), run.model.parameters(), strict=True))
    classifier = EncoderClassifier(EncoderBody(run.model.config), PredictionHead(run.model.config), LABELS)
    save_model(tmp_path / "classifier", classifier, run.corpus.tokenizer)
    start = Start(None, None, {}, "runs/classes", tmp_path / "classifier")
    with pytest.raises(UsageError, match="runs/classes: holds a classifier, expected a model that predicts tokens"):
        prepared("masked_lm", tmp_path, start=start)


def test_a_start_that_does_not_fit_is_refused(tmp_path):
    run = prepared("masked_lm", tmp_path)
    run.save(tmp_path / "saved", {name: part.numpy() for name, part in run.model.state_dict().items()})
    start = Start(None, None, {}, "runs/lm", tmp_path / "saved")
    message = (
        "runs/lm: holds a model of the kind encoder, expected one of the kind decoder\nTrain it with textssl train"
    )
    with pytest.raises(UsageError, match=message):
        prepared("next_token", tmp_path, start=start)
    with pytest.raises(UsageError, match="length must be at most 24, that of the model to start from, got 30"):
        prepared("masked_lm", tmp_path, start=start, length=30)
    with pytest.raises(
        UsageError, match="a model to start from has its tokenizer, so tokenizer_file cannot be another"
    ):
        prepared("masked_lm", tmp_path, start=start, tokenizer_file=tmp_path / "saved")


def test_options_that_do_not_fit_each_other_are_refused():
    message = "width must be a multiple of twice the heads, got 100 and 3 heads\nGive for instance --width 102."
    with pytest.raises(UsageError, match=message):
        TransformerConfig(width=100, heads=3)
    with pytest.raises(UsageError, match="warmup and decay are shares of the run, together at most 1"):
        TransformerConfig(schedule="stable", warmup=0.8, decay=0.5)


def test_scores_are_loss_and_perplexity_even_of_nonsense():
    assert nats_scores(2.0, 1.0) == {"loss_nats": 2.0, "perplexity": pytest.approx(7.389, rel=1e-3)}
    assert nats_scores(1e9, 1.0)["perplexity"] > 1e300
    assert np.isnan(nats_scores(0.0, 0.0)["loss_nats"])
