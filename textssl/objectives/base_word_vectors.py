"""What skip-gram and CBOW share: options, probabilities, tables, the two engines, and the vectors that are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.config import option, validate
from textssl.embeddings_folder import VectorFolder, save_folder
from textssl.errors import UsageError
from textssl.neighbours import row_norms
from textssl.objectives.base import GradientParts, Setting
from textssl.objectives.base_subwords import ngram_table, subword_vectors
from textssl.objectives.base_warm_start import TABLES, WarmStart
from textssl.plural import counted
from textssl.randomness import Purpose, stream_key
from textssl.text.ngrams import NgramRows, ngram_rows
from textssl.text.sources import Source
from textssl.text.tokens import StoreSettings, TokenStore, build_store
from textssl.text.windows import keep_thresholds

if TYPE_CHECKING:
    from textssl.kernels.engine_cpu import CpuEngine
    from textssl.text.draws import HuffmanCodes

Engine = Literal["auto", "cpu", "reference"]
LEAST_KEPT = 0.05
"""Share of the words; natural text keeps a quarter and more."""


@dataclass(frozen=True)
class WordVectorsConfig:
    """Options of skip-gram and CBOW. Names of the field; word2vec.c's defaults where it has one good for its demo."""

    dim: int = option(100, "Numbers of a vector.", minimum=1, maximum=65_536)
    window: int = option(5, "Largest distance of a context word, to both sides.", minimum=1, maximum=1_000)
    window_width: Literal["dynamic", "fixed"] = option(
        "dynamic", "Draw each window's width from 1 to --window, or not."
    )
    output: Literal["negative_sampling", "hierarchical_softmax"] = option(
        "negative_sampling", "How a word is predicted."
    )
    negatives: int = option(5, "Noise words for each pair of words, with negative sampling.", minimum=1, maximum=1_000)
    window_noise: int | None = option(
        None,
        "Noise words drawn for a window, each as heavy as --negatives demands; by default --negatives, and for "
        "skip-gram with n-grams --negatives x (--window + 1).",
        minimum=1,
        maximum=10_000,
    )
    negatives_shared: int = option(
        1, "So many windows share their noise words (skip-gram: in a row, CBOW: apart); more is faster.", minimum=1
    )
    noise_exponent: float = option(0.75, "Noise words are drawn by count to this power (fastText: 0.5).")
    subsample: float = option(1e-4, "Frequency above which words are left out at random; 0 keeps all.", minimum=0)
    epochs: int = option(5, "Passes over the corpus.", minimum=1)
    learning_rate: float = option(0.05, "At the start; it falls linearly to a ten-thousandth.", above=0)
    min_count: int = option(5, "Leave out words that come less often.", minimum=1)
    max_vocabulary: int | None = option(None, "Keep so many of the most frequent words at most.", minimum=2)
    tokenizer: Literal["whitespace", "words"] = option(
        "whitespace", "Words by white space, or by Unicode's rules (prose)."
    )
    lowercase: bool | None = option(None, "Write words in small letters; by default only with --tokenizer words.")
    phrases: int = option(0, "Passes that join frequent pairs of words: 1 for pairs, 2 for longer phrases.", minimum=0)
    phrase_threshold: float = option(100.0, "Score above which a pair is a phrase; more gives fewer.", above=0)
    min_n: int = option(0, "Shortest character n-gram of a word (fastText: 3); 0 trains whole words only.", minimum=0)
    max_n: int = option(0, "Longest character n-gram of a word (fastText: 6).", minimum=0, maximum=100)
    buckets: int = option(
        2_000_000, "N-grams are hashed into so many buckets; only those in use take memory.", minimum=1
    )
    combine: Literal["mean", "sum"] = option("mean", "How the rows of one input are combined (CBOW, n-grams).")
    input_gradient: Literal["undivided", "divided"] = option(
        "undivided",
        "What each of these rows receives: the whole gradient (word2vec.c), or its share (the true gradient).",
    )
    keep_context: bool = option(False, "Keep the context (output) vectors in the model too.")
    engine: Engine = option("auto", "Fused CPU kernels (cpu), or automatic differentiation on any device (reference).")
    batch_words: int = option(1_024, "Words of a batch of the engine reference.", minimum=1)

    def __post_init__(self) -> None:
        validate(self)
        if (self.min_n == 0) != (self.max_n == 0) or self.min_n > self.max_n:
            raise UsageError(
                f"min_n must be at most max_n and both 0 or both above, got {self.min_n} and {self.max_n}",
                hint="Give both, for instance --min-n 3 --max-n 6.",
            )
        if self.window_noise is not None and self.output == "hierarchical_softmax":
            raise UsageError(
                f"hierarchical softmax draws no noise words, got window_noise {self.window_noise}",
                hint="Leave --window-noise out, or give --output negative_sampling.",
            )

    @property
    def store_settings(self) -> StoreSettings:
        """How text becomes words."""
        return StoreSettings(self.tokenizer, self.lowercase, self.min_count, self.max_vocabulary)


class WordVectors:
    """A corpus and options, ready to train (see `base.Prepared`).

    Args:
        method: "skipgram" or "cbow".
        store: the corpus as ids.
        config: the options.
        setting: device, threads, seed, start.

    Raises:
        UsageError: the engine does not run on the device; tables to start from do not fit.
    """

    unit = "words"

    def __init__(
        self, method: Literal["skipgram", "cbow"], store: TokenStore, config: WordVectorsConfig, setting: Setting
    ) -> None:
        self.method, self.store, self.config, self.setting = method, store, config, setting
        self.engine = _chosen_engine(config.engine, setting.device)
        self.num_epochs, self.learning_rate = config.epochs, config.learning_rate
        start = setting.start
        self._start = WarmStart(start, store.vocabulary, dim=config.dim, output=config.output) if start else None

    @cached_property
    def ngrams(self) -> NgramRows | None:
        """The rows of every word's n-grams, or None."""
        config = self.config
        if config.max_n == 0:
            return None
        return ngram_rows(self.store.vocabulary, min_n=config.min_n, max_n=config.max_n, buckets=config.buckets)

    @property
    def num_input_rows(self) -> int:
        """Words, and behind them n-grams."""
        return len(self.store.vocabulary) + (self.ngrams.num_rows if self.ngrams else 0)

    @property
    def tree(self) -> HuffmanCodes | None:
        """The Huffman codes of hierarchical softmax, or None."""
        if self.config.output == "negative_sampling":
            return None
        from textssl.text.draws import huffman

        return huffman(self.store.vocabulary.counts)

    @property
    def noise_per_window(self) -> int:
        """Noise words of a window; 0 with hierarchical softmax.

        A window's pairs share them. Where its inputs are several (skip-gram) or one pair is all there is (CBOW),
        `negatives` are enough. Skip-gram with n-grams has one input, that of the centre word, in all of a window's
        pairs: pushed as often away from the same few words, it learns less than from as many words as pairs would draw,
        which are `negatives` for each of window + 1 contexts, the mean of a dynamic window.
        """
        config = self.config
        if config.output == "hierarchical_softmax":
            return 0
        one_input = self.method == "skipgram" and config.max_n > 0
        return config.window_noise or config.negatives * (config.window + 1 if one_input else 1)

    @property
    def noise_weight(self) -> float:
        """Of a noise word in each pair of its window, so that a pair has `negatives` noise words' weight."""
        return self.config.negatives / (self.noise_per_window or self.config.negatives)

    @property
    def keep_threshold(self) -> NDArray[np.uint64]:
        """Of subsampling, against the upper 32 random bits (V,)."""
        if self.config.subsample == 0:
            return np.full(len(self.store.vocabulary), 2**32, np.uint64)
        return keep_thresholds(self.store.vocabulary.keep_probabilities(self.config.subsample))

    def noise(self) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """The alias table of the noise words."""
        from textssl.text.draws import alias_table

        return alias_table(self.store.vocabulary.noise_probabilities(self.config.noise_exponent))

    def describe(self) -> list[str]:
        """What will be trained, as lines for people."""
        config, vocabulary = self.config, len(self.store.vocabulary)
        rows = self.num_input_rows + vocabulary
        lines = [*self.store.describe(), f"{self.method}, {config.dim} dimensions, {config.output.replace('_', ' ')}"]
        if self.ngrams:
            lines.append(f"{self.ngrams.num_rows:,} n-grams of {config.min_n} to {config.max_n} characters")
        size = rows * (-(-config.dim // 16) * 64)
        where = counted(self.setting.num_threads, "thread") if self.engine == "cpu" else self.setting.device
        lines.append(f"{rows * config.dim:,} parameters, {size / 2**20:,.0f} MiB; engine {self.engine} on {where}")
        if self._start is not None:
            lines.append(self._start.describe())
        counts = self.store.vocabulary.counts
        kept = float(counts @ self.store.vocabulary.keep_probabilities(config.subsample))
        if kept < LEAST_KEPT * counts.sum():
            lines.append(
                f"subsampling leaves {kept:,.0f} of {counts.sum():,} words in an epoch: "
                "a vocabulary as small as this one needs --subsample 0"
            )
        return lines

    def data(self) -> dict[str, Any]:
        """What the run is trained on, for data.json."""
        names = ("num_words_read", "num_tokens", "num_documents", "num_left_out")
        return {"fingerprint": self.store.fingerprint, **{name: self.store.metadata[name] for name in names}}

    def blocks(self) -> CpuEngine | None:
        """The fused kernels with their tables filled, or None for the engine `reference`."""
        if self.engine != "cpu":
            return None
        from textssl.kernels.engine_cpu import CpuEngine, Draws, Method, Ragged

        config, tree = self.config, self.tree
        empty = np.zeros(1, np.uint32), np.zeros(1, np.int32)
        engine = CpuEngine(
            self.store.ids,
            self.store.offsets,
            method=Method(
                self.method, config.dim, config.window, config.window_width, self.noise_per_window,
                self.noise_weight, config.negatives_shared, config.combine, config.input_gradient, self.setting.seed,
            ),
            draws=Draws(self.keep_threshold, *(self.noise() if self.noise_per_window else empty)),
            num_ngram_rows=self.ngrams.num_rows if self.ngrams else 0,
            ngrams=Ragged(self.ngrams.rows, self.ngrams.offsets) if self.ngrams else None,
            path_points=Ragged(tree.points, tree.offsets) if tree else None,
            path_codes=tree.codes if tree else None,
            num_threads=self.setting.num_threads,
        )  # fmt: skip
        self.fill(engine.inputs.rows, engine.outputs.rows)
        return engine

    def gradients(self) -> GradientParts:
        """The engine `reference`."""
        from textssl.objectives.base_reference import reference_parts

        inputs = np.zeros((self.num_input_rows, self.config.dim), np.float32)
        outputs = np.zeros((len(self.store.vocabulary), self.config.dim), np.float32)
        self.fill(inputs, outputs)
        return reference_parts(self, inputs, outputs)

    def fill(self, inputs: NDArray[np.float32], outputs: NDArray[np.float32]) -> None:
        """Start values: inputs uniform in +-1/(2 dim) as in word2vec.c, outputs 0, rows of a start in their places."""
        from textssl.kernels.blocks import fill_uniform

        fill_uniform(inputs, np.uint64(stream_key(self.setting.seed, Purpose.INITIALISE)))
        if self._start is not None:
            self._start.fill(inputs, outputs, self.ngrams, self.config.combine)

    def save(self, folder: Path, tables: Mapping[str, NDArray[np.generic[Any]]]) -> None:
        """Write the vector folder: words, vectors, counts, and on request context vectors and n-grams."""
        inputs, outputs = (np.asarray(table, np.float32) for table in _in_and_out(tables))
        vocabulary, ngrams = self.store.vocabulary, None
        vectors = inputs[: len(vocabulary)]
        if self.ngrams:
            parts = inputs, self.ngrams, self.config.combine
            vectors, ngrams = subword_vectors(*parts), ngram_table(*parts)
        context = outputs if self.config.keep_context and self.config.output == "negative_sampling" else None
        content = VectorFolder(vocabulary.words, vectors, row_norms(vectors), vocabulary.counts, context, ngrams)
        save_folder(folder, content, metadata={"objective": self.method, "dim": self.config.dim}, replace=True)


def prepare_store(source: Source, config: WordVectorsConfig, setting: Setting) -> TokenStore:
    """The corpus as ids, phrases joined."""
    store = build_store(source, config.store_settings, cache=setting.cache, threads=setting.num_threads)
    if config.phrases:
        from textssl.text.phrases import derive_store, find_phrases
    for _ in range(config.phrases):
        phrases = find_phrases(
            store, min_count=config.min_count, threshold=config.phrase_threshold, threads=setting.num_threads
        )
        store = derive_store(store, phrases, setting.cache, threads=setting.num_threads)
    return store


def _chosen_engine(engine: Engine, device: str) -> Literal["cpu", "reference"]:
    if engine == "auto":
        return "cpu" if device == "cpu" else "reference"
    if engine == "cpu" and device != "cpu":
        raise UsageError(
            f"the engine cpu runs on the device cpu, got {device}", hint="Give --engine reference with this device."
        )
    return engine


def _in_and_out(tables: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The two tables by the names of either engine's state."""
    inputs, outputs = next(names for names in TABLES if names[0] in tables)
    return tables[inputs], tables[outputs]
