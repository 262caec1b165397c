"""Word vectors and transformers as scikit-learn estimators, for pipelines, searches and cross-validation.

    make_pipeline(TextEmbedder("runs/news"), LogisticRegression()).fit(texts, labels)
    TextClassifier("runs/lm", method="full").fit(texts, labels).predict(["a fine film"])

Legend: N texts, D width, C classes.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from textssl.errors import UsageError
from textssl.evaluators.classification import logistic
from textssl.finetuning.embedding import (
    Pooling,
    TextModel,
    embed_texts,
    num_without_words,
    open_source,
    without_words_text,
)

if TYPE_CHECKING:
    from textssl.word_vectors import WordVectors


class TextEmbedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A transformer of texts to vectors; there is nothing to fit.

    Args:
        source: a run, a model folder or a file of vectors; or what was opened already.
        pooling: "mean", or "cls" of a transformer.
        normalise: whether vectors get unit length.
        device: of a transformer.
    """

    def __init__(self, source: Any, *, pooling: Pooling = "mean", normalise: bool = True, device: str = "cpu") -> None:
        self.source = source
        self.pooling = pooling
        self.normalise = normalise
        self.device = device

    def fit(self, texts: Sequence[str], labels: object = None) -> Self:
        """Open the source."""
        self.source_ = open_source(self.source)
        return self

    def transform(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A vector for each text, float32 (N, D).

        Warns:
            UserWarning: texts hold no word that the word vectors know; their vectors are zeros.
        """
        check_is_fitted(self, "source_")
        return _vectors(self.source_, texts, pooling=self.pooling, normalise=self.normalise, device=self.device)


class TextClassifier(ClassifierMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no types there
    """A classifier of texts over word vectors or a transformer.

    Args:
        source: a run, a model folder or a file of vectors; or what was opened already.
        method: "probe" fits logistic regression on the vectors of the texts; "full" trains the whole transformer.
        pooling: of the vectors.
        penalty: of "probe": C of the logistic regression, the larger the weaker.
        epochs, batch, learning_rate: of "full"; None for the defaults of `textssl finetune`.
        seed: of "full".
        device: of a transformer.

    Attributes:
        classes_: the C labels, sorted.
    """

    def __init__(
        self,
        source: Any,
        *,
        method: Literal["probe", "full"] = "probe",
        pooling: Pooling = "mean",
        penalty: float = 1.0,
        epochs: int | None = None,
        batch: int = 32,
        learning_rate: float | None = None,
        seed: int = 1,
        device: str = "cpu",
    ) -> None:
        self.source = source
        self.method = method
        self.pooling = pooling
        self.penalty = penalty
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.seed = seed
        self.device = device

    def fit(self, texts: Sequence[str], labels: Sequence[Any]) -> Self:
        """Learn from texts and their labels.

        Raises:
            UsageError: the method is unknown, or asks word vectors for what they cannot do.
            DataError: fewer than two classes.
        """
        texts = checked_texts(texts)
        if self.method not in ("probe", "full"):
            raise UsageError(f"method must be probe or full, got {self.method!r}")
        source = open_source(self.source)
        self.classes_, numbers = np.unique(np.asarray(labels), return_inverse=True)
        if len(self.classes_) < 2:
            raise UsageError(f"at least two classes are needed, got {self.classes_.tolist()}")
        if len(numbers) != len(texts):
            raise UsageError(f"as many labels as texts are expected, got {len(numbers)} and {len(texts)}")
        if self.method == "full":
            self.source_: TextModel | WordVectors = self._fine_tuned(source, texts, numbers)
        else:
            self.source_ = source
            learner = logistic().set_params(C=self.penalty)
            self.probe_ = make_pipeline(StandardScaler(), learner).fit(self.transform(texts), numbers)
        return self

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """The most probable class of each text, (N,).

        Warns:
            UserWarning: texts hold no word that the word vectors know, so that nothing of them decides.
        """
        check_is_fitted(self, "classes_")
        return np.asarray(self.classes_[self.predict_proba(texts).argmax(axis=1)])

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities (N, C), the classes in the order of `classes_`."""
        check_is_fitted(self, "classes_")
        texts = checked_texts(texts)
        if self.method == "probe":
            return np.asarray(self.probe_.predict_proba(self.transform(texts)))
        from textssl.finetuning.objective import outputs

        assert isinstance(self.source_, TextModel)
        pad_id = self.source_.pad_id
        logits = outputs(self.source_.model, self.source_.encode(texts), pad_id=pad_id, device=self.device)
        return np.asarray(logits.double().softmax(dim=1).numpy())

    def transform(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vector of each text that the classifier looks at, float32 (N, D)."""
        check_is_fitted(self, "source_")
        return _vectors(self.source_, texts, pooling=self.pooling, device=self.device)

    def _fine_tuned(self, source: TextModel | WordVectors, texts: list[str], numbers: NDArray[np.int64]) -> TextModel:
        if not isinstance(source, TextModel):
            raise UsageError("word vectors are not trained further, method must be probe")
        from textssl.finetuning.classifier import open_classifier
        from textssl.finetuning.examples import Examples
        from textssl.finetuning.options import FinetuneOptions
        from textssl.finetuning.run import finetune_run

        examples = Examples("texts", texts, None, numbers.tolist(), range(1, len(texts) + 1), "text")
        options = FinetuneOptions(
            task="single_label",
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            pooling=self.pooling,
            seed=self.seed,
            device=self.device,
            dev_share=0.0,
        )
        with tempfile.TemporaryDirectory(prefix="textssl-") as folder:
            result = finetune_run(source, examples, out=Path(folder) / "run", options=options, pages=False)
            return open_classifier(result.run)[0]


def _vectors(source: TextModel | WordVectors, texts: Sequence[str], **how: Any) -> NDArray[np.float32]:
    vectors = embed_texts(source, checked_texts(texts), **how)
    without = num_without_words(source, vectors)
    if without:
        warnings.warn(without_words_text(without, len(vectors)), stacklevel=3)
    return vectors


def checked_texts(texts: Sequence[str]) -> list[str]:
    """Texts as a list.

    Raises:
        UsageError: a single text was given, or something that is no text.
    """
    if isinstance(texts, str):
        raise UsageError("a list of texts is expected, got one text", hint="Write [text].")
    listed: list[Any] = list(texts)
    bad = next((at for at, text in enumerate(listed) if not isinstance(text, str)), None)
    if bad is not None:
        raise UsageError(f"every text must be a str, number {bad} is {type(listed[bad]).__name__}")
    return listed
