"""DirectPred: the order of a step, the predictor that is set and not trained, and what it is made from."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.objectives.small_images import prepared, task_of
from textssl.config import resolve
from textssl.objectives.directpred import DirectPred, DirectPredConfig

SMALL = {"hidden_width": 16, "projector_width": 6}


def projections(model, batch) -> torch.Tensor:
    return torch.cat([model.projector(model.encoder(view)) for view in batch.made]).detach()


def root(matrix: torch.Tensor, epsilon: float) -> torch.Tensor:
    """By a plain eigendecomposition in float64."""
    values, vectors = torch.linalg.eigh(matrix.double())
    return ((vectors * ((values / values[-1]).sqrt() + epsilon)) @ vectors.T).float()


@pytest.mark.parametrize("target", ["momentum", "none"])
def test_step_sets_the_predictor_from_the_averaged_correlation_of_its_batches(target):
    run = prepared("directpred", epsilon=0.2, correlation_momentum=0.3, target=target, momentum=0.5, **SMALL)
    task, model, expected = task_of(run), run.model, torch.zeros(6, 6)
    for step in range(3):
        vectors = projections(copy.deepcopy(model), run.objective.batch(step, 0, 1))
        teacher = copy.deepcopy(model.teacher) if target == "momentum" else None
        task.step(step)
        own = vectors.T @ vectors / len(vectors)
        expected = own if step == 0 else 0.3 * expected + 0.7 * own
        torch.testing.assert_close(model.correlation.matrix, expected, rtol=1e-4, atol=1e-6)
        weight = root(model.correlation.matrix, 0.2)
        torch.testing.assert_close(model.predictor.last.weight, weight, rtol=1e-4, atol=1e-5)
        if teacher is not None:
            online = [*model.encoder.parameters(), *model.projector.parameters()]
            after = [(own + part) / 2 for own, part in zip(teacher.parameters(), online, strict=True)]
            torch.testing.assert_close(list(model.teacher.parameters()), after)
    assert not model.kept
    assert hasattr(model, "teacher") == (target == "momentum")


def test_no_gradient_reaches_predictor_correlation_or_teacher():
    run = prepared("directpred", **SMALL)
    parts = run.gradients()
    loss = parts.objective.loss(parts.model, parts.objective.batch(0, 0, 1))
    loss.total.backward()
    reached = {name.split(".")[0] for name, part in parts.model.named_parameters() if part.grad is not None}
    assert reached == {"encoder", "projector"}
    assert loss.count.item() == 16
    assert 0 < loss.total.item() < 8 * 16


def test_targets_have_no_gradient_without_a_copy():
    parts = prepared("directpred", target="none", **SMALL).gradients()
    other, batch = copy.deepcopy(parts.model), parts.objective.batch(0, 0, 1)
    parts.objective.loss(parts.model, batch).total.backward()
    vectors = [other.projector(other.encoder(view)) for view in batch.made]
    predicted = [other.predictor(each) for each in vectors]
    cosines = [torch.cosine_similarity(predicted[view], vectors[1 - view].detach()) for view in (0, 1)]
    (4 - 2 * sum(cosines)).sum().backward()
    for own, asked in zip(parts.model.encoder.parameters(), other.encoder.parameters(), strict=True):
        torch.testing.assert_close(own.grad, asked.grad, rtol=1e-4, atol=1e-5)


def test_predictor_is_trained_between_the_steps_that_set_it():
    run = prepared("directpred", predictor_every=2, epochs=3, **SMALL)
    task, weight = task_of(run), run.model.predictor.last.weight
    set_by_correlation = []
    for step in range(4):
        task.step(step)
        expected = run.model.correlation.predictor(power=0.5, epsilon=run.config.epsilon)
        set_by_correlation.append(torch.equal(weight, expected))
    assert set_by_correlation == [True, False, True, False]
    assert weight.grad is not None


def test_directcopy_takes_the_correlation_itself():
    run = prepared("directpred", rule="directcopy", epsilon=0.3, **SMALL)
    task_of(run).step(0)
    matrix = run.model.correlation.matrix
    expected = matrix / torch.linalg.matrix_norm(matrix, 2) + 0.3 * torch.eye(6)
    torch.testing.assert_close(run.model.predictor.last.weight, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preset", DirectPred.PRESETS)
def test_presets_are_valid(preset):
    resolve(DirectPredConfig, {}, preset=DirectPred.PRESETS[preset])
