"""How long people wait: 19,544 analogies, `textssl --help`, `textssl query`, and files of millions of words.

    python -m benchmarks.queries --gensim-python PY [--vectors runs/wiki8] [--large-words 3000000]

Without --vectors the analogies are asked of random vectors that hold the questions' words among the first 30,000, so
that all questions are asked by both protocols, which takes longest. --data is the folder with analogy/
(TEXTSSL_DATA).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measure import ONE_THREAD, RESULTS, in_turn, ratios, run_process, say, spread, write_result
from benchmarks.peers import GENSIM_SCRIPT, add_peer_options, programs

if TYPE_CHECKING:
    from textssl.embeddings import Embeddings

QUESTIONS = "analogy/questions-words.txt"
PROTOCOLS = {"restricted": 30_000, "full": 300_000}
"""gensim's full vocabulary is a number above its size; 300,000 is its default."""
PROTOCOL = (
    "Analogies: vectors loaded, in turn with gensim's evaluate_word_analogies, 3CosAdd. Commands: new processes, "
    "files in the system's cache, after one that is not counted. Large file: word2vec binary made into a folder by "
    "textssl export."
)


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.data is None:
        raise SystemExit("give --data, or set TEXTSSL_DATA: a folder with analogy/")
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        work = Path(folder)
        content = {
            "analogies": _analogies(arguments, work),
            "commands": _commands(arguments, work),
            "large": _large(arguments, work) if arguments.large_words else None,
        }
    write_result("queries", arguments.results, protocol=PROTOCOL, **content)


def _analogies(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    from textssl.embeddings import Embeddings
    from textssl.evaluators.analogy import Analogy, read_questions

    questions = arguments.data / QUESTIONS
    if arguments.vectors:
        embeddings = Embeddings.load(arguments.vectors)
    else:
        known = {
            word.lower() for section in read_questions(questions) for question in section.questions for word in question
        }
        embeddings = made_up(arguments.words, arguments.dim, sorted(known))
    gensim = programs(arguments, ("gensim",)).get("gensim")
    if gensim:
        run_process([sys.executable, "-m", "textssl", "export", _saved(embeddings, work / "asked"), work / "asked.bin"])
    found: dict[str, Any] = {"words": len(embeddings), "dim": embeddings.vectors.shape[1], "threads": arguments.threads}
    for protocol, restrict in PROTOCOLS.items():

        def ours(_number: int, protocol: Any = protocol) -> dict[str, Any]:
            start = time.perf_counter()
            result = Analogy().evaluate(embeddings, questions, protocol=protocol, threads=arguments.threads)
            seconds = time.perf_counter() - start
            return {"s": seconds, "asked": result.metrics["asked"], "accuracy": result.metrics["accuracy"]}

        def theirs(_number: int, restrict: int = restrict) -> dict[str, Any]:
            command = [gensim, GENSIM_SCRIPT, "analogies", work / "asked.bin", questions, str(restrict), "1"]
            said = json.loads(run_process(command).output.strip().splitlines()[-1])
            return {"s": said["times_s"][0], "asked": said["asked"], "accuracy": said["accuracy"]}

        contestants = {"textssl": ours, **({"gensim": theirs} if gensim else {})}
        repeats = {"textssl": arguments.repeats, "gensim": arguments.gensim_repeats}
        runs = in_turn(contestants, {name: repeats[name] for name in contestants})
        times = {name: [run["s"] for run in results] for name, results in runs.items()}
        found[protocol] = {"seconds": {name: spread(values) for name, values in times.items()}, "runs": runs}
        if gensim:
            found[protocol]["ratio"] = ratios(times["gensim"], times["textssl"])
    return found


def made_up(num_words: int, dim: int, known: list[str]) -> Embeddings:
    """Random vectors; the known words lie at random places among the first 30,000."""
    from textssl.embeddings import Embeddings

    random = np.random.default_rng(1)
    words = [f"word{number}" for number in range(num_words)]
    places = random.choice(min(num_words, PROTOCOLS["restricted"]), size=min(len(known), num_words), replace=False)
    for place, word in zip(places, known, strict=False):
        words[place] = word
    return Embeddings(words, random.standard_normal((num_words, dim), dtype=np.float32))


def _saved(embeddings: Embeddings, folder: Path) -> Path:
    return embeddings.save(folder)


def _commands(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Whole processes: --help, and a query on 100,000 x 100."""
    folder = _saved(made_up(100_000, 100, ["paris", "france", "italy"]), work / "hundred-thousand")
    textssl = [sys.executable, "-m", "textssl"]
    commands: dict[str, list[str | Path]] = {
        "textssl --help": [*textssl, "--help"],
        "textssl query, neighbours": [*textssl, "query", folder, "paris"],
        "textssl query, analogy": [*textssl, "query", folder, "paris - france + italy"],
    }
    runs = in_turn(
        {name: partial(_wall_s, command) for name, command in commands.items()},
        dict.fromkeys(commands, arguments.command_repeats + 1),
    )
    return {name: spread(times[1:]) for name, times in runs.items()}


def _wall_s(command: Sequence[str | Path], _number: int) -> float:
    return run_process(command).wall_s


def _large(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """A word2vec binary file of millions of words: its conversion, and how soon the folder opens."""
    source, target = work / "large.bin", work / "large"
    _write_binary(source, arguments.large_words, arguments.large_dim)
    say(f"  made {source.stat().st_size / 1e9:.1f} GB")
    textssl = [sys.executable, "-m", "textssl"]
    converted = run_process([*textssl, "export", source, target], watch_memory=True, environment=ONE_THREAD)
    code = (
        "import time, sys; from textssl.embeddings import Embeddings; start = time.perf_counter(); "
        "vectors = Embeddings.load(sys.argv[1]); vectors['word17']; print(time.perf_counter() - start)"
    )
    opened = [float(run_process([sys.executable, "-c", code, target]).output) for _ in range(3)]
    query = run_process([*textssl, "query", target, "word17"], watch_memory=True)
    return {
        "words": arguments.large_words,
        "dim": arguments.large_dim,
        "source_gb": source.stat().st_size / 1e9,
        "convert_s": converted.wall_s,
        "convert_peak_mb": converted.peak_anonymous_mb,
        "open_s": spread(opened),
        "query_s": query.wall_s,
        "query_peak_mb": query.peak_anonymous_mb,
    }


def _write_binary(target: Path, num_words: int, dim: int) -> None:
    """A file in word2vec's binary format with random vectors, a piece at a time."""
    random = np.random.default_rng(1)
    with target.open("wb") as file:
        file.write(f"{num_words} {dim}\n".encode())
        for start in range(0, num_words, 10_000):
            rows = random.standard_normal((min(10_000, num_words - start), dim), dtype=np.float32)
            file.write(b"".join(b"word%d %b\n" % (start + at, row.tobytes()) for at, row in enumerate(rows)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--vectors", type=Path, help="run folder, vector folder or file for the analogies (random ones)"
    )
    parser.add_argument("--words", type=int, default=68_000, help="random vectors (68,000)")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="of the analogies (5)")
    parser.add_argument("--gensim-repeats", type=int, default=2)
    parser.add_argument("--command-repeats", type=int, default=7)
    parser.add_argument(
        "--large-words", type=int, default=0, help="also convert and open so many words, for instance 3000000"
    )
    parser.add_argument("--large-dim", type=int, default=300)
    parser.add_argument("--data", type=Path, default=os.environ.get("TEXTSSL_DATA"))
    parser.add_argument("--work", type=Path, help="folder for temporary files; 8 GB for 3,000,000 words")
    parser.add_argument("--results", type=Path, default=RESULTS)
    add_peer_options(parser)
    return parser


if __name__ == "__main__":
    main()
