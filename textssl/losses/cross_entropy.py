"""Cross-entropy over a vocabulary or classes: predict the one right entry of a table, at scored positions only.

    loss_i = logsumexp_v (h_i . E_v + b_v) - (h_i . E_y + b_y),   y = the right entry of row i

The (N, V) scores exist for one tile of rows at a time, and their gradient is written over them.
Shapes: N scored rows, V entries of the table, D width.
Source: the tiling follows Wijmans et al., "Cut your losses in large-vocabulary language models" (arXiv 2411.09009).
"""

from __future__ import annotations

from torch import Tensor

from textssl.losses.core import LossTensor, scored, tile_rows_for


def cross_entropy(
    hidden: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None = None, *, tile_rows: int | None = None
) -> LossTensor:
    """The summed cross-entropy of a table's entries given hidden vectors.

    Equals `torch.nn.functional.cross_entropy(hidden @ table.T + bias, targets, ignore_index=-1, reduction="sum")`.

    Args:
        hidden: (N, D) floating.
        table: (V, D) floating, one row an entry.
        targets: int64 (N,), 0 to V - 1; -1 leaves the row out.
        bias: (V,), or None.
        tile_rows: rows scored at a time, at least 1; None: as many as `core.tile_rows_for` gives.

    Returns:
        The total in nats, and the number of rows with a target.

    Raises:
        UsageError: shapes do not fit each other, or tile_rows < 1.
    """
    rows = tile_rows_for(len(hidden), len(table), hidden.device) if tile_rows is None else tile_rows
    return scored(hidden, table, targets, kind="softmax", key_offsets=bias, tile_rows=rows)
