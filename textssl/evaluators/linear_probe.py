"""Linear probe: logistic regression on the features of a frozen network.

Its penalty is chosen on training images that are kept back. The network is that of the last epoch; nothing is chosen by
the test images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from textssl.evaluators.base import EvaluationResult, Evaluator
from textssl.evaluators.base_features import FEATURES, ComparedVectors, Vectors, vectors_result
from textssl.vision.labelled import cut_off

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textssl.evaluators.base_probe import Probe

VALIDATION_SHARE = 0.2
SPLIT_SEED = 0


class LinearProbe(Evaluator):
    """Accuracy of a linear classifier on frozen features."""

    NAME = "linear_probe"
    primary_metric = "accuracy"
    greater_is_better = True

    def evaluate(  # type: ignore[override]  # each evaluator has arguments of its own
        self, compared: ComparedVectors, *, share: float = VALIDATION_SHARE, device: str = "cpu"
    ) -> EvaluationResult:
        """Fit a classifier for each way.

        Args:
            compared: vectors and labels.
            share: of the training images, kept back to choose the penalty by; then it learns from all of them.
            device: where to compute.

        Returns:
            metrics accuracy, macro_f1, penalty and validation_accuracy of the features, the same of the other vectors
            with projection_, untrained_ and pixels_ before them; a row for each way; precision, recall and F1 of each
            label.

        Raises:
            DataError: there is one training image of each label, so that none can be kept back.
        """
        from textssl.finetuning.labels import Labels
        from textssl.finetuning.metrics import per_class, scores_of

        rows = cut_off(compared.train, share=share, seed=SPLIT_SEED)
        targets, found, classes = compared.test.targets, {}, []
        for way, vectors in compared.ways.items():
            probe, accuracy = _fitted(compared, vectors, rows, device)
            predicted = probe.predict(vectors.test_MD)
            scores = scores_of("single_label", targets, predicted)
            found[way] = {**scores, "penalty": probe.penalty, "validation_accuracy": accuracy}
            if way == FEATURES:
                table = per_class(Labels("single_label", compared.train.names), targets, predicted)
                classes = [(each.name, each.precision, each.recall, each.f1, each.support) for each in table]
        return vectors_result(
            self.NAME,
            compared,
            primary=self.primary_metric,
            columns=("accuracy", "macro F1", "penalty", "accuracy kept back"),
            found=found,
            settings={"validation_images": len(rows[1])},
            classes=classes,
        )


def _fitted(
    compared: ComparedVectors, vectors: Vectors, rows: tuple[NDArray[np.int64], NDArray[np.int64]], device: str
) -> tuple[Probe, float]:
    """The probe on all training images with the penalty that is best on those kept back, and its accuracy there."""
    from textssl.evaluators.base_probe import chosen_probe, fitted_probe

    targets, num_labels, (stay, kept) = compared.train.targets, len(compared.train.names), rows
    validation = (vectors.train_ND[kept], targets[kept])
    chosen = chosen_probe(
        vectors.train_ND[stay], targets[stay], num_labels, validation=validation, device=device
    )
    probe = fitted_probe(vectors.train_ND, targets, num_labels, penalty=chosen.penalty, device=device)
    return probe, float(chosen.accuracy or 0.0)
