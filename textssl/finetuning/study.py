"""What the seeds of a fine-tuning share, and the training and scoring of one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textssl.finetuning.baselines import baselines
from textssl.finetuning.classifier import Classifier, last_layer, new_classifier, open_classifier, save_classifier
from textssl.finetuning.embedding import TextModel, untrained
from textssl.finetuning.encoding import BatchPlan, EncodedTexts
from textssl.finetuning.examples import Examples, drawn
from textssl.finetuning.labels import Labels, class_weights
from textssl.finetuning.metrics import PRIMARY, decisions, scores_of
from textssl.finetuning.objective import (
    FineTuning,
    HeadTuning,
    LabelledTexts,
    mean_loss,
    outputs,
    predict,
    probabilities,
)
from textssl.finetuning.options import CLIP_NORM, WARMUP, FinetuneOptions
from textssl.finetuning.results import Method
from textssl.finetuning.seeds import SeedResult, methods_of_networks, run_of_untrained, spread_scores
from textssl.objectives.base import GradientParts, Optimisation
from textssl.run_folder import RunFolder
from textssl.training.notes import TrainSummary, Watched
from textssl.training.progress import Progress
from textssl.word_vectors import WordVectors


@dataclass(frozen=True)
class Sets:
    """The labelled texts of a run, split.

    Args:
        train: what is learnt from.
        dev: what decides when to stop, or None.
        test: what is never looked at before the end, or None.
    """

    train: Examples
    dev: Examples | None
    test: Examples | None

    def named(self) -> dict[str, Examples]:
        """Those there are, by name."""
        every = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: examples for name, examples in every.items() if examples is not None}


class Study:
    """All that the seeds of a run share: model, labels, encoded sets.

    Of the training rows only those are encoded that some seed learns from.

    Args:
        source: the pre-trained model.
        sets: the labelled texts.
        labels: what they mean.
        options: how to train.
        length: most tokens of a text.
        vectors: word vectors for a baseline, or None.
        make_progress: shows how the training of the untrained network goes.
        note: takes lines for people.

    Raises:
        UsageError: the limit of the training rows is out of its range.
    """

    example, unit = "texts", "tokens"

    def __init__(
        self,
        source: TextModel,
        sets: Sets,
        labels: Labels,
        options: FinetuneOptions,
        *,
        length: int,
        vectors: WordVectors | None,
        make_progress: Callable[[], Progress],
        note: Callable[[str], None],
    ) -> None:
        self.source = source
        self.vectors = vectors
        self.sets = sets
        self.labels = labels
        self.options = options
        self.length = length
        self.targets = {name: labels.encode(examples) for name, examples in sets.named().items()}
        self._rows = {seed: self._drawn(seed) for seed in options.seed_numbers()}
        rows = np.unique(np.concatenate(list(self._rows.values())))
        self.learnt_from = dataclasses.replace(sets, train=sets.train.take(rows))
        self.encoded = {name: self._encode(examples) for name, examples in self.learnt_from.named().items()}
        self._make_progress, self._note = make_progress, note
        self._untrained: list[SeedResult] = []
        self._features: dict[str, Tensor] = {}

    @property
    def num_examples(self) -> dict[str, int]:
        """Texts of each set there is."""
        return {name: len(each) for name, each in self.sets.named().items()}

    def train(self, seed: int, run: RunFolder, progress: Progress) -> SeedResult:
        """Train the model, then the same network untrained where asked for; or go on; or take what is finished."""
        result = self._trained(self.source, seed, run, progress)
        if self.options.has_untrained("texts"):
            self._note("the same network untrained, on the same texts:")
            with run_of_untrained(run) as folder:
                fresh = untrained(self.source, seed=seed)
                self._untrained.append(self._trained(fresh, seed, folder, self._make_progress()))
        return result

    def _trained(self, source: TextModel, seed: int, run: RunFolder, progress: Progress) -> SeedResult:
        train, encoded, targets = self.training_rows(seed)
        finished = run.status()["state"] == "finished"
        if finished:
            summary = TrainSummary.from_json(run.status()["summary"])
        else:
            summary = self._fit(source, seed, encoded, targets, run, progress)
        model, labels = open_classifier(run.model)
        model.model.to(self.options.device)
        found = {name: self._predicted(model, labels, name) for name in ("dev", "test") if name in self.encoded}
        scores = {name: each[0] for name, each in found.items()}
        decided: dict[str, NDArray[Any]] = {name: each[1] for name, each in found.items()}
        return SeedResult(seed, run.path, len(train), summary, scores.get("dev"), scores.get("test"), decided)

    def training_rows(self, seed: int) -> tuple[Examples, EncodedTexts, NDArray[Any]]:
        """What a seed learns from: all rows, or those that it draws."""
        rows = self._rows[seed]
        train, targets = self.sets.train.take(rows), self.targets["train"][rows]
        # The very object, by which the vectors of a frozen model are found again.
        is_all = len(rows) == len(self.encoded["train"])
        return train, self.encoded["train"] if is_all else self._encode(train), targets

    def methods(self, found: Sequence[SeedResult], scored_on: str) -> Iterator[Method]:
        """The model and the baselines, each fitted on the rows of the same seeds."""
        path = self.source.path
        name = path.parent.name if path.name == "model" else path.name
        yield from methods_of_networks(name, self.options, found, self._untrained, scored_on)
        if not scored_on:
            return
        scored, targets = self.sets.named()[scored_on], self.targets[scored_on]
        same_rows = self.options.train_limit is None
        by_name: dict[str, list[dict[str, float]]] = {}
        for seed in self.options.seed_numbers()[: 1 if same_rows else None]:
            train, _, train_targets = self.training_rows(seed)
            for each in baselines(self.labels, train, train_targets, scored, targets, vectors=self.vectors):
                by_name.setdefault(each.name, []).append(each.scores)
        for name, scores in by_name.items():
            yield Method(name, spread_scores(scores))

    def _drawn(self, seed: int) -> NDArray[np.int64]:
        num_rows, limit = len(self.sets.train), self.options.train_limit
        if limit is None:
            return np.arange(num_rows, dtype=np.int64)
        classes = self.targets["train"] if self.labels.task == "single_label" else None
        return drawn(num_rows, size=limit, classes=classes, seed=seed)

    def _encode(self, examples: Examples) -> EncodedTexts:
        return self.source.encode(examples.texts, examples.pairs, length=self.length)

    def _fit(
        self,
        source: TextModel,
        seed: int,
        encoded: EncodedTexts,
        targets: NDArray[Any],
        run: RunFolder,
        progress: Progress,
    ) -> TrainSummary:
        from textssl.training.gradient_task import GradientTask
        from textssl.training.trainer import Insight, Trainer

        options, labels, pad_id = self.options, self.labels, self.source.pad_id
        weights = class_weights(labels, targets) if options.class_weights == "balanced" else None
        texts = LabelledTexts(encoded, targets, labels, pad_id=pad_id, class_weights=weights)
        num_epochs = options.chosen_epochs(len(texts))
        plan = BatchPlan(encoded.lengths, batch_size=options.batch, num_epochs=num_epochs, seed=seed)
        model = new_classifier(source, labels, pooling=options.pooling, dropout=options.dropout, seed=seed)
        model.to(options.device)
        objective = self._objective(source, model, texts, plan)
        parts = GradientParts(objective, model, optimisation_of(options))
        task: GradientTask[Any, Any] = GradientTask(parts, device=options.device, seed=seed, note=progress.message)
        trainer = Trainer(
            task,
            run,
            config=dataclasses.replace(
                options,
                evaluate_every=options.chosen_evaluations(num_epochs, plan.num_steps),
                patience=options.patience if self.sets.dev is not None else None,
            ),
            evaluate=self._evaluation(source, model),
            progress=progress,
            export=partial(save_classifier, run.model, model, source, labels),
            watched=Watched(PRIMARY[labels.task], "higher"),
            insight=Insight(task.utilisation, task.diagnosis),
        )
        try:
            return trainer.run()
        finally:
            task.close()

    def _objective(self, source: TextModel, model: Classifier, texts: LabelledTexts, plan: BatchPlan) -> FineTuning:
        if self.options.method == "full":
            return FineTuning(texts, plan)
        model.requires_grad_(False)
        last_layer(model).requires_grad_(True)
        return HeadTuning(texts, plan, features_ND=self._frozen(source, model, texts.encoded))

    def _frozen(self, source: TextModel, model: Classifier, encoded: EncodedTexts) -> Tensor:
        """What the last layer of a frozen model sees of texts.

        No seed changes it, so shared sets are passed once; each seed has an untrained network of its own, though.
        """
        shared = self.encoded if source is self.source else {}
        name = next((name for name, own in shared.items() if own is encoded), None)
        if name in self._features:
            return self._features[name]
        found = outputs(model, encoded, pad_id=self.source.pad_id, device=self.options.device, what="features")
        if name is not None:
            self._features[name] = found
        return found

    def _evaluation(self, source: TextModel, model: Classifier) -> Callable[[], dict[str, float]] | None:
        """Scores the dev set; of a frozen model its vectors are computed once. None without a dev set."""
        if self.sets.dev is None:
            return None
        encoded, pad_id, device = self.encoded["dev"], self.source.pad_id, self.options.device
        if self.options.method == "full":
            return lambda: self._dev_scores(outputs(model, encoded, pad_id=pad_id, device=device))
        features_ND = self._frozen(source, model, encoded).to(device)
        return lambda: self._dev_scores(last_layer(model)(features_ND).detach().cpu())

    def _dev_scores(self, logits: Tensor) -> dict[str, float]:
        targets, found = self.targets["dev"], probabilities(logits, self.labels)
        scores = scores_of(self.labels.task, targets, decisions(self.labels.task, found))
        return {**scores, "loss_nats": mean_loss(self.labels, found, targets)}

    def _predicted(self, model: TextModel, labels: Labels, name: str) -> tuple[dict[str, float], NDArray[Any]]:
        encoded, pad_id = self.encoded[name], model.pad_id
        found = predict(model.model, encoded, labels, pad_id=pad_id, device=self.options.device)
        decided = decisions(labels.task, found)
        return scores_of(labels.task, self.targets[name], decided), decided


def optimisation_of(options: FinetuneOptions) -> Optimisation:
    """AdamW with a linear schedule, the gradient of the mean loss clipped at 1."""
    return Optimisation(
        method="adamw",
        learning_rate=options.chosen_learning_rate(),
        weight_decay=options.weight_decay,
        betas=(0.9, 0.999),
        schedule="linear",
        warmup=WARMUP,
        clip_norm=CLIP_NORM,
        reduction="mean",
        precision=options.precision,
        layer_decay=options.layer_decay,
    )
