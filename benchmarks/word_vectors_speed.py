"""How long from a text file to saved word vectors: textssl and its peers in turn, whole processes.

textssl starts with an empty token store in every round; its kernels are in Numba's cache, and the time with an empty
kernel cache stands beside. All files are in the system's file cache. 1 epoch each; --epochs N times the long runs,
once.

    python -m benchmarks.word_vectors_speed --text wiki8_lines.txt --setting cbow --gensim-python PY --word2vec-c W2V
    python -m benchmarks.word_vectors_speed --import-log gensim skipgram 5 300.4 2026-11-23 "other light work beside it"
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, RESULTS, in_turn, machine, ratios, run_process, say, spread, write_result
from benchmarks.peers import (  # fmt: skip
    CAN_DO,
    OURS,
    SETTINGS,
    Job,
    add_peer_options,
    peer_command,
    programs,
    textssl_command,
    vectors_file,
    words_per_s,
)

FAST_PEERS = ("gensim",)
PROTOCOL = (
    "Whole processes, text file to saved vectors, in turn; files in the system's cache; textssl with an empty token "
    "store in every round and its kernels in Numba's cache, 'cold' with neither. Words are those of the corpus that "
    "are in the vocabulary, before subsampling; words_per_s is training alone, as each tool says (word2vec.c, "
    "fastText: words per thread times threads)."
)


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.import_log:
        peer, setting, epochs, seconds, date, note = arguments.import_log
        keep_time(arguments.results, peer, setting, int(epochs), {"wall_s": float(seconds), "date": date, "note": note})
        return
    if arguments.text is None:
        raise SystemExit("give --text, a file with lines of 1,000 words (python -m benchmarks.prepare makes it)")
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        _measure(arguments, Path(folder))


def _measure(arguments: argparse.Namespace, work: Path) -> None:
    setting = SETTINGS[arguments.setting]
    peers = programs(arguments, CAN_DO[arguments.setting])
    names = [OURS, *peers]
    _warm_up(arguments, work)

    def contestant(name: str) -> Any:
        def run(number: int) -> dict[str, Any]:
            job = Job(
                arguments.text, work / f"{name}-{number}", arguments.epochs, arguments.threads, arguments.seed + number
            )
            if name == OURS:
                command = textssl_command(setting, job, cache=work / f"store-{number}")
            else:
                command = peer_command(name, peers[name], setting, job)
            finished = run_process(command, environment=ONE_THREAD)
            _keep(
                arguments.keep, vectors_file(name, job.target), f"{name}_{arguments.setting}_e{job.epochs}_s{job.seed}"
            )
            speed = words_per_s(name, job, finished)
            return {"wall_s": finished.wall_s, "cpu_s": finished.cpu_s, "words_per_s": speed, "seed": job.seed}

        return run

    repeats = {name: arguments.repeats if name in (OURS, *FAST_PEERS) else arguments.slow_repeats for name in names}
    runs = in_turn({name: contestant(name) for name in names}, repeats)
    if arguments.epochs > 1:
        for name in peers:
            for run in runs[name]:
                keep_time(
                    arguments.results,
                    name,
                    arguments.setting,
                    arguments.epochs,
                    {**run, "date": time.strftime("%Y-%m-%d")},
                )
    walls = {name: [run["wall_s"] for run in runs[name]] for name in names}
    write_result(
        f"word_vectors_speed_{arguments.setting}" + (f"_{arguments.epochs}_epochs" if arguments.epochs > 1 else ""),
        arguments.results,
        protocol=PROTOCOL,
        text={"bytes": arguments.text.stat().st_size},
        setting={
            "name": arguments.setting,
            **asdict(setting),
            "epochs": arguments.epochs,
            "threads": arguments.threads,
        },
        runs=runs,
        cold_s=_cold(arguments, work) if arguments.cold == "measure" else None,
        wall_s={name: spread(walls[name]) for name in names},
        words_per_s={name: _median([run["words_per_s"] for run in runs[name]]) for name in names},
        ratios={name: ratios(walls[name], walls[OURS]) for name in peers},
    )


def _warm_up(arguments: argparse.Namespace, work: Path) -> None:
    """One training step on the text: it fills the file cache and compiles what is not in Numba's cache yet."""
    job = Job(arguments.text, work / "warm-up", arguments.epochs, arguments.threads, arguments.seed)
    command = textssl_command(SETTINGS[arguments.setting], job, cache=work / "store-warm-up")
    say(f"warm-up: {run_process([*command, '--max-steps', '1'], environment=ONE_THREAD).wall_s:.1f} s")


def _cold(arguments: argparse.Namespace, work: Path) -> float:
    """The time with empty caches of kernels and token stores: the first training after an installation."""
    job = Job(arguments.text, work / "cold", arguments.epochs, arguments.threads, arguments.seed)
    command = textssl_command(SETTINGS[arguments.setting], job, cache=work / "store-cold")
    empty = {"TEXTSSL_CACHE": str(work / "kernels"), "NUMBA_CACHE_DIR": str(work / "kernels" / "numba")}
    return run_process(command, environment={**ONE_THREAD, **empty}).wall_s


def _keep(folder: Path | None, vectors: Path, name: str) -> None:
    """Move a contestant's vectors into the folder of those that are kept."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    if vectors.is_dir():
        shutil.copytree(vectors / "model", folder / name, dirs_exist_ok=True)
    else:
        shutil.copyfile(vectors, folder / (name + (vectors.suffix if vectors.suffix == ".vec" else ".bin")))


def keep_time(folder: Path, peer: str, setting: str, epochs: int, record: dict[str, Any]) -> None:
    """Add the time of a peer that takes minutes to results/peers.json, with its date and machine."""
    if setting not in SETTINGS or peer not in CAN_DO[setting]:
        raise SystemExit(f"no such peer and setting: {peer} {setting}; there are {CAN_DO}")
    target = folder / "peers.json"
    kept = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else []
    kept.append({"peer": peer, "setting": setting, "epochs": epochs, **record, "machine": machine()})
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    say(f"kept in {target.name}: {peer} {setting}, {epochs} epochs, {record['wall_s']:.1f} s")


def _median(values: list[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return statistics.median(told) if told else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="lines of 1,000 words, see benchmarks.prepare")
    parser.add_argument("--setting", choices=SETTINGS, default="skipgram")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="rounds of textssl and gensim (3)")
    parser.add_argument("--slow-repeats", type=int, default=1, help="rounds of the other peers (1)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each later one has the next")
    parser.add_argument(
        "--cold", choices=("measure", "skip"), default="measure", help="time with an empty kernel cache"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep everybody's vectors here")
    parser.add_argument("--work", type=Path, help="folder for temporary files, a few GB")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--import-log", nargs=6, metavar=("PEER", "SETTING", "EPOCHS", "SECONDS", "DATE", "NOTE"),
        help="only keep a time that was measured by hand",
    )  # fmt: skip
    add_peer_options(parser)
    return parser


if __name__ == "__main__":
    main()
