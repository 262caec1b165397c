"""What must be reached with transformers; see `targets`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.few_labels_data import CONTESTANTS
from benchmarks.peers import OURS

Results = dict[str, Any]
KILLS = 200
MINUTES = 15
CLEAR = 1.0
"""Points of accuracy: about three standard errors of AG News' test."""


def _harm(results: Results) -> float | None:
    """What the kills broke; fewer than 200 are no measurement."""
    kills = results["transformer_kills"]
    harm: int = kills["different_weights"] + kills["unreadable_checkpoints"]
    return harm if kills["kills"] >= KILLS else None


def _tokens_per_s(*names: str) -> Callable[[Results], float | None]:
    """Of the fastest case, in thousands."""

    def fastest(results: Results) -> float | None:
        cases = results["gpu"]["cases"]
        found = [cases[name]["best"]["tokens_per_s"] / 1e3 for name in names if cases.get(name, {}).get("best")]
        return max(found, default=None)

    return fastest


def _speed(objective: str) -> Callable[[Results], float | None]:
    """Our tokens a second over those of the Trainer's better setting."""

    def ratio(results: Results) -> float | None:
        result = results[f"transformer_speed_{objective}"]
        return float(result["ratios"][result["best_peer"]]["median"]) if result["best_peer"] else None

    return ratio


def _minutes(objective: str, score: str) -> Callable[[Results], float | None]:
    """By how much our score lies below that of the Trainer; fewer minutes than 15 are no measurement."""

    def lead(results: Results) -> float | None:
        result = results[f"transformer_minutes_{objective}"]
        ours, theirs = (result["contestants"][name][score] for name in (OURS, "transformers"))
        return float(theirs - ours) if result["setting"]["minutes"] >= MINUTES else None

    return lead


def _gain(task: str, labels: int) -> Callable[[Results], float | None]:
    """Points of accuracy that the pre-trained network is above the untrained one."""

    def gain(results: Results) -> float | None:
        methods = results[f"few_labels_{task}_{labels}"]["methods"]
        ours, untrained = (methods[CONTESTANTS[name]]["mean"] for name in ("pretrained", "untrained"))
        return float(100 * (ours - untrained))

    return gain


def _at_least(least: float) -> Callable[[float], bool]:
    return lambda value: value >= least


NETWORK_TARGETS: tuple[tuple[str, str, str, Callable[[float], bool], Callable[[Results], float | None]], ...] = (
    ("masked_lm, tokens/s over those of the Trainer of transformers", "2.5, aim 3", "{:.2f}", _at_least(2.5),
     _speed("masked_lm")),
    ("next_token, tokens/s over those of the Trainer of transformers", "1.7, aim 2", "{:.2f}", _at_least(1.7),
     _speed("next_token")),
    ("masked_lm after 15 minutes, nats below the Trainer's loss", "above 0", "{:+.3f}", lambda value: value > 0,
     _minutes("masked_lm", "loss_nats")),
    ("next_token after 15 minutes, bits per byte below the Trainer's", "above 0", "{:+.3f}", lambda value: value > 0,
     _minutes("next_token", "bits_per_byte")),
    ("AG News, 200 labels, points that pre-training gives", f"{CLEAR:.0f}", "{:+.1f}", _at_least(CLEAR),
     _gain("agnews", 200)),
    ("AG News, 2,000 labels, points that pre-training gives", f"{CLEAR:.0f}", "{:+.1f}", _at_least(CLEAR),
     _gain("agnews", 2_000)),
    ("weights that differ, or checkpoints unreadable, after 200 SIGKILLs", "0", "{:.0f}",
     lambda value: value == 0, _harm),
    ("H200, encoder of 17 M, thousand tokens/s", "1,000", "{:,.0f}", _at_least(1_000),
     _tokens_per_s("encoder_17m", "encoder_17m_compiled")),
    ("H200, encoder of 150 M, thousand tokens/s", "300", "{:,.0f}", _at_least(300),
     _tokens_per_s("encoder_base", "encoder_base_compiled")),
    ("H200, decoder of 124 M, thousand tokens/s", "370, aim 475", "{:,.0f}", _at_least(370),
     _tokens_per_s("decoder_base", "decoder_base_compiled")),
)  # fmt: skip
