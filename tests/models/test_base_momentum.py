"""models/base_momentum.py: the copy against its closed form, what it keeps, and the schedule."""

import pytest
import torch
from torch import nn

from textssl.errors import UsageError
from textssl.models.base_momentum import MomentumCopy, momentum_at
from textssl.models.base_norm import BatchNorm1d


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), BatchNorm1d(4)).double()


def test_the_copy_is_the_closed_form_of_its_updates():
    online = network()
    copied = MomentumCopy(online)
    expected = [part.detach().clone() for part in online.parameters()]
    for step in range(5):
        with torch.no_grad():
            for part in online.parameters():
                part.add_(step + 1)
        copied.update(online, 0.9)
        expected = [0.9 * own + 0.1 * part.detach() for own, part in zip(expected, online.parameters(), strict=True)]
    torch.testing.assert_close(list(copied.model.parameters()), expected)


def test_momentum_one_keeps_the_copy_and_zero_takes_the_original():
    online = network()
    copied = MomentumCopy(online)
    before = copied.model[0].weight.clone()
    with torch.no_grad():
        online[0].weight.add_(1)
    copied.update(online, 1.0)
    assert torch.equal(copied.model[0].weight, before)
    copied.update(online, 0.0)
    assert torch.equal(copied.model[0].weight, online[0].weight)


def test_no_gradient_reaches_the_copy_and_the_original_is_not_held():
    online = network()
    copied = MomentumCopy(online)
    assert not any(part.requires_grad for part in copied.parameters())
    assert not copied(torch.randn(5, 3).double()).requires_grad
    assert all(part.requires_grad for part in online.parameters())
    assert set(copied.state_dict()) == {f"model.{name}" for name in online.state_dict()}


@pytest.mark.parametrize(("policy", "same"), [("own", False), ("copied", True)])
def test_running_statistics_follow_the_policy(policy, same):
    online = network()
    copied = MomentumCopy(online, buffers=policy)
    online(torch.randn(5, 3).double())
    copied.update(online, 0.9)
    assert torch.equal(copied.model[1].running_mean, online[1].running_mean) == same
    mean = copied.model[1].running_mean.clone()
    copied(torch.randn(5, 3).double())
    assert not torch.equal(copied.model[1].running_mean, mean)


def test_state_comes_back_whole():
    online = network()
    copied, other = MomentumCopy(online), MomentumCopy(network().requires_grad_())
    with torch.no_grad():
        online[0].weight.add_(1)
    copied.update(online, 0.7)
    other.load_state_dict(copied.state_dict())
    assert all(torch.equal(part, other.state_dict()[name]) for name, part in copied.state_dict().items())


def test_momentum_rises_as_a_cosine_to_one():
    assert momentum_at(0, 100, 0.97) == pytest.approx(0.97)
    assert momentum_at(50, 100, 0.97) == pytest.approx(0.985)
    assert momentum_at(100, 100, 0.97) == 1
    assert momentum_at(170, 100, 0.97) == 1


def test_a_momentum_that_is_no_share_is_refused():
    with pytest.raises(UsageError, match=r"momentum must be at least 0 and at most 1, got 1\.5"):
        MomentumCopy(network()).update(network(), 1.5)
    with pytest.raises(UsageError, match="momentum must be at least 0 and at most 1, got -1"):
        momentum_at(0, 1, -1)
