"""To Hugging Face: a folder with a model card that transformers opens, and a model of transformers in memory.

The way back needs no function: `models.base_folder.load_model` opens a folder that transformers wrote.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import storage
from textssl.errors import DataError, UsageError
from textssl.finetuning.results import RESULTS, FinetuneResult, score_text
from textssl.run_folder import RunFolder

if TYPE_CHECKING:
    from textssl.models.base_folder import Model
    from textssl.text.tokenizer import Tokenizer

CARD = "README.md"
# how the rows of training look: a text, and a text with a second one
_TEMPLATES = {
    "Encoder": ("cls A separator", "cls A separator B separator"),
    "EncoderClassifier": ("cls A separator", "cls A separator B separator"),
    "Decoder": ("separator A", "separator A separator B"),
    "DecoderClassifier": ("A separator", "A separator B separator"),
}
# class of transformers, and what its hub calls the use
_CLASSES = {
    "Encoder": ("AutoModelForMaskedLM", "fill-mask"),
    "Decoder": ("AutoModelForCausalLM", "text-generation"),
    "EncoderClassifier": ("AutoModelForSequenceClassification", "text-classification"),
    "DecoderClassifier": ("AutoModelForSequenceClassification", "text-classification"),
}


def export_folder(source: Path, target: Path, *, replace: bool = False) -> Path:
    """Write the model of a folder as a Hugging Face folder with a model card.

    Args:
        source: a run that is finished, or a model folder.
        target: the folder to make; it appears whole or not at all.
        replace: put it in the place of a folder that textssl wrote before.

    Returns:
        The folder.

    Raises:
        DataError: the source holds no transformer, or is damaged.
        UsageError, ResourceError: as `storage.commit_folder`.
    """
    from textssl.models.base_folder import load_model, write_model

    folder = transformer_folder(source)
    metadata = storage.verify_folder(folder, hashes=True) if (folder / storage.MANIFEST).exists() else {}
    model, tokenizer = load_model(folder)
    card = model_card(model, {**metadata, **known_of_run(source)})

    def write(made: Path) -> None:
        write_model(made, model, with_template(tokenizer, type(model).__name__))
        (made / CARD).write_text(card, encoding="utf-8")

    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    return storage.commit_folder(target, write, expected_bytes=size, metadata=metadata, replace=replace)


def transformer_folder(path: Path) -> Path:
    """The model folder that a path means: itself, or the folder `model` of a run.

    Raises:
        DataError: there is no transformer.
    """
    from textssl.models.base_folder import is_model_folder

    path = Path(path)
    for folder in (path, path / "model"):
        if is_model_folder(folder):
            return folder
    raise DataError(
        "holds no transformer",
        where=str(path),
        hint="Give a finished run of masked_lm, next_token or finetune, or a folder that transformers wrote.",
    )


def known_of_run(path: Path) -> dict[str, Any]:
    """What a run says of its training: objective, data, steps and scores, by names for people; {} of a folder."""
    if not RunFolder.is_run(path):
        return {}
    run = RunFolder.view(path)
    config, data, summary = run.config(), run.data(), run.status().get("summary") or {}
    trained_on = data.get("corpus") or data.get("train", {}).get("source")
    counts = {name: data.get(f"num_{name}") for name in ("documents", "tokens")}
    counts["labelled texts"] = data.get("train", {}).get("rows")
    found = {
        "objective": config.get("objective") or config.get("command"),
        "trained on": None if trained_on is None else Path(trained_on).name,
        **{f"{name} there": None if count is None else f"{count:,}" for name, count in counts.items()},
        "steps": summary.get("steps"),
        "passed in training": f"{summary['units']:,} {summary['unit']}" if "units" in summary else None,
        **{f"held back, {name}": f"{value:.4g}" for name, value in summary.get("scores", {}).items()},
    }
    if (path / RESULTS).is_file():
        result = FinetuneResult.load(path)
        own = result.methods[0].scores if result.scored_on else {}
        found |= {
            f"{result.scored_on}, {name}": score_text(score, several=len(result.seeds) > 1)
            for name, score in own.items()
        }
    return {name: value for name, value in found.items() if value is not None}


def model_card(model: Model, metadata: dict[str, Any]) -> str:
    """The text of README.md: what the model is, its sizes, what is known of its training, and how to open it.

    Args:
        model: that the folder holds.
        metadata: JSON values of the folder that it comes from.
    """
    config = model.config
    loader, use = _CLASSES[type(model).__name__]
    count = sum(parameter.numel() for parameter in model.parameters())
    rows = {
        "parameters": f"{count:,}",
        "layers x width, heads": f"{config.layers} x {config.width}, {config.heads}",
        "vocabulary": f"{config.vocabulary_size:,}",
        "length": f"{config.length:,}",
        **({"labels": ", ".join(model.labels.names)} if hasattr(model, "labels") else {}),
        **{str(name): _cell(value) for name, value in sorted(metadata.items())},
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
library_name: transformers
pipeline_tag: {use}
tags: [textssl]
---

# {type(model).__name__} trained with textssl

| | |
|---|---|
{table}

```python
from transformers import {loader}, AutoTokenizer

model = {loader}.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
```

The model knows what its corpus says, with its errors and its slants; evaluate it on your own texts before you use it.
"""


def with_template(tokenizer: Tokenizer, kind: str) -> Tokenizer:
    """The tokenizer with the special tokens that rows had in training, where it says nothing of them.

    Args:
        tokenizer: one that has such a template keeps it.
        kind: the name of the model's class.
    """
    from textssl.text.tokenizer import Tokenizer

    values = json.loads(tokenizer.json_text)
    if values.get("post_processor") is not None:
        return tokenizer
    names = {str(role): token for role, token in tokenizer.special_tokens.items()}
    single, pair = (template.split() for template in _TEMPLATES[kind])
    if not {word for word in pair if word.islower()} <= names.keys():
        return tokenizer
    ids = {names[word]: tokenizer.find("cls" if word == "cls" else "separator") for word in pair if word.islower()}
    values["post_processor"] = {
        "type": "TemplateProcessing",
        "single": _pieces(single, names),
        "pair": _pieces(pair, names),
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]} for token, id in ids.items()},
    }
    return Tokenizer.from_json_text(json.dumps(values, ensure_ascii=False), roles=tokenizer.special_tokens)


def _pieces(words: list[str], names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"SpecialToken": {"id": names[word], "type_id": 0}}
        if word in names
        else {"Sequence": {"id": word, "type_id": 0}}
        for word in words
    ]


def to_transformers(model: Model, tokenizer: Tokenizer) -> Any:
    """The same model as an object of transformers, on the CPU.

    Args:
        model: of textssl.
        tokenizer: its tokenizer.

    Raises:
        UsageError: transformers is not installed.
    """
    try:
        import transformers  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise UsageError("transformers is not installed", hint="Install it with: pip install transformers") from error
    from textssl.models.base_folder import write_model

    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), model, tokenizer)
        return getattr(transformers, _CLASSES[type(model).__name__][0]).from_pretrained(folder)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("|", "\\|").replace("\n", " ")
