"""transformers' side of a benchmark, for a Python that has it: imports nothing of textssl, prints one JSON line.

python transformers_peer.py SETTINGS_JSON

Settings: model (folder with a config.json; its weights are used too, so both start alike), rows (npy of token ids, one
row per example), objective ("masked_lm" | "next_token"), batch, max_steps or minutes, learning_rate, warm_up_steps,
weight_decay, precision ("float32" | "bfloat16"), sparse_prediction, threads, seed, skip_steps (left out of the speed),
evaluation (npz with ids, positions, targets, num_bytes; or none), save (folder for the trained model, or none).

The Trainer and its own collator are used as their documentation shows; logging is every 10 steps.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

EVALUATED_AT_ONCE = 64


class Clock(TrainerCallback):  # type: ignore[misc]
    """When every step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


class Rows(torch.utils.data.Dataset):  # type: ignore[misc]
    """The rows as the collator takes them."""

    def __init__(self, path: str) -> None:
        self.rows = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.rows[index].astype(np.int64)}


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings["threads"])
    with contextlib.redirect_stdout(sys.stderr):
        result = train(settings)
    print(json.dumps(result))


def train(settings: dict[str, Any]) -> dict[str, Any]:
    """Train and tell the speed, the losses and, where there is an evaluation, its loss."""
    masked = settings["objective"] == "masked_lm"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(settings["model"])
    model = _model(settings, masked)
    collator = DataCollatorForLanguageModeling(
        tokenizer, mlm=masked, **({"mlm_probability": settings["mask_rate"]} if masked else {})
    )
    begin = time.perf_counter()
    steps = settings.get("max_steps") or _steps_in_time(settings, model, collator)
    clock = Clock()
    trainer = Trainer(
        model=model,
        args=_arguments(settings, steps),
        train_dataset=Rows(settings["rows"]),
        data_collator=collator,
        callbacks=[clock],
    )
    trainer.train()
    trained_s = time.perf_counter() - begin
    if settings.get("save"):
        model.save_pretrained(settings["save"])
    skip = min(settings.get("skip_steps", 5), len(clock.ends) - 1)
    tokens = settings["batch"] * Rows(settings["rows"]).rows.shape[1]
    step_s = np.diff(np.array(clock.ends))[skip - 1 if skip else 0 :]
    return {
        "steps": steps,
        "trained_s": trained_s,
        "tokens_per_s": tokens / float(np.median(step_s)),
        "losses": [[entry["step"], entry["loss"]] for entry in trainer.state.log_history if "loss" in entry],
        **(_evaluated(model, settings) if settings.get("evaluation") else {}),
    }


def _model(settings: dict[str, Any], masked: bool) -> Any:
    kind = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    config = AutoConfig.from_pretrained(settings["model"])
    if settings.get("sparse_prediction"):
        config.sparse_prediction = True
    return kind.from_pretrained(settings["model"], config=config, dtype=torch.float32)


def _arguments(settings: dict[str, Any], steps: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=settings["work"],
        max_steps=steps,
        per_device_train_batch_size=settings["batch"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        warmup_steps=max(1, int(settings["warm_up_share"] * steps)),
        lr_scheduler_type=settings.get("schedule", "linear"),
        adam_beta2=settings["beta2"],
        max_grad_norm=1.0,
        bf16=settings["precision"] == "bfloat16",
        use_cpu=True,
        seed=settings["seed"],
        save_strategy="no",
        report_to=[],
        logging_steps=10,
        disable_tqdm=True,
    )


def _steps_in_time(settings: dict[str, Any], model: Any, collator: Any) -> int:
    """So many steps that they fill the minutes, by the speed of a few that are thrown away (their time counts)."""
    begin = time.perf_counter()
    state = {name: part.clone() for name, part in model.state_dict().items()}
    clock = Clock()
    Trainer(
        model=model, args=_arguments(settings, 12), train_dataset=Rows(settings["rows"]), data_collator=collator,
        callbacks=[clock],
    ).train()  # fmt: skip
    model.load_state_dict(state)
    left = settings["minutes"] * 60 - (time.perf_counter() - begin)
    return max(1, int(left / float(np.median(np.diff(np.array(clock.ends))))))


@torch.no_grad()
def _evaluated(model: Any, settings: dict[str, Any]) -> dict[str, float]:
    """Summed loss at given positions over given rows: position p of a row is scored with the logits at `positions`."""
    given = np.load(settings["evaluation"])
    ids, positions, targets = (
        torch.from_numpy(given[name].astype(np.int64)) for name in ("ids", "positions", "targets")
    )
    length, total = ids.shape[1], 0.0
    model.eval()
    for start in range(0, len(ids), EVALUATED_AT_ONCE):
        rows = ids[start : start + EVALUATED_AT_ONCE]
        chosen = (positions >= start * length) & (positions < (start + len(rows)) * length)
        logits = model(input_ids=rows).logits.reshape(-1, model.config.vocab_size)[positions[chosen] - start * length]
        total += float(torch.nn.functional.cross_entropy(logits.double(), targets[chosen], reduction="sum"))
    return {"loss_nats": total / len(targets), "bits_per_byte": total / np.log(2) / float(given["num_bytes"])}


if __name__ == "__main__":
    main()
