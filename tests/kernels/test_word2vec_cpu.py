"""The fused kernels against the slow definition: one autograd step per window."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.kernels.reference import reference_window_step  # noqa: E402
from textssl.kernels.engine_cpu import CpuEngine, Draws, Method, Ragged  # noqa: E402
from textssl.kernels.word2vec_cpu import MOST_TOGETHER  # noqa: E402
from textssl.objectives.base_reference import Paths, Subwords  # noqa: E402
from textssl.text.draws import alias_table, huffman  # noqa: E402
from textssl.text.vocabulary import Vocabulary  # noqa: E402
from textssl.text.windows import WindowSettings, block_windows, groups_apart, keep_thresholds  # noqa: E402

NUM_WORDS, NUM_NGRAMS, EPOCH = 23, 17, 2
RATE = 0.05
rng = np.random.default_rng(7)
# neighbours repeat on purpose: a word twice in a window, a word beside itself, noise that equals the centre word
IDS = np.concatenate([rng.integers(0, NUM_WORDS, 90), [3, 3, 3, 5, 3, 3], rng.integers(0, 4, 30)]).astype(np.int32)
OFFSETS = np.array([0, 1, 40, 41, 100, len(IDS)])
COUNTS = np.sort(rng.integers(5, 400, NUM_WORDS))[::-1].astype(np.int64)


def tables(dim: int, num_inputs: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(dim)
    return numbers.normal(0, dim**-0.5, (num_inputs, dim)), numbers.normal(0, dim**-0.5, (NUM_WORDS, dim))


def train_both(
    name, *, dim=20, negatives=5, window=3, width="dynamic", combine="mean", gradient="undivided", ngrams=False,
    rate=RATE, shared=1, noise_weight=1.0,
):  # fmt: skip
    vocabulary = Vocabulary.from_counts({f"w{index:02}": int(count) for index, count in enumerate(COUNTS)})
    accept, alias = alias_table(vocabulary.noise_probabilities(0.75))
    thresholds = keep_thresholds(vocabulary.keep_probabilities(0.02))
    borders = np.sort(np.append(rng.integers(0, 60, NUM_WORDS - 1), [0, 60]))
    lists = Ragged(rng.integers(0, NUM_NGRAMS, 60).astype(np.int32), borders)
    tree = huffman(COUNTS) if negatives == 0 else None
    method = Method(name, dim, window, width, negatives, noise_weight, shared, combine, gradient, seed=5)
    engine = CpuEngine(
        IDS, OFFSETS, method=method, draws=Draws(thresholds, accept, alias),
        num_ngram_rows=NUM_NGRAMS if ngrams else 0, ngrams=lists if ngrams else None,
        path_points=Ragged(tree.points, tree.offsets) if tree else None, path_codes=tree.codes if tree else None,
    )  # fmt: skip
    inputs, outputs = tables(dim, NUM_WORDS + (NUM_NGRAMS if ngrams else 0))
    engine.inputs.rows[:], engine.outputs.rows[:] = inputs, outputs
    loss, pairs = engine.train_block(2, len(IDS) - 3, epoch=EPOCH, learning_rate=rate)
    grouped = name == "cbow" and negatives > 0
    sharing = "apart" if grouped else "in_a_row"
    settings = WindowSettings(5, window, width, thresholds, negatives, accept, alias, shared, sharing)
    windows = block_windows(IDS, OFFSETS, 2, len(IDS) - 3, settings=settings, epoch=EPOCH)
    expected = reference_window_step(
        engine_start(inputs), engine_start(outputs), windows, method=name, noise_weight=noise_weight,
        combine=combine, cbow_gradient=gradient,
        subwords=Subwords.of_ngrams(lists.offsets, lists.values) if ngrams else None,
        paths=Paths(tree.offsets, tree.points, tree.codes) if tree else None, learning_rate=rate,
        steps=steps_of_groups(len(windows.centres), shared) if grouped else None,
    )  # fmt: skip
    return engine, loss, pairs, expected


def steps_of_groups(num_windows: int, shared: int) -> list[np.ndarray]:
    """The windows of each step of CBOW: a group apart, at most MOST_TOGETHER of it at once."""
    groups = groups_apart(num_windows, shared)
    members = (np.arange(group, num_windows, groups) for group in range(groups))
    return [some[start : start + MOST_TOGETHER] for some in members for start in range(0, len(some), MOST_TOGETHER)]


def engine_start(table: np.ndarray) -> np.ndarray:
    """The reference starts from the same float32 numbers."""
    return table.astype(np.float32).astype(np.float64)


def check(engine, loss, pairs, expected):
    new_inputs, new_outputs, expected_loss, expected_pairs = expected
    assert pairs == expected_pairs
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    # float32 against float64 over a hundred steps in a row
    np.testing.assert_allclose(engine.inputs.rows, new_inputs, atol=2e-5)
    np.testing.assert_allclose(engine.outputs.rows, new_outputs, atol=2e-5)


@pytest.mark.parametrize("name", ["skipgram", "cbow"])
@pytest.mark.parametrize("negatives", [5, 0])
@pytest.mark.parametrize("ngrams", [False, True])
def test_kernel_equals_autograd_window_by_window(name, negatives, ngrams):
    check(*train_both(name, negatives=negatives, ngrams=ngrams))


@pytest.mark.parametrize(("combine", "gradient"), list(itertools.product(["mean", "sum"], ["divided", "undivided"])))
def test_cbow_kernel_equals_autograd_for_every_combination(combine, gradient):
    check(*train_both("cbow", combine=combine, gradient=gradient))


@pytest.mark.parametrize(("dim", "negatives", "window"), [(1, 1, 1), (8, 3, 2), (100, 5, 5), (37, 25, 8), (16, 11, 30)])
def test_kernel_equals_autograd_for_every_shape(dim, negatives, window):
    rate = RATE / max(1, window // 4)  # wide windows sum many gradients; a step too large magnifies rounding
    check(*train_both("skipgram", dim=dim, negatives=negatives, window=window, width="fixed", rate=rate))
    check(*train_both("cbow", dim=dim, negatives=negatives, window=window, rate=rate))


@pytest.mark.parametrize("name", ["skipgram", "cbow"])
@pytest.mark.parametrize("ngrams", [False, True])
@pytest.mark.parametrize("shared", [7, 11])
def test_windows_that_share_noise_equal_autograd(name, ngrams, shared):
    check(*train_both(name, ngrams=ngrams, shared=shared))


@pytest.mark.parametrize("name", ["skipgram", "cbow"])
@pytest.mark.parametrize("ngrams", [False, True])
@pytest.mark.parametrize(("negatives", "noise_weight"), [(30, 1 / 6), (4, 2.5)])
def test_weighted_noise_equals_autograd(name, ngrams, negatives, noise_weight):
    check(*train_both(name, ngrams=ngrams, negatives=negatives, noise_weight=noise_weight))


def test_padding_of_rows_stays_zero():
    engine, *_ = train_both("skipgram", dim=20)
    assert not engine.inputs.flat.reshape(-1, engine.inputs.stride)[:NUM_WORDS, 20:].any()
