"""Options that `train` has beside those of the objective, and how defaults, preset, file and flags come together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from textssl.commands.base import model_config_of
from textssl.config import checked, option, read_toml, resolve
from textssl.errors import UsageError, did_you_mean
from textssl.option_names import option_hint
from textssl.training.budget import TrainerConfig


@dataclass(frozen=True)
class TrainOptions(TrainerConfig):
    """What every objective takes beside its own options."""

    from_: Path | None = option(None, "Start from the weights of this run, or from a vector file or folder.")
    preset: str | None = option(None, "A named set of the objective's options (textssl list presets).")
    config: Path | None = option(
        None, "A TOML file with options, for instance the config.toml of another run; flags come before it."
    )
    seed: int = option(1, "Of every random number.", minimum=0)
    threads: int | None = option(None, "Threads of the CPU kernels; by default every processor.", minimum=1)
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps; auto takes the best, for word vectors the cpu.")
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "Of a network's products; auto takes bfloat16 where the chip has it."
    )
    batch: Literal["whole", "auto"] = option(
        "whole", "auto computes a network's batch in parts when the memory is too small for it; the result is equal."
    )
    compile: bool = option(False, "Compile a network (torch.compile); the CPU needs a C++ compiler for it.")
    loader_threads: int = option(1, "Threads that make a network's batches ahead; they change nothing else.", minimum=0)
    track: Literal["tensorboard", "wandb"] | None = option(None, "Send the records there too: tensorboard or wandb.")
    cache: Path | None = option(None, "Folder of the token stores; by default that of the user.")
    format: str | None = option(
        None,
        "Of the corpus: text, jsonl, csv, tsv, parquet, wikiextractor, hub; of images: folder, clips, npz, npy, idx, "
        "parquet, hub; else found out.",
    )
    text_field: str = option("text", "Column or field that holds the text.")
    encoding: str = option("utf-8", "Of text files.")
    on_bad: Literal["error", "skip"] = option("error", "Stop at the first fault of the corpus, or skip and count them.")
    limit: int | None = option(None, "Read this many documents or images at most.", minimum=1)
    dry_run: bool = option(False, "Read the corpus and say what would be trained, without training.")

    def that_matter(self) -> dict[str, Any]:
        """The options that decide what is learnt, as they are named in config.toml."""
        return {name.strip("_"): value for name, value in asdict(self).items() if name not in _ONLY_HOW}


_ONLY_HOW = frozenset(
    {"threads", "max_minutes", "max_steps", "max_units", "checkpoint_every", "keep_checkpoints"}
    | {"evaluate_every", "patience", "precision", "batch", "compile", "loader_threads", "track"}
    | {"cache", "dry_run", "config", "preset"}
)
"""Options that do not change what is learnt, or whose effect stands in other options; a resumed run may have others."""


def resolve_options(objective: str, method: Any, given: Mapping[str, Any]) -> tuple[TrainOptions, Any]:
    """The options of `train` and of the objective: defaults < preset < file < given.

    Args:
        objective: its name.
        method: its class, with Config and PRESETS.
        given: what the person really gave, by name.

    Raises:
        UsageError: an option or the preset is unknown, or an option of the file or of those given has a wrong value.
    """
    shared, own = ({field.name for field in fields(kind)} for kind in (TrainOptions, method.Config))
    for name in given:
        if name not in shared | own:
            raise UsageError(
                f"{name} is no option of {objective}",
                hint=option_hint(name, ["out", *sorted(shared | own)]) or f"See textssl train {objective} --help.",
            )
    in_file = _from_file(given.get("config"), objective, method)
    options, _ = resolve(TrainOptions, {name: value for name, value in {**in_file, **given}.items() if name in shared})
    preset = _preset(options.preset, objective, method)
    config, _ = resolve(
        method.Config,
        {name: value for name, value in {**in_file, **given}.items() if name in own - shared},
        preset={**_length_of_start(options.from_, method), **preset},
    )
    return options, config


def _length_of_start(start: Path | None, method: Any) -> dict[str, int]:
    """The length of rows that a model to start from can take, where that is less than an objective's usual one."""
    usual = {field.name: field.default for field in fields(method.Config)}.get("length")
    own = None if start is None else model_config_of(start).get("max_position_embeddings")
    return {"length": own} if isinstance(usual, int) and type(own) is int and 2 <= own < usual else {}


def _from_file(path: str | Path | None, objective: str, method: Any) -> dict[str, Any]:
    """The options of a file, each checked with the file's name in its message."""
    if path is None:
        return {}
    values = read_toml(Path(path))
    named = values.pop("objective", objective)
    if named != objective:
        raise UsageError(
            f"is a configuration of {named}, expected {objective}", where=str(path), hint=f"textssl train {named} ..."
        )
    names = {field.name.strip("_"): field.name for kind in (TrainOptions, method.Config) for field in fields(kind)}
    del names["config"]
    for name in values:
        if name not in names:
            raise UsageError(
                f"there is no option {name!r}",
                where=str(path),
                hint=option_hint(name, names) or f"See textssl train {objective} --help.",
            )
    found: dict[str, Any] = {}
    for kind in (TrainOptions, method.Config):
        known = {field.name for field in fields(kind)}
        of_kind = {names[name]: value for name, value in values.items() if names[name] in known}
        found |= checked(kind, of_kind, where=str(path))
    return found


def _preset(name: str | None, objective: str, method: Any) -> Mapping[str, Any]:
    if name is None:
        return {}
    if name not in method.PRESETS:
        known = ", ".join(method.PRESETS) or "none"
        raise UsageError(
            f"{objective} has no preset {name!r}", hint=did_you_mean(name, method.PRESETS) or f"Its presets: {known}."
        )
    preset: Mapping[str, Any] = method.PRESETS[name]
    return preset
