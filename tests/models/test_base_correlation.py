"""models/base_correlation.py: the average against its closed form, and what the predictor made of it must satisfy."""

import pytest
import torch

from textssl.errors import UsageError
from textssl.models.base_correlation import Correlation


def rows(seed: int, *, num: int = 40, width: int = 6) -> torch.Tensor:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(num, width, generator=made).double() * torch.arange(1, width + 1)


def correlation(vectors: torch.Tensor) -> Correlation:
    made = Correlation(vectors.shape[1]).double()
    made.update(vectors, 0.5)
    return made


def test_average_is_the_closed_form_of_its_batches():
    made, batches = Correlation(6).double(), [rows(seed) for seed in range(4)]
    for batch in batches:
        made.update(batch, 0.3)
    each = [sum(torch.outer(row, row) for row in batch) / len(batch) for batch in batches]
    expected = 0.3**3 * each[0] + 0.7 * (0.09 * each[1] + 0.3 * each[2] + each[3])
    torch.testing.assert_close(made.matrix, expected)
    assert int(made.count) == 4


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_predictor_is_a_function_of_the_correlation(power):
    made = correlation(rows(1))
    weight, matrix = made.predictor(power=power, epsilon=0.1), made.matrix
    assert torch.equal(weight, weight.T)
    torch.testing.assert_close(weight @ matrix, matrix @ weight)
    values = torch.linalg.eigvalsh(weight)
    assert values[0] >= 0.1
    assert values[-1].item() == pytest.approx(1.1)
    roots = torch.linalg.eigvalsh(matrix) / torch.linalg.eigvalsh(matrix)[-1]
    torch.testing.assert_close(values, roots**power + 0.1)


def test_predictor_does_not_see_the_scale():
    first, second = (correlation(scale * rows(2)).predictor(power=0.5, epsilon=0.01) for scale in (1, 1e-4))
    torch.testing.assert_close(first, second)


def test_directcopy_is_the_correlation_itself():
    made = correlation(rows(3))
    largest = torch.linalg.matrix_norm(made.matrix, 2)
    expected = made.matrix / largest + 0.2 * torch.eye(6).double()
    torch.testing.assert_close(made.predictor(power=1.0, epsilon=0.2), expected)


def test_predictor_of_collapsed_vectors_has_one_direction():
    """In float32 a root would raise rounding noise of 1e-7 to 3e-4 of the largest eigenvalue."""
    direction = torch.nn.functional.normalize(torch.arange(1.0, 7.0), dim=0)
    made = Correlation(6)
    made.update(direction.expand(10, 6), 0.5)
    expected = torch.outer(direction, direction) + 0.1 * torch.eye(6)
    torch.testing.assert_close(made.predictor(power=0.5, epsilon=0.1), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(Correlation(3).predictor(power=0.5, epsilon=0.1), 0.1 * torch.eye(3))


def test_no_gradient_and_a_state_that_comes_back():
    made, other = Correlation(6), Correlation(6)
    made.update(rows(4).requires_grad_() * 2, 0.3)
    assert not made.matrix.requires_grad
    assert set(made.state_dict()) == {"matrix", "count"}
    other.load_state_dict(made.state_dict())
    for each in (made, other):
        each.update(rows(5), 0.3)
    assert torch.equal(made.matrix, other.matrix)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match="width must be at least 1, got 0"):
        Correlation(0)
    with pytest.raises(UsageError, match=r"momentum must be at least 0 and at most 1, got 1\.5"):
        Correlation(6).update(rows(1), 1.5)
