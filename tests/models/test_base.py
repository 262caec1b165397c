"""models/base.py and models/base_presets.py: first weights, sizes, costs."""

import math

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.models.small_models import ENCODER
from textssl.errors import UsageError
from textssl.models.base import initialise, normal, small_deviation
from textssl.models.base_presets import (
    decoder_preset,
    encoder_preset,
    flops_per_token,
    memory_bytes,
    parameter_count,
)
from textssl.models.decoder import Decoder
from textssl.models.encoder import Encoder


def test_normal_numbers_are_normal_and_do_not_depend_on_the_cut():
    whole = normal(7, 0, 100_001)
    assert abs(whole.mean()) < 0.01
    assert abs(whole.std() - 1) < 0.01
    assert abs((np.abs(whole) < 1.96).mean() - 0.95) < 0.005
    np.testing.assert_array_equal(np.concatenate([normal(7, 0, 1000), normal(7, 1000, 99_001)]), whole)


def test_normal_numbers_are_those_of_the_known_bits():
    bits = 0xE220A8397B1DCDAF  # SplitMix64 from state 0, its published first number
    radius = math.sqrt(-2 * math.log(((bits >> 32) + 1) / 2**32))
    angle = 2 * math.pi * (bits & 0xFFFFFFFF) / 2**32
    np.testing.assert_allclose(normal(0, 0, 2), [radius * math.cos(angle), radius * math.sin(angle)], rtol=1e-6)


def test_narrow_models_may_begin_with_larger_weights():
    assert small_deviation(1_000) == pytest.approx(0.02)
    model = Encoder(encoder_preset("tiny", vocabulary_size=1_000))
    initialise(model, seed=1, num_layers=4, deviation=small_deviation(256))
    assert model.model.embeddings.tok_embeddings.weight.std().item() == pytest.approx(0.0395, rel=0.02)
    assert model.model.layers[0].mlp.Wo.weight.std().item() == pytest.approx(0.0395 / math.sqrt(8), rel=0.02)


def test_initialise_sets_deviations_and_depends_on_the_seed_alone():
    first, second, third = (Encoder(encoder_preset("tiny")) for _ in range(3))
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        initialise(model, seed=seed, num_layers=4)
    state = first.state_dict()
    assert all(torch.equal(values, second.state_dict()[name]) for name, values in state.items())
    assert not torch.equal(state["head.dense.weight"], third.state_dict()["head.dense.weight"])
    assert float(state["model.layers.1.attn.Wqkv.weight"].std()) == pytest.approx(0.02, rel=0.02)
    assert float(state["model.layers.1.mlp.Wo.weight"].std()) == pytest.approx(0.02 / 8**0.5, rel=0.02)
    assert torch.equal(state["model.final_norm.weight"], torch.ones(256))
    assert torch.equal(state["decoder.bias"], torch.zeros(8192))


@pytest.mark.parametrize("name", ["tiny", "mini"])
def test_parameter_count_is_that_of_the_model(name):
    for model in (Encoder(encoder_preset(name)), Decoder(decoder_preset(name))):
        assert parameter_count(model.config) == sum(part.numel() for part in model.parameters())


def test_presets_have_the_sizes_that_are_promised():
    assert round(parameter_count(encoder_preset("tiny")) / 1e6, 1) == 4.4
    assert round(parameter_count(encoder_preset("base")) / 1e6) == 150
    assert round(parameter_count(decoder_preset("base")) / 1e6) == 124
    changed = encoder_preset("tiny", vocabulary_size=300, length=64, dropout=0.1)
    assert (changed.vocabulary_size, changed.length, changed.dropout) == (300, 64, 0.1)
    with pytest.raises(
        UsageError, match="preset must be one of tiny, mini, small, base, got 'tini'\nDid you mean 'tiny'"
    ):
        encoder_preset("tini")


def test_flops_per_token_are_those_that_torch_counts():
    model = Encoder(ENCODER)
    ids_BT = torch.zeros(2, 16, dtype=torch.int64)
    positions = torch.arange(0, 32, 4)
    table, bias = model.output_table
    with FlopCounterMode(display=False) as counter:
        hidden = model.mlm_hidden(model.hidden(ids_BT, positions=positions))
        (torch.addmm(bias, hidden, table.T)).sum().backward()
    # what the counter of torch leaves out on the CPU: two products for each of 16 + 16 + 4 queries, and their gradients
    attention = 2 * 2 * 3 * 2 * (16 + 16 + 4) * 16 * 16
    assert flops_per_token(ENCODER, 0.25) * 32 == pytest.approx(counter.get_total_flops() + attention, rel=1e-6)


def test_memory_grows_with_the_batch():
    config = decoder_preset("tiny")
    assert memory_bytes(config, batch=1) > 16 * parameter_count(config)
    assert memory_bytes(config, batch=33) - memory_bytes(config, batch=1) == 32 * (
        memory_bytes(config, batch=2) - memory_bytes(config, batch=1)
    )
