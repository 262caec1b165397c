"""Texts that go on: a decoder draws one token after the other, from its own probabilities.

The draws of a prompt are a function of the seed and its number: the same call gives the same texts.
Legend: B prompts, T position, D width, V vocabulary.
Source: top-p is Holtzman et al. (arXiv 1904.09751), section 3.1; top-k Fan et al. (arXiv 1805.04833), section 5.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.errors import UsageError
from textssl.randomness import Purpose, stream_key, uniform

if TYPE_CHECKING:
    from torch import Tensor

    from textssl.models.decoder import Decoder
    from textssl.text.tokenizer import Tokenizer

PROMPTS_AT_ONCE = 16
Stopped = Literal["end", "max_new_tokens", "length"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Args:
        temperature: scores are divided by it; 0 takes the most probable token each time.
        top_k: draw from so many of the most probable tokens only, at least 1; None: from all.
        top_p: draw from the fewest tokens that together have this probability, above 0 to 1; None: from all.

    Raises:
        UsageError: a number is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature must be at least 0, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k must be at least 1, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p must be above 0 and at most 1, got {self.top_p}")


@dataclass(frozen=True)
class Generated:
    """A text that was made.

    Args:
        prompt: what it goes on from.
        text: what was made, without the prompt.
        ids: its tokens, int64, without the one that ends it.
        stopped: why it ends: the model ended it, the number of tokens asked for, or the model's length.
    """

    prompt: str
    text: str
    ids: NDArray[np.int64]
    stopped: Stopped


def generate(
    model: Decoder,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 64,
    sampling: Sampling = Sampling(),
    seed: int = 0,
) -> list[Generated]:
    """Let a decoder go on from prompts, each as the begin of a document.

    Args:
        model: a decoder; its dropout is off meanwhile.
        tokenizer: its tokenizer.
        prompts: texts, which may be empty.
        max_new_tokens: the most tokens to make for each, at least 1.
        sampling: how tokens are drawn.
        seed: of the draws.

    Returns:
        One result for each prompt, in their order.

    Raises:
        UsageError: a number is out of range, a prompt fills the whole length of the model, or the model has no
            token that begins a text.
    """
    import torch

    if max_new_tokens < 1:
        raise UsageError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    rows = _encoded(model, tokenizer, prompts)
    keys = [stream_key(seed, Purpose.GENERATE, number) for number in range(len(rows))]
    training = model.training
    model.eval()
    known = tokenizer.vocabulary_size  # the model's table may have more rows, which no token stands for
    made: dict[int, tuple[list[int], Stopped]] = {}
    try:
        with torch.no_grad():
            for group in _groups([len(row) for row in rows], model.config.length, max_new_tokens):
                own_rows, own_keys = [rows[number] for number in group], [keys[number] for number in group]
                found = _generate(model, own_rows, own_keys, max_new_tokens, sampling, known)
                made |= zip(group, found, strict=True)
    finally:
        model.train(training)
    return [
        Generated(prompt, tokenizer.decode(ids), np.array(ids, dtype=np.int64), stopped)
        for prompt, (ids, stopped) in zip(prompts, (made[number] for number in range(len(rows))), strict=True)
    ]


def _groups(widths: Sequence[int], length: int, max_new_tokens: int) -> Iterator[list[int]]:
    """Numbers of prompts that go on together, so that none is cut short by a longer one beside it.

    Those that the model's length does not limit may have any widths; others go with those of the same width.
    """
    alike: dict[int, list[int]] = {}
    for number, width in enumerate(widths):
        alike.setdefault(width if width + max_new_tokens > length else 0, []).append(number)
    for numbers in alike.values():
        for start in range(0, len(numbers), PROMPTS_AT_ONCE):
            yield numbers[start : start + PROMPTS_AT_ONCE]


def _encoded(model: Decoder, tokenizer: Tokenizer, prompts: Sequence[str]) -> list[NDArray[np.int32]]:
    """The ids of each prompt behind the token that begins a text: in training a document follows the end of another."""
    config = model.config
    first = config.begin_id if config.begin_id is not None else config.separator_id
    if first is None:
        raise UsageError("the model has no token that begins or ends a text, so a text cannot be begun")
    rows = [np.concatenate([[first], ids]).astype(np.int32) for ids in tokenizer.encode_batch(list(prompts))]
    for number, row in enumerate(rows, start=1):
        if len(row) >= config.length:
            raise UsageError(
                f"prompt {number} takes {len(row):,} positions, the model has {config.length:,} in all",
                hint="Shorten the prompt.",
            )
    return rows


def _generate(
    model: Decoder,
    rows: Sequence[NDArray[np.int32]],
    keys: Sequence[int],
    max_new_tokens: int,
    sampling: Sampling,
    vocabulary_size: int,
) -> list[tuple[list[int], Stopped]]:
    """The new ids of some prompts, and why each ends."""
    import torch

    from textssl.models.decoder import Cache

    table_VD = model.output_table[:vocabulary_size]
    B, width = len(rows), max(map(len, rows))
    num_new = min(max_new_tokens, model.config.length - width)
    ids_BT = torch.zeros(B, width, dtype=torch.int64)
    documents_BT = torch.full((B, width), -1)
    for number, row in enumerate(rows):  # padding on the left: turns know distances only
        ids_BT[number, width - len(row) :] = torch.from_numpy(row)
        documents_BT[number, width - len(row) :] = 0
    cache = Cache(model.config, batch=B, capacity=width + num_new, like=table_VD)
    new: list[list[int]] = [[] for _ in rows]
    ended = [False] * B
    inputs, documents = ids_BT, documents_BT
    for step in range(num_new):
        last_B = torch.arange(1, B + 1, device=table_VD.device) * inputs.shape[1] - 1
        hidden_BD = model.hidden(
            inputs.to(table_VD.device), documents_BT=documents.to(table_VD.device), cache=cache, positions=last_B
        )
        chosen = _choose(hidden_BD @ table_VD.T, sampling, np.array([float(uniform(key, step)) for key in keys]))
        for number, id in enumerate(chosen):
            ended[number] = ended[number] or id == model.config.separator_id
            if not ended[number]:
                new[number].append(id)
        if all(ended):
            break
        inputs, documents = torch.tensor(chosen)[:, None], torch.zeros(B, 1, dtype=torch.int64)
    whole: Stopped = "max_new_tokens" if num_new == max_new_tokens else "length"
    return [(ids, "end" if end else whole) for ids, end in zip(new, ended, strict=True)]


def _choose(scores_BV: Tensor, sampling: Sampling, draws_B: NDArray[np.float64]) -> list[int]:
    """One id for each row: the first whose cumulative probability is above the draw, most probable ids first."""
    import torch

    if sampling.temperature == 0:
        return [int(id) for id in scores_BV.argmax(1)]
    scores_BV = scores_BV.double().cpu() / sampling.temperature
    ordered_BV, ids_BV = scores_BV.sort(dim=1, descending=True, stable=True)
    if sampling.top_k is not None:
        ordered_BV, ids_BV = ordered_BV[:, : sampling.top_k], ids_BV[:, : sampling.top_k]
    sums_BV = ordered_BV.softmax(1).cumsum(1)
    if sampling.top_p is not None:
        # A token stays when those before it have less than top_p together; the first one always does.
        kept_B = 1 + (sums_BV[:, :-1] < sampling.top_p).sum(1)
    else:
        kept_B = torch.full((len(sums_BV),), sums_BV.shape[1])
    limits_B1 = sums_BV.gather(1, kept_B[:, None] - 1) * torch.from_numpy(draws_B)[:, None]
    places_B1 = torch.searchsorted(sums_BV, limits_B1, right=True)
    places_B1 = torch.minimum(places_B1, kept_B[:, None] - 1)
    return [int(id) for id in ids_BV.gather(1, places_B1)[:, 0]]
