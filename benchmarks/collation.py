"""From stored ids to masked batches: tokens a second on one core, for masks over tokens and over whole words.

    python -m benchmarks.collation --text wiki_train.txt --peer-python /path/to/python-with-transformers

Ours is packing and masking; the peer, DataCollatorForLanguageModeling, gets packed rows and only masks. Without a
--peer-python it is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ONE_THREAD, RESULTS, in_turn, ratios, run_process, spread, write_result

OURS, PEER = "textssl", "transformers"
UNITS = ("token", "word")
PEER_ROWS = 2048
PROTOCOL = (
    "Each figure is a process of its own with one thread; tokens over its processor time. Ours: rows drawn at random "
    "from the stored ids, packed, word starts found (words), masked 80/10/10. transformers: its "
    "DataCollatorForLanguageModeling on rows packed before, given with their special-token masks and offsets; for "
    "words it only writes [MASK]."
)


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.unit:
        print(json.dumps({"tokens_per_s": speed(arguments)}))
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        arguments.work = Path(folder)
        counts = prepare(arguments)
        contestants = {f"{OURS}, {unit}": partial(_ours, arguments, unit) for unit in UNITS}
        if arguments.peer_python:
            contestants |= {f"{PEER}, {unit}": partial(_peer, arguments, unit) for unit in UNITS}
        for contestant in contestants.values():
            contestant(-1)  # compiles, and fills the file cache
        found = in_turn(contestants, dict.fromkeys(contestants, arguments.repeats))
    speeds = {name: spread(values) for name, values in found.items()}
    times = {
        unit: ratios(found[f"{OURS}, {unit}"], found[f"{PEER}, {unit}"]) for unit in UNITS if arguments.peer_python
    }
    settings = {"length": arguments.length, "batch": arguments.batch, "rate": arguments.rate, **counts}
    write_result(
        "collation", arguments.results, protocol=PROTOCOL, setting=settings, tokens_per_s=speeds, times_the_peer=times
    )


def prepare(arguments: argparse.Namespace) -> dict[str, int]:
    """Tokenizer and store in the work folder, and some packed rows for the peer."""
    import corpora
    from textssl.text.subword_store import build_subword_store
    from textssl.text.tokenizer import Tokenizer
    from textssl.text.word_starts import WordStarts

    corpus = corpora.load(arguments.text, limit=arguments.documents)
    tokenizer = Tokenizer.train(corpus, vocabulary_size=arguments.vocabulary, max_bytes=arguments.sample_bytes)
    tokenizer.save(arguments.work)
    store = build_subword_store(corpus, tokenizer, cache=arguments.work / "store")
    packing = _packing(store, tokenizer, arguments.length)
    order = np.random.default_rng(0).permutation(packing.num_rows)[:PEER_ROWS]
    ids_BT = packing.rows(order).ids_BT
    np.savez(
        arguments.work / "rows.npz",
        ids_BT=ids_BT,
        is_special_BT=np.isin(ids_BT, tokenizer.special_ids),
        starts_BT=WordStarts(tokenizer).of(ids_BT),
    )
    return {"num_tokens": store.num_tokens, "num_rows": packing.num_rows, "vocabulary": tokenizer.vocabulary_size}


def speed(arguments: argparse.Namespace) -> float:
    """Tokens a second of processor time, in this process."""
    from textssl.text.masking import MaskSettings, mask_rows, row_keys
    from textssl.text.subword_store import SubwordStore
    from textssl.text.tokenizer import Tokenizer
    from textssl.text.word_starts import WordStarts

    tokenizer = Tokenizer.open(arguments.work)
    folder = next(path for path in (arguments.work / "store").iterdir() if path.is_dir())
    packing = _packing(SubwordStore.open(folder, tokenizer), tokenizer, arguments.length)
    starts, settings = WordStarts(tokenizer), MaskSettings(rate=arguments.rate, unit=arguments.unit)
    order = np.random.default_rng(1).permutation(packing.num_rows)

    def batch(number: int) -> int:
        rows = order[np.arange(number * arguments.batch, (number + 1) * arguments.batch) % len(order)]
        ids_BT = packing.rows(rows).ids_BT
        masked = mask_rows(
            ids_BT,
            keys_B=row_keys(0, 0, rows),
            settings=settings,
            mask_id=tokenizer.mask_id,
            special_ids=tokenizer.special_ids,
            vocabulary_size=tokenizer.vocabulary_size,
            starts_BT=starts.of(ids_BT) if arguments.unit == "word" else None,
        )
        return int(masked.ids_BT.size)

    batch(0)
    num_tokens, number, begin = 0, 0, time.process_time()
    while time.process_time() - begin < arguments.seconds:
        num_tokens, number = num_tokens + batch(number), number + 1
    return num_tokens / (time.process_time() - begin)


def _packing(store: Any, tokenizer: Any, length: int) -> Any:
    from textssl.text.packing import plan_blocks

    return plan_blocks(
        store, documents=np.arange(store.num_documents), length=length, first_id=tokenizer.cls_id,
        separator_id=tokenizer.separator_id, pad_id=tokenizer.pad_id,
    )  # fmt: skip


def _ours(arguments: argparse.Namespace, unit: str, _number: int) -> float:
    script = [sys.executable, "-m", "benchmarks.collation", "--unit", unit, "--work", arguments.work]
    names = ("length", "batch", "rate", "seconds")
    options = [word for name in names for word in (f"--{name}", str(getattr(arguments, name)))]
    return _told(run_process([*script, *options], environment=ONE_THREAD).output)


def _peer(arguments: argparse.Namespace, unit: str, _number: int) -> float:
    settings = {
        "rows": str(arguments.work / "rows.npz"),
        "tokenizer": str(arguments.work),
        "batch": arguments.batch,
        "rate": arguments.rate,
        "seconds": arguments.seconds,
        "unit": unit,
    }
    script = Path(__file__).with_name("collation_peer.py")
    command = [arguments.peer_python, script, json.dumps(settings)]
    return _told(run_process(command, environment={**ONE_THREAD, "PYTHONPATH": ""}).output)


def _told(output: str) -> float:
    return float(json.loads(output.strip().splitlines()[-1])["tokens_per_s"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a corpus; some ten MB are enough")
    parser.add_argument("--documents", type=int, help="read so many documents of it (all)")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--sample-bytes", type=int, default=5_000_000, help="to train the tokenizer (5,000,000)")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--seconds", type=float, default=3.0, help="processor time of each measurement (3)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-python", type=Path, help="a Python with transformers; without it only ours is measured")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--unit", choices=UNITS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
