"""models/layers.py against torch, and the gradients of its own functions against numerical ones."""

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.models.layers import LayerNorm, RMSNorm, added, check_activation, gated


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_gated_equals_its_definition_and_has_its_gradient(activation):
    both = numbers(3, 10)
    first, second = both.chunk(2, -1)
    torch.testing.assert_close(gated(both, activation), getattr(F, activation)(first) * second)
    torch.autograd.gradcheck(lambda values: gated(values, activation), both)


def test_rms_norm_equals_torch_and_has_its_gradient():
    norm = RMSNorm(6, 1e-3).double()
    hidden = numbers(4, 6)
    with torch.no_grad():
        norm.weight.copy_(torch.arange(1.0, 7.0))
    torch.testing.assert_close(norm(hidden), F.rms_norm(hidden, (6,), norm.weight, 1e-3))
    torch.autograd.gradcheck(lambda values, _: norm(values), (hidden, norm.weight))


def test_layer_norm_equals_its_definition():
    hidden = numbers(4, 6)
    centred = hidden - hidden.mean(-1, keepdim=True)
    expected = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(LayerNorm(6, 1e-5).double()(hidden), expected)


def test_functions_of_the_cpu_equal_those_of_other_devices(monkeypatch):
    hidden, norm = numbers(4, 6), RMSNorm(6, 1e-6).double()
    ours = norm(hidden), gated(hidden, "gelu")
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(ours, (norm(hidden), gated(hidden, "gelu")))


def test_residual_stream_stays_float32_beside_a_bfloat16_branch():
    stream, branch = torch.full((2, 2), 1.0), torch.full((2, 2), 2.0**-10, dtype=torch.bfloat16)
    assert added(branch, stream).dtype == torch.float32
    assert added(branch, stream)[0, 0] == 1 + 2.0**-10


def test_unknown_activation_is_refused():
    with pytest.raises(UsageError, match="activation must be one of gelu, silu, got 'gel'\nDid you mean 'gelu'"):
        check_activation("gel")
