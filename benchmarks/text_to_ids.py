"""From text to word ids: MB/s of vocabulary and encoding, and the anonymous memory of that and of a whole training run.

    python -m benchmarks.text_to_ids --text wiki8_lines.txt --megabytes 100 1000

Anonymous memory (RssAnon of /proc/PID/status, looked at 50 times a second) must stay under tables + vocabulary + 400
MB, whatever the size of the corpus; what is mapped from files the system can drop.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, RESULTS, in_turn, run_process, spread, write_result
from benchmarks.peers import SETTINGS, Job, textssl_command
from benchmarks.prepare import write_size

ALLOWED_BEYOND_MB = 400
PROTOCOL = (
    "A new process with an empty token store and warm kernels. MB/s: bytes of text over the time of build_store, min "
    "count 5; process_s with the start of Python too. Peaks are of RssAnon; allowed: tables + vocabulary + 400 MB. MB"
    " are 10**6 bytes."
)


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.build_store:
        print(json.dumps(build(arguments.text, arguments.work, arguments.threads)))
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        work = Path(folder)
        sizes = []
        for megabytes in arguments.megabytes:
            text = work / "text.txt"
            write_size(arguments.text, text, round(megabytes * 1e6))
            sizes.append({"megabytes": text.stat().st_size / 1e6, **_measure(text, work, arguments)})
    write_result("text_to_ids", arguments.results, protocol=PROTOCOL, threads=arguments.threads, sizes=sizes)


def build(text: Path, cache: Path, threads: int) -> dict[str, Any]:
    """Make the token store, in this process: seconds, and the sizes of vocabulary and tables."""
    import corpora
    from textssl.text.tokens import StoreSettings, build_store

    start = time.perf_counter()
    store = build_store(corpora.load(text), StoreSettings(), cache=cache, threads=threads)
    seconds = time.perf_counter() - start
    vocabulary = (
        sum(array.nbytes for array in store.vocabulary.words.arrays().values()) + store.vocabulary.counts.nbytes
    )
    num_words, padded = len(store.vocabulary), -(-SETTINGS["skipgram"].dim // 16) * 16
    return {
        "build_s": seconds,
        "num_tokens": store.num_tokens,
        "num_words": num_words,
        "vocabulary_mb": vocabulary / 1e6,
        "tables_mb": 2 * num_words * padded * 4 / 1e6,
    }


def _measure(text: Path, work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Store and training of one text, in turn."""
    megabytes = text.stat().st_size / 1e6

    def store(_number: int) -> dict[str, Any]:
        cache = work / "store"
        script = [sys.executable, "-m", "benchmarks.text_to_ids", "--build-store"]
        options = ["--text", str(text), "--work", str(cache), "--threads", str(arguments.threads)]
        finished = run_process([*script, *options], watch_memory=True, environment=ONE_THREAD)
        shutil.rmtree(cache)
        said = json.loads(finished.output.strip().splitlines()[-1])
        speed = megabytes / said["build_s"]
        return {**said, "mb_per_s": speed, "process_s": finished.wall_s, "peak_mb": finished.peak_anonymous_mb}

    def training(_number: int) -> dict[str, Any]:
        job = Job(text, work / "run", 1, arguments.threads, 1)
        command = textssl_command(SETTINGS["skipgram"], job, cache=work / "store")
        finished = run_process(command, watch_memory=True, environment=ONE_THREAD)
        shutil.rmtree(work / "store")
        shutil.rmtree(job.target)
        return {"process_s": finished.wall_s, "peak_mb": finished.peak_anonymous_mb}

    store(-1)  # fills the file cache, and compiles what Numba's cache does not hold
    repeats = {"store": arguments.repeats, "training": arguments.training_repeats}
    runs = in_turn({"store": store, "training": training}, repeats)
    first = runs["store"][0]
    allowed = first["vocabulary_mb"] + ALLOWED_BEYOND_MB
    peaks = {name: max(run["peak_mb"] for run in found) for name, found in runs.items() if found}
    return {
        "mb_per_s": spread([run["mb_per_s"] for run in runs["store"]]),
        "peak_mb": peaks,
        "allowed_mb": {"store": allowed, "training": allowed + first["tables_mb"]},
        "runs": runs,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="lines of words, see benchmarks.prepare")
    parser.add_argument(
        "--megabytes", type=float, nargs="+", default=[100, 1000], help="sizes, the text repeated or cut"
    )
    parser.add_argument("--repeats", type=int, default=3, help="of the store (3)")
    parser.add_argument(
        "--training-repeats", type=int, default=1, help="of a whole training run of 1 epoch (1); 0 for none"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--build-store", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
