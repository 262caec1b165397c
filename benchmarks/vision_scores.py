"""The scores of a network for images as `textssl evaluate` measures them, of its features alone.

    python -m benchmarks.vision_scores MODEL TRAIN_IMAGES TEST_IMAGES

Prints one JSON line of EVALUATOR.METRIC. The command measures the projection, the same network untrained and the raw
pixels too, which takes two to three times as long; the last two would be the same for all contestants of a seed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def features_scores(model: Path, train: Path, test: Path) -> dict[str, float]:
    """Nearest neighbours and linear probe by the features of a model folder or a run.

    Args:
        model: the folder.
        train: labelled images, the bank of the neighbours and what the probe learns from.
        test: labelled images to predict.
    """
    import corpora
    from textssl.evaluators.base_features import FEATURES, ComparedVectors, Vectors
    from textssl.evaluators.linear_probe import LinearProbe
    from textssl.evaluators.nearest_neighbors import NearestNeighbors
    from textssl.image_features import features_of, open_image_model
    from textssl.vision.images import image_set
    from textssl.vision.labelled import labelled

    network, bank = open_image_model(model), labelled(image_set(corpora.load_images(str(train))))
    asked = labelled(image_set(corpora.load_images(str(test))), bank.names)
    vectors = Vectors(*(features_of(network, each.images, each.places) for each in (bank, asked)))
    compared = ComparedVectors(bank, asked, {FEATURES: vectors})
    results = [NearestNeighbors().evaluate(compared), LinearProbe().evaluate(compared)]
    return {f"{result.name}.{metric}": value for result in results for metric, value in result.metrics.items()}


if __name__ == "__main__":
    print(json.dumps(features_scores(*map(Path, sys.argv[1:]))))
