"""generation.py: the cache against none, draws, limits."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.models.small_models import DECODER, fill, settings, small_tokenizer
from textssl.errors import UsageError
from textssl.generation import Sampling, _choose, generate
from textssl.models.decoder import Decoder

TOKENIZER = small_tokenizer()
GREEDY = Sampling(temperature=0)
PROMPTS = ["a b c", "", "d"]
SCORES = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log()


def greedy_without_cache(model, prompt: str, limit: int) -> list[int]:
    ids = [3, *TOKENIZER.encode_batch([prompt])[0].tolist()]
    made: list[int] = []
    while len(made) < limit:
        with torch.no_grad():
            last = model.hidden(torch.tensor([ids + made]))[0, -1]
        made.append(int((last @ model.output_table.T).argmax()))
        if made[-1] == model.config.separator_id:
            return made[:-1]
    return made


@pytest.mark.parametrize("name", ["decoder", "decoder_grouped"])
def test_generation_with_the_cache_is_generation_without(name):
    model = settings()[name]
    for prompt, result in zip(
        PROMPTS, generate(model, TOKENIZER, PROMPTS, max_new_tokens=9, sampling=GREEDY), strict=True
    ):
        assert result.ids.tolist() == greedy_without_cache(model, prompt, 9)
        assert result.prompt == prompt
        assert result.text == TOKENIZER.decode(result.ids)


def test_draws_depend_on_seed_and_number_of_the_prompt():
    model = settings()["decoder"]

    def made(seed: int) -> list[list[int]]:
        return [result.ids.tolist() for result in generate(model, TOKENIZER, ["a", "a"], max_new_tokens=8, seed=seed)]

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert made(1)[0] != made(1)[1]


def test_a_longer_prompt_beside_it_does_not_cut_a_text_short():
    model = settings()["decoder"]
    with torch.no_grad():
        model.model.embed_tokens.weight[3] = 0  # no text ends by itself
    prompts = ["a", "a b c d a b c d a b", "b", "a b c d a b c d a c", "c d"]
    together = generate(model, TOKENIZER, prompts, max_new_tokens=9, sampling=GREEDY)
    for prompt, result in zip(prompts, together, strict=True):
        (alone,) = generate(model, TOKENIZER, [prompt], max_new_tokens=9, sampling=GREEDY)
        assert (result.prompt, result.ids.tolist(), result.stopped) == (prompt, alone.ids.tolist(), alone.stopped)
    assert [result.stopped for result in together] == ["max_new_tokens", "length"] * 2 + ["max_new_tokens"]


def test_rows_of_the_table_that_no_token_stands_for_are_never_drawn():
    config = dataclasses.replace(DECODER, vocabulary_size=TOKENIZER.vocabulary_size + 47)
    model = fill(Decoder(config))
    with torch.no_grad():
        model.model.embed_tokens.weight[TOKENIZER.vocabulary_size :] = 100.0
    for sampling in (GREEDY, Sampling(temperature=3.0)):
        (result,) = generate(model, TOKENIZER, ["a"], max_new_tokens=12, sampling=sampling)
        assert (result.ids < TOKENIZER.vocabulary_size).all()


def test_generation_stops_at_the_models_length_at_the_limit_or_at_the_end():
    model = settings()["decoder"]
    with torch.no_grad():
        model.model.norm.weight.zero_()  # all scores are equal, the first id wins
    long, short = (generate(model, TOKENIZER, ["a"], max_new_tokens=n, sampling=GREEDY)[0] for n in (100, 5))
    assert (long.stopped, len(long.ids)) == ("length", DECODER.length - 2)
    assert (short.stopped, len(short.ids)) == ("max_new_tokens", 5)
    with torch.no_grad():
        model.model.norm.weight.fill_(1.0)
        model.model.embed_tokens.weight[:] = 0
        model.model.embed_tokens.weight[:, 0] = 1
        model.model.embed_tokens.weight[3, 0] = 2
    ended = generate(model, TOKENIZER, ["a"], max_new_tokens=5, sampling=GREEDY)[0]
    assert (ended.stopped, len(ended.ids), ended.text) == ("end", 0, "")


def test_training_mode_is_given_back():
    model = settings()["decoder"].train()
    generate(model, TOKENIZER, ["a"], max_new_tokens=1)
    assert model.training


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(), {0, 1, 2, 3}),
        (Sampling(top_k=2), {1, 3}),
        (Sampling(top_k=9), {0, 1, 2, 3}),
        (Sampling(top_p=0.39), {1}),
        (Sampling(top_p=0.71), {1, 2, 3}),
        (Sampling(top_p=1.0), {0, 1, 2, 3}),
        (Sampling(temperature=0), {1}),
    ],
)
def test_draws_come_from_the_tokens_that_are_left(sampling, kept):
    draws = (np.arange(1000) + 0.5) / 1000
    chosen = np.array(_choose(SCORES.expand(1000, 4), sampling, draws))
    assert set(chosen.tolist()) == kept
    weights = SCORES.exp()[0].numpy()
    for id in kept:
        assert np.mean(chosen == id) == pytest.approx(weights[id] / weights[list(kept)].sum(), abs=0.002)


def test_temperature_sharpens():
    draws = (np.arange(1000) + 0.5) / 1000
    cold = np.array(_choose(SCORES.expand(1000, 4), Sampling(temperature=0.5), draws))
    assert np.mean(cold == 1) == pytest.approx(0.16 / (0.01 + 0.16 + 0.04 + 0.09), abs=0.002)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0, got -1.0"),
        ({"temperature": float("nan")}, "temperature must be at least 0, got nan"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
    ],
)
def test_sampling_is_checked(values, message):
    with pytest.raises(UsageError, match=message):
        Sampling(**values)


def test_prompts_and_limits_are_checked():
    model = settings()["decoder"]
    with pytest.raises(UsageError, match="max_new_tokens must be at least 1, got 0"):
        generate(model, TOKENIZER, ["a"], max_new_tokens=0)
    with pytest.raises(UsageError, match="prompt 2 takes 16 positions, the model has 16 in all\nShorten the prompt"):
        generate(model, TOKENIZER, ["a", "a " * 15])
    from dataclasses import replace

    from textssl.models.decoder import Decoder

    with pytest.raises(UsageError, match="the model has no token that begins or ends a text"):
        generate(Decoder(replace(DECODER, separator_id=None)), TOKENIZER, ["a"])
