"""MoCo: tell the other view of an image from other images, as a slowly following copy of the network sees them.

    queue   loss_i = ce(q . [k_i | keys of earlier batches] / temperature)                          v1, v2
    batch   loss_i = 2 temperature (ce(q1 . k2 / temperature) + ce(q2 . k1 / temperature))          v3, q by a predictor
    copy = m copy + (1 - m) network        m constant, or 1 - (1 - m) (1 + cos(pi t / T)) / 2 at step t

So that keys do not betray their batch mates, the norms of v1 and v2 look at groups of the batch (of all processes),
those of keys at other groups than those of queries; v3 norms over all. The copy follows after the update of a step,
which is the start of the next one in the references, and keys join the queue last.
Source: He et al. (arXiv 1911.05722), algorithm 1 and section 3.3; v2: Chen et al. (arXiv 2003.04297); v3: Chen, Xie, He
(arXiv 2104.02057), algorithm 1; groups on one device and the preset cifar10: the authors' CIFAR notebook.
Legend: B images, F features, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from textssl.config import option
from textssl.errors import UsageError
from textssl.objectives.base import Setting
from textssl.objectives.base_images import ImageRun, prepare_images
from textssl.objectives.base_teacher import (
    FORWARD_ONLY,
    average_statistics,
    follow,
    keys_of_all,
    own_groups,
    with_teacher,
)
from textssl.objectives.base_views import ViewBatch, ViewConfig, ViewObjective
from textssl.vision.gauges import Remedies
from textssl.vision.images import ImageSource

if TYPE_CHECKING:
    from torch import nn

    from textssl.losses.core import LossTensor
    from textssl.models.base_images import ImageEncoder
    from textssl.models.base_method import MethodModel

USUAL_QUEUE = 4096


@dataclass(frozen=True)
class MoCoConfig(ViewConfig):
    """Options of moco."""

    keys: Literal["queue", "batch"] = option(
        "queue", "What is compared: keys of earlier batches (v1, v2), or those of the own one, both ways (v3)."
    )
    queue: int | None = option(None, "Keys that are kept; by default 4,096, at most half the images.", minimum=1)
    temperature: float = option(0.2, "What cosines are divided by; lower ones look at the nearest images.", above=0)
    momentum: float = option(0.99, "What the copy keeps of itself at each step.", minimum=0, maximum=1)
    momentum_schedule: Literal["constant", "cosine"] = option("constant", "Of the momentum; cosine rises to 1.")
    projector_width: int = option(128, "Numbers of the vectors that are compared.", minimum=1)
    hidden_width: int | None = option(
        None, "Hidden layer of projector and predictor; by default as wide as their input, 0: none (v1).", minimum=0
    )
    norm_groups: int = option(8, "Groups of a batch that have norms of their own, with a queue.", minimum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keys == "queue" and self.batch_images % self.norm_groups:
            raise UsageError(
                f"batch_images must be a multiple of norm_groups, got {self.batch_images} and {self.norm_groups}",
                hint=f"Give --batch-images {-(-self.batch_images // self.norm_groups) * self.norm_groups}.",
            )
        if self.queue is not None and self.queue < self.batch_images:
            raise UsageError(
                f"queue must be at least batch_images, got {self.queue} and {self.batch_images}",
                hint="Give a longer --queue.",
            )


class MoCo:
    """An encoder learns to recognise an image among the keys of others, which a slowly following copy makes.

    The presets v1, v2 and v3 set what the method is (head, temperature, keys); views, queue, momentum and training stay
    those for small sets of small images. cifar10 is the whole recipe of the authors' notebook.
    """

    Config = MoCoConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "v1": {"hidden_width": 0, "temperature": 0.07},
        "v2": {},
        "v3": {"keys": "batch", "momentum_schedule": "cosine"},
        "cifar10": {
            "encoder": "resnet", "depth": 18, "stem": "cifar", "batch_images": 512, "epochs": 200, "queue": 4096,
            "hidden_width": 0, "temperature": 0.1, "optimizer": "sgd", "learning_rate": 0.06, "weight_decay": 5e-4,
            "warmup": 0.0,
        },
    }  # fmt: skip

    def prepare(self, source: ImageSource, config: MoCoConfig, setting: Setting) -> ImageRun:
        """Take the images and make everything ready."""
        return prepare_images(source, config, setting, _AmongQueue if config.keys == "queue" else _AmongBatch)


class _Contrast(ViewObjective[MoCoConfig]):
    across_ranks = True
    remedies = Remedies(collapse="Raise --momentum or lower --learning-rate; see that views differ (--crop-min).")

    def widths(self, first: int, *, hidden_layers: int = 1) -> tuple[int, ...]:
        """Of projector or predictor."""
        asked = self.config.hidden_width
        hidden = () if asked == 0 else (asked or first,) * hidden_layers
        return (first, *hidden, self.config.projector_width)

    def after_step(self, model: MethodModel, step: int, num_steps: int) -> None:
        """The copy follows the new parameters, by the momentum of the step that will use it."""
        from textssl.models.base_momentum import momentum_at

        start = self.config.momentum
        rising = self.config.momentum_schedule == "cosine"
        follow(model, momentum_at(step + 1, num_steps, start) if rising else start)


class _AmongQueue(_Contrast):
    """v1 and v2: one view asks; the other one and the queue answer."""

    @property
    def views_per_image(self) -> float:
        """The second view has no gradient."""
        return super().views_per_image * (1 + FORWARD_ONLY) / 2

    @property
    def queue_size(self) -> int:
        """At most half the images, so that few keys are earlier ones of the image itself."""
        usual = min(USUAL_QUEUE, len(self.order.numbers) // 2)
        return self.config.queue or max(self.config.batch_images, usual)

    def describe(self) -> list[str]:
        steps = -(-self.queue_size // self.config.batch_images)
        queue = f"a queue of {self.queue_size:,} keys, random at first: the loss may rise until step {steps:,}"
        return [*super().describe(), queue]

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_norm import split_batches
        from textssl.models.base_projection import Projector
        from textssl.models.base_queue import Queue

        split_batches(encoder, own_groups(self.config.norm_groups))
        parts = self.filled({"projector": Projector(self.widths(encoder.feature_width), norm="none")})
        queue = Queue(self.queue_size, self.config.projector_width, self.setting.seed)
        return with_teacher(encoder, parts) | {"queue": queue}

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        from textssl.losses.base_gather import first_row
        from textssl.losses.info_nce import queue_info_nce

        first, second = self.views(batch)
        queries_BD = model.projector(model.encoder(first))
        keys = keys_of_all(model, second, seed=self.setting.seed, step=batch.step)
        model.kept["keys"] = keys
        start = first_row(queries_BD)
        own_BD = keys[start : start + len(queries_BD)]
        return queue_info_nce(queries_BD, own_BD, model.queue.rows, temperature=self.config.temperature)

    def after_step(self, model: MethodModel, step: int, num_steps: int) -> None:
        """Copy, then queue."""
        super().after_step(model, step, num_steps)
        if self.config.norm_groups > 1:
            average_statistics(model)
        model.queue.push(model.kept.pop("keys"))


class _AmongBatch(_Contrast):
    """v3: both views ask, both answer, and the other images of the batch are the wrong answers.

    As in the authors' code, a vit has one more hidden layer in the projector and a norm behind the predictor.
    """

    @property
    def views_per_image(self) -> float:
        """The copy sees both views too, without a gradient."""
        return super().views_per_image * (1 + FORWARD_ONLY)

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from textssl.models.base_projection import Projector

        is_vit = self.encoder.kind == "vit"
        widths = self.widths(encoder.feature_width, hidden_layers=2 if is_vit else 1)
        projector = Projector(widths, last_norm="plain")
        predictor = Projector(
            self.widths(self.config.projector_width), last_norm="plain" if is_vit else "none", last_bias=False
        )
        return with_teacher(encoder, self.filled({"projector": projector, "predictor": predictor}))

    def loss(self, model: MethodModel, batch: ViewBatch) -> LossTensor:
        from textssl.losses.base_gather import first_row, gathered
        from textssl.losses.core import LossTensor
        from textssl.losses.info_nce import info_nce

        views, temperature = self.views(batch), self.config.temperature
        queries = [model.predictor(model.projector(model.encoder(view))) for view in views]
        keys = [gathered(model.teacher(view)) for view in views]
        start = first_row(queries[0])
        forth = info_nce(queries[0], keys[1], temperature=temperature, first_key=start)
        back = info_nce(queries[1], keys[0], temperature=temperature, first_key=start)
        return LossTensor(2 * temperature * (forth.total + back.total), forth.count)
