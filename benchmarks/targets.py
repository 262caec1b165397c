"""What must be reached, and whether the results say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers import OURS
from benchmarks.targets_networks import NETWORK_TARGETS
from benchmarks.targets_vision import VISION_TARGETS

Results = dict[str, Any]
KILLS = 60


def targets(results: Results) -> list[list[str]]:
    """Rows: what, what must be reached, what was measured, and yes or no; a result that is missing shows as such."""
    every = (*_ALL, *NETWORK_TARGETS, *VISION_TARGETS)
    return [[what, wanted, *_verdict(find, passes, form, results)] for what, wanted, form, passes, find in every]


def _verdict(
    find: Callable[[Results], float | None], passes: Callable[[float], bool], form: str, results: Results
) -> tuple[str, str]:
    try:
        value = find(results)
    except KeyError:  # a script that was not run, or a peer that was not given
        value = None
    return ("not measured", "") if value is None else (form.format(value), "yes" if passes(value) else "no")


def _ratio(setting: str, peer: str) -> Callable[[Results], float | None]:
    return lambda results: results[f"word_vectors_speed_{setting}"]["ratios"][peer]["median"]


def _lead(setting: str) -> Callable[[Results], float | None]:
    """Points by which our mean analogy score is above the best peer's."""

    def lead(results: Results) -> float | None:
        summary = results[f"word_vectors_quality_{setting}"]["summary"]
        means = {name: numbers["restricted_total"]["mean"] * 100 for name, numbers in summary.items()}
        peers = [mean for name, mean in means.items() if not name.startswith(OURS)]
        return means[OURS] - max(peers) if peers else None

    return lead


def _gain(results: Results) -> float | None:
    means = [
        float(results[f"word_vectors_quality_{setting}"]["summary"][OURS]["restricted_total"]["mean"]) * 100
        for setting in ("subwords", "skipgram")
    ]
    return means[0] - means[1]


def _slowest_store(results: Results) -> float | None:
    return min(float(size["mb_per_s"]["median"]) for size in results["text_to_ids"]["sizes"])


def _memory(results: Results) -> float | None:
    """The largest share of the allowed anonymous memory that was used."""
    sizes = results["text_to_ids"]["sizes"]
    return max(float(size["peak_mb"][kind] / size["allowed_mb"][kind]) for size in sizes for kind in size["peak_mb"])


def _analogies(protocol: str) -> Callable[[Results], float | None]:
    return lambda results: results["queries"]["analogies"][protocol]["seconds"]["textssl"]["median"]


def _command(*names: str) -> Callable[[Results], float | None]:
    return lambda results: max(results["queries"]["commands"][name]["median"] for name in names)


def _harm(results: Results) -> float | None:
    """What the kills broke; fewer than 60 are no measurement."""
    kills = results["kills"]
    harm: int = kills["different_vectors"] + kills["unreadable_checkpoints"]
    return harm if kills["kills"] >= KILLS else None


def _at_least(least: float) -> Callable[[float], bool]:
    return lambda value: value >= least


def _at_most(most: float) -> Callable[[float], bool]:
    return lambda value: value <= most


_ALL: tuple[tuple[str, str, str, Callable[[float], bool], Callable[[Results], float | None]], ...] = (
    ("skip-gram, gensim's time over ours", "8, aim 10", "{:.1f}", _at_least(8), _ratio("skipgram", "gensim")),
    ("CBOW, gensim's time over ours", "4, aim 8", "{:.1f}", _at_least(4), _ratio("cbow", "gensim")),
    ("CBOW, word2vec.c's time over ours", "4, aim 8", "{:.1f}", _at_least(4), _ratio("cbow", "word2vec.c")),
    ("skip-gram with n-grams, fastText's time over ours", "3", "{:.1f}", _at_least(3), _ratio("subwords", "fastText")),
    ("skip-gram, analogies, points above the best peer", "0", "{:+.1f}", _at_least(0), _lead("skipgram")),
    ("CBOW, analogies, points above the best peer", "0", "{:+.1f}", _at_least(0), _lead("cbow")),
    ("n-grams, analogies, points above plain skip-gram", "15 (fastText, text8)", "{:+.1f}", _at_least(15), _gain),
    ("text to ids, MB/s, the slowest size", "80", "{:.0f}", _at_least(80), _slowest_store),
    ("anonymous memory, share of tables + vocabulary + 400 MB", "100 %", "{:.0%}", _at_most(1), _memory),
    ("analogies by the 30,000-word protocol, s", "0.7", "{:.2f}", _at_most(0.7), _analogies("restricted")),
    ("analogies over the full vocabulary, s", "1.5", "{:.2f}", _at_most(1.5), _analogies("full")),
    ("textssl --help, s", "0.45", "{:.2f}", _at_most(0.45), _command("textssl --help")),
    ("textssl query on 100,000 x 100, new process, s", "1", "{:.2f}", _at_most(1),
     _command("textssl query, neighbours", "textssl query, analogy")),
    ("2 threads over 1, words/s in training", "1.8", "{:.2f}", _at_least(1.8),
     lambda results: results["scaling"]["threads"]["speed_up"]["median"]),
    ("vectors that differ, or checkpoints unreadable, after 60 SIGKILLs", "0", "{:.0f}", _at_most(0), _harm),
)  # fmt: skip
