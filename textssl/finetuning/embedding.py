"""Vectors of texts, from a transformer or from word vectors.

Legend: N texts, B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.errors import DataError, UsageError
from textssl.finetuning.encoding import EncodedTexts, batches_by_length, encode_texts
from textssl.neighbours import unit_rows
from textssl.plural import counted
from textssl.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor

    from textssl.text.tokenizer import Tokenizer
    from textssl.word_vectors import WordVectors

Pooling = Literal["mean", "cls"]
MAX_TOKENS_OF_A_BATCH = 4096


@dataclass(frozen=True)
class TextModel:
    """A transformer with its tokenizer.

    Args:
        model: an Encoder, a Decoder or a classifier over one.
        tokenizer: its tokenizer.
        path: its folder.
    """

    model: Any
    tokenizer: Tokenizer
    path: Path

    @property
    def is_decoder(self) -> bool:
        """Whether positions see only those before them, so that the last one knows the text."""
        from textssl.models.decoder import DecoderConfig

        return isinstance(self.model.config, DecoderConfig)

    @property
    def pad_id(self) -> int:
        """What fills up rows; any id will do where the tokenizer has none, since nothing looks at it."""
        found = self.tokenizer.find("pad")
        return 0 if found is None else found

    @property
    def length(self) -> int:
        """The most positions."""
        return int(self.model.config.length)

    def encode(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, length: int | None = None
    ) -> EncodedTexts:
        """Texts as the rows of ids that the model reads."""
        return encode_texts(
            self.tokenizer,
            texts,
            pairs,
            length=length or self.length,
            first_id=None if self.is_decoder else self.tokenizer.cls_id,
            separator_id=self.tokenizer.separator_id,
        )


def open_text_model(path: str | Path, *, body_suffices: bool = False) -> TextModel:
    """Open the transformer of a run or of a model folder.

    Args:
        path: run or folder.
        body_suffices: open a folder without the head that predicts tokens too, as `AutoModel` saves it; the head of the
            model is new then (`head_is_new`).

    Raises:
        DataError: there is none; a run of word vectors is told apart.
    """
    from textssl.models.base_folder import is_model_folder, load_model

    folder = model_folder(path)
    _refuse_network_for_images(folder, path)
    if not is_model_folder(folder):
        raise DataError(
            "holds no transformer",
            where=str(path),
            hint="Train one first: textssl train masked_lm corpus.txt --out runs/lm --preset tiny",
        )
    model, tokenizer = load_model(folder, new_head_seed=0 if body_suffices else None)
    return TextModel(model, tokenizer, folder)


def untrained(source: TextModel, *, seed: int) -> TextModel:
    """The same network with the first weights of a seed; the tokenizer stays as it was learnt."""
    import copy

    from textssl.models.base import initialise, small_deviation

    model, config = copy.deepcopy(source.model), source.model.config
    initialise(model, seed=seed, num_layers=config.layers, deviation=small_deviation(config.width))
    return TextModel(model, source.tokenizer, source.path)


def open_source(source: Any) -> TextModel | WordVectors:
    """What a path names: word vectors or a transformer; what is open already is passed on.

    Raises:
        DataError: nothing is there, or it is neither of the two.
    """
    from textssl.embeddings import Embeddings
    from textssl.word_vectors import WordVectors

    if isinstance(source, TextModel | WordVectors):
        return source
    folder = model_folder(source)
    if folder.is_dir():
        from textssl.models.base_folder import is_model_folder

        if is_model_folder(folder):
            return open_text_model(folder, body_suffices=True)
        _refuse_network_for_images(folder, source)
    return Embeddings.load(source)


def model_folder(path: str | Path) -> Path:
    """The folder with the model: that of a run, or the folder itself.

    Raises:
        DataError: nothing is there, or the run has no model yet.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("is missing: no run and no model folder", where=str(path), hint="Check the path.")
    if not RunFolder.is_run(path):
        return path
    return RunFolder.view(path).finished_model()


def _refuse_network_for_images(folder: Path, given: str | Path) -> None:
    from textssl.models.base_image_folder import is_image_model_folder

    if is_image_model_folder(folder):
        raise DataError(
            "holds a network for images, not one for text",
            where=str(given),
            hint=f"Give it images: textssl embed {given} images/ --out vectors.npy",
        )


def embed_texts(
    source: TextModel | WordVectors,
    texts: Sequence[str] | EncodedTexts,
    *,
    pooling: Pooling = "mean",
    normalise: bool = True,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """A vector for each text.

    Args:
        source: a transformer, or word vectors, of which the mean over the words known is taken.
        texts: N texts, for a transformer also encoded already; what is longer than the model is cut.
        pooling: mean over all positions, or the first one ([CLS]); of a decoder the last one.
        normalise: make each vector one of unit length; zeros stay zeros.
        device: of the transformer.

    Returns:
        float32 (N, D).

    Raises:
        UsageError: cls is asked of word vectors.
    """
    if isinstance(source, TextModel):
        encoded = texts if isinstance(texts, EncodedTexts) else source.encode(texts)
        vectors = _hidden_means(source, encoded, pooling, device)
    elif isinstance(texts, EncodedTexts):
        raise TypeError("encoded texts are for a transformer, word vectors take texts")
    elif pooling == "cls":
        raise UsageError("word vectors have no cls position, pooling must be mean")
    else:
        from textssl.evaluators.classification import average_vectors

        vectors, _ = average_vectors(source, texts)
    if normalise:
        vectors = unit_rows(vectors)
    return vectors


def num_without_words(source: TextModel | WordVectors, vectors: NDArray[np.float32]) -> int:
    """How many texts hold no word that word vectors know, which zeros tell; 0 of a transformer, which reads any text.

    Args:
        source: what made the vectors.
        vectors: as `embed_texts` gives them.
    """
    return 0 if isinstance(source, TextModel) else int(np.count_nonzero(~vectors.any(axis=1)))


def cut_text(number: int) -> str:
    """What to know about texts of which a model reads the beginning alone."""
    were = "was" if number == 1 else "were"
    return f"{counted(number, 'text')} {were} longer than the model reads and cut to its length"


def without_words_text(number: int, num_texts: int) -> str:
    """What to know about texts that hold no known word."""
    hold, vectors = ("holds", "its vector is") if number == 1 else ("hold", "their vectors are")
    return f"{number:,} of {num_texts:,} texts {hold} no known word: {vectors} zeros"


def rectangle(encoded: EncodedTexts, rows: NDArray[np.int64], pad_id: int) -> tuple[Tensor, Tensor | None]:
    """Some texts as ids (B, T), and 0 at texts and -1 at padding (B, T) or None where there is no padding; int32."""
    import torch

    ids, real = encoded.padded(rows, pad_id)
    documents = None if real.all() else torch.from_numpy(np.where(real, np.int32(0), np.int32(-1)))
    return torch.from_numpy(ids), documents


def _hidden_means(source: TextModel, encoded: EncodedTexts, pooling: Pooling, device: str) -> NDArray[np.float32]:
    import torch

    from textssl.models.heads import last_positions, pooled

    body = source.model.to(device).eval().model
    found = np.zeros((len(encoded), source.model.config.width), dtype=np.float32)
    with torch.inference_mode():
        for rows in batches_by_length(encoded.lengths, MAX_TOKENS_OF_A_BATCH):
            ids_BT, documents_BT = rectangle(encoded, rows, source.pad_id)
            documents_BT = None if documents_BT is None else documents_BT.to(device)
            ids_BT = ids_BT.to(device)
            if pooling == "cls" and source.is_decoder:
                vectors_BD = body(ids_BT, documents_BT=documents_BT, positions=last_positions(ids_BT, documents_BT))
            else:
                vectors_BD = pooled(body(ids_BT, documents_BT=documents_BT), documents_BT, pooling)
            found[rows] = vectors_BD.float().cpu().numpy()
    return found
