"""What fill and generate share: opening a transformer of the kind they need, and reading prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl.errors import DataError, UsageError

if TYPE_CHECKING:
    from textssl.text.tokenizer import Tokenizer

Kind = Literal["encoder", "decoder"]
_MADE_BY: dict[Kind, tuple[str, str]] = {"encoder": ("masked_lm", "fill"), "decoder": ("next_token", "generate")}


def open_language_model(run: str | Path, device: str, kind: Kind | None = None) -> tuple[Any, Tokenizer]:
    """The model of a run or of a folder, on a device, and its tokenizer.

    Args:
        run: a run of masked_lm or next_token, or a Hugging Face folder.
        device: auto, cpu, cuda, cuda:N or mps.
        kind: what is needed, or None for either.

    Raises:
        DataError: there is no transformer.
        UsageError: it is of the other kind, or this machine does not have the device.
    """
    from textssl.finetuning.embedding import open_text_model
    from textssl.models.decoder import Decoder
    from textssl.models.encoder import Encoder
    from textssl.training.devices import chosen_device

    opened = open_text_model(run)
    wanted = {"encoder": Encoder, "decoder": Decoder}
    found = next((name for name, class_ in wanted.items() if type(opened.model) is class_), None)
    if found is None or (kind is not None and found != kind):
        objective, _ = _MADE_BY[kind or "encoder"]
        other = next((command for name, (_, command) in _MADE_BY.items() if name == found), "predict")
        given = found or type(opened.model).__name__
        raise UsageError(
            f"holds a model of the kind {given}, expected {kind or 'encoder or decoder'}",
            where=str(run),
            hint=f"Give a run of {objective}, or use this one with: textssl {other} {run} ...",
        )
    return opened.model.to(chosen_device(device)).eval(), opened.tokenizer


def read_prompts(given: str | Path) -> list[str]:
    """The lines of a file that is there, or the text itself; \"-\" reads standard input.

    Raises:
        DataError: a name that looks like a file's stands for nothing, or the file is not UTF-8 or empty.
    """
    import sys

    from textssl.commands._tables import TableSettings, read_texts

    if str(given) == "-":
        prompts = sys.stdin.read().splitlines()
    else:
        prompts = read_texts(given, TableSettings(text=("text",))).examples.texts
    if not prompts:
        raise DataError("holds no prompt", where=str(given), hint="Write one prompt on each line.")
    return list(prompts)
