"""Negative sampling against a double loop in NumPy, and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from textssl.losses.negative_sampling import negative_sampling

WINDOWS, CONTEXTS, NOISE, WIDTH = 4, 3, 5, 6


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Windows with 3, 2, 1 and 0 contexts; one noise word of the second equals its centre."""
    torch.manual_seed(5)
    weights = torch.ones(WINDOWS, 1 + NOISE, dtype=torch.float64)
    weights[1, 3] = 0
    return {
        "hidden": torch.randn(WINDOWS, CONTEXTS, WIDTH, dtype=torch.float64, requires_grad=True),
        "outputs": torch.randn(WINDOWS, 1 + NOISE, WIDTH, dtype=torch.float64, requires_grad=True),
        "weights": weights,
        "hidden_mask": torch.arange(CONTEXTS) < torch.tensor([3, 2, 1, 0]).unsqueeze(1),
    }


def loop_loss(hidden, outputs, weights, num_seen, used):
    """The definition, one pair after the other, with the derivative by hand."""
    total, pairs, hidden_gradient = 0.0, 0, np.zeros_like(hidden)
    for window in range(len(hidden)):
        for place in range(hidden.shape[1]):
            if not used[window, place]:
                continue
            for output in range(outputs.shape[1]):
                weight = weights[window, output]
                if weight == 0:
                    continue
                score = hidden[window, place] @ outputs[window, output]
                seen = output < num_seen
                total += weight * np.logaddexp(0, -score if seen else score)
                pairs += weight if seen else 0
                error = 1 / (1 + np.exp(-score)) - seen
                hidden_gradient[window, place] += weight * error * outputs[window, output]
    return total, pairs, hidden_gradient


def as_numpy(batch):
    return (part.detach().numpy() for part in batch.values())


def test_negative_sampling_equals_numpy_reference(batch):
    loss = negative_sampling(**batch)
    hidden, outputs, weights, used = as_numpy(batch)
    total, pairs, hidden_gradient = loop_loss(hidden, outputs, weights, 1, used)
    loss.total.backward()
    assert loss.total.item() == pytest.approx(total, rel=1e-12)
    assert float(loss.count) == pairs == 6
    np.testing.assert_allclose(batch["hidden"].grad.numpy(), hidden_gradient, rtol=1e-10, atol=1e-12)


def test_negative_sampling_with_several_seen_words_and_weighted_noise_equals_numpy_reference(batch):
    batch["weights"] = torch.tensor([[1.0, 1, 1, 3, 2, 3], [1, 1, 0, 2, 2, 0], [1, 0, 0, 1, 1, 1], [0] * 6]).double()
    batch["hidden"], batch["hidden_mask"] = batch["hidden"][:, :1], torch.ones(WINDOWS, 1) > 0
    loss = negative_sampling(**batch, num_seen=3)
    hidden, outputs, weights, used = as_numpy(batch)
    total, pairs, _ = loop_loss(hidden, outputs, weights, 3, used)
    assert loss.total.item() == pytest.approx(total, rel=1e-12)
    assert float(loss.count) == pairs == 6


def test_negative_sampling_of_zero_rows_is_ln_2_for_every_scored_word():
    hidden, outputs = torch.zeros(2, 1, 3), torch.randn(2, 6, 3)
    loss = negative_sampling(hidden, outputs, weights=torch.ones(2, 6))
    assert float(loss.mean) == pytest.approx(6 * np.log(2), rel=1e-6)


def test_negative_sampling_gradients_pass_the_numeric_check(batch):
    def total(hidden: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return negative_sampling(hidden, outputs, weights=batch["weights"], hidden_mask=batch["hidden_mask"]).total

    assert torch.autograd.gradcheck(total, (batch["hidden"], batch["outputs"]))


def test_padding_gives_no_gradient_and_no_nan_whatever_stands_there(batch):
    expected = negative_sampling(**batch)
    with torch.no_grad():
        batch["hidden"][~batch["hidden_mask"]] = float("inf")
        batch["outputs"][1, 3] = float("nan")
    loss = negative_sampling(**batch)
    torch.testing.assert_close(loss.total, expected.total)
    (gradient,) = torch.autograd.grad(loss.total, batch["outputs"])
    assert gradient.isfinite().all()
    assert not gradient[3].any()


def test_a_window_alone_and_in_a_batch_is_the_same(batch):
    whole = negative_sampling(**batch)
    alone = [negative_sampling(**{name: part[place : place + 1] for name, part in batch.items()}) for place in range(4)]
    parts = alone[0] + alone[1] + alone[2] + alone[3]
    torch.testing.assert_close(whole.total, parts.total)
    assert whole.count == parts.count


def test_order_of_windows_contexts_and_noise_does_not_matter(batch):
    windows, contexts, noise = (
        torch.randperm(4),
        torch.randperm(3),
        torch.cat([torch.zeros(1).long(), 1 + torch.randperm(5)]),
    )
    moved = {
        "hidden": batch["hidden"][windows][:, contexts],
        "outputs": batch["outputs"][windows][:, noise],
        "weights": batch["weights"][windows][:, noise],
        "hidden_mask": batch["hidden_mask"][windows][:, contexts],
    }
    torch.testing.assert_close(negative_sampling(**moved).total, negative_sampling(**batch).total)
