"""DINO: tell from one view of an image what a slower copy of the network, the teacher, says of another.

    loss = cross-entropy(softmax((t_i - centre) / teacher_temperature), softmax(s_v / temperature)), v != i

The centre is the running mean of the teacher's outputs: without it all images get one answer (the teacher's entropy
falls to 0); without the teacher's lower temperature all answers become alike (the loss stays at ln K, K outputs).
Source: Caron et al. 2021 (arXiv 2104.14294), equations 1 to 4, algorithm 1 and the authors' code: the last layer's rows
have unit length and are frozen in the first epoch. Differences: 65,536 outputs are for a million images, small sets and
batches need few; rows are normalised after every update, not in every pass (weight norm); weight decay and the
teacher's temperature do not rise; the projector has norms, there an option; the learner is saved, there the teacher,
which lags behind in short runs (k-NN 73.3 against 74.8 % after 57 steps on 5,000 images of Fashion-MNIST).
Legend: B images, D width, K outputs.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from textssl.config import option
from textssl.objectives.base import Setting
from textssl.objectives.base_crops import NUM_LARGE, CropConfig, CropObjective
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_views import ViewBatch
from textssl.vision.gauges import Remedies, prototype_use
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    import torch
    from torch import nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

MOST_ENTROPY = 0.98
"""Of the teacher's targets, as a share of ln K."""
FORWARD_ONLY = 1 / 3
"""A pass without a gradient, as a share of the operations of one with it."""
_AT = {"learner": "", "teacher": "teacher.model."}


@dataclass(frozen=True)
class DINOConfig(CropConfig):
    """Options of dino."""

    outputs: int = option(128, "Answers that are told apart; few for small sets and batches.", minimum=2)
    temperature: float = option(0.1, "What the learner's outputs are divided by.", above=0)
    teacher_temperature: float = option(0.04, "What the teacher's are divided by; lower ones are sharper.", above=0)
    centre_momentum: float = option(0.9, "Share of the old centre that stays in a step.", minimum=0, maximum=1)
    momentum: float = option(
        0.99, "Share of the teacher that stays in the first step; it rises to 1.", minimum=0, maximum=1
    )
    saved: Literal["learner", "teacher"] = option("learner", "The network of the model; teacher is for long runs.")
    freeze_epochs: float = option(1.0, "Epochs in which the last layer stays as it began.", minimum=0)
    projector_width: int = option(128, "Numbers of the vectors that the last layer reads.", minimum=1)
    hidden_width: int = option(512, "Width of the projector's two hidden layers.", minimum=1)
    clip_norm: float | None = option(3.0, "Gradients longer than this are cut to it.", above=0)


class DINO:
    """An encoder learns to answer for any part of an image as its own slower copy does for another part."""

    Config = DINOConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: DINOConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Distillation)


class _Distillation(CropObjective[DINOConfig]):
    """Batches of views and their loss; the centre is that of all processes."""

    across_ranks = True
    remedies = Remedies(
        collapse="Give a lower --learning-rate or fewer --outputs; see that views differ (--crop-min).",
        few_prototypes="Give fewer --outputs, a higher --teacher-temperature or a lower --centre-momentum.",
    )

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        import torch
        from torch import nn

        from textssl.models.base_momentum import MomentumCopy
        from textssl.models.base_projection import Projector, Prototypes

        config, width = self.config, self.config.projector_width
        widths = (encoder.feature_width, config.hidden_width, config.hidden_width, width)
        parts = self.filled(
            {
                "projector": Projector(widths, norm="affine", activation="gelu"),
                "prototypes": Prototypes(config.outputs, width),
            }
        )
        learner = nn.Sequential(OrderedDict(encoder=encoder, **parts))
        centre = nn.Module()
        centre.register_buffer("mean", torch.zeros(config.outputs))
        return parts | {"teacher": MomentumCopy(learner), "centre": centre}

    @property
    def encoder_at(self) -> str:  # type: ignore[override]  # a constant there
        """Where in the state the encoder stands that is saved."""
        return _AT[self.config.saved] + "encoder."

    @property
    def projector_at(self) -> str:  # type: ignore[override]  # a constant there
        """Where its projector stands."""
        return _AT[self.config.saved] + "projector."

    @property
    def views_per_image(self) -> float:
        """The teacher sees the large views too, without a gradient."""
        return super().views_per_image + NUM_LARGE * FORWARD_ONLY

    def describe(self) -> list[str]:
        """With the loss of a model that has learnt nothing."""
        num = self.config.outputs
        lines = super().describe()
        return [*lines, f"{num:,} outputs; a loss that stays at ln {num} = {math.log(num):.3f} has learnt nothing"]

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch

        from textssl.losses.self_distillation import self_distillation

        config, views = self.config, self.views(batch)
        learner = [model.prototypes(part_BD) for part_BD in self.projections(model, views)]
        outputs = model.teacher(torch.cat(views[:NUM_LARGE]))
        model.kept["teacher_outputs"] = outputs
        return self_distillation(
            learner,
            outputs.chunk(NUM_LARGE),
            model.centre.mean,
            student_temperature=config.temperature,
            teacher_temperature=config.teacher_temperature,
        )

    def before_update(self, model: MethodModel, step: int) -> None:
        """Drop the gradient of a last layer that is frozen."""
        if self.epoch(step) < self.config.freeze_epochs:
            model.prototypes.weight.grad = None

    def after_step(self, model: MethodModel, step: int, num_steps: int) -> None:
        """Bring the last layer's rows to unit length, move the centre, and let the teacher follow, whose rows too.

        A mean of unit rows is shorter than they are; the reference's layer has unit rows on both sides.
        """
        from textssl.losses.self_distillation import moved_centre
        from textssl.models.base_momentum import momentum_at

        config, mean = self.config, model.centre.mean
        model.prototypes.normalise()
        mean.copy_(moved_centre(mean, [model.kept.pop("teacher_outputs")], momentum=config.centre_momentum))
        model.teacher.update(_learner(model), momentum_at(step + 1, num_steps, config.momentum))
        model.teacher.model.prototypes.normalise()

    def gauges(self, model: MethodModel, device: torch.device) -> dict[str, float]:
        """With the mean entropy of the teacher's targets, over ln K, and how evenly it uses its outputs."""
        import torch

        from textssl.losses.self_distillation import softened

        teacher = model.teacher.model
        _, vectors_ND = self.encoded(teacher, self.gauge_numbers, device)
        like = next(teacher.prototypes.parameters())
        outputs_NK = teacher.prototypes(torch.from_numpy(vectors_ND).to(like)).float()
        targets_NK = softened(outputs_NK, model.centre.mean, temperature=self.config.teacher_temperature)
        entropy = torch.special.entr(targets_NK).sum(1).mean().item() / math.log(self.config.outputs)
        use = prototype_use(targets_NK.cpu().numpy())
        return super().gauges(model, device) | {"prototype_use": use, "teacher_entropy": entropy}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """And whether the teacher tells nothing apart."""
        lines, entropy = super().warnings(scores), scores.get("teacher_entropy", 0.0)
        if entropy > MOST_ENTROPY:
            lines.append(
                f"the teacher says nearly the same of all images: entropy {entropy:.1%} of ln K (healthy: far below). "
                "Give a lower --teacher-temperature."
            )
        return lines


def _learner(model: MethodModel) -> nn.Module:
    """What the teacher is a copy of."""
    from torch import nn

    return nn.Sequential(model.encoder, model.projector, model.prototypes)
