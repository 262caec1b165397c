"""transformers' collator, for a Python that has it: imports nothing of textssl, prints one JSON line.

python collation_peer.py SETTINGS_JSON

Settings: rows (npz of `collation`), tokenizer (folder with tokenizer.json), batch, rate, unit ("token" | "word"),
seconds. Rows come packed, as lists with their mask of special tokens (and offsets, for words); the collator's call is
timed.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import warnings
from typing import Any

import numpy as np
import torch
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(json.dumps({"tokens_per_s": speed(settings)}))


def speed(settings: dict[str, Any]) -> float:
    """Tokens a second of processor time."""
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{settings['tokenizer']}/tokenizer.json", **names)
    words = settings["unit"] == "word"
    collator = DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=settings["rate"], whole_word_mask=words, return_tensors="pt", seed=0
    )
    examples = examples_of(np.load(settings["rows"]), words)
    size = settings["batch"]
    batches = itertools.cycle([examples[begin : begin + size] for begin in range(0, len(examples) - size + 1, size)])
    collator(next(batches))
    num_tokens, begin = 0, time.process_time()
    while time.process_time() - begin < settings["seconds"]:
        num_tokens += collator(next(batches))["input_ids"].numel()
    return num_tokens / (time.process_time() - begin)


def examples_of(given: Any, words: bool) -> list[dict[str, Any]]:
    """The rows as the collator's documentation shows them."""
    ids, is_special, starts = given["ids_BT"], given["is_special_BT"], given["starts_BT"]
    examples = [
        {"input_ids": row, "special_tokens_mask": special}
        for row, special in zip(ids.tolist(), is_special.astype(int).tolist(), strict=True)
    ]
    if words:
        begins = np.arange(ids.shape[1]) + np.cumsum(starts, axis=1)  # a gap in the offsets is what ends a word
        offsets = np.where(is_special[:, :, None], 0, np.stack([begins, begins + 1], axis=2))
        for example, row in zip(examples, offsets.tolist(), strict=True):
            example["offset_mapping"] = row
    return examples


if __name__ == "__main__":
    main()
