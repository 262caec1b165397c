"""What must be reached with transformers; see `targets`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Results = dict[str, Any]
KILLS = 200


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


def _at_least(least: float) -> Callable[[float], bool]:
    return lambda value: value >= least


NETWORK_TARGETS: tuple[tuple[str, str, str, Callable[[float], bool], Callable[[Results], float | None]], ...] = (
    ("masked_lm, tokens/s over those of the Trainer of transformers", "2.5, aim 3", "{:.2f}", _at_least(2.5),
     _speed("masked_lm")),
    ("next_token, tokens/s over those of the Trainer of transformers", "1.7, aim 2", "{:.2f}", _at_least(1.7),
     _speed("next_token")),
    ("weights that differ, or checkpoints unreadable, after 200 SIGKILLs", "0", "{:.0f}",
     lambda value: value == 0, _harm),
    ("H200, encoder of 17 M, thousand tokens/s", "1,000", "{:,.0f}", _at_least(1_000),
     _tokens_per_s("encoder_17m", "encoder_17m_compiled")),
    ("H200, encoder of 150 M, thousand tokens/s", "300", "{:,.0f}", _at_least(300),
     _tokens_per_s("encoder_base", "encoder_base_compiled")),
    ("H200, decoder of 124 M, thousand tokens/s", "370, aim 475", "{:,.0f}", _at_least(370),
     _tokens_per_s("decoder_base", "decoder_base_compiled")),
)  # fmt: skip
