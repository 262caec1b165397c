"""CBOW: predict each word from the words around it together; faster than skip-gram.

Source: Mikolov, Chen, Corrado, Dean 2013 (arXiv 1301.3781); Mikolov, Sutskever, Chen, Corrado, Dean 2013 (arXiv
1310.4546).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textssl.objectives.base import Setting
from textssl.objectives.base_word_vectors import WordVectors, WordVectorsConfig, prepare_store
from textssl.text.sources import Source


@dataclass(frozen=True)
class CbowConfig(WordVectorsConfig):
    """Options of cbow."""


class Cbow:
    """The rows of a window's context words, combined into one, are scored against the centre word."""

    Config = CbowConfig
    FAMILY = "word_vectors"
    NEXT = ("query {run} WORD", 'query {run} "paris - france + italy"')
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "demo": {"dim": 200, "window": 8, "negatives": 25, "negatives_shared": 8, "epochs": 15},
    }

    def prepare(self, source: Source, config: CbowConfig, setting: Setting) -> WordVectors:
        """Read the corpus into a token store and make everything ready."""
        return WordVectors("cbow", prepare_store(source, config, setting), config, setting)
