"""Who takes part: the same training as a command of textssl, gensim, word2vec.c and fastText.

Peers are given as options (--gensim-python, --word2vec-c, --fasttext); one that is not given is left out, saying so.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import Finished, say

GENSIM_SCRIPT = Path(__file__).with_name("gensim_peer.py")
OURS = "textssl"


@dataclass(frozen=True)
class Setting:
    """A training that all can do. The number of epochs and of threads come beside."""

    objective: str
    dim: int
    window: int
    negatives: int
    subsample: float = 1e-4
    noise_exponent: float = 0.75
    """As the setting's peers have it: word2vec.c and gensim 0.75, fastText 0.5."""
    learning_rate: float = 0.05
    min_count: int = 5
    min_n: int = 0
    max_n: int = 0
    buckets: int = 2_000_000
    negatives_shared: int = 1
    """An option that only textssl has: so many windows share their noise words."""


SETTINGS = {
    "skipgram": Setting("skipgram", 100, 5, 5),
    "cbow": Setting("cbow", 200, 8, 25, negatives_shared=8),
    "subwords": Setting("skipgram", 100, 5, 5, noise_exponent=0.5, min_n=3, max_n=6),
}
CAN_DO = {
    "skipgram": ("gensim", "word2vec.c", "fastText"),
    "cbow": ("gensim", "word2vec.c"),
    "subwords": ("fastText",),
}
"""Peers of a setting. fastText's CBOW draws its noise otherwise (by the square root of the count)."""


@dataclass(frozen=True)
class Job:
    """One training: where from, where to, how long."""

    text: Path
    target: Path
    epochs: int
    threads: int
    seed: int


def add_peer_options(parser: argparse.ArgumentParser) -> None:
    """--gensim-python, --word2vec-c, --fasttext."""
    parser.add_argument(
        "--gensim-python", type=Path, default=Path(sys.executable), help="the Python that has gensim (this)"
    )
    parser.add_argument("--word2vec-c", type=Path, help="the word2vec program, compiled with -O3 -march=native")
    parser.add_argument("--fasttext", type=Path, help="the fasttext program")


def programs(arguments: argparse.Namespace, wanted: tuple[str, ...]) -> dict[str, Path]:
    """The programs of the wanted peers that were given."""
    given = {"gensim": arguments.gensim_python, "word2vec.c": arguments.word2vec_c, "fastText": arguments.fasttext}
    if given["gensim"] == Path(sys.executable) and not _has_gensim():
        given["gensim"] = None
    for name in wanted:
        if given[name] is None:
            say(f"{name} is left out: it was not given (see --help)")
    return {name: given[name] for name in wanted if given[name] is not None}


def _has_gensim() -> bool:
    from importlib.util import find_spec

    return find_spec("gensim") is not None


def textssl_command(setting: Setting, job: Job, *, cache: Path) -> list[str]:
    """`textssl train` with every number of the setting given."""
    numbers = {name: value for name, value in asdict(setting).items() if name != "objective"}
    if setting.max_n == 0:
        numbers = {name: value for name, value in numbers.items() if name not in ("min_n", "max_n", "buckets")}
    options = {
        **numbers,
        "epochs": job.epochs,
        "threads": job.threads,
        "seed": job.seed,
        "out": job.target,
        "cache": cache,
    }
    flags = [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]
    return [sys.executable, "-m", "textssl", "train", setting.objective, str(job.text), *flags]


def peer_command(name: str, program: Path, setting: Setting, job: Job) -> list[str]:
    """The command of a peer."""
    makers = {"gensim": _gensim, "word2vec.c": _word2vec_c, "fastText": _fasttext}
    return makers[name](program, setting, job)


def vectors_file(name: str, target: Path) -> Path:
    """Where a contestant's vectors lie once it has been given a target."""
    return target.with_name(target.name + ".vec") if name == "fastText" else target


def _gensim(program: Path, setting: Setting, job: Job) -> list[str]:
    settings = {
        "corpus_file": str(job.text), "target": str(job.target), "sg": int(setting.objective == "skipgram"),
        "vector_size": setting.dim, "window": setting.window, "negative": setting.negatives, "epochs": job.epochs,
        "alpha": setting.learning_rate, "min_alpha": 1e-4, "sample": setting.subsample, "min_count": setting.min_count,
        "workers": job.threads, "seed": job.seed,
    }  # fmt: skip
    return [str(program), str(GENSIM_SCRIPT), "train", json.dumps(settings)]


def _word2vec_c(program: Path, setting: Setting, job: Job) -> list[str]:
    options = {
        "train": job.text, "output": job.target, "cbow": int(setting.objective == "cbow"), "size": setting.dim,
        "window": setting.window, "negative": setting.negatives, "hs": 0, "sample": setting.subsample,
        "threads": job.threads, "binary": 1, "iter": job.epochs, "alpha": setting.learning_rate,
        "min-count": setting.min_count,
    }  # fmt: skip
    return [str(program), *(word for name, value in options.items() for word in (f"-{name}", str(value)))]


def _fasttext(program: Path, setting: Setting, job: Job) -> list[str]:
    options = {
        "input": job.text, "output": job.target, "dim": setting.dim, "ws": setting.window, "neg": setting.negatives,
        "epoch": job.epochs, "t": setting.subsample, "lr": setting.learning_rate, "minCount": setting.min_count,
        "minn": setting.min_n, "maxn": setting.max_n, "bucket": setting.buckets, "thread": job.threads,
        "seed": job.seed,
    }  # fmt: skip
    return [
        str(program),
        setting.objective,
        *(word for name, value in options.items() for word in (f"-{name}", str(value))),
    ]


def words_per_s(name: str, job: Job, finished: Finished) -> float | None:
    """Words of the corpus (before subsampling) a second, in training alone; None where it is not told."""
    if name == OURS:
        return training_speed(job.target / "metrics.jsonl")
    if name == "gensim":
        return float(json.loads(finished.output.strip().splitlines()[-1])["words_per_s"])
    return peer_speed(finished.output, job.threads)


def training_speed(metrics: Path) -> float | None:
    """Words a second from the first to the last record of training, so without loading kernels; None for one step."""
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    steps = [record for record in records if record["kind"] == "train"]
    if len(steps) < 2:
        return None
    first, last = steps[0], steps[-1]
    return float((last["words"] - first["words"]) / (last["elapsed_s"] - first["elapsed_s"]))


def peer_speed(output: str, threads: int) -> float | None:
    """What word2vec.c ("Words/thread/sec: 68.39k") or fastText ("words/sec/thread: 51234") said last, times threads."""
    said = re.findall(r"[Ww]ords/(?:thread/sec|sec/thread): +([\d.]+)(k?)", output)
    if not said:
        return None
    number, thousands = said[-1]
    return float(number) * (1_000 if thousands else 1) * threads
