"""What training costs by the size of the text, a + b x MB from 1 MB to 1 GB, and what a second thread gives.

python -m benchmarks.scaling --text wiki8_lines.txt
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ONE_THREAD, RESULTS, in_turn, ratios, run_process, say, spread, write_result
from benchmarks.peers import SETTINGS, Job, textssl_command, training_speed
from benchmarks.prepare import write_size

SIZES_MB = (1, 3, 10, 30, 100, 300, 1000)
REPEATED_UP_TO_MB = 30
PROTOCOL = (
    "Skip-gram, 1 epoch, 2 threads, whole processes with an empty token store and warm kernels; the text is cut or "
    "repeated. a and b are fitted with the squares of relative errors. Threads: words/s in training, 1 and 2 threads "
    "in turn; beside it what two threads that only hash do more than one."
)


def main() -> None:
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        work = Path(folder)
        points = [point for size in arguments.megabytes for point in _points(arguments, work, size)]
        threads = _threads(arguments, work)
    start, slope, worst = fit([point["megabytes"] for point in points], [point["wall_s"] for point in points])
    write_result(
        "scaling",
        arguments.results,
        protocol=PROTOCOL,
        points=points,
        start_s=start,
        seconds_per_mb=slope,
        largest_relative_error=worst,
        threads=threads,
    )
    draw(points, start, slope, arguments.results / "scaling.png")


def fit(megabytes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float, float]:
    """a and b of seconds = a + b x MB, and the largest relative error.

    Every point weighs the same whatever its size: minimised is the sum of ((a + b x MB) / seconds - 1)**2.
    """
    sizes, times = np.asarray(megabytes, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    design = np.stack([1 / times, sizes / times], axis=1)
    (start, slope), *_ = np.linalg.lstsq(design, np.ones(len(times)), rcond=None)
    return float(start), float(slope), float(np.abs(design @ (start, slope) - 1).max())


def draw(points: Sequence[dict[str, Any]], start: float, slope: float, target: Path) -> None:
    """The points and the line, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = np.geomspace(min(point["megabytes"] for point in points), max(point["megabytes"] for point in points), 100)
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    axes.loglog(sizes, start + slope * sizes, color="0.6", label=f"{start:.2f} s + {slope * 1000:.1f} ms x MB")
    axes.loglog([point["megabytes"] for point in points], [point["wall_s"] for point in points], "o", label="measured")
    axes.set(xlabel="text, MB", ylabel="whole process, s", title="Skip-gram, 1 epoch")
    axes.grid(which="both", alpha=0.2)
    axes.legend()
    figure.savefig(target, dpi=150)
    pyplot.close(figure)
    say(f"written: {target}")


def _points(arguments: argparse.Namespace, work: Path, megabytes: float) -> list[dict[str, Any]]:
    """The runs of one size, the warm-up left out."""
    text = work / "text.txt"
    write_size(arguments.text, text, round(megabytes * 1e6))
    repeats = arguments.repeats if megabytes <= REPEATED_UP_TO_MB else 1
    _train(text, work, threads=2, options=("--max-steps", "1"))
    runs = in_turn({f"{megabytes:g} MB": partial(_round, text, work, 2)}, {f"{megabytes:g} MB": repeats})
    return [{"megabytes": text.stat().st_size / 1e6, **run} for run in runs[f"{megabytes:g} MB"]]


def _threads(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Words/s in training with 1 and 2 threads."""
    text = work / "text.txt"
    write_size(arguments.text, text, round(arguments.thread_megabytes * 1e6))
    runs = in_turn(
        {str(count): partial(_round, text, work, count) for count in (1, 2)},
        {"1": arguments.repeats, "2": arguments.repeats},
    )
    speeds = {count: [run["words_per_s"] for run in found] for count, found in runs.items()}
    if any(speed is None for found in speeds.values() for speed in found):
        raise SystemExit(
            f"{arguments.thread_megabytes:g} MB are too little to measure words/s: give more --thread-megabytes"
        )
    return {
        "runs": runs,
        "words_per_s": {count: spread(found) for count, found in speeds.items()},
        "speed_up": ratios(speeds["2"], speeds["1"]),
        "machine_speed_up": spread([machine_speed_up() for _ in range(arguments.repeats)]),
    }


def machine_speed_up(num_bytes: int = 1 << 29) -> float:
    """How much more two threads of this machine do than one where neither memory nor Python is in the way: hashing."""
    data = bytes(1 << 20)

    def work(_thread: int) -> None:
        digest = hashlib.sha256()
        for _ in range(num_bytes >> 20):
            digest.update(data)

    with ThreadPoolExecutor(2) as pool:
        times = {}
        for count in (1, 2):
            start = time.perf_counter()
            list(pool.map(work, range(count)))
            times[count] = time.perf_counter() - start
    return 2 * times[1] / times[2]


def _round(text: Path, work: Path, threads: int, _number: int) -> dict[str, Any]:
    return _train(text, work, threads=threads)


def _train(text: Path, work: Path, *, threads: int, options: Sequence[str] = ()) -> dict[str, Any]:
    job = Job(text, work / "run", 1, threads, 1)
    command = textssl_command(SETTINGS["skipgram"], job, cache=work / "store")
    finished = run_process([*command, *options], environment=ONE_THREAD)
    speed = training_speed(job.target / "metrics.jsonl")
    shutil.rmtree(work / "store")
    shutil.rmtree(job.target)
    return {"wall_s": finished.wall_s, "cpu_s": finished.cpu_s, "words_per_s": speed}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="lines of words, see benchmarks.prepare")
    parser.add_argument("--megabytes", type=float, nargs="+", default=SIZES_MB)
    parser.add_argument("--thread-megabytes", type=float, default=100, help="for 1 against 2 threads (100)")
    parser.add_argument("--repeats", type=int, default=3, help="of sizes up to 30 MB, and of the threads (3)")
    parser.add_argument("--work", type=Path, help="folder for temporary files, 2 GB")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
