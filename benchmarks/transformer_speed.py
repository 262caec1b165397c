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
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import RESULTS, in_turn, ratios, say, spread, write_result
from benchmarks.peers import OURS
from benchmarks.transformer_peers import peer_settings, prepared_objective, save_start, train_peer, train_textssl

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
    options = {"preset": "tiny", "learning_rate": arguments.learning_rate, "limit": arguments.documents}
    prepared = prepared_objective(arguments, {**options, "seed": 1, "threads": arguments.threads}, work / "store")
    batch = prepared.config.batch_rows
    start, rows = work / "start", work / "rows.npy"
    save_start(prepared, start)
    np.save(rows, _rows(prepared, arguments.steps * batch))
    settings = peer_settings(arguments, prepared.config, start=start, rows=rows, work=work / "peer")
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


def _rows(prepared: Any, count: int) -> np.ndarray:
    """The first rows in the order of the first epoch, without the position that next_token has more."""
    order = prepared.order
    numbers = np.concatenate([order.rows(step, 0, 1)[1] for step in range(-(-count // order.batch_rows))])[:count]
    return np.asarray(prepared.training.rows(numbers).ids_BT[:, : prepared.config.length])


def _ours(arguments: argparse.Namespace, options: Mapping[str, Any], work: Path) -> Callable[[int], dict[str, Any]]:
    def run(number: int) -> dict[str, Any]:
        out = work / f"ours-{number}"
        asked = {**options, "seed": number + 1, "cache": work / "store", "max_steps": arguments.steps,
                 "checkpoint_every": "1h", "evaluate_every": f"{arguments.steps}steps"}  # fmt: skip
        train_textssl(arguments, asked, out)
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
        told = train_peer(arguments, asked)
        late = [loss for step, loss in told["losses"] if step > arguments.steps * (1 - LAST_SHARE)]
        return {"tokens_per_s": told["tokens_per_s"], "last_loss": statistics.fmean(late) if late else None}

    return run


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
