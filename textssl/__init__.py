"""textssl: self-supervised learning on text, from a raw corpus to embeddings that answer analogies.

Everything here is imported at its first use, so that `import textssl` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textssl.embeddings import Embeddings as Embeddings
    from textssl.errors import TextsslError as TextsslError

__version__ = "0.1.0"

_PLACES = {
    "check": "textssl.commands.check:check",
    "demo": "textssl.commands.demo:demo",
    "doctor": "textssl.commands.doctor:doctor",
    "embed": "textssl.commands.embed:embed",
    "evaluate": "textssl.commands.evaluate:evaluate",
    "export": "textssl.commands.export:export",
    "fill": "textssl.commands.fill:fill",
    "finetune": "textssl.commands.finetune:finetune",
    "generate": "textssl.commands.generate:generate",
    "load": "textssl.embeddings:Embeddings.load",
    "open_image_model": "textssl.image_features:open_image_model",
    "phrases": "textssl.commands.phrases:phrases",
    "plot": "textssl.commands.plot:plot",
    "predict": "textssl.commands.predict:predict",
    "query": "textssl.commands.query:query",
    "train": "textssl.commands.train:train",
    "Embeddings": "textssl.embeddings:Embeddings",
    "TextClassifier": "textssl.finetuning.estimator:TextClassifier",
    "TextEmbedder": "textssl.finetuning.estimator:TextEmbedder",
    "TextsslError": "textssl.errors:TextsslError",
}

__all__ = [
    "Embeddings",
    "TextClassifier",
    "TextEmbedder",
    "TextsslError",
    "__version__",
    "check",
    "demo",
    "doctor",
    "embed",
    "evaluate",
    "export",
    "fill",
    "finetune",
    "generate",
    "load",
    "open_image_model",
    "phrases",
    "plot",
    "predict",
    "query",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'textssl' has no attribute {name!r}")
    module_name, _, attributes = _PLACES[name].partition(":")
    value: object = importlib.import_module(module_name)
    for attribute in attributes.split("."):
        value = getattr(value, attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
