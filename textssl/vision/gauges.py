"""Gauges of collapse: whether the vectors of different images still differ, and in how many directions.

    spread   sqrt(D) x the deviation of unit vectors over the images, mean over dimensions   1 healthy, 0 collapsed
    cosine   mean over the pairs of different images                                         0 healthy, 1 collapsed
    rank     exp of the entropy of the singular values over their sum                       up to min(N, D), 1 collapsed
    use      exp of the entropy of the mean assignment to K prototypes, over K               1 healthy, 1 / K collapsed

Images whose vectors do not vary at all count as fully collapsed, be they zeros or no numbers. Legend: N images, D width
of a vector, K prototypes.
Source: deviation of unit vectors: Chen, He, SimSiam (arXiv 2011.10566), section 4.1; effective rank: Garrido et al.,
RankMe (arXiv 2210.02885), equation 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 0.2
"""A mean cosine of 0.96 gives about this. Healthy runs were above 0.5 from their second epoch on, and at 0.3 after 7
steps, when running means and variances have not caught up yet."""
LEAST_RANK_SHARE = 0.03
LEAST_RANK = 2.0
LEAST_USE = 0.1
_TINY = 1e-12


@dataclass(frozen=True)
class Remedies:
    """What to try when a gauge warns.

    Args:
        collapse: the vectors of all images come near to each other.
        few_directions: they differ in few directions only.
        few_prototypes: few prototypes are used.
    """

    collapse: str = "Lower --learning-rate, or widen the views: a smaller --crop-min, more --jitter."
    few_directions: str = "Train longer, with larger batches (--batch-images) or stronger views (--crop-min, --jitter)."
    few_prototypes: str = "Give fewer --prototypes, or freeze them for longer."


def spread_gauges(vectors_ND: NDArray[np.floating], *, of: str) -> dict[str, float]:
    """The three gauges of vectors.

    Args:
        vectors_ND: floating (N, D), N at least 2; they need no unit length.
        of: what they are, which begins the names: "vector" gives vector_spread, vector_cosine and vector_rank.
    """
    vectors = np.asarray(vectors_ND, dtype=np.float64)
    if not np.isfinite(vectors).all() or np.ptp(vectors, axis=0).max() <= 0:
        return {f"{of}_spread": 0.0, f"{of}_cosine": 1.0, f"{of}_rank": 1.0}
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _TINY)
    num = len(units)
    cosine = (np.square(units.sum(0)).sum() - np.square(units).sum()) / (num * (num - 1))
    spread = units.std(0).mean() * np.sqrt(units.shape[1])
    return {f"{of}_spread": float(spread), f"{of}_cosine": float(cosine), f"{of}_rank": effective_rank(vectors)}


def effective_rank(vectors_ND: NDArray[np.floating]) -> float:
    """RankMe: exp(-sum p log p) of the singular values p divided by their sum; 1 where all vectors are 0."""
    vectors = np.asarray(vectors_ND, dtype=np.float64)
    gram = vectors.T @ vectors if vectors.shape[0] > vectors.shape[1] else vectors @ vectors.T
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))
    return _perplexity(values) if values.sum() > 0 else 1.0


def prototype_use(assignments_NK: NDArray[np.floating]) -> float:
    """How evenly N images use K prototypes, 1 / K to 1.

    Args:
        assignments_NK: at least 0; the rows sum to 1 (probabilities, codes, or one-hot).
    """
    return _perplexity(np.asarray(assignments_NK, dtype=np.float64).sum(0)) / int(assignments_NK.shape[1])


def collapse_warnings(
    scores: Mapping[str, float], *, of: str, most_rank: int, remedies: Remedies | None = None
) -> list[str]:
    """What gauges say that somebody should know: value, healthy value and remedy, a line each.

    Args:
        scores: with those of `spread_gauges` of this name, and "prototype_use" if there are prototypes.
        of: as there.
        most_rank: min(N, D) of the vectors.
        remedies: of the method.
    """
    remedies = remedies or Remedies()
    lines = []
    spread, rank = scores.get(f"{of}_spread", 1.0), scores.get(f"{of}_rank", float(most_rank))
    least = max(LEAST_RANK, LEAST_RANK_SHARE * most_rank)
    if spread < LEAST_SPREAD:
        state = "have collapsed" if spread < LEAST_SPREAD / 10 else "come near to collapse"
        cosine = scores[f"{of}_cosine"]
        lines.append(
            f"the {of}s {state}: spread {spread:.3f} (healthy: near 1), mean cosine {cosine:.3f} (near 0). "
            f"{remedies.collapse}"
        )
    elif rank < least <= most_rank:
        lines.append(
            f"the {of}s differ in few directions: effective rank {rank:.1f} of {most_rank} (healthy: above "
            f"{least:.0f}). {remedies.few_directions}"
        )
    use = scores.get("prototype_use", 1.0)
    if use < LEAST_USE:
        lines.append(f"few prototypes are used: {use:.1%} of them (healthy: most of them). {remedies.few_prototypes}")
    return lines


def _perplexity(weights: NDArray[np.float64]) -> float:
    shares = weights[weights > 0] / weights.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
