"""What a run says beside its progress line: of epochs and evaluations, no more lines than can be read."""

from __future__ import annotations

import math
from collections.abc import Mapping

MOST_EPOCH_LINES = 20


def epoch_line(number: int, mean: float) -> str:
    """An epoch that is over and its mean loss per term."""
    if math.isnan(mean):
        return f"epoch {number}: nothing to learn from"
    return f"epoch {number}: loss {mean:.4f}"


def evaluation_line(step: int, scores: Mapping[str, float], best_by: str | None) -> str:
    """An evaluation.

    Args:
        step: after how many steps.
        scores: by name.
        best_by: the score by which it is the best so far; None when it is not, or nobody looks.
    """
    listed = "  ".join(f"{name} {score:.4g}" for name, score in scores.items())
    return f"evaluation at step {step:,}: {listed}" + (f"  (best by {best_by})" if best_by else "")


def is_told(number: int, num_epochs: float) -> bool:
    """Whether an epoch has lines of its own: each of a few; the first, 20 or so more, and the last of many.

    Args:
        number: of the epoch, from 1.
        num_epochs: in all, with fraction.
    """
    every = math.ceil(math.ceil(num_epochs) / MOST_EPOCH_LINES)
    return number % every == 0 or number in (1, math.ceil(num_epochs))


def losses_text(losses: tuple[float, ...]) -> str:
    """The losses of the epochs, of many those that have lines of their own; nothing where no epoch is over.

    >>> losses_text((2.5, 1.25))
    '2.5000  1.2500'
    """
    shown = [loss for number, loss in enumerate(losses, start=1) if is_told(number, len(losses))]
    left_out = f"  ({len(shown)} of {len(losses)} epochs)" if len(shown) < len(losses) else ""
    return "  ".join(map(loss_text, shown)) + left_out


def loss_text(loss: float) -> str:
    """A mean loss, or a hyphen where there was nothing to take the mean of."""
    return "-" if math.isnan(loss) else f"{loss:.4f}"
