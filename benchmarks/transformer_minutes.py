"""How good is a small transformer after so many minutes: textssl against the Trainer of transformers, the same minutes.

    python -m benchmarks.transformer_minutes --text wiki_train.txt --objective masked_lm --peer-python PY

textssl runs as its command line with its own defaults (preset tiny, --max-minutes). The Trainer starts from the same
weights and has the same tokenizer, rows, batch, mask rate, AdamW and highest learning rate; its schedule falls linearly
over the steps that it can make, as ours does. Both saved models are then opened here and predict the same documents,
which neither has seen, at the same hidden places.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import RESULTS, say, write_result
from benchmarks.peers import OURS
from benchmarks.transformer_peers import peer_settings, prepared_objective, save_start, train_peer, train_textssl

PEER = "transformers"
ROWS_AT_ONCE = 4_096
PROTOCOL = (
    "Minutes of training, in which each measures its own speed first; start-up and reading left out for both. Same "
    "weights at the start, tokenizer, training rows, batch, mask rate, AdamW, highest learning rate and linear fall to "
    "0; the Trainer saves no checkpoints. Both saved models are evaluated by the same code on the same documents that "
    "neither has seen: masked_lm with the same masks (15 %), next_token on every token. 'frequencies': every token has "
    "the probability that it has in the training rows."
)


def main() -> None:
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        _measure(arguments, Path(folder))


def _measure(arguments: argparse.Namespace, work: Path) -> None:
    options = {"preset": "tiny", "seed": arguments.seed}
    if arguments.documents is not None:
        options["limit"] = arguments.documents
    cache = work / "store"
    prepared = prepared_objective(arguments, {**options, "validation_rows": arguments.validation_rows}, cache)
    for line in prepared.describe():
        say(f"  {line}")
    start, rows = work / "start", work / "rows.npy"
    save_start(prepared, start)
    save_rows(prepared, rows)
    found = {OURS: _ours(arguments, {**options, "cache": cache}, work, prepared)}
    if arguments.peer_python is None:
        say(f"{PEER} is left out: it was not given (see --help)")
    else:
        found[PEER] = _peer(arguments, start, rows, work, prepared)
    targets = np.concatenate([np.asarray(batch.targets) for batch in prepared.objective().evaluation()])
    write_result(
        f"transformer_minutes_{arguments.objective}",
        arguments.results,
        protocol=PROTOCOL,
        setting={"objective": arguments.objective, "minutes": arguments.minutes, "threads": arguments.threads,
                 "seed": arguments.seed, "learning_rate": prepared.config.learning_rate,
                 "batch_rows": prepared.config.batch_rows, "length": prepared.config.length},
        training={"rows": prepared.training.num_rows, "documents": len(prepared.corpus.training)},
        held_back={"rows": len(prepared.validation_rows), "documents": len(prepared.corpus.validation),
                   "predicted": int((targets >= 0).sum())},
        contestants=found,
        baselines={"untrained": scores_of(prepared, start), "frequencies": by_frequencies(prepared, rows, targets)},
    )  # fmt: skip


def save_rows(prepared: Any, file: Path) -> None:
    """Write all training rows as npy, without the position that next_token has more; the Trainer shuffles them."""
    count, length = prepared.training.num_rows, prepared.config.length
    rows = np.lib.format.open_memmap(file, mode="w+", dtype=np.int32, shape=(count, length))
    for begin in range(0, count, ROWS_AT_ONCE):
        numbers = np.arange(begin, min(begin + ROWS_AT_ONCE, count), dtype=np.int64)
        rows[begin : begin + ROWS_AT_ONCE] = prepared.training.rows(numbers).ids_BT[:, :length]
    rows.flush()


def scores_of(prepared: Any, folder: Path) -> dict[str, float]:
    """What a saved model scores on the documents held back."""
    import torch

    from textssl.losses.core import LossTensor
    from textssl.models.base_folder import load_model

    objective, (model, _) = prepared.objective(), load_model(folder)
    model.eval()
    with torch.no_grad():
        losses = [objective.loss(model, batch) for batch in objective.evaluation()]
    total, count = (torch.stack([getattr(loss, name) for loss in losses]).double().sum() for name in ("total", "count"))
    return dict(objective.scores(LossTensor(total, count)))


def by_frequencies(prepared: Any, rows: Path, targets: np.ndarray) -> dict[str, float]:
    """What frequencies of tokens score, each counted once more than it occurs.

    Args:
        prepared: the objective.
        rows: npy of the training rows.
        targets: what has to be predicted; negative ones do not count.
    """
    import torch

    from textssl.losses.core import LossTensor

    size = prepared.corpus.tokenizer.vocabulary_size
    counts = 1.0 + np.bincount(np.load(rows, mmap_mode="r").ravel(), minlength=size)
    predicted = targets[targets >= 0]
    total = -np.log(counts / counts.sum())[predicted].sum()
    return dict(prepared.objective().scores(LossTensor(torch.tensor(total), torch.tensor(float(len(predicted))))))


def _ours(arguments: argparse.Namespace, options: dict[str, Any], work: Path, prepared: Any) -> dict[str, Any]:
    out = work / "ours"
    train_textssl(arguments, {**options, "max_minutes": arguments.minutes}, out)
    summary = json.loads((out / "STATUS").read_text(encoding="utf-8"))["summary"]
    if arguments.keep is not None:
        shutil.copytree(out, arguments.keep)
    return _told(OURS, prepared, out / "model", summary["steps"], summary["units"], summary["elapsed_s"])


def _peer(arguments: argparse.Namespace, start: Path, rows: Path, work: Path, prepared: Any) -> dict[str, Any]:
    saved, config = work / "saved", prepared.config
    settings = peer_settings(arguments, config, start=start, rows=rows, work=work / "peer")
    asked = {"minutes": arguments.minutes, "precision": arguments.peer_precision, "seed": arguments.seed}
    told = train_peer(arguments, {**settings, **asked, "schedule": config.schedule, "save": str(saved)})
    for file in start.glob("*token*.json"):  # the same file for both, whatever the peer would write
        shutil.copyfile(file, saved / file.name)
    tokens = told["steps"] * config.batch_rows * config.length
    return _told(PEER, prepared, saved, told["steps"], tokens, told["trained_s"])


def _told(name: str, prepared: Any, folder: Path, steps: int, tokens: int, seconds: float) -> dict[str, Any]:
    scores = scores_of(prepared, folder)
    found = {"steps": steps, "tokens": tokens, "trained_s": seconds, "tokens_per_s": tokens / seconds, **scores}
    say(f"  {name}: {found}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="a corpus that textssl reads")
    parser.add_argument("--documents", type=int, help="documents of it (all)")
    parser.add_argument("--objective", choices=("masked_lm", "next_token"), default="masked_lm")
    parser.add_argument("--minutes", type=float, default=15, help="of training (15)")
    parser.add_argument("--peer-python", type=Path, help="a Python that has transformers, torch and accelerate")
    parser.add_argument(
        "--peer-precision", choices=("float32", "bfloat16"), default="float32", help="the faster one on this CPU"
    )
    parser.add_argument("--validation-rows", type=int, default=2_048, help="of the documents held back (2,048)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder to make, with the run of textssl")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
