"""The learning rate over a run, as a share of its highest value: warm-up, then linear, cosine, stable or constant.

    linear    1 - t                        t = part of the run after the warm-up that is over, 0 to 1
    cosine    (1 + cos(pi t)) / 2
    stable    1, and in the last part of the run 1 - sqrt(s)         s = part of that part that is over
    constant  1

Source: 1 - sqrt: Hägele et al., "Scaling laws and compute-optimal training beyond fixed training durations" (arXiv
2405.18392), section 3.
"""

from __future__ import annotations

import math

from textssl.objectives.base import Optimisation


def rate_factor(optimisation: Optimisation, before: float, after: float) -> float:
    """The share of the highest learning rate that one step gets.

    Args:
        optimisation: schedule, warmup, decay and final_fraction.
        before: part of the run that is over before the step, 0 or more.
        after: the same after the step; the warm-up looks at this one, so that no step is made with 0.

    Returns:
        From final_fraction (less in the warm-up) to 1.
    """
    warmup = optimisation.warmup
    if after < warmup:
        return after / warmup
    over = min(max(before - warmup, 0.0) / (1 - warmup), 1.0) if warmup < 1 else 1.0
    return max(_fallen(optimisation, over, before), optimisation.final_fraction)


def _fallen(optimisation: Optimisation, over: float, before: float) -> float:
    match optimisation.schedule:
        case "linear":
            return 1 - over
        case "cosine":
            low = optimisation.final_fraction
            return low + (1 - low) * (1 + math.cos(math.pi * over)) / 2
        case "stable":
            start = 1 - optimisation.decay
            return 1 - math.sqrt(min((before - start) / optimisation.decay, 1.0)) if before > start else 1.0
        case "constant":
            return 1.0
