"""How a model is fine-tuned: what is learnt, how fast, how often, and the defaults that depend on the data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from textssl.config import Interval, option
from textssl.errors import UsageError
from textssl.training.budget import TrainerConfig

LEARNING_RATES = {"full": 3e-4, "probe": 1e-2}
LEAST_STEPS = {"full": 200, "probe": 1000}
"""Updates that a small data set is repeated for."""
LEAST_EPOCHS, MOST_EPOCHS = 3, 30
MOST_EVALUATIONS = 10
"""On the dev set, where nobody says how often: an evaluation of a large dev set costs more than a small epoch."""
WARMUP = 0.1
FOR_TEXTS = ("task", "layer_decay", "pooling", "length")
FOR_IMAGES = ("crop_min", "flip")
"""Options that say nothing of the others."""
CLIP_NORM = 1.0


@dataclass(frozen=True)
class FinetuneOptions(TrainerConfig):
    """Options of fine-tuning."""

    task: Literal["auto", "single_label", "multi_label", "regression"] = option(
        "auto", "What the labels are: a class, several classes, a number; auto looks at them."
    )
    method: Literal["full", "probe"] = option(
        "full", "Train the whole model, or the classifier alone on the frozen model."
    )
    epochs: int | None = option(
        None, "Times every text or image is seen; by default 3, more where there are few.", minimum=1
    )
    batch: int = option(32, "Texts or images in one update.", minimum=1)
    learning_rate: float | None = option(
        None, "The highest one; by default 3e-4, of a probe 1e-2, of an untrained network for images 1e-3.", above=0
    )
    layer_decay: float | None = option(
        None, "Learning rate of a layer relative to the one above; lower layers change less.", above=0, maximum=1
    )
    weight_decay: float = option(0.01, "Of matrices, per unit of learning rate.", minimum=0)
    dropout: float = option(0.1, "Share left out while training.", minimum=0, below=1)
    class_weights: Literal["none", "balanced"] = option(
        "none", "Balanced: every class counts the same, however rare it is."
    )
    pooling: Literal["auto", "mean", "cls"] = option(
        "auto", "How an encoder makes one vector of a text; auto takes what the model says."
    )
    length: int | None = option(None, "Most tokens of a text; by default the model's length.", minimum=3)
    crop_min: float = option(
        0.8, "Of images: smallest share that is cut out and enlarged while training; 1 for whole images.",
        above=0, maximum=1,
    )  # fmt: skip
    flip: float = option(0.0, "Of images: share mirrored while training; 0.5 where left and right are alike.",
                         minimum=0, maximum=1)  # fmt: skip
    dev_share: float = option(
        0.1, "Share kept back of what is learnt from, classes in proportion, where no dev set is given; 0 for none.",
        minimum=0, maximum=0.5,
    )  # fmt: skip
    train_limit: int | None = option(None, "Learn from so many rows only, drawn by the seed.", minimum=1)
    baselines: Literal["auto", "simple", "all"] = option(
        "auto",
        "Held against the model: all takes the same network untrained too, which is trained as long again; simple "
        "leaves it out. auto: all of images, simple of texts.",
    )
    seed: int = option(1, "Of every random number.", minimum=0)
    seeds: int = option(
        1, "Train so many times, with seeds from --seed on; scores get mean and spread. Budgets are of each.", minimum=1
    )
    patience: int | None = option(
        3,
        "Where there is a dev set: evaluations in a row without a better one to stop after, with the best state.",
        minimum=1,
    )
    evaluate_every: str = option(
        "auto", "When to look at the dev set: epoch, 500steps; auto: every epoch, of many epochs ten times in all."
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.")
    precision: Literal["auto", "float32", "bfloat16"] = option("auto", "Of products of matrices.")

    @property
    def evaluation_interval(self) -> Interval | None:
        """The distance between evaluations, or None where it is not given in steps or time."""
        return None if self.evaluate_every == "auto" else super().evaluation_interval

    def has_untrained(self, example: Literal["texts", "images"]) -> bool:
        """Whether the same network untrained is trained beside."""
        return self.baselines == "all" or (self.baselines == "auto" and example == "images")

    def chosen_evaluations(self, num_epochs: int, num_steps: int) -> str:
        """When to evaluate, as the trainer takes it."""
        if self.evaluate_every != "auto":
            return self.evaluate_every
        return "epoch" if num_epochs <= MOST_EVALUATIONS else f"{math.ceil(num_steps / MOST_EVALUATIONS)}steps"

    def that_matter(self, example: Literal["texts", "images"] = "texts") -> dict[str, Any]:
        """The options that decide what is learnt of texts or of images, for config.toml."""
        idle = FOR_IMAGES if example == "texts" else FOR_TEXTS
        return {name: value for name, value in asdict(self).items() if name not in _ONLY_HOW and name not in idle}

    def refuse_idle(self, example: Literal["texts", "images"]) -> None:
        """Refuse options that were given and would do nothing.

        Raises:
            UsageError: one of images was given for texts, or the other way about; or one of layers that do not learn.
        """
        if self.method == "probe" and self.layer_decay is not None:
            raise UsageError(
                "layer_decay does nothing with method probe: the layers below the last one do not learn",
                hint="Leave it out, or train the whole model.",
            )
        other = "images" if example == "texts" else "texts"
        for name in FOR_IMAGES if example == "texts" else FOR_TEXTS:
            if getattr(self, name) != getattr(FinetuneOptions, name):
                raise UsageError(
                    f"{name} is an option for {other}, and {example} are learnt from here", hint="Leave it out."
                )

    def chosen_learning_rate(self) -> float:
        """The highest learning rate."""
        return LEARNING_RATES[self.method] if self.learning_rate is None else self.learning_rate

    def chosen_epochs(self, num_texts: int) -> int:
        """How often every text is seen: 3 times, more where that makes few updates."""
        if self.epochs is not None:
            return self.epochs
        steps = math.ceil(num_texts / self.batch)
        return min(max(LEAST_EPOCHS, math.ceil(LEAST_STEPS[self.method] / steps)), MOST_EPOCHS)

    def seed_numbers(self) -> list[int]:
        """The seeds of the runs."""
        return list(range(self.seed, self.seed + self.seeds))


_ONLY_HOW = frozenset({"max_minutes", "max_steps", "checkpoint_every", "keep_checkpoints"})


def checked_length(given: int | None, model_length: int) -> int:
    """The most tokens of a text.

    Raises:
        UsageError: it is above what the model has positions for.
    """
    if given is not None and given > model_length:
        raise UsageError(
            f"length must be at most {model_length}, the model's, got {given}",
            hint="Leave --length out, or pre-train a model with a larger --length.",
        )
    return model_length if given is None else given
