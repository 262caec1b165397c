"""k nearest neighbours: how often the labelled images around a test image, by cosine, name its label.

    score of a label = sum over the k nearest training images with it of exp(cosine / temperature)

Source: Wu et al. 2018 (arXiv 1805.01978), section 3.4, with k 200 and temperature 0.07; as 200 and 0.1 it is usual for
small images, as 20 and 0.07 in Caron et al. 2021 (DINO, arXiv 2104.14294), section 4.1.
Legend: M test images, K neighbours, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.evaluators.base import EvaluationResult, Evaluator
from textssl.evaluators.base_features import ComparedVectors, Vectors, vectors_result
from textssl.vision.neighbors import NEIGHBOURS, TEMPERATURE, nearest, vote

SETTINGS = ((NEIGHBOURS, TEMPERATURE), (200, 0.1))
"""Number of neighbours and temperature; the first is the one that counts."""


class NearestNeighbors(Evaluator):
    """Accuracy of a weighted vote among the nearest training images."""

    NAME = "nearest_neighbors"
    primary_metric = f"accuracy_k{SETTINGS[0][0]}"
    greater_is_better = True

    def evaluate(  # type: ignore[override]  # each evaluator has arguments of its own
        self, compared: ComparedVectors, *, settings: Sequence[tuple[int, float]] = SETTINGS
    ) -> EvaluationResult:
        """Let the neighbours vote.

        Args:
            compared: vectors and labels; all training images are the bank.
            settings: numbers of neighbours, each with its temperature; the first is the one that counts.

        Returns:
            metrics accuracy_k20 and so on of the features, the same of the other vectors with projection_, untrained_
            and pixels_ before them; a row for each way.

        Raises:
            UsageError: no setting, k below 1 or a temperature that is not above 0.
        """
        if not settings or any(k < 1 or not temperature > 0 for k, temperature in settings):
            raise UsageError(f"k must be at least 1 and the temperature above 0, got {list(settings)}")
        found = {
            way: {
                f"accuracy_k{k}": float(np.mean(predicted == compared.test.targets))
                for (k, _), predicted in zip(settings, voted(compared, vectors, settings), strict=True)
            }
            for way, vectors in compared.ways.items()
        }
        return vectors_result(
            self.NAME,
            compared,
            primary=f"accuracy_k{settings[0][0]}",
            columns=[f"k {k}, T {temperature:g}" for k, temperature in settings],
            found=found,
            settings={"neighbours": [k for k, _ in settings], "temperatures": [each for _, each in settings]},
        )


def voted(
    compared: ComparedVectors, vectors: Vectors, settings: Sequence[tuple[int, float]]
) -> list[NDArray[np.int64]]:
    """The label that the neighbours of each test image vote for, int64 (M,), for each setting.

    Where there are fewer training images than neighbours, all of them vote.
    """
    num_train, num_labels = len(compared.train), len(compared.train.names)
    most = min(max(k for k, _ in settings), num_train)
    cosines_MK, numbers_MK = nearest(vectors.train_ND, vectors.test_MD, most)
    labels_MK = compared.train.targets[numbers_MK]
    return [vote(cosines_MK[:, :k], labels_MK[:, :k], num_labels, temperature) for k, temperature in settings]
