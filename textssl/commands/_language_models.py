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
        UsageError: it is of the other kind or a classifier, or this machine does not have the device.
    """
    from textssl.finetuning.embedding import open_text_model
    from textssl.models.decoder import Decoder
    from textssl.models.encoder import Encoder
    from textssl.training.devices import chosen_device

    opened = open_text_model(run)
    wanted: dict[Kind, type] = {"encoder": Encoder, "decoder": Decoder}
    found = next((name for name, class_ in wanted.items() if type(opened.model) is class_), None)
    if found is None:
        raise UsageError(
            "holds a classifier, which predicts labels and no tokens",
            where=str(run),
            hint=f"Give the pre-trained model that it was made of{_named_start(Path(run))}, or use this one with: "
            f"textssl predict {run} NEW.csv",
        )
    if kind is not None and found != kind:
        (objective, _), (_, other) = _MADE_BY[kind], _MADE_BY[found]
        raise UsageError(
            f"holds a model of the kind {found}, expected {kind}",
            where=str(run),
            hint=f"Give a run of {objective}, or use this one with: textssl {other} {run} ...",
        )
    return opened.model.to(chosen_device(device)).eval(), opened.tokenizer


def _named_start(run: Path) -> str:
    """The model that a run of fine-tuning started from, in parentheses; nothing of a model folder."""
    from textssl.run_folder import RunFolder

    model = RunFolder.view(run).config().get("model") if RunFolder.is_run(run) else None
    return f" ({model})" if model else ""


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
