"""The averaged correlation matrix of vectors, and the linear predictor that follows from it: DirectPred, DirectCopy.

    F = momentum * F + (1 - momentum) * mean_i f_i f_i^T        W = U diag((s / s_max)^power + epsilon) U^T
                                                                U, s: eigenvectors and eigenvalues of F

W does not depend on the scale of F, and neither does a loss between directions.
Legend: N vectors, D width.
Source: Tian, Chen, Ganguli, DirectPred (arXiv 2102.06810), section 4, in the form of its authors' code, whose epsilon
is a share of the largest root; DirectCopy: Wang et al. (arXiv 2110.04947).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textssl.models.base import check_at_least
from textssl.models.base_momentum import check_momentum


class Correlation(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """The moving average of the correlation of vectors, not centred; saved and loaded with the model that holds it.

    Args:
        width: D.

    Attributes:
        matrix: (D, D) float32, symmetric.
        count: of the batches that it has seen, int64 0-d.
    """

    matrix: Tensor
    count: Tensor

    def __init__(self, width: int) -> None:
        check_at_least(1, width=width)
        super().__init__()
        self.register_buffer("matrix", torch.zeros(width, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def update(self, rows: Tensor, momentum: float) -> None:
        """Take a batch in; the first one is taken as it is.

        Args:
            rows: (N, D) floating; those of all processes where several train.
            momentum: 0 to 1: the share that the average keeps.

        Raises:
            UsageError: the momentum is out of range.
        """
        check_momentum(momentum)
        rows_ND = rows.to(self.matrix)
        kept = momentum * (self.count > 0).to(self.matrix)
        self.matrix.lerp_(rows_ND.T @ rows_ND / len(rows_ND), 1 - kept)
        self.count += 1

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predictor(self, *, power: float, epsilon: float) -> Tensor:
        """W (D, D): positive definite, it commutes with F, and its largest eigenvalue is 1 + epsilon.

        Eigenvalues that are rounding noise beside the largest one count as 0: a root would raise them to 1e-3 of it.
        The decomposition is made on the CPU, which is fastest for such sizes and gives the same on every machine.

        Args:
            power: 1/2 is DirectPred, 1 DirectCopy (W = F / s_max + epsilon).
            epsilon: above 0: the share of the largest eigenvalue that every direction gets.
        """
        values_D, vectors_DD = torch.linalg.eigh(self.matrix.double().cpu())
        values_D = values_D.clamp(min=0)
        noise = torch.finfo(self.matrix.dtype).eps * len(values_D)
        largest = values_D[-1].clamp(min=torch.finfo(torch.float64).tiny)
        shares_D = torch.where(values_D > noise * largest, values_D / largest, 0.0)
        made_DD = (vectors_DD * (shares_D**power + epsilon)) @ vectors_DD.T
        return ((made_DD + made_DD.T) / 2).to(self.matrix)
