"""One saved model = one Hugging Face folder: what is trained here opens there, and what is made there goes on here.

config.json  model.safetensors  tokenizer.json  tokenizer_config.json  special_tokens_map.json
generation_config.json (decoders)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textssl import storage
from textssl.disk import size_text
from textssl.errors import DataError
from textssl.models.base import initialise
from textssl.models.base_hub_config import DECODER_TYPE, ENCODER_TYPE, from_json, to_json
from textssl.models.base_weights import INDEX, MAX_JSON_BYTES, WEIGHTS, load_weights, read_object
from textssl.models.decoder import Decoder, DecoderBody, DecoderConfig
from textssl.models.encoder import Encoder, EncoderBody, EncoderConfig, PredictionHead
from textssl.models.heads import DecoderClassifier, EncoderClassifier, Labels
from textssl.tensor_file import save_tensors
from textssl.text.token_roles import special_tokens_map
from textssl.text.tokenizer import Tokenizer

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
GENERATION_CONFIG = "generation_config.json"
Model = Encoder | Decoder | EncoderClassifier | DecoderClassifier


def is_model_folder(path: Path) -> bool:
    """Whether a folder holds a transformer of a family that is known here; reads its config.json only."""
    config = Path(path) / CONFIG
    if not config.is_file() or config.stat().st_size > MAX_JSON_BYTES:
        return False
    try:
        return json.loads(config.read_bytes()).get("model_type") in (ENCODER_TYPE, DECODER_TYPE)
    except (ValueError, AttributeError, RecursionError, OSError):
        return False


def save_model(
    target: Path, model: Model, tokenizer: Tokenizer, *, metadata: Mapping[str, Any] = {}, replace: bool = False
) -> Path:
    """Commit a model as a folder that appears whole or not at all.

    Args:
        target: the folder to make.
        model: of any device; written as float32.
        tokenizer: its tokenizer.
        metadata: JSON values for the manifest.
        replace: put it in the place of a folder that textssl wrote before.

    Raises:
        UsageError, ResourceError: as `storage.commit_folder`.
    """
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    return storage.commit_folder(
        target,
        lambda folder: write_model(folder, model, tokenizer),
        expected_bytes=size,
        metadata={"kind": type(model).__name__, **metadata},
        replace=replace,
    )


def write_model(folder: Path, model: Model, tokenizer: Tokenizer) -> None:
    """Fill a folder that is there with the files of a model, for instance inside a commit.

    Args:
        folder: has none of these files.
        model: of any device; written as float32.
        tokenizer: its tokenizer.

    Raises:
        UsageError: the tokenizer has more ids than the model.
    """
    check_fits(model.config, tokenizer, str(folder))
    labels = getattr(model, "labels", None)
    _write_json(folder / CONFIG, to_json(model.config, labels))
    arrays = {name: part.detach().float().cpu().contiguous().numpy() for name, part in model.named_parameters()}
    save_tensors(folder / WEIGHTS, arrays, {"format": "pt"})
    tokenizer.save(folder)
    _write_json(folder / TOKENIZER_CONFIG, _tokenizer_json(tokenizer, model.config.length))
    if isinstance(model, Decoder):
        _write_json(folder / GENERATION_CONFIG, _generation_json(model.config))


def load_model(folder: Path, *, new_head_seed: int | None = None) -> tuple[Model, Tokenizer]:
    """Open a model folder of this toolkit or of transformers: an encoder, a decoder, or a classifier over one.

    Args:
        folder: holds config.json, the weights and tokenizer.json.
        new_head_seed: where the weights are those of a body without the head that predicts tokens, make a new head from
            this seed; None: such a folder is refused.

    Returns:
        The model in float32 on the CPU, and its tokenizer.

    Raises:
        DataError: a file is missing or damaged, the files do not fit each other, or the model has what ours have
            not.
        ResourceError: a file may not be read.
    """
    folder = Path(folder)
    described = from_json(read_object(folder / CONFIG), where=str(folder / CONFIG))
    config = described.config
    _check_size(folder, config)
    tokenizer = Tokenizer.open(folder)
    check_fits(config, tokenizer, str(folder))
    model = _empty(config, described.labels)
    tied = {"decoder.weight": "model.embeddings.tok_embeddings.weight"}
    if isinstance(config, DecoderConfig):
        tied = {"lm_head.weight": "model.embed_tokens.weight"} if config.tied else {}
    if new_head_seed is not None and described.labels is None:
        initialise(model, seed=new_head_seed, num_layers=config.layers)
        missing = load_weights(folder, model, tied=tied, optional=("head.", "decoder.", "lm_head."))
        model.head_is_new = bool(missing)
    else:
        load_weights(folder, model, tied=tied)
    return model, tokenizer


def _empty(config: EncoderConfig | DecoderConfig, labels: Labels | None) -> Model:
    if isinstance(config, EncoderConfig):
        return (
            Encoder(config)
            if labels is None
            else EncoderClassifier(EncoderBody(config), PredictionHead(config), labels)
        )
    return Decoder(config) if labels is None else DecoderClassifier(DecoderBody(config), labels)


def check_fits(config: EncoderConfig | DecoderConfig, tokenizer: Tokenizer, where: str) -> None:
    """Refuse a tokenizer with ids that the model has no rows for.

    Raises:
        DataError: naming both sizes.
    """
    if tokenizer.vocabulary_size > config.vocabulary_size:
        raise DataError(
            f"the tokenizer has {tokenizer.vocabulary_size:,} ids, the model has {config.vocabulary_size:,} rows",
            where=where,
            hint="Use the tokenizer that the model was trained with.",
        )


def _check_size(folder: Path, config: EncoderConfig | DecoderConfig) -> None:
    """Refuse a configuration that asks for far more memory than the weights have, before it is taken."""
    if (folder / INDEX).exists() or not (folder / WEIGHTS).exists():
        return
    size = (folder / WEIGHTS).stat().st_size
    table = config.vocabulary_size * config.width
    if table > size or config.layers > size or config.width * config.feed_forward_width * config.layers > size:
        raise DataError(
            f"{WEIGHTS} has {size_text(size)}, too little for the model that {CONFIG} describes",
            where=str(folder),
            hint="The files of the folder do not belong together; make it again.",
        )


def _tokenizer_json(tokenizer: Tokenizer, length: int) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": length,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        **special_tokens_map(tokenizer.special_tokens),
    }


def _generation_json(config: DecoderConfig) -> dict[str, Any]:
    ids = {"bos_token_id": config.begin_id, "eos_token_id": config.separator_id, "pad_token_id": config.pad_id}
    return {"_from_model_config": True, **{name: id for name, id in ids.items() if id is not None}}


def _write_json(file: Path, values: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
