"""Hierarchical softmax: a distribution over words, and the sum of its turns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from textssl.losses.hierarchical_softmax import hierarchical_softmax

# A tree over five words: the path from the root (node 0) and the turns on it; -1 is padding.
NODES = torch.tensor([[0, 1, -1], [0, 1, -1], [0, 2, -1], [0, 2, 3], [0, 2, 3]])
CODES = torch.tensor([[0, 0, -1], [0, 1, -1], [1, 0, -1], [1, 1, 0], [1, 1, 1]])
WIDTH = 4


@pytest.fixture
def tables() -> tuple[torch.Tensor, torch.Tensor]:
    """Three hidden vectors and the vectors of four inner nodes."""
    torch.manual_seed(2)
    return torch.randn(3, WIDTH, dtype=torch.float64), torch.randn(4, WIDTH, dtype=torch.float64)


def loss_of(hidden, node_table, words, **options):
    """The loss of predicting words (W, P) from hidden vectors (W, I, D)."""
    nodes = NODES[words]
    vectors = node_table[nodes.clamp(min=0)]
    path_mask = options.pop("path_mask", nodes >= 0)
    return hierarchical_softmax(hidden, vectors, CODES[words], path_mask=path_mask, **options)


def test_probabilities_over_all_words_sum_to_one(tables):
    hidden, node_table = tables
    for vector in hidden:
        losses = [loss_of(vector.view(1, 1, -1), node_table, torch.tensor([[word]])).total for word in range(5)]
        assert float(torch.exp(-torch.stack(losses)).sum()) == pytest.approx(1, rel=1e-12)


def test_a_path_is_the_product_of_its_turns(tables):
    hidden, node_table = tables
    loss = loss_of(hidden[:1].unsqueeze(0), node_table, torch.tensor([[3]]))
    scores = node_table.numpy()[[0, 2, 3]] @ hidden[0].numpy()
    signs = np.array([-1, -1, 1])  # turns 1, 1, 0: code 0 is the positive side, as in word2vec.c
    assert loss.total.item() == pytest.approx(np.logaddexp(0, -signs * scores).sum(), rel=1e-12)
    assert loss.count == 1


def test_several_hidden_vectors_and_words_are_the_sum_over_pairs(tables):
    hidden, node_table = tables
    words = torch.tensor([[4, 0]])
    together = loss_of(hidden.unsqueeze(0), node_table, words)
    pairs = [
        loss_of(hidden[i].view(1, 1, -1), node_table, words[:, p : p + 1]).total for i in range(3) for p in range(2)
    ]
    torch.testing.assert_close(together.total, torch.stack(pairs).sum())
    assert together.count == 6


def test_padded_hidden_vectors_and_words_count_nothing(tables):
    hidden, node_table = tables
    words = torch.tensor([[4, 0]])
    path_mask = (NODES[words] >= 0) & torch.tensor([True, False]).view(1, 2, 1)
    hidden_mask = torch.tensor([[True, False, False]])
    poisoned = hidden.unsqueeze(0).clone()
    poisoned[0, 1:] = float("nan")
    padded = loss_of(poisoned, node_table, words, path_mask=path_mask, hidden_mask=hidden_mask)
    alone = loss_of(hidden[:1].unsqueeze(0), node_table, words[:, :1])
    torch.testing.assert_close(padded.total, alone.total)
    assert padded.count == alone.count == 1


def test_hierarchical_softmax_gradients_pass_the_numeric_check(tables):
    hidden, node_table = (table.requires_grad_() for table in tables)
    words = torch.tensor([[4, 0], [2, 3], [1, 1]])
    assert torch.autograd.gradcheck(lambda h, n: loss_of(h.unsqueeze(1), n, words).total, (hidden, node_table))
