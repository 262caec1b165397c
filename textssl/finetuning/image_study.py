"""Fine-tuning on images: the training and scoring of a seed, and what it is held against.

A pre-trained network learns from where the probe of its features stands, with the statistics of its norms as they are;
untrained it learns everything anew. Beside them: logistic regression on the raw pixels; the largest class.
Source: Kumar et al., "Fine-tuning can distort pretrained features and underperform out-of-distribution" (arXiv
2202.10054), section 3.4.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from textssl.evaluators.base_probe import Probe, chosen_probe, fitted_probe
from textssl.evaluators.classification import majority
from textssl.finetuning.image_classifier import (
    ImageClassifier,
    classifier_of_probe,
    logits_of,
    new_image_classifier,
    open_image_classifier,
    save_image_classifier,
)
from textssl.finetuning.image_objective import ImageTuning
from textssl.finetuning.labels import Labels, class_weights
from textssl.finetuning.metrics import decisions, scores_of
from textssl.finetuning.objective import mean_loss, probabilities
from textssl.finetuning.options import FinetuneOptions
from textssl.finetuning.seed_study import SeedResult, SeedStudy, Sets
from textssl.finetuning.study import optimisation_of
from textssl.image_features import ImageModel, features_of, pixel_vectors, untrained
from textssl.models.base_norm import freeze_statistics
from textssl.objectives.base import GradientParts
from textssl.objectives.base_image_objective import ImageOrder
from textssl.run_folder import RunFolder
from textssl.training.notes import TrainSummary, Watched
from textssl.training.progress import Progress
from textssl.vision.labelled import LabelledImages
from textssl.vision.view_plan import ViewSettings

PIXELS, MAJORITY = "raw pixels + logistic regression", "majority"
RATE_OF_UNTRAINED = 1e-3
LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 1000, 3, 100
"""Few images are repeated: an epoch of a small network costs little."""


class ImageStudy(SeedStudy[ImageModel, LabelledImages]):
    """Fine-tuning on images (see `SeedStudy`).

    Args:
        source: the pre-trained network.
        sets: the labelled images.
        options: how to train.
        make_progress: shows how the training of the untrained network goes.
        note: takes lines for people.

    Raises:
        UsageError: the limit of the training images is out of its range.
    """

    example, unit = "images", "images"

    def __init__(
        self,
        source: ImageModel,
        sets: Sets[LabelledImages],
        options: FinetuneOptions,
        *,
        make_progress: Callable[[], Progress],
        note: Callable[[str], None],
    ) -> None:
        labels = Labels("single_label", sets.train.names)
        targets = {name: each.targets for name, each in sets.named().items()}
        super().__init__(source, sets, labels, targets, options, make_progress=make_progress, note=note)

    @property
    def left_out(self) -> tuple[int, int]:
        """Images of an epoch that make no full batch, which the whole network learns from alone, and the batch."""
        size = self.options.train_limit or len(self.sets.train)
        batch = min(self.options.batch, size)
        return (size % batch if self.options.method == "full" else 0), batch

    def _name(self) -> str:
        return self.source.name

    def _fresh(self, seed: int) -> ImageModel:
        return untrained(self.source, seed=seed)

    def _simple(self, seed: int, scored_on: str) -> Iterator[tuple[str, Mapping[str, float]]]:
        train, scored = self.training_rows(seed), self.sets.named()[scored_on]
        probe, _ = self._probe(train, lambda images: pixel_vectors(images.images, images.places))
        by_pixels = probe.predict(pixel_vectors(scored.images, scored.places))
        yield PIXELS, scores_of("single_label", scored.targets, by_pixels)
        yield MAJORITY, scores_of("single_label", scored.targets, majority(train.targets, len(scored)))

    def _trained(self, source: ImageModel, seed: int, run: RunFolder, progress: Progress) -> SeedResult:
        train = self.training_rows(seed)
        status = run.status()
        if status["state"] == "finished":
            summary = TrainSummary.from_json(status["summary"])
        elif self.options.method == "full":
            summary = self._fit(source, seed, train, run, progress)
        else:
            summary = self._fit_probe(source, train, run)
        opened, sets = open_image_classifier(run.model), self.sets.named()
        decided: dict[str, NDArray[Any]] = {
            name: opened.probabilities(sets[name].images, sets[name].places, device=self.options.device).argmax(axis=1)
            for name in ("dev", "test")
            if name in sets
        }
        scores = {name: scores_of("single_label", self.targets[name], each) for name, each in decided.items()}
        return SeedResult(seed, run.path, len(train), summary, scores.get("dev"), scores.get("test"), decided)

    def _fit(
        self, source: ImageModel, seed: int, train: LabelledImages, run: RunFolder, progress: Progress
    ) -> TrainSummary:
        from textssl.training.compiling import told_when_compiling
        from textssl.training.gradient_task import GradientTask
        from textssl.training.trainer import Insight, Trainer

        options = self.options
        model = self._first_classifier(source, seed, train)
        objective = self._objective(source, seed, train)
        usual = options.chosen_learning_rate() if source is self.source else RATE_OF_UNTRAINED
        rate = dataclasses.replace(options, learning_rate=options.learning_rate or usual)
        parts = GradientParts(objective, model.to(options.device), optimisation_of(rate))
        task: GradientTask[Any, Any] = GradientTask(parts, device=options.device, seed=seed, note=progress.message)
        with told_when_compiling(progress.message, "train"):
            task.warm_up()
        trainer = Trainer(
            task,
            run,
            config=dataclasses.replace(
                options,
                evaluate_every=options.chosen_evaluations(objective.order.num_epochs, objective.num_steps),
                patience=options.patience if self.sets.dev is not None else None,
            ),
            evaluate=None if self.sets.dev is None else partial(self._dev_scores, source, model),
            progress=progress,
            export=partial(save_image_classifier, run.model, model, source, self.labels.names),
            watched=Watched("loss_nats"),  # of few images many evaluations have the same accuracy
            insight=Insight(task.utilisation, task.diagnosis),
        )
        try:
            return trainer.run()
        finally:
            task.close()

    def _first_classifier(self, source: ImageModel, seed: int, train: LabelledImages) -> ImageClassifier:
        """What training begins with: a pre-trained network with the probe of its features, an untrained one anew.

        A last layer of random numbers would first of all spoil what the network knows, and so does one that is too sure
        of itself: the probe has the usual penalty, not a chosen one. And statistics of small batches are worse than
        those of all images that the norms were trained on.
        """
        dropout, num_labels = self.options.dropout, len(self.labels.names)
        if source is not self.source:
            return new_image_classifier(source, num_labels, dropout=dropout, seed=seed)
        features = features_of(source, train.images, train.places, device=self.options.device)
        probe = fitted_probe(features, train.targets, num_labels, device=self.options.device)
        model = classifier_of_probe(source, probe, dropout=dropout)
        freeze_statistics(model.encoder)
        return model

    def _objective(self, source: ImageModel, seed: int, train: LabelledImages) -> ImageTuning:
        options, encoder = self.options, source.encoder.config
        _, batch = self.left_out
        steps = len(train) // batch
        epochs = options.epochs or min(max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / steps)), MOST_EPOCHS)
        weights = class_weights(self.labels, train.targets) if options.class_weights == "balanced" else None
        return ImageTuning(
            train,
            self.labels,
            encoder,
            ImageOrder(np.arange(len(train), dtype=np.int64), batch, epochs, seed),
            ViewSettings(size=encoder.image_size, crop_min=options.crop_min, flip=options.flip, jitter=0.0, gray=0.0),
            on_cpu=options.device.startswith("cpu"),
            class_weights=weights,
        )

    def _dev_scores(self, source: ImageModel, model: ImageClassifier) -> dict[str, float]:
        dev, device = self.sets.dev, self.options.device
        assert dev is not None
        now = dataclasses.replace(source, encoder=model.encoder)
        features_NF = features_of(now, dev.images, dev.places, device=device)
        found = probabilities(logits_of(model.classifier, features_NF), self.labels)
        scores = scores_of(self.labels.task, dev.targets, decisions(self.labels.task, found))
        return {**scores, "loss_nats": mean_loss(self.labels, found, dev.targets)}

    def _fit_probe(self, source: ImageModel, train: LabelledImages, run: RunFolder) -> TrainSummary:
        """Solve for the last layer on the features of the frozen network; there are no steps to go on from."""
        started, device = time.monotonic(), self.options.device
        probe, loss_nats = self._probe(train, lambda each: features_of(source, each.images, each.places, device=device))
        save_image_classifier(run.model, classifier_of_probe(source, probe), source, self.labels.names)
        scores = {} if probe.accuracy is None else {"accuracy": probe.accuracy}
        elapsed_s = time.monotonic() - started
        summary = TrainSummary(0, 0.0, "images", 0, elapsed_s, (), loss_nats, "epochs", scores)
        run.set_status("finished", summary=asdict(summary))
        return summary

    def _probe(
        self, train: LabelledImages, vectors: Callable[[LabelledImages], NDArray[np.float32]]
    ) -> tuple[Probe, float]:
        """A probe of vectors, its penalty chosen on the dev set where there is one; its mean loss in training."""
        dev, device = self.sets.dev, self.options.device
        features, num_labels = vectors(train), len(self.labels.names)
        if dev is None:
            probe = fitted_probe(features, train.targets, num_labels, device=device)
        else:
            validation = (vectors(dev), dev.targets)
            probe = chosen_probe(features, train.targets, num_labels, validation=validation, device=device)
        found = probabilities(torch.from_numpy(probe.scores(features)), self.labels)
        return probe, mean_loss(self.labels, found, train.targets)
