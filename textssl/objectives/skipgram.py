"""Skip-gram: predict each word from every word around it; the classic for word vectors and analogies.

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
class SkipGramConfig(WordVectorsConfig):
    """Options of skipgram."""


class SkipGram:
    """Each context word is scored against the centre word; with n-grams, the centre word against each context word."""

    Config = SkipGramConfig
    FAMILY = "word_vectors"
    NEXT = ("query {run} WORD", 'query {run} "paris - france + italy"')
    PRESETS: Mapping[str, Mapping[str, Any]] = {
        "subwords": {"min_n": 3, "max_n": 6, "noise_exponent": 0.5},
        "phrases": {"phrases": 2, "dim": 300},
    }

    def prepare(self, source: Source, config: SkipGramConfig, setting: Setting) -> WordVectors:
        """Read the corpus into a token store and make everything ready."""
        return WordVectors("skipgram", prepare_store(source, config, setting), config, setting)
