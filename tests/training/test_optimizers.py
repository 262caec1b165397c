"""Which parameter is updated how, the updates against their formulas, and the state as arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.small_network import PLAIN, SmallNetwork, assert_same_bits, copied
from textssl.errors import DataError, UsageError
from textssl.objectives.base import Optimisation
from textssl.training.lars import Lars
from textssl.training.muon import Float32Muon
from textssl.training.optimizers import load_optimizer_arrays, make_optimizers, optimizer_arrays, set_learning_rate
from textssl.training.sparse_sgd import SparseSgd

MUON = replace(PLAIN, method="muon")


def names_by(model: nn.Module, optimizers, key: str) -> dict:
    """The value of a group's key for every parameter."""
    names = {part: name for name, part in model.named_parameters()}
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    return {names[part]: group[key] for group in groups for part in group["params"]}


def test_matrices_decay_while_norms_biases_and_embeddings_do_not():
    model = SmallNetwork()
    decays = names_by(model, make_optimizers(model, PLAIN), "weight_decay")
    assert {name for name, decay in decays.items() if decay} == {"layers.0.weight", "layers.1.weight", "head.weight"}
    assert set(decays) == {name for name, _ in model.named_parameters()}


def test_tied_output_table_counts_as_the_embeddings_that_it_is():
    model = SmallNetwork()
    model.head.weight = model.embeddings.weight
    decays = names_by(model, make_optimizers(model, PLAIN), "weight_decay")
    assert decays["embeddings.weight"] == 0
    assert "head.weight" not in decays


def test_muon_takes_the_matrices_inside_the_layers_and_adamw_the_rest():
    model = SmallNetwork()
    adamw, muon = make_optimizers(model, MUON)
    assert isinstance(adamw, torch.optim.AdamW)
    assert isinstance(muon, torch.optim.Muon)
    assert set(names_by(model, [muon], "lr")) == {"layers.0.weight", "layers.1.weight"}
    assert set(names_by(model, [adamw], "lr")) == {
        "embeddings.weight", "layers.0.bias", "layers.1.bias", "norm.weight", "norm.bias", "head.weight",
    }  # fmt: skip


def test_learning_rates_shrink_from_layer_to_layer_downwards():
    model = SmallNetwork()
    optimizers = make_optimizers(model, replace(PLAIN, layer_decay=0.5))
    set_learning_rate(optimizers, 0.8)
    rates = names_by(model, optimizers, "lr")
    assert [rates[name] for name in ("head.weight", "norm.weight", "layers.1.weight")] == [0.8, 0.8, 0.4]
    assert [rates[name] for name in ("layers.0.bias", "embeddings.weight")] == [0.2, 0.1]


def test_adamw_equals_its_formula():
    model = SmallNetwork()
    optimisation = Optimisation("adamw", 0.1, weight_decay=0.01, betas=(0.9, 0.98))
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    optimizers = make_optimizers(model, optimisation)
    gradients = [torch.randn(model.head.weight.shape, dtype=torch.float64) for _ in range(3)]
    expected, first, second = before["head.weight"].clone(), 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        model.head.weight.grad = gradient.clone()
        optimizers[0].step()
        first, second = 0.9 * first + 0.1 * gradient, 0.98 * second + 0.02 * gradient**2
        update = (first / (1 - 0.9**step)) / ((second / (1 - 0.98**step)).sqrt() + 1e-8)
        expected = expected * (1 - 0.1 * 0.01) - 0.1 * update
    torch.testing.assert_close(model.head.weight.detach(), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(model.norm.weight.detach(), before["norm.weight"])  # it had no gradient


def test_muon_moves_a_matrix_by_a_nearly_orthogonal_one_of_adamws_size():
    model = SmallNetwork(dtype=torch.float32)
    optimizers = make_optimizers(model, replace(MUON, weight_decay=0.0))
    set_learning_rate(optimizers, 1.0)
    before = model.layers[0].weight.detach().clone()
    model.layers[0].weight.grad = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    for optimizer in optimizers:
        optimizer.step()
    singular = torch.linalg.svdvals(model.layers[0].weight.detach() - before) / (0.2 * 8**0.5)
    assert 0.3 < float(singular.min())
    assert float(singular.max()) < 1.4


@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
def test_muon_in_float32_equals_that_of_torch_but_for_rounding(shape):
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(shape, generator=generator)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    options = {"lr": 0.1, "weight_decay": 0.05, "momentum": 0.95, "adjust_lr_fn": "match_rms_adamw"}
    optimizers = Float32Muon([ours], **options), torch.optim.Muon([theirs], **options)
    for _ in range(3):
        gradient = torch.randn(shape, generator=generator)
        for part, optimizer in zip((ours, theirs), optimizers, strict=True):
            part.grad = gradient.clone()
            optimizer.step()
    moved = float((theirs - start).detach().norm())
    assert float((ours - theirs).detach().norm()) < 0.02 * moved  # bfloat16 has 8 bits
    buffers = optimizers[0].state[ours]["momentum_buffer"], optimizers[1].state[theirs]["momentum_buffer"]
    torch.testing.assert_close(*buffers)


@pytest.mark.parametrize("optimisation", [PLAIN, MUON], ids=["adamw", "muon"])
def test_state_comes_back_to_the_bit(optimisation):
    def stepped(model, optimizers, seed):
        generator = torch.Generator().manual_seed(seed)
        for part in model.parameters():
            part.grad = torch.randn(part.shape, generator=generator, dtype=part.dtype)
        for optimizer in optimizers:
            optimizer.step()

    first, second = SmallNetwork(), SmallNetwork()
    of_first, of_second = make_optimizers(first, optimisation), make_optimizers(second, optimisation)
    stepped(first, of_first, 1)
    second.load_state_dict(first.state_dict())
    saved = copied(optimizer_arrays(first, of_first))
    assert "optimizer/norm.weight/exp_avg_sq" in saved
    load_optimizer_arrays(second, of_second, saved)
    assert_same_bits(optimizer_arrays(second, of_second), saved)
    stepped(first, of_first, 2)
    stepped(second, of_second, 2)
    assert_same_bits(optimizer_arrays(second, of_second), copied(optimizer_arrays(first, of_first)))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_empty_state_makes_optimizers_forget():
    model = SmallNetwork()
    optimizers = make_optimizers(model, PLAIN)
    model.norm.weight.grad = torch.ones(8, dtype=torch.float64)
    optimizers[0].step()
    load_optimizer_arrays(model, optimizers, {})
    assert optimizer_arrays(model, optimizers) == {}


def test_state_of_other_parameters_or_shapes_is_refused():
    model = SmallNetwork()
    optimizers = make_optimizers(model, PLAIN)
    with pytest.raises(DataError, match=r"state is of parameters that are not trained here: tail.weight\nStart anew"):
        load_optimizer_arrays(model, optimizers, {"optimizer/tail.weight/exp_avg": np.zeros(3)})
    message = r"the optimizer's exp_avg of norm.bias must have the shape \(8,\), got \(3,\)\nStart anew"
    with pytest.raises(DataError, match=message):
        load_optimizer_arrays(model, optimizers, {"optimizer/norm.bias/exp_avg": np.zeros(3)})


def test_frozen_parameters_are_left_alone_and_all_frozen_is_refused():
    model = SmallNetwork()
    model.embeddings.requires_grad_(False)
    assert "embeddings.weight" not in names_by(model, make_optimizers(model, PLAIN), "lr")
    model.requires_grad_(False)
    with pytest.raises(UsageError, match=r"^the model has no parameter to train: all are frozen$"):
        make_optimizers(model, PLAIN)


def test_sparse_sgd_takes_its_visits():
    model = SmallNetwork()
    sparse = Optimisation("sparse_sgd", 0.1, max_visits=3.0)
    (optimizer,) = make_optimizers(model, sparse)
    assert isinstance(optimizer, SparseSgd)
    assert optimizer.param_groups[0]["max_visits"] == 3
    (optimizer,) = make_optimizers(model, replace(sparse, max_visits=None))
    assert optimizer.param_groups[0]["max_visits"] == 16


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_equals_its_formula(nesterov):
    model = SmallNetwork()
    optimizers = make_optimizers(model, Optimisation("sgd", 0.1, weight_decay=0.01, momentum=0.8, nesterov=nesterov))
    expected, momentum = model.head.weight.detach().clone(), 0.0
    for _ in range(3):
        gradient = torch.randn(model.head.weight.shape, dtype=torch.float64)
        model.head.weight.grad = gradient.clone()
        optimizers[0].step()
        update = gradient + 0.01 * expected
        momentum = 0.8 * momentum + update
        expected = expected - 0.1 * (update + 0.8 * momentum if nesterov else momentum)
    torch.testing.assert_close(model.head.weight.detach(), expected, rtol=1e-12, atol=1e-12)


def test_lars_steps_in_proportion_to_the_norm_of_a_matrix():
    model = SmallNetwork()
    optimizers = make_optimizers(model, Optimisation("lars", 0.5, weight_decay=0.01, momentum=0.9))
    assert isinstance(optimizers[0], Lars)
    expected, momentum = model.head.weight.detach().clone(), 0.0
    bias, bias_momentum = model.norm.bias.detach().clone(), 0.0
    for _ in range(3):
        gradient, bias_gradient = torch.randn_like(expected), torch.randn_like(bias)
        model.head.weight.grad, model.norm.bias.grad = gradient.clone(), bias_gradient.clone()
        optimizers[0].step()
        update = gradient + 0.01 * expected
        momentum = 0.9 * momentum + 0.001 * expected.norm() / update.norm() * update
        bias_momentum = 0.9 * bias_momentum + bias_gradient
        expected, bias = expected - 0.5 * momentum, bias - 0.5 * bias_momentum
    torch.testing.assert_close(model.head.weight.detach(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model.norm.bias.detach(), bias, rtol=1e-12, atol=1e-12)


def test_lars_takes_a_plain_step_from_a_matrix_of_zeros_and_none_without_a_gradient():
    matrix, other = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = Lars([{"params": [matrix, other]}], rate=0.5, momentum=0.9)
    matrix.grad, other.grad = torch.ones(2, 2), torch.zeros(2, 2)
    optimizer.step()
    assert torch.equal(matrix.detach(), torch.full((2, 2), -0.5))
    assert torch.equal(other.detach(), torch.ones(2, 2))


@pytest.mark.parametrize("method", ["sgd", "lars"])
def test_momentum_resumes_exactly(method):
    optimisation = Optimisation(method, 0.1, weight_decay=0.01)
    models = [SmallNetwork() for _ in range(2)]
    optimizers = [make_optimizers(model, optimisation) for model in models]
    gradients = [[torch.randn_like(part) for part in models[0].parameters()] for _ in range(4)]

    def step(number: int, gradient: int) -> None:
        for part, value in zip(models[number].parameters(), gradients[gradient], strict=True):
            part.grad = value.clone()
        optimizers[number][0].step()

    for gradient in (0, 1):
        step(0, gradient)
    models[1].load_state_dict(models[0].state_dict())
    load_optimizer_arrays(models[1], optimizers[1], copied(optimizer_arrays(models[0], optimizers[0])))
    for number in (0, 1):
        for gradient in (2, 3):
            step(number, gradient)
    states = [copied({name: part.numpy() for name, part in model.state_dict().items()}) for model in models]
    assert_same_bits(*states)


def test_parameters_of_a_constant_rate_do_not_follow_the_schedule():
    model = SmallNetwork()
    optimizers = make_optimizers(model, Optimisation("sgd", 0.4, constant_rate=("head", "norm.b")))
    set_learning_rate(optimizers, 0.1)
    rates = names_by(model, optimizers, "lr")
    assert {name for name, rate in rates.items() if rate == 0.4} == {"head.weight", "norm.bias"}
    assert set(rates.values()) == {0.1, 0.4}
