"""Self-distillation: the student's views predict what a slower teacher makes of other views; DINO.

    loss = cross-entropy(softmax((t_i - centre) / teacher_temperature), softmax(s_v / student_temperature)), v != i

Shapes: N samples, K outputs.
Source: Caron et al., DINO (arXiv 2104.14294), equations 1 to 4 and algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from textssl.losses.base_gather import mean_over_ranks
from textssl.losses.base_swapped import check_temperature, swapped_prediction
from textssl.losses.core import LossTensor


def self_distillation(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    centre: Tensor,
    *,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> LossTensor:
    """The summed loss of every pair of a teacher's view and another view of the student.

    Args:
        student: for each view (N, K) floating, the student's outputs.
        teacher: for each of the first views (N, K), the teacher's; no gradient.
        centre: (K,), subtracted from the teacher's outputs; see `moved_centre`.
        student_temperature, teacher_temperature: above 0; the teacher's is the lower one.

    Returns:
        The total in nats, and the number of pairs, N * teacher's views * (views - 1). The mean is ln K where the
        teacher's outputs are all alike.

    Raises:
        UsageError: a temperature is not above 0, or there are fewer than two views.
    """
    check_temperature("teacher_temperature", teacher_temperature)
    codes = [softened(part, centre, temperature=teacher_temperature) for part in teacher]
    check_temperature("student_temperature", student_temperature)
    return swapped_prediction(student, codes, temperature=student_temperature)


@torch.no_grad()  # type: ignore[untyped-decorator]
def softened(outputs: Tensor, centre: Tensor, *, temperature: float) -> Tensor:
    """The teacher's target, softmax((outputs - centre) / temperature), (N, K) float32 at least.

    Outputs and centre are taken relative to the likeliest one's before they meet, so that what the temperature divides
    is rounded little where the target is large.
    """
    wide = torch.promote_types(outputs.dtype, torch.float32)
    outputs_NK, centre_K = outputs.to(wide), centre.to(wide)
    likeliest_N1 = (outputs_NK - centre_K).argmax(1, keepdim=True)
    below_NK = (outputs_NK - outputs_NK.gather(1, likeliest_N1)) - (centre_K - centre_K[likeliest_N1])
    return torch.softmax(below_NK / temperature, 1)


@torch.no_grad()  # type: ignore[untyped-decorator]
def moved_centre(centre: Tensor, teacher: Sequence[Tensor], *, momentum: float = 0.9) -> Tensor:
    """The centre after a step: the mean of the teacher's outputs over views, samples and processes, slowly followed.

    Args:
        centre: (K,), that of the step.
        teacher: as of `self_distillation`.
        momentum: share of the old centre, 0 to 1.

    Returns:
        (K,); to be kept once the step was applied.
    """
    outputs_NK = torch.cat(list(teacher)).to(centre.dtype)
    return centre * momentum + mean_over_ranks(outputs_NK) * (1 - momentum)
