"""How good word vectors are: analogies by both protocols, WordSim-353, SimLex-999; one evaluator for all files.

    python -m benchmarks.word_vectors_quality --label skipgram --train 3 --text wiki8_lines.txt --epochs 5
        --vectors gensim=gensim.bin word2vec.c=w2v.bin

A name given several times is several seeds of the same. --data is the folder with analogy/ and similarity/
(TEXTSSL_DATA).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, RESULTS, run_process, say, spread, write_result
from benchmarks.peers import OURS, SETTINGS, Job, textssl_command, training_speed

QUESTIONS = "analogy/questions-words.txt"
PAIRS = {"WordSim-353": "similarity/EN-WS-353-ALL.txt", "SimLex-999": "similarity/EN-SIMLEX-999.txt"}
PROTOCOL = (
    "Google analogies, 3CosAdd: 'restricted' looks among the 30,000 most frequent words, 'full' among all; questions "
    "with words not looked at are left out. Similarities: Spearman's rank correlation. textssl: mean over seeds."
)


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.data is None:
        raise SystemExit("give --data, or set TEXTSSL_DATA: a folder with analogy/ and similarity/")
    if arguments.train and arguments.text is None:
        raise SystemExit("--train needs --text")
    rows = [{"name": name, **scores(path, arguments.data)} for name, path in named_paths(arguments.vectors)]
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        rows += [_trained(arguments, seed, Path(folder)) for seed in range(1, arguments.train + 1)]
    if not rows:
        raise SystemExit("nothing to measure: give --vectors NAME=PATH or --train SEEDS")
    write_result(
        f"word_vectors_quality_{arguments.label or arguments.setting}",
        arguments.results,
        protocol=PROTOCOL,
        setting={"name": arguments.setting, **asdict(SETTINGS[arguments.setting]), "epochs": arguments.epochs},
        rows=rows,
        summary=summaries(rows),
    )


def scores(vectors: Path, data: Path) -> dict[str, Any]:
    """All scores of a vector file or folder, as ratios."""
    from textssl.embeddings import Embeddings
    from textssl.evaluators.analogy import Analogy
    from textssl.evaluators.similarity import Similarity

    embeddings = Embeddings.load(vectors)
    found: dict[str, Any] = {"words": len(embeddings)}
    for protocol in ("restricted", "full"):
        result = Analogy().evaluate(embeddings, data / QUESTIONS, protocol=protocol)
        for kind, name in (
            ("semantic", "semantic"),
            ("syntactic", "syntactic"),
            ("accuracy", "total"),
            ("asked", "asked"),
        ):
            found[f"{protocol}_{name}"] = result.metrics[kind]
    for name, file in PAIRS.items():
        found[name] = Similarity().evaluate(embeddings, data / file).metrics["spearman"]
    say(f"  {vectors.name}: {found['restricted_total']:.1%} restricted, {found['full_total']:.1%} full")
    return found


def summaries(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each name the spread of every number over its rows."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    grouped = {name: [row for row in rows if row["name"] == name] for name in names}
    return {
        name: {
            key: spread([row[key] for row in members]) for key in members[0] if isinstance(members[0][key], int | float)
        }
        for name, members in grouped.items()
    }


def named_paths(given: Sequence[str]) -> list[tuple[str, Path]]:
    """NAME=PATH, parted."""
    pairs = [item.partition("=") for item in given]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise SystemExit(f"expected NAME=PATH, got {name}{equals}{path}")
    return [(name, Path(path)) for name, _, path in pairs]


def _trained(arguments: argparse.Namespace, seed: int, work: Path) -> dict[str, Any]:
    """Train textssl with a seed, as a whole process with an empty token store, and score it."""
    job = Job(arguments.text, work / f"run-{seed}", arguments.epochs, arguments.threads, seed)
    start = time.strftime("%H:%M:%S")
    command = textssl_command(SETTINGS[arguments.setting], job, cache=work / f"store-{seed}")
    finished = run_process([*command, *arguments.options.split()], environment=ONE_THREAD)
    say(f"  trained with seed {seed} from {start} on, {finished.wall_s:.1f} s")
    speed = training_speed(job.target / "metrics.jsonl")
    times = {"seed": seed, "wall_s": finished.wall_s, **({} if speed is None else {"words_per_s": speed})}
    return {"name": arguments.name, **scores(job.target, arguments.data), **times}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--vectors", nargs="*", default=[], metavar="NAME=PATH", help="run folders, vector folders or files"
    )
    parser.add_argument("--train", type=int, default=0, metavar="SEEDS", help="train textssl with seeds 1 to SEEDS (0)")
    parser.add_argument("--text", type=Path, help="to train on: lines of 1,000 words, see benchmarks.prepare")
    parser.add_argument("--setting", choices=SETTINGS, default="skipgram")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--options", default="", help='further options of textssl train, for instance "--window-width fixed"'
    )
    parser.add_argument("--name", default=OURS, help="what the trained vectors are called in the table")
    parser.add_argument("--label", help="of the result file; the setting's name")
    parser.add_argument("--data", type=Path, default=os.environ.get("TEXTSSL_DATA"))
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
