"""The slow definition of word2vec training: one autograd step per window through losses and models, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from textssl.models.word2vec import Word2Vec
from textssl.objectives.base_reference import Method, Paths, Subwords, window_batch, window_loss
from textssl.text.windows import Windows


def reference_window_step(
    input_table: NDArray[np.floating],
    output_table: NDArray[np.floating],
    windows: Windows,
    *,
    method: Method,
    noise_weight: float = 1.0,
    combine: Literal["mean", "sum"] = "mean",
    cbow_gradient: Literal["divided", "undivided"] = "undivided",
    subwords: Subwords | None = None,
    paths: Paths | None = None,
    steps: Sequence[NDArray[np.integer]] | None = None,
    learning_rate: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Apply window after window, each one from the rows as the one before has left them.

    Args:
        input_table: (words, or words and n-grams; D).
        output_table: (words, or inner nodes; D).
        windows: from `block_windows`; without negatives for hierarchical softmax.
        method: "skipgram" or "cbow"; skip-gram with `subwords` takes fastText's direction (see base_reference).
        noise_weight: of a noise word in each pair of its window.
        combine, cbow_gradient: how rows make one hidden vector, and what they receive (see Word2Vec).
        subwords: input rows of every word, its own row first.
        paths: the Huffman paths, for hierarchical softmax.
        steps: the windows of each step, all from the rows as they stood before it; None for one window after the other.
        learning_rate: of every window.

    Returns:
        The new tables, the summed loss in nats (each window's before its own step), and the number of pairs: contexts
        of each window; with CBOW 1 for each window that has contexts.
    """
    tables = [torch.tensor(np.asarray(table), dtype=torch.float64) for table in (input_table, output_table)]
    model = Word2Vec(*tables, combine=combine, cbow_gradient=cbow_gradient)
    loss_total = pair_count = 0.0
    for places in np.arange(len(windows.centres))[:, None] if steps is None else steps:
        model.zero_grad(set_to_none=True)
        batch = window_batch(
            _some(windows, places), method=method, noise_weight=noise_weight, subwords=subwords, paths=paths
        )
        loss = window_loss(model, batch)
        loss.total.backward()
        with torch.no_grad():
            for table in model.parameters():
                table.sub_(learning_rate * table.grad.to_dense())
        loss_total += float(loss.total.detach())
        pair_count += float(loss.count)
    new_input_table, new_output_table = (table.detach().numpy() for table in (model.input_table, model.output_table))
    return new_input_table, new_output_table, loss_total, pair_count


def _some(windows: Windows, cut: NDArray[np.integer]) -> Windows:
    return replace(
        windows,
        positions=windows.positions[cut],
        centres=windows.centres[cut],
        contexts=windows.contexts[cut],
        negatives=windows.negatives[cut],
    )
