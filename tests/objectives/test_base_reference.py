"""Window losses and the window-by-window reference against hand-written updates in NumPy."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import torch

from tests.kernels.reference import reference_window_step
from textssl.errors import UsageError
from textssl.models.word2vec import Word2Vec
from textssl.objectives.base_reference import Paths, ReferenceWindows, Subwords, window_batch, window_loss
from textssl.text.ngrams import ngram_rows
from textssl.text.vocabulary import Vocabulary
from textssl.text.windows import Windows, WindowSettings, block_windows

VOCABULARY, NGRAM_ROWS, WIDTH, RATE, NOISE_WEIGHT = 5, 4, 3, 0.3, 0.7
WINDOWS = Windows(
    positions=np.arange(4),
    centres=np.array([0, 3, 2, 1]),
    contexts=np.array([[1, 2, 1, -1], [0, 3, -1, -1], [-1, -1, -1, -1], [4, -1, -1, -1]]),
    negatives=np.array([[4, 0, 2], [3, 3, 1], [1, 2, 0], [2, 4, 4]]),
)
WITHOUT_NOISE = Windows(WINDOWS.positions, WINDOWS.centres, WINDOWS.contexts, np.empty((4, 0), np.int64))
SUBWORDS = Subwords(offsets=np.array([0, 3, 4, 6, 9, 11]), rows=np.array([0, 5, 6, 1, 2, 5, 3, 7, 7, 4, 8]))
PATHS = Paths(
    offsets=np.array([0, 2, 4, 6, 9, 12]),
    nodes=np.array([0, 1, 0, 1, 0, 2, 0, 2, 3, 0, 2, 3]),
    codes=np.array([0, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1]),
)
VARIANTS = list(itertools.product(["skipgram", "cbow"], ["noise", "paths"], ["words", "n-grams"]))


def lists_of(offsets, values):
    return [values[a:b].tolist() for a, b in itertools.pairwise(offsets)]


def scored_outputs(word, negatives, paths):
    """(output row, label, weight) of all outputs that predict one word."""
    if paths:
        nodes, codes = lists_of(PATHS.offsets, PATHS.nodes), lists_of(PATHS.offsets, PATHS.codes)
        return [(node, 1 - code, 1.0) for node, code in zip(nodes[word], codes[word], strict=True)]
    return [(word, 1, 1.0), *((noise, 0, NOISE_WEIGHT) for noise in negatives if noise != word)]


def loop_steps(inputs, outputs, method, combine, cbow_gradient, subwords, paths):
    """word2vec.c and fastText, written as loops: pairs of one window are computed from the rows as they stood."""
    inputs, outputs, total, pairs = inputs.copy(), outputs.copy(), 0.0, 0
    rows_of = lists_of(SUBWORDS.offsets, SUBWORDS.rows) if subwords else [[word] for word in range(VOCABULARY)]
    for centre, padded, negatives in zip(WINDOWS.centres, WINDOWS.contexts, WINDOWS.negatives, strict=True):
        contexts = [word for word in padded if word >= 0]
        if method == "cbow":
            examples = [([row for word in contexts for row in rows_of[word]], centre)] if contexts else []
        elif subwords:
            examples = [(rows_of[centre], word) for word in contexts]
        else:
            examples = [([word], centre) for word in contexts]
        new_inputs, new_outputs = inputs.copy(), outputs.copy()
        for rows, predicted in examples:
            hidden = inputs[rows].sum(0) / (len(rows) if combine == "mean" else 1)
            gradient = np.zeros(WIDTH)
            for output, label, weight in scored_outputs(predicted, negatives, paths):
                score = hidden @ outputs[output]
                total += weight * np.logaddexp(0, -score if label else score)
                error = weight * (1 / (1 + np.exp(-score)) - label)
                gradient += error * outputs[output]
                new_outputs[output] -= RATE * error * hidden
            for row in rows:
                new_inputs[row] -= RATE * gradient / (len(rows) if cbow_gradient == "divided" else 1)
            pairs += 1
        inputs, outputs = new_inputs, new_outputs
    return inputs, outputs, total, pairs


@pytest.mark.parametrize(("method", "target", "unit"), VARIANTS)
@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("cbow_gradient", ["divided", "undivided"])
def test_reference_steps_equal_loops_by_hand(method, target, unit, combine, cbow_gradient):
    generator = np.random.default_rng(4)
    inputs, outputs = (
        generator.normal(size=(VOCABULARY + NGRAM_ROWS, WIDTH)),
        generator.normal(size=(VOCABULARY, WIDTH)),
    )
    expected = loop_steps(inputs, outputs, method, combine, cbow_gradient, unit == "n-grams", target == "paths")
    actual = reference_window_step(
        inputs,
        outputs,
        WITHOUT_NOISE if target == "paths" else WINDOWS,
        method=method,
        noise_weight=NOISE_WEIGHT,
        combine=combine,
        cbow_gradient=cbow_gradient,
        subwords=SUBWORDS if unit == "n-grams" else None,
        paths=PATHS if target == "paths" else None,
        learning_rate=RATE,
    )
    for given, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("method", "target", "unit"), VARIANTS)
def test_a_batch_of_windows_has_the_summed_loss_of_its_windows(method, target, unit):
    torch.manual_seed(0)
    model = Word2Vec(torch.randn(9, WIDTH, dtype=torch.float64), torch.randn(5, WIDTH, dtype=torch.float64))
    options = {
        "method": method,
        "subwords": SUBWORDS if unit == "n-grams" else None,
        "paths": PATHS if target == "paths" else None,
    }
    windows = WITHOUT_NOISE if target == "paths" else WINDOWS
    whole = window_loss(model, window_batch(windows, **options))
    cuts = [
        Windows(*(getattr(windows, name)[cut] for name in ("positions", "centres", "contexts", "negatives")))
        for cut in (slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 4))
    ]
    parts = [window_loss(model, window_batch(cut, **options)) for cut in cuts]
    torch.testing.assert_close(whole.total, sum(part.total for part in parts))
    assert whole.count == sum(part.count for part in parts) == (3 if method == "cbow" else 6)


def test_subwords_put_the_rows_of_n_grams_below_those_of_words():
    ngrams = ngram_rows(Vocabulary.from_counts({"ab": 5, "abc": 4, "c": 3}), min_n=3, max_n=4, buckets=1000)
    subwords = Subwords.of_ngrams(ngrams.offsets, ngrams.rows)
    for word in range(3):
        rows = subwords.rows[subwords.offsets[word] : subwords.offsets[word + 1]].tolist()
        assert rows == [word, *(3 + ngrams.rows[ngrams.offsets[word] : ngrams.offsets[word + 1]]).tolist()]


@pytest.mark.parametrize(
    ("windows", "paths", "given"),
    [(WINDOWS, PATHS, "3 negatives and paths"), (WITHOUT_NOISE, None, "0 negatives and no paths")],
)
def test_windows_need_one_kind_of_target(windows, paths, given):
    message = f"windows need either negatives or the paths of hierarchical softmax, got {given}"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        window_batch(windows, method="skipgram", paths=paths)


def objective(**changes) -> ReferenceWindows:
    """Ten words of two documents in blocks of four, two epochs."""
    chosen = WindowSettings(
        seed=1, window=2, width="dynamic", keep_thresholds=np.full(5, 2**32, np.uint64), num_negatives=3,
        noise_accept=np.full(5, 2**32 - 1, np.uint32), noise_alias=np.arange(5),
    )  # fmt: skip
    options = {
        "ids": np.array([0, 1, 2, 3, 4, 4, 3, 2, 1, 0], np.uint16), "offsets": np.array([0, 6, 10]), "settings": chosen,
        "method": "skipgram", "noise_weight": 1.0, "subwords": None, "paths": None, "block_words": 4, "num_epochs": 2,
    }  # fmt: skip
    return ReferenceWindows(**{**options, **changes})


def test_blocks_cover_every_epoch_in_order():
    blocks = objective()
    assert blocks.num_steps == 6
    assert [blocks.units_before(step) for step in range(7)] == [0, 4, 8, 10, 14, 18, 20]
    assert [blocks.epoch(step) for step in (0, 3, 6)] == [0, 1, 2]
    centres = torch.cat([blocks.batch(step).predicted[:, 0] for step in range(6)])
    assert centres.tolist() == [*blocks.ids, *blocks.ids]


def test_a_batch_is_the_windows_of_its_block_and_epoch():
    blocks = objective()
    expected = block_windows(blocks.ids, blocks.offsets, 4, 8, settings=blocks.settings, epoch=1)
    batch = blocks.batch(4)
    assert np.array_equal(batch.inputs.numpy(), expected.contexts)
    assert np.array_equal(batch.noise.numpy(), expected.negatives)
