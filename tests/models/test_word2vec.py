"""The two tables: what is read from them and what their rows receive."""

from __future__ import annotations

import pytest
import torch

from textssl.errors import UsageError
from textssl.models.word2vec import Word2Vec

ROWS = torch.tensor([[3, 1, 1], [2, -1, -1], [-1, -1, -1]])


def model(**options) -> Word2Vec:
    torch.manual_seed(1)
    return Word2Vec(torch.randn(5, 4, dtype=torch.float64), torch.randn(6, 4, dtype=torch.float64), **options)


def input_gradient(chosen: Word2Vec, slopes: torch.Tensor) -> torch.Tensor:
    (chosen.hidden_combined(ROWS) * slopes.view(3, 1, 1)).sum().backward()
    return chosen.input_table.grad.to_dense()[:, 0]


def test_combined_rows_are_their_mean_or_their_sum_and_zeros_without_rows():
    table = model().input_table.detach()
    for combine, divisor in (("mean", 3), ("sum", 1)):
        hidden = model(combine=combine).hidden_combined(ROWS).detach()[:, 0]
        torch.testing.assert_close(hidden[0], (table[3] + 2 * table[1]) / divisor)
        torch.testing.assert_close(hidden[1], table[2])
        assert not hidden[2].any()


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_divided_gradients_are_shared_among_the_rows_and_undivided_ones_given_whole(combine):
    slopes = torch.tensor([6.0, 5.0, 4.0], dtype=torch.float64)
    divided = input_gradient(model(combine=combine, cbow_gradient="divided"), slopes)
    undivided = input_gradient(model(combine=combine, cbow_gradient="undivided"), slopes)
    assert divided.tolist() == pytest.approx([0, 4, 5, 2, 0])
    assert undivided.tolist() == [0, 12, 5, 6, 0]


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_the_choice_of_gradient_does_not_change_the_value(combine):
    values = [model(combine=combine, cbow_gradient=way).hidden_combined(ROWS) for way in ("divided", "undivided")]
    assert torch.equal(*values)


@pytest.mark.parametrize(("combine", "cbow_gradient"), [("mean", "divided"), ("sum", "undivided")])
def test_the_true_gradients_equal_finite_differences(combine, cbow_gradient):
    chosen = model(combine=combine, cbow_gradient=cbow_gradient)
    slopes = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64)
    gradient = input_gradient(chosen, slopes)
    for row in range(5):
        values = []
        for shift in (1e-6, -1e-6):
            with torch.no_grad():
                moved = Word2Vec(chosen.input_table.clone(), chosen.output_table.clone(), combine=combine)
                moved.input_table[row, 0] += shift
                values.append(float((moved.hidden_combined(ROWS) * slopes.view(3, 1, 1)).sum()))
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(gradient[row]), abs=1e-8)


def test_each_row_is_a_hidden_vector_of_its_own():
    chosen = model()
    torch.testing.assert_close(chosen.hidden_each(ROWS)[0], chosen.input_table[ROWS[0]])
    torch.testing.assert_close(chosen.outputs(ROWS)[0], chosen.output_table[ROWS[0]])


def test_gradients_of_the_tables_are_sparse():
    chosen = model()
    (chosen.hidden_each(ROWS).sum() + chosen.outputs(ROWS).sum()).backward()
    assert chosen.input_table.grad.is_sparse
    assert chosen.output_table.grad.is_sparse


def test_tables_of_different_width_are_refused():
    message = r"^input and output tables must be matrices of one width, got \(5, 4\) and \(5, 3\)$"
    with pytest.raises(UsageError, match=message):
        Word2Vec(torch.zeros(5, 4), torch.zeros(5, 3))
