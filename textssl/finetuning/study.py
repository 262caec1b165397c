"""What the seeds of a fine-tuning share, and the training and scoring of one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from textssl.finetuning.baselines import baselines
from textssl.finetuning.classifier import Classifier, last_layer, new_classifier, open_classifier, save_classifier
from textssl.finetuning.embedding import TextModel, untrained
from textssl.finetuning.encoding import BatchPlan, EncodedTexts
from textssl.finetuning.examples import Examples
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
from textssl.finetuning.seed_study import SeedResult, SeedStudy, Sets
from textssl.objectives.base import GradientParts, Optimisation
from textssl.run_folder import RunFolder
from textssl.training.notes import TrainSummary, Watched
from textssl.training.progress import Progress
from textssl.word_vectors import WordVectors


class Study(SeedStudy[TextModel, Examples]):
    """Fine-tuning on texts: encoded sets and baselines.

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
        sets: Sets[Examples],
        labels: Labels,
        options: FinetuneOptions,
        *,
        length: int,
        vectors: WordVectors | None,
        make_progress: Callable[[], Progress],
        note: Callable[[str], None],
    ) -> None:
        targets = {name: labels.encode(examples) for name, examples in sets.named().items()}
        super().__init__(source, sets, labels, targets, options, make_progress=make_progress, note=note)
        self.length, self.vectors = length, vectors
        self.encoded = {name: self._encode(examples) for name, examples in self.learnt_from.named().items()}
        self._features: dict[str, Tensor] = {}

    def _name(self) -> str:
        path = self.source.path
        return path.parent.name if path.name == "model" else path.name

    def _fresh(self, seed: int) -> TextModel:
        return untrained(self.source, seed=seed)

    def _trained(self, source: TextModel, seed: int, run: RunFolder, progress: Progress) -> SeedResult:
        status = run.status()
        if status["state"] == "finished":
            summary = TrainSummary.from_json(status["summary"])
        else:
            summary = self._fit(source, seed, run, progress)
        model, labels = open_classifier(run.model)
        model.model.to(self.options.device)
        found = {name: self._predicted(model, labels, name) for name in ("dev", "test") if name in self.encoded}
        scores = {name: each[0] for name, each in found.items()}
        decided: dict[str, NDArray[Any]] = {name: each[1] for name, each in found.items()}
        num_rows = len(self._rows[seed])
        return SeedResult(seed, run.path, num_rows, summary, scores.get("dev"), scores.get("test"), decided)

    def _simple(self, seed: int, scored_on: str) -> Iterator[tuple[str, Mapping[str, float]]]:
        train, targets = self.training_rows(seed), self.targets["train"][self._rows[seed]]
        scored = self.sets.named()[scored_on], self.targets[scored_on]
        for each in baselines(self.labels, train, targets, *scored, vectors=self.vectors):
            yield each.name, each.scores

    def _encoded_rows(self, seed: int) -> EncodedTexts:
        """What a seed learns from; of all rows the very object, by which vectors of a frozen model are found again."""
        is_all = len(self._rows[seed]) == len(self.encoded["train"])
        return self.encoded["train"] if is_all else self._encode(self.training_rows(seed))

    def _encode(self, examples: Examples) -> EncodedTexts:
        return self.source.encode(examples.texts, examples.pairs, length=self.length)

    def _fit(self, source: TextModel, seed: int, run: RunFolder, progress: Progress) -> TrainSummary:
        from textssl.training.gradient_task import GradientTask
        from textssl.training.trainer import Insight, Trainer

        options, labels, pad_id = self.options, self.labels, self.source.pad_id
        encoded, targets = self._encoded_rows(seed), self.targets["train"][self._rows[seed]]
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
