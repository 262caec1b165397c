"""Self-distillation against DINO's formula, its two collapses, and the centre."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from textssl.errors import UsageError
from textssl.losses.self_distillation import moved_centre, self_distillation, softened

N, K = 6, 7
DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(8)


def outputs(views: int) -> list[torch.Tensor]:
    return [torch.randn(N, K, dtype=DOUBLE, requires_grad=True) for _ in range(views)]


def test_self_distillation_equals_the_loss_of_dino():
    student, teacher, centre = outputs(4), outputs(2), torch.randn(K, dtype=DOUBLE)
    loss = self_distillation(student, teacher, centre, student_temperature=0.2, teacher_temperature=0.05)
    terms = []
    for i, target in enumerate(teacher):
        target = F.softmax((target.detach() - centre) / 0.05, dim=-1)
        for v, part in enumerate(student):
            if v != i:
                terms.append(torch.sum(-target * F.log_softmax(part / 0.2, dim=-1), dim=-1).mean())
    expected = torch.stack(terms).mean()
    torch.testing.assert_close(loss.mean, expected)
    torch.testing.assert_close(torch.autograd.grad(loss.mean, student), torch.autograd.grad(expected, student))
    assert loss.count == N * 2 * 3


def test_gradient_in_float32_is_exact_to_six_digits_though_small_temperatures_divide():
    views, centre = [torch.randn(64, 48) for _ in range(4)], torch.linspace(-0.5, 0.5, 48)
    found = []
    for kind in (torch.float32, DOUBLE):
        student = [part.to(kind).requires_grad_() for part in views[:2]]
        loss = self_distillation(student, [part.to(kind) for part in views[2:]], centre.to(kind))
        found.append(torch.autograd.grad(loss.mean, student))
    for single, exact in zip(*found, strict=True):
        assert (single - exact).abs().max() < 5e-7 * exact.abs().max()


def test_teacher_and_centre_receive_no_gradient():
    student, teacher, centre = outputs(2), outputs(2), torch.zeros(K, dtype=DOUBLE, requires_grad=True)
    self_distillation(student, teacher, centre).total.backward()
    assert teacher[0].grad is None
    assert centre.grad is None


def test_both_collapses_have_the_known_loss():
    flat = [torch.zeros(N, K, dtype=DOUBLE)] * 2
    assert self_distillation(flat, flat, torch.zeros(K)).mean.item() == pytest.approx(math.log(K))
    sharp = [F.one_hot(torch.zeros(N, dtype=torch.int64), K).double() * 100] * 2
    assert self_distillation(sharp, sharp, torch.zeros(K)).mean.item() == pytest.approx(0, abs=1e-9)


def test_a_shift_of_outputs_and_centre_together_changes_nothing():
    student, teacher, centre = outputs(2), outputs(2), torch.randn(K, dtype=DOUBLE)
    shift = torch.randn(K, dtype=DOUBLE) * 3
    moved = self_distillation(student, [part + shift for part in teacher], centre + shift)
    torch.testing.assert_close(moved.total, self_distillation(student, teacher, centre).total)


def test_the_centre_follows_the_mean_of_the_outputs():
    teacher, centre = outputs(2), torch.randn(K, dtype=DOUBLE)
    expected = 0.9 * centre + 0.1 * torch.cat(teacher).mean(0)
    torch.testing.assert_close(moved_centre(centre, teacher), expected.detach())
    torch.testing.assert_close(moved_centre(centre, teacher, momentum=1.0), centre)


def test_targets_of_half_precision_are_float32():
    assert softened(outputs(1)[0].half(), torch.zeros(K), temperature=0.04).dtype == torch.float32


@pytest.mark.parametrize("name", ["student_temperature", "teacher_temperature"])
def test_a_temperature_that_is_not_above_zero_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} must be above 0, got 0"):
        self_distillation(outputs(2), outputs(2), torch.zeros(K), **{name: 0})
