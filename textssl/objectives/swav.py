"""SwAV: tell from one view of an image which prototypes another view was assigned to.

    loss = cross-entropy(codes_i, softmax(cos(z_v, c_k) / temperature)), v != i;   codes_i = Sinkhorn(cos(z_i, c_k))

Sinkhorn's codes use all prototypes equally, over the batch and a queue of earlier embeddings, so there can be no more
prototypes than samples. A loss that stays at ln K, K prototypes, has learnt nothing.
Source: Caron et al. 2020 (arXiv 2006.09882), equations 1 to 3; queue, freezing and small batches: appendix A and the
authors' code. Differences: their queue begins empty at some epoch, this one takes embeddings from the first step and is
full when it is wanted; this projector ends with a norm, without which short runs on few images learnt less (k-NN 74.2
against 75.7 % after 57 steps on 5,000 images of Fashion-MNIST).
Legend: B images, D width, K prototypes, M rows of a queue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textssl.config import option
from textssl.errors import UsageError
from textssl.objectives.base import Setting
from textssl.objectives.base_crops import NUM_LARGE, CropConfig, CropObjective
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_views import ViewBatch
from textssl.vision.gauges import Remedies, prototype_use
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

MOST_PROTOTYPES = 3000


@dataclass(frozen=True)
class SwAVConfig(CropConfig):
    """Options of swav."""

    prototypes: int | None = option(
        None, "Vectors that images are assigned to; by default half as many as images in a batch.", minimum=2
    )
    temperature: float = option(0.1, "What cosines are divided by in the prediction.", above=0)
    epsilon: float = option(0.05, "What cosines are divided by in the codes; 0.03 if the loss stays at ln K.", above=0)
    iterations: int = option(3, "Of Sinkhorn's algorithm; more of them use prototypes more evenly.", minimum=1)
    queue: int = option(0, "Earlier embeddings that are assigned with a batch; for batches below 256.", minimum=0)
    queue_epoch: float = option(2.0, "Epoch from which the queue is used, if it is full.", minimum=0)
    freeze_epochs: float = option(1.0, "Epochs in which the prototypes stay as they began.", minimum=0)
    projector_width: int = option(128, "Numbers of the vectors that are assigned.", minimum=1)
    hidden_width: int = option(512, "Width of the projector's hidden layer.", minimum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.queue < self.batch_images:
            raise UsageError(
                f"queue must be 0 or at least batch_images, {self.batch_images}, got {self.queue}",
                hint="Give a longer --queue, or a smaller --batch-images.",
            )
        most = self.batch_images + self.queue
        if self.num_prototypes > most:
            raise UsageError(
                f"prototypes must be at most {most}, the images of a batch and of the queue, got {self.num_prototypes}",
                hint=f"Give --prototypes {most}, or a longer --queue.",
            )

    @property
    def num_prototypes(self) -> int:
        """K."""
        return self.prototypes or max(2, min(MOST_PROTOTYPES, self.batch_images // 2))


class SwAV:
    """An encoder learns prototypes of images and to tell from any part of an image which of them it belongs to."""

    Config = SwAVConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: SwAVConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _Assignment)


class _Assignment(CropObjective[SwAVConfig]):
    """Batches of views and their loss; samples of all processes share the prototypes."""

    across_ranks = True
    remedies = Remedies(
        collapse="Give a smaller --epsilon, fewer --prototypes, or a smaller --learning-rate.",
        few_prototypes="Give fewer --prototypes, a smaller --epsilon, or longer --freeze-epochs.",
    )

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from torch import nn

        from textssl.models.base_projection import Projector, Prototypes
        from textssl.models.base_queue import Queue

        config, width = self.config, self.config.projector_width
        parts = {
            "projector": Projector((encoder.feature_width, config.hidden_width, width), last_norm="plain"),
            "prototypes": Prototypes(config.num_prototypes, width),
        }
        if config.queue:
            parts["queues"] = nn.ModuleList(Queue(config.queue, width, self.setting.seed) for _ in range(NUM_LARGE))
        return self.filled(parts)

    def describe(self) -> list[str]:
        """With the loss of a model that has learnt nothing."""
        num = self.config.num_prototypes
        lines = super().describe()
        return [*lines, f"{num:,} prototypes; a loss that stays at ln {num} = {math.log(num):.3f} has learnt nothing"]

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        import torch

        from textssl.losses.prototype_codes import prototype_codes

        config, vectors = self.config, self.projections(model, self.views(batch))
        model.kept["embeddings"] = torch.stack(vectors[:NUM_LARGE]).detach()
        return prototype_codes(
            [model.prototypes(part_BD) for part_BD in vectors],
            queued=self._queued(model, batch.step),
            temperature=config.temperature,
            epsilon=config.epsilon,
            iterations=config.iterations,
        )

    def _queued(self, model: MethodModel, step: int) -> list[Tensor]:
        """Scores of this process's share of the queued embeddings by the present prototypes, for each large view."""
        from textssl.losses.base_gather import own_share

        if not self.config.queue or self.epoch(step) < self.config.queue_epoch:
            return []
        if not all(queue.is_full for queue in model.queues):
            return []
        return [model.prototypes(own_share(queue.rows)).detach() for queue in model.queues]

    def before_update(self, model: MethodModel, step: int) -> None:
        """Drop the gradient of prototypes that are frozen."""
        if self.epoch(step) < self.config.freeze_epochs:
            model.prototypes.weight.grad = None

    def after_step(self, model: MethodModel, step: int, num_steps: int) -> None:
        """Bring the prototypes to unit length and put the step's embeddings, of all processes, into the queues."""
        from torch.nn import functional as F

        from textssl.losses.base_gather import gathered

        model.prototypes.normalise()
        embeddings_2BD = model.kept.pop("embeddings")
        if self.config.queue:
            for queue, part_BD in zip(model.queues, embeddings_2BD, strict=True):
                queue.push(gathered(F.normalize(part_BD, dim=1)))

    def gauges(self, model: MethodModel, device: torch.device) -> dict[str, float]:
        """And how evenly the gauged images use the prototypes."""
        import torch

        _, vectors_ND = self.encoded(model, self.gauge_numbers, device)
        scores_NK = model.prototypes(torch.from_numpy(vectors_ND).to(next(model.prototypes.parameters())))
        shares_NK = torch.softmax(scores_NK.float() / self.config.temperature, 1)
        return super().gauges(model, device) | {"prototype_use": prototype_use(shares_NK.cpu().numpy())}
