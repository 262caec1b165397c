"""models/base_attention.py against slow definitions, and its gradients against numerical ones."""

import pytest
import torch

from textssl.errors import UsageError
from textssl.models.base_attention import Rotary, attend, bias_of, same_document, split_heads


def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


def turned_by_complex_numbers(heads_BHTC: torch.Tensor, theta: float) -> torch.Tensor:
    half = heads_BHTC.shape[-1] // 2
    angles = torch.arange(heads_BHTC.shape[2])[:, None] * theta ** (-torch.arange(half) / half)
    turned = torch.complex(*heads_BHTC.split(half, -1)) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], -1)


def test_split_heads_turns_as_complex_numbers():
    turn = Rotary(6, 5, 100.0).turn(0, 5)
    queries, keys, values = split_heads(numbers(2, 5, 5 * 6), (3, 1, 1), turn, (0.5, 1.0, None))
    parts = numbers(2, 5, 5 * 6).unflatten(2, (5, 6)).transpose(1, 2)
    torch.testing.assert_close(queries, turned_by_complex_numbers(parts[:, :3], 100.0) * 0.5, atol=1e-6, rtol=0)
    torch.testing.assert_close(keys, turned_by_complex_numbers(parts[:, 3:4], 100.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(values, parts[:, 4:])


def test_split_heads_has_the_numerical_gradient():
    rotary = Rotary(4, 3, 10.0).double()
    torch.autograd.gradcheck(
        lambda heads: split_heads(heads, (2, 1, 1), rotary.turn(0, 3), (0.5, 1.0, None)), numbers(2, 3, 16)
    )


def test_split_heads_on_a_device_that_is_no_cpu_is_the_same(monkeypatch):
    turn = Rotary(4, 3, 10.0).turn(0, 3)
    ours = split_heads(numbers(2, 3, 16), (2, 1, 1), turn, (0.5, 1.0, None))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for one, other in zip(ours, split_heads(numbers(2, 3, 16), (2, 1, 1), turn, (0.5, 1.0, None)), strict=True):
        torch.testing.assert_close(one, other)


def test_rotary_refuses_more_positions_than_the_model_has():
    with pytest.raises(UsageError, match="the model has 4 positions, the text takes 5\nCut the text"):
        Rotary(4, 4, 10.0).turn(0, 5)


@pytest.mark.parametrize("key_heads", [2, 4])
@pytest.mark.parametrize("seen", ["all", "some", "before"])
def test_attend_equals_its_definition(key_heads, seen):
    queries, keys, values = numbers(3, 4, 5, 6), numbers(3, key_heads, 5, 6), numbers(3, key_heads, 5, 6)
    some = torch.rand(3, 1, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.7
    visible = {"all": torch.ones(5, 5).bool(), "some": some, "before": torch.ones(5, 5).tril().bool()}[seen]
    bias = bias_of(visible) if seen == "some" else None
    ours = attend(queries, keys, values, bias=bias, causal=seen == "before")
    repeated = [part.repeat_interleave(4 // key_heads, 1) for part in (keys, values)]
    scores = (queries @ repeated[0].transpose(2, 3)).masked_fill(~visible, float("-inf"))
    theirs = scores.softmax(-1) @ repeated[1]
    torch.testing.assert_close(ours, theirs.transpose(1, 2).flatten(2), atol=1e-6, rtol=1e-6)


def test_same_document_lets_padding_see_padding_only():
    seen = same_document(torch.tensor([[4, 4, 7, -1]]))[0, 0]
    assert seen.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
