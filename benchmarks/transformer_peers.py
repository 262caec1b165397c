"""What the benchmarks of small transformers share: the corpus read here, the first weights, the settings of the peer.

The peer is the Trainer of transformers (`transformers_peer.py`) in a Python that has it: --peer-python.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import run_process

PEER_SCRIPT = Path(__file__).with_name("transformers_peer.py")


def prepared_objective(arguments: argparse.Namespace, options: Mapping[str, Any], cache: Path) -> Any:
    """The objective of textssl with the corpus read, in this process: for its rows and its first weights.

    Args:
        arguments: `objective` and `text`.
        options: of `textssl train`.
        cache: folder of token stores.
    """
    from textssl import registry
    from textssl.commands._train_options import resolve_options
    from textssl.commands.train import prepared_by

    method: Any = registry.load("objectives", arguments.objective)
    resolved, config = resolve_options(arguments.objective, method, {**options, "device": "cpu", "cache": cache})
    return prepared_by(method, str(arguments.text), config, resolved)


def save_start(prepared: Any, folder: Path) -> None:
    """Write the weights that training starts from as a folder that transformers opens."""
    from textssl.models.base_folder import save_model

    save_model(folder, prepared.model, prepared.corpus.tokenizer)


def train_textssl(arguments: argparse.Namespace, options: Mapping[str, Any], out: Path) -> None:
    """Run `textssl train` on the command line, with these options beside device and threads."""
    flags = {**options, "out": out, "device": "cpu", "threads": arguments.threads}
    words = [word for name, value in flags.items() for word in ("--" + name.replace("_", "-"), str(value))]
    command = [sys.executable, "-m", "textssl", "train", arguments.objective, arguments.text, *words]
    run_process(command, environment=_threads(arguments))


def peer_settings(arguments: argparse.Namespace, config: Any, *, start: Path, rows: Path, work: Path) -> dict[str, Any]:
    """What the Trainer is given so that it trains as textssl does.

    Args:
        arguments: `objective` and `threads`.
        config: the options of textssl's objective.
        start: folder of the first weights.
        rows: npy of the rows.
        work: folder that the Trainer may write to.
    """
    return {
        "model": str(start), "rows": str(rows), "objective": arguments.objective, "batch": config.batch_rows,
        "learning_rate": config.learning_rate, "warm_up_share": config.warmup, "weight_decay": config.weight_decay,
        "beta2": config.beta2, "mask_rate": getattr(config, "mask_rate", 0.0), "threads": arguments.threads,
        "seed": 1, "work": str(work),
    }  # fmt: skip


def train_peer(arguments: argparse.Namespace, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Run the Trainer; what it tells."""
    command = [arguments.peer_python, PEER_SCRIPT, json.dumps(settings)]
    done = run_process(command, environment=_threads(arguments))
    told: dict[str, Any] = json.loads(done.output.strip().splitlines()[-1])
    return told


def _threads(arguments: argparse.Namespace) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
