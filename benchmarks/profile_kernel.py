"""How far the skip-gram kernel is from the limits of the machine, and what holds it.

    python -m benchmarks.profile_kernel --text wiki8_lines.txt

One thread. Nanoseconds per trained word (one that subsampling keeps) at several dimensions, the 20th percentile over
blocks of 10,000 words; the arithmetic that was done, counted from the pairs; the processor's peak (the better of a
loop of multiply-adds and BLAS) and the memory's speed by small loops. A line through the times, fixed + slope x d,
parts what goes to vectors from what goes to sampling and bookkeeping.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, RESULTS, say, write_result

os.environ.update(ONE_THREAD)  # read by BLAS when numpy is loaded

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
DIMS = (16, 96, 100, 300)
BLOCK_WORDS = 10_000
PERCENTILE = 20
FLOATS_OF_A_LINE = 16
HORNER_STEPS = 16
PROTOCOL = (
    "One thread; skip-gram, window 5 (dynamic), 5 negatives shared by a window, subsample 1e-4. A pair of rows is 6 d"
    " operations (score and two updates); shortest time by arithmetic: operations / peak; by memory: 56 d bytes a "
    "word (rows read and written once, negatives shared) / speed of a plain loop over random rows."
)


def main() -> None:
    arguments = _parser().parse_args()
    peak = max(measured() for measured in (loop_gflops, product_gflops) for _ in range(9))
    say(f"peak {peak:.1f} Gflop/s")
    reading = max(sequential_gb_per_s() for _ in range(5))
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        dims = [_measure(dim, arguments, Path(folder), peak) for dim in arguments.dims]
    slope, fixed = np.polyfit([row["padded_dim"] for row in dims], [row["ns_per_word"] for row in dims], 1)
    write_result(
        "profile_kernel",
        arguments.results,
        protocol=PROTOCOL,
        peak_gflops=peak,
        sequential_read_gb_per_s=reading,
        dims=dims,
        fixed_ns_per_word=float(fixed),
        ns_per_word_and_dim=float(slope),
    )


def _measure(dim: int, arguments: argparse.Namespace, work: Path, peak: float) -> dict[str, Any]:
    """The kernel's speed at one dimension, against the limits."""
    engine, kept = _engine(dim, arguments.text, work)
    starts = range(0, min(len(kept) - BLOCK_WORDS, arguments.blocks * BLOCK_WORDS), BLOCK_WORDS)
    if not starts:
        raise SystemExit(f"{arguments.text.name} has {len(kept):,} words, expected more than {BLOCK_WORDS:,}")
    for start in starts:  # to have vectors that are not new
        engine.train_block(start, start + BLOCK_WORDS, epoch=0, learning_rate=0.05)
    nanoseconds: list[float] = []
    pairs_in_all, kept_in_all = 0, 0
    for start in starts:
        before = time.perf_counter_ns()
        _, pairs = engine.train_block(start, start + BLOCK_WORDS, epoch=0, learning_rate=0.025)
        duration = time.perf_counter_ns() - before
        words = int(kept[start : start + BLOCK_WORDS].sum())
        nanoseconds.append(duration / words)
        pairs_in_all, kept_in_all = pairs_in_all + pairs, kept_in_all + words
    time_ns = float(np.percentile(nanoseconds, PERCENTILE))
    operations = pairs_in_all / kept_in_all * (engine.method.num_negatives + 1) * 6 * dim
    padded = -(-dim // FLOATS_OF_A_LINE) * FLOATS_OF_A_LINE
    rows = random_rows_gb_per_s(len(engine.tables()["inputs"]) * 2, padded)
    shortest = {"arithmetic_ns": operations / peak, "memory_ns": 56 * dim / rows}
    limits = ", ".join(f"{name} {value:.0f}" for name, value in shortest.items())
    say(f"  d {dim}: {time_ns:.0f} ns; {limits}")
    return {
        "dim": dim,
        "padded_dim": padded,
        "ns_per_word": time_ns,
        "median_ns_per_word": float(np.median(nanoseconds)),
        "pairs_per_word": pairs_in_all / kept_in_all,
        "kept_share": kept_in_all / (len(starts) * BLOCK_WORDS),
        "operations_per_word": operations,
        "gflops": operations / time_ns,
        "share_of_peak": operations / time_ns / peak,
        "random_rows_gb_per_s": rows,
        **shortest,
    }


def _engine(dim: int, text: Path, work: Path) -> tuple[Any, np.ndarray]:
    """The engine with its tables filled, and which words subsampling keeps in epoch 0."""
    import corpora
    from textssl.objectives.base import Setting
    from textssl.objectives.skipgram import SkipGram, SkipGramConfig
    from textssl.randomness import Purpose, random_bits, stream_key

    setting = Setting(1, 1, "cpu", work, None)
    prepared = SkipGram().prepare(corpora.load(text), SkipGramConfig(dim=dim), setting)
    ids = np.asarray(prepared.store.ids)
    bits = random_bits(stream_key(1, Purpose.SUBSAMPLE, 0), np.arange(len(ids), dtype=np.uint64))
    return prepared.blocks(), (bits >> np.uint64(32)) < prepared.keep_threshold[ids]


def product_gflops() -> float:
    """What BLAS reaches on one core with a product of matrices, in 10**9 operations a second."""
    matrix = np.ones((1024, 1024), np.float32)
    start = time.perf_counter()
    matrix @ matrix
    return 2 * 1024**3 / (time.perf_counter() - start) / 1e9


def loop_gflops() -> float:
    """Multiply-adds of one core on numbers in its nearest cache, two operations each, in 10**9 a second."""
    values, factors = np.full(1024, 0.5, np.float32), np.full(HORNER_STEPS, 0.1, np.float32)
    rounds = 100_000
    _horner(values, factors, 1)
    start = time.perf_counter()
    _horner(values, factors, rounds)
    return 2 * HORNER_STEPS * len(values) * rounds / (time.perf_counter() - start) / 1e9


@njit(fastmath={"contract"}, cache=False)
def _horner(values: Floats, factors: Floats, rounds: int) -> None:
    """Two polynomials of every value, again and again: chains of multiply-adds, one load and store for 16 of them."""
    a, b, c, d = factors[0], factors[1], factors[2], factors[3]
    for _ in range(rounds):
        for place in range(values.shape[0]):
            x = values[place]
            y = (((((((a * x + b) * x + c) * x + d) * x + a) * x + b) * x + c) * x + d) * x + a
            z = (((((((d * x + c) * x + b) * x + a) * x + d) * x + c) * x + b) * x + a) * x + d
            values[place] = y + z


def sequential_gb_per_s() -> float:
    """How fast one core reads memory in order, in 10**9 bytes a second."""
    values = np.ones(1 << 26, np.float32)
    _total(values[:1024])
    start = time.perf_counter()
    _total(values)
    return values.nbytes / (time.perf_counter() - start) / 1e9


@njit(fastmath=True, cache=False)
def _total(values: Floats) -> np.float32:
    total = np.float32(0)
    for place in range(values.shape[0]):
        total += values[place]
    return total


def random_rows_gb_per_s(num_rows: int, dim: int) -> float:
    """How fast one core reads and writes rows of a table, drawn with the skew of a text (density 1 / rank)."""
    table = np.ones((num_rows, dim), np.float32)
    random = np.random.default_rng(1)
    rows = np.minimum(num_rows ** random.random(200_000), num_rows - 1).astype(np.int64)
    _touch(table, rows[:100])
    start = time.perf_counter()
    _touch(table, rows)
    return 2 * len(rows) * dim * 4 / (time.perf_counter() - start) / 1e9


@njit(fastmath=True, cache=False)
def _touch(table: Floats, rows: NDArray[np.int64]) -> None:
    for row in rows:
        for column in range(table.shape[1]):
            table[row, column] *= np.float32(0.999)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="lines of words, see benchmarks.prepare")
    parser.add_argument("--dims", type=int, nargs="+", default=DIMS)
    parser.add_argument("--blocks", type=int, default=200, help="of 10,000 words (200)")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
