"""Let a model of next_token go on from a prompt.

Examples:
  textssl generate runs/gpt "the history of"
  textssl generate runs/gpt "the history of" --temperature 0.8 --top-k 50 --seed 3
  textssl generate runs/gpt "once upon a time" --temperature 0      always the most probable token
  textssl generate runs/gpt prompts.txt --json                     an existing file: one prompt a line
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl.commands.base import gives_own_errors, printable

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Continuation:
    """A prompt and what came after it.

    Args:
        prompt: as it was given.
        text: what was made, without the prompt.
        num_tokens: of it.
        stopped: "end" (the model ended the text), "max_new_tokens" or "length" (of the model).
    """

    prompt: str
    text: str
    num_tokens: int
    stopped: str


@dataclass(frozen=True)
class GenerateResult:
    """What was made, in the order of the prompts."""

    run: str
    texts: tuple[Continuation, ...]

    def as_dict(self) -> dict[str, Any]:
        """All texts in JSON's types."""
        return asdict(self)


@gives_own_errors
def generate(
    run: str | Path,
    prompt: str | Path,
    *,
    max_new_tokens: int = 64,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 1,
    device: str = "auto",
) -> GenerateResult:
    """Let a model go on from prompts.

    Args:
        run: a run of next_token, or a Hugging Face folder of a decoder.
        prompt: a text, or an existing file with one on each line, or - for standard input.
        max_new_tokens: the most tokens to make.
        temperature: below 1 probable tokens become more so; 0 always takes the most probable one.
        top_k: draw from so many of the most probable tokens only.
        top_p: draw from the fewest tokens that together have this probability, above 0 and at most 1.
        seed: of the draws; the same seed gives the same text.
        device: auto, cpu, cuda, cuda:N or mps.

    Returns:
        The texts in the order of the prompts.

    Raises:
        UsageError: an option is out of range, a prompt is too long for the model, or the model is no decoder.
        DataError: there is no model, or no file under a name that looks like one.
    """
    from textssl.commands._language_models import open_language_model, read_prompts
    from textssl.generation import Sampling
    from textssl.generation import generate as generate_texts

    sampling = Sampling(temperature, top_k, top_p)
    prompts = read_prompts(prompt)
    model, tokenizer = open_language_model(run, device, "decoder")
    made = generate_texts(model, tokenizer, prompts, max_new_tokens=max_new_tokens, sampling=sampling, seed=seed)
    return GenerateResult(
        str(run), tuple(Continuation(each.prompt, each.text, len(each.ids), each.stopped) for each in made)
    )


def show(result: GenerateResult, console: Console) -> None:
    """Print each prompt with what came after it."""
    for number, each in enumerate(result.texts):
        if number:
            console.print()
        console.out(_safe(each.prompt + each.text), highlight=False)


def _safe(text: str) -> str:
    """The text with newlines as they are and everything else that could move a terminal's cursor as an escape."""
    return "\n".join(printable(line) for line in text.split("\n"))
