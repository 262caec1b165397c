"""The model of skip-gram, CBOW and their subword forms: a table of input rows and a table of output rows.

Shapes: W windows, I input rows of a window (padded with -1), D width.
Source: Mikolov et al. (arXiv 1301.3781), section 3; subwords: Bojanowski et al. (arXiv 1607.04606), section 3.2, where
a word is the mean of its own row and the rows of its n-grams, as in the released fastText.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textssl.errors import UsageError


class Word2Vec(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Two tables, and the ways to read hidden vectors from them; the gradients of both tables are sparse.

    Args:
        input_table: (words and n-grams, D) floating; the rows that become the embeddings.
        output_table: (words or inner nodes, D) floating; the rows that hidden vectors are scored against.
        combine: "mean" or "sum" of the rows that share one hidden vector.
        cbow_gradient: what each row of a combined vector receives. "divided": the hidden gradient divided by the number
            of rows, which is the true gradient of the mean. "undivided": the whole hidden gradient, which is the true
            gradient of the sum, and what word2vec.c, gensim and fastText do for the mean.

    Raises:
        UsageError: the tables are no matrices of one width.
    """

    def __init__(
        self,
        input_table: Tensor,
        output_table: Tensor,
        *,
        combine: Literal["mean", "sum"] = "mean",
        cbow_gradient: Literal["divided", "undivided"] = "undivided",
    ) -> None:
        super().__init__()
        if input_table.dim() != 2 or output_table.dim() != 2 or input_table.shape[1] != output_table.shape[1]:
            given = f"{tuple(input_table.shape)} and {tuple(output_table.shape)}"
            raise UsageError(f"input and output tables must be matrices of one width, got {given}")
        self.input_table = nn.Parameter(input_table)
        self.output_table = nn.Parameter(output_table)
        self.combine = combine
        self.cbow_gradient = cbow_gradient

    def hidden_each(self, rows_WI: Tensor) -> Tensor:
        """Every input row as a hidden vector of its own, (W, I, D); what stands at padding is to be masked."""
        return _lookup(self.input_table, rows_WI)

    def hidden_combined(self, rows_WI: Tensor) -> Tensor:
        """The rows of each window as one hidden vector, (W, 1, D); zeros where there is no row."""
        used_WI1 = (rows_WI >= 0).unsqueeze(2)
        sum_W1D = torch.where(used_WI1, _lookup(self.input_table, rows_WI), 0.0).sum(1, keepdim=True)
        mean_W1D = sum_W1D / used_WI1.sum(1, keepdim=True).clamp(min=1)
        value_W1D = mean_W1D if self.combine == "mean" else sum_W1D
        route_W1D = mean_W1D if self.cbow_gradient == "divided" else sum_W1D
        if value_W1D is route_W1D:
            return value_W1D
        # The value of the one with the gradient of the other: the bracket is exactly 0.
        return value_W1D.detach() + (route_W1D - route_W1D.detach())

    def outputs(self, rows: Tensor) -> Tensor:
        """Output rows, (..., D) for ids (...); what stands at padding is to be masked."""
        return _lookup(self.output_table, rows)


def _lookup(table: Tensor, rows: Tensor) -> Tensor:
    return F.embedding(rows.clamp(min=0), table, sparse=True)
