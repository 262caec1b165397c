"""Fill in what stands at [MASK] in a text: the tokens that a model of masked_lm finds most probable there.

Examples:
  textssl fill runs/lm "the capital of [MASK] is paris"
  textssl fill runs/lm "[MASK] is the capital of [MASK]" --topn 3
  textssl fill runs/lm texts.txt --json               an existing file: one text a line
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textssl.commands.base import at_least, gives_own_errors, print_table, printable
from textssl.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.text.tokenizer import Tokenizer

MASK = "[MASK]"
TEXTS_AT_ONCE = 16


@dataclass(frozen=True)
class Candidate:
    """A token, its probability, and the text with it in place (None where a text has several masks)."""

    token: str
    probability: float
    text: str | None


@dataclass(frozen=True)
class Filled:
    """A text, and for each mask in it the most probable tokens, best first."""

    text: str
    masks: tuple[tuple[Candidate, ...], ...]


@dataclass(frozen=True)
class FillResult:
    """What was asked and answered."""

    run: str
    answers: tuple[Filled, ...]

    def as_dict(self) -> dict[str, Any]:
        """All answers in JSON's types."""
        return asdict(self)


@gives_own_errors
def fill(run: str | Path, text: str | Path, *, topn: int = 5, device: str = "auto") -> FillResult:
    """Fill in what stands at [MASK]: one token for each.

    Args:
        run: a run of masked_lm, or a Hugging Face folder of an encoder.
        text: a text with [MASK] in it, or an existing file with one on each line, or - for standard input.
        topn: number of tokens to tell for each mask.
        device: auto, cpu, cuda, cuda:N or mps.

    Returns:
        The answers in the order asked. Several masks of a text are filled in independently of each other.

    Raises:
        UsageError: a text has no [MASK] or is too long for the model, or the model is no encoder.
        DataError: there is no model, or no file under a name that looks like one.
    """
    import torch

    from textssl.commands._language_models import open_language_model, read_prompts

    at_least("topn", topn, 1)
    texts = read_prompts(text)
    model, tokenizer = open_language_model(run, device, "encoder")
    rows = [_row(text, number, tokenizer, model.config.length) for number, text in enumerate(texts, start=1)]
    answers: list[Filled] = []
    with torch.inference_mode():
        for start in range(0, len(rows), TEXTS_AT_ONCE):
            cut = slice(start, start + TEXTS_AT_ONCE)
            answers += _filled(model, tokenizer, texts[cut], rows[cut], topn)
    return FillResult(str(run), tuple(answers))


def show(result: FillResult, console: Console) -> None:
    """Print a table for each mask."""
    for number, answer in enumerate(result.answers):
        if number:
            console.print()
        if len(result.answers) > 1 or len(answer.masks) > 1:
            console.print(printable(answer.text))
        for place, candidates in enumerate(answer.masks, start=1):
            if len(answer.masks) > 1:
                console.print(f"mask {place}")
            rows = [(each.token, f"{each.probability:.3f}", each.text or "") for each in candidates]
            print_table(console, ("token", "probability", "text" if len(answer.masks) == 1 else ""), rows, right=(1,))


def _row(text: str, number: int, tokenizer: Tokenizer, length: int) -> NDArray[np.int32]:
    """The ids of a text as the model was trained on them: a beginning, the text, an end."""
    mask = tokenizer.special_tokens["mask"] if tokenizer.find("mask") is not None else MASK
    ids = tokenizer.encode_marked(text.replace(MASK, mask))
    if tokenizer.mask_id not in ids:
        raise UsageError(
            f"text {number} has no {mask}: {text[:60]!r}", hint=f'For instance: "the capital of {mask} is paris"'
        )
    row = np.concatenate([[tokenizer.cls_id], ids, [tokenizer.separator_id]]).astype(np.int32)
    if len(row) > length:
        raise UsageError(
            f"text {number} takes {len(row):,} positions, the model has {length:,}", hint="Shorten the text."
        )
    return row


def _filled(
    model: Any, tokenizer: Tokenizer, texts: list[str], rows: list[NDArray[np.int32]], topn: int
) -> list[Filled]:
    """The answers to some texts."""
    import torch

    width = max(map(len, rows))
    ids_BT = np.full((len(rows), width), tokenizer.pad_id, dtype=np.int32)
    documents_BT = np.full((len(rows), width), -1, dtype=np.int32)
    for at, row in enumerate(rows):
        ids_BT[at, : len(row)], documents_BT[at, : len(row)] = row, 0
    positions = np.flatnonzero(ids_BT.reshape(-1) == tokenizer.mask_id)
    table_VD, bias_V = model.output_table
    device = table_VD.device
    ids, documents, places = (torch.from_numpy(part).to(device) for part in (ids_BT, documents_BT, positions))
    seen = None if all(len(row) == width for row in rows) else documents
    hidden_ND = model.mlm_hidden(model.hidden(ids, documents_BT=seen, positions=places))
    scores_NV = torch.nn.functional.linear(hidden_ND, table_VD, bias_V)[:, : tokenizer.vocabulary_size].float()
    scores_NV[:, list(tokenizer.special_ids)] = -torch.inf  # never hidden in training, so their scores mean nothing
    best = scores_NV.softmax(-1).topk(min(topn, scores_NV.shape[1] - len(tokenizer.special_ids)))
    found: list[list[tuple[Candidate, ...]]] = [[] for _ in rows]
    for position, probabilities, tokens in zip(positions, best.values.tolist(), best.indices.tolist(), strict=True):
        at = int(position) // width
        single = (ids_BT[at] == tokenizer.mask_id).sum() == 1
        found[at].append(
            tuple(
                Candidate(
                    tokenizer.decode([token]).strip(),
                    probability,
                    _with_token(tokenizer, rows[at], token) if single else None,
                )
                for token, probability in zip(tokens, probabilities, strict=True)
            )
        )
    return [Filled(text, tuple(masks)) for text, masks in zip(texts, found, strict=True)]


def _with_token(tokenizer: Tokenizer, row: NDArray[np.int32], token: int) -> str:
    return tokenizer.decode(np.where(row == tokenizer.mask_id, token, row)).strip()
