"""How fast is a small transformer pre-trained: textssl against the Trainer of transformers, in turn, on the same rows.

    python -m benchmarks.transformer_speed --text TEXT --objective masked_lm --peer-python PY

Both start from the same weights (the folder that textssl writes opens in transformers), take the same rows in batches
of the same size, mask the same share of tokens, and use AdamW with the same learning rate and schedule. textssl runs
as its command line; the peer runs its Trainer and its collator, in float32, in bfloat16, and in float32 with
`sparse_prediction` (masked_lm only; transformers leaves it off unless asked).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import RESULTS, in_turn, ratios, run_process, say, spread, write_result

PEER_SCRIPT = Path(__file__).with_name("transformers_peer.py")
OURS = "textssl"
VARIANTS: dict[str, dict[str, Any]] = {
    "transformers, float32": {"precision": "float32"},
    "transformers, bfloat16": {"precision": "bfloat16"},
    "transformers, float32, sparse_prediction": {"precision": "float32", "sparse_prediction": True},
}
BY_DEFAULT = tuple(name for name in VARIANTS if "sparse" not in name)
"""The Trainer's two settings; the third has to be known and asked for."""
LAST_SHARE = 1 / 3
"""Of the steps, whose mean loss is compared."""
PROTOCOL = (
    "The training loop alone (from the first steps to the last, start-up left out), same weights at the start, same "
    "rows, batch, mask rate, AdamW, learning rate and schedule; contestants in turn; tokens are positions of the rows."
)


def main() -> None:
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        _measure(arguments, Path(folder))


def _measure(arguments: argparse.Namespace, work: Path) -> None:
    options = {"preset": "tiny", "learning_rate": arguments.learning_rate, "seed": 1, "threads": arguments.threads,
               "limit": arguments.documents}  # fmt: skip
    prepared = _prepared(arguments, options, work)
    batch = prepared.config.batch_rows
    start = work / "start"
    _save_start(prepared, start)
    np.save(work / "rows.npy", _rows(prepared, arguments.steps * batch))
    settings = _peer_settings(arguments, prepared, work, start, batch)
    variants = {name: change for name, change in VARIANTS.items() if name in arguments.variants}
    contestants = {OURS: _ours(arguments, options, work)}
    if arguments.peer_python is None:
        say("transformers is left out: it was not given (see --help)")
    else:
        contestants |= {name: _peer(arguments, {**settings, **change}) for name, change in variants.items()}
    slow = {name: 1 if "bfloat16" in name else arguments.repeats for name in contestants}
    runs = in_turn(contestants, slow)
    speeds = {name: [run["tokens_per_s"] for run in found] for name, found in runs.items()}
    defaults = [name for name in speeds if name in BY_DEFAULT]
    best = max(defaults, key=lambda name: statistics.median(speeds[name]), default=None)
    write_result(
        f"transformer_speed_{arguments.objective}",
        arguments.results,
        protocol=PROTOCOL,
        setting={"objective": arguments.objective, "batch_rows": batch, "length": prepared.config.length,
                 "steps": arguments.steps, "learning_rate": arguments.learning_rate, "threads": arguments.threads},
        tokens_per_s={name: spread(values) for name, values in speeds.items()},
        ratios={name: ratios(speeds[OURS], values) for name, values in speeds.items() if name != OURS},
        best_peer=best,
        last_losses={name: [run["last_loss"] for run in found] for name, found in runs.items()},
    )  # fmt: skip


def _prepared(arguments: argparse.Namespace, options: Mapping[str, Any], work: Path) -> Any:
    """The objective of textssl with the corpus read, in this process: for its rows and its first weights."""
    from textssl import registry
    from textssl.commands._train_options import resolve_options
    from textssl.commands.train import prepared_by

    method: Any = registry.load("objectives", arguments.objective)
    given = {**options, "device": "cpu", "cache": work / "store"}
    resolved, config = resolve_options(arguments.objective, method, given)
    return prepared_by(method, str(arguments.text), config, resolved)


def _save_start(prepared: Any, folder: Path) -> None:
    from textssl.models.base_folder import save_model

    save_model(folder, prepared.model, prepared.corpus.tokenizer)


def _rows(prepared: Any, count: int) -> np.ndarray:
    """The first rows in the order of the first epoch, without the position that next_token has more."""
    order = prepared.order
    numbers = np.concatenate([order.rows(step, 0, 1)[1] for step in range(-(-count // order.batch_rows))])[:count]
    return np.asarray(prepared.training.rows(numbers).ids_BT[:, : prepared.config.length])


def _peer_settings(arguments: argparse.Namespace, prepared: Any, work: Path, start: Path, batch: int) -> dict[str, Any]:
    config = prepared.config
    return {
        "model": str(start), "rows": str(work / "rows.npy"), "objective": arguments.objective, "batch": batch,
        "learning_rate": config.learning_rate, "warm_up_share": config.warmup, "weight_decay": config.weight_decay,
        "beta2": config.beta2, "mask_rate": getattr(config, "mask_rate", 0.0), "threads": arguments.threads,
        "seed": 1, "max_steps": arguments.steps, "work": str(work / "peer"),
    }  # fmt: skip


def _ours(arguments: argparse.Namespace, options: Mapping[str, Any], work: Path) -> Callable[[int], dict[str, Any]]:
    def run(number: int) -> dict[str, Any]:
        out = work / f"ours-{number}"
        flags = {**options, "seed": number + 1, "cache": work / "store", "max_steps": arguments.steps, "device": "cpu",
                 "checkpoint_every": "1h", "evaluate_every": f"{arguments.steps}steps"}  # fmt: skip
        words = [word for name, value in flags.items() for word in ("--" + name.replace("_", "-"), str(value))]
        run_process(
            [sys.executable, "-m", "textssl", "train", arguments.objective, arguments.text, "--out", out, *words],
            environment=_threads(arguments),
        )
        return _from_metrics(out / "metrics.jsonl", arguments.steps)

    return run


def _from_metrics(metrics: Path, steps: int) -> dict[str, Any]:
    """Speed between the first and the last record of training; mean loss over the last third of the steps."""
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    records = [record for record in records if record["kind"] == "train"]
    first, last = records[0], records[-1]
    late = [record["loss_nats"] for record in records if record["step"] > steps * (1 - LAST_SHARE)]
    speed = (last["tokens"] - first["tokens"]) / (last["elapsed_s"] - first["elapsed_s"])
    return {"tokens_per_s": speed, "last_loss": statistics.fmean(late)}


def _peer(arguments: argparse.Namespace, settings: dict[str, Any]) -> Callable[[int], dict[str, Any]]:
    few = arguments.slow_steps if settings["precision"] == "bfloat16" else arguments.steps

    def run(number: int) -> dict[str, Any]:
        asked = {**settings, "seed": number + 1, "max_steps": few}
        done = run_process([arguments.peer_python, PEER_SCRIPT, json.dumps(asked)], environment=_threads(arguments))
        told = json.loads(done.output.strip().splitlines()[-1])
        late = [loss for step, loss in told["losses"] if step > arguments.steps * (1 - LAST_SHARE)]
        return {"tokens_per_s": told["tokens_per_s"], "last_loss": statistics.fmean(late) if late else None}

    return run


def _threads(arguments: argparse.Namespace) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="a corpus that textssl reads")
    parser.add_argument("--documents", type=int, default=1_000, help="documents of it (1,000)")
    parser.add_argument("--objective", choices=("masked_lm", "next_token"), default="masked_lm")
    parser.add_argument("--peer-python", type=Path, help="a Python that has transformers, torch and accelerate")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=60, help="updates of a run (60)")
    parser.add_argument("--slow-steps", type=int, default=8, help="of a run in bfloat16, which some CPUs lack (8)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
