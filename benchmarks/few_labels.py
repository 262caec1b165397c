"""What pre-training is worth with few labels: AG News and SST-2 with 200, 2,000 and about 20,000 of them.

    python -m benchmarks.few_labels --work few --prepare --wiki wiki_train.txt     # then what it prints
    python -m benchmarks.few_labels --work few --model few/lm --vectors few/vectors

The same rows of each seed go to a pre-trained encoder that is fine-tuned, the same network with untrained weights, the
frozen pre-trained encoder with a trained last layer, TF-IDF and averaged word vectors with logistic regression, and
the largest class. Every task and number of labels has a result of its own; those there are skipped (--again: not).
--data is the folder with agnews/ and sst2/ (TEXTSSL_DATA).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.few_labels_data import (
    CONTESTANTS,
    DEV_ROWS,
    TASKS,
    Tables,
    pretraining_of,
    save_untrained,
    write_tables,
    write_unlabelled,
)
from benchmarks.measure import RESULTS, say, write_result

UNLABELLED = "unlabelled.jsonl"
OPTIONS: dict[str, dict[str, Any]] = {"pretrained": {}, "untrained": {}, "probe": {"method": "probe"}}
"""What differs from the defaults of `textssl finetune`; --set and --epochs change more, but nothing of the probe."""
PROTOCOL = (
    f"Labels drawn by the seed, classes in their proportions, the same for all methods; {DEV_ROWS:,} other rows decide "
    "when networks stop, pre-trained and untrained alike; the other methods do not look at them. Options of networks "
    "are the defaults of textssl finetune where the command sets none. Pre-training read the training texts of both "
    "tasks without labels (the dev set's too), and Wikipedia if it was given. SST-2: the "
    "test is GLUE's dev set, whole sentences; training rows are phrases. 2 texts of AG News' training rows stand in "
    "its test. Per cent right, mean and standard deviation over seeds; untrained weights are those of one seed."
)


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.data is None:
        raise SystemExit("give --data, or set TEXTSSL_DATA: a folder with agnews/ and sst2/")
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.prepare:
        _prepare(arguments)
        return
    if arguments.model is None:
        raise SystemExit("give --model, a run of masked_lm; --prepare writes what it is to be trained on")
    _measure_all(arguments)


def _prepare(arguments: argparse.Namespace) -> None:
    target = arguments.work / UNLABELLED
    count = write_unlabelled(target, arguments.data, arguments.wiki, arguments.articles)
    say(f"{target}: {count:,} texts, {target.stat().st_size / 1e6:.1f} MB; now:")
    say(f"  textssl train masked_lm {target} --preset tiny --lowercase --max-minutes 45 --epochs 50 "
        f"--out {arguments.work / 'lm'}")  # fmt: skip
    say(f"  textssl train skipgram {target} --tokenizer words --epochs 10 --out {arguments.work / 'vectors'}")


def _measure_all(arguments: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(arguments.threads)
    untrained = arguments.work / "untrained"
    save_untrained(arguments.model, untrained)
    for name in arguments.tasks:
        tables = write_tables(
            name, arguments.data, arguments.work, num_dev=arguments.dev_rows, num_tests=arguments.limit_test
        )
        for size in arguments.sizes or TASKS[name].sizes:
            result = f"few_labels_{name}_{size}"
            if not arguments.again and not arguments.dev_only and (arguments.results / f"{result}.json").exists():
                say(f"{result} is there already")
                continue
            measured = _measure(arguments, name, size, tables, untrained)
            if not arguments.dev_only:
                write_result(result, arguments.results, protocol=PROTOCOL, **measured)


def _measure(arguments: argparse.Namespace, name: str, size: int, tables: Tables, untrained: Path) -> dict[str, Any]:
    seeds = arguments.seeds or TASKS[name].num_seeds
    methods: dict[str, Any] = {}
    options, seconds, texts = {}, {}, 0
    for contestant in arguments.contestants:
        asked = {**OPTIONS[contestant], **({} if contestant == "probe" else _given(arguments)), "seeds": seeds}
        model = untrained if contestant == "untrained" else arguments.model
        begin = time.perf_counter()
        found = _fine_tuned(arguments, f"{name}-{size}-{contestant}", model, tables, size, asked, first=not methods)
        seconds[contestant], options[contestant] = time.perf_counter() - begin, asked
        texts = found.num_examples[found.scored_on]
        methods = {**methods, **methods_of(found, contestant, seeds)}
        say(f"{name}, {size:,} labels, {contestant}, {seconds[contestant]:.0f} s: "
            f"{ {each: round(100 * score['mean'], 2) for each, score in methods.items()} }")  # fmt: skip
    methods = {name: methods[name] for name in (*CONTESTANTS.values(), *methods) if name in methods}
    largest = max(score["mean"] for score in methods.values())
    return {
        "task": name, "title": TASKS[name].title, "labels": size, "seeds": seeds, "test_texts": texts,
        "standard_error_of_test": math.sqrt(largest * (1 - largest) / texts), "methods": methods, "options": options,
        "seconds": seconds, "pretraining": pretraining_of(arguments.model),
    }  # fmt: skip


def _fine_tuned(
    arguments: argparse.Namespace, label: str, model: Path, tables: Tables, size: int, options: Mapping[str, Any],
    *, first: bool,
) -> Any:  # fmt: skip
    """What `textssl finetune` says; baselines need be fitted once only, and word vectors are given once only."""
    from textssl.commands.finetune import finetune

    out = arguments.work / "runs" / label
    if arguments.again or arguments.dev_only:
        shutil.rmtree(out, ignore_errors=True)
    num_rows = sum(1 for _ in tables.train.open(encoding="utf-8")) - 1
    limit = {} if size >= num_rows else {"train_limit": size}
    test = {} if arguments.dev_only else {"test": tables.test}
    vectors = {"vectors": arguments.vectors} if first and arguments.vectors else {}
    return finetune(model, tables.train, out=out, dev=tables.dev, device="cpu", checkpoint_every="10m",
                    **test, **vectors, **limit, **options)  # fmt: skip


def methods_of(found: Any, contestant: str, seeds: int) -> dict[str, dict[str, Any]]:
    """Scores by the names of the table; of the network those of every seed.

    Args:
        found: a `FinetuneResult`.
        contestant: key of `CONTESTANTS`.
        seeds: how many there were.
    """
    own, *others = found.methods
    every = [getattr(seed, found.scored_on)[found.primary] for seed in found.seeds]
    named = {CONTESTANTS[contestant]: own, **{method.name: method for method in others}}
    return {
        name: {
            "mean": method.scores[found.primary].mean,
            "deviation": method.scores[found.primary].deviation,
            "seeds": seeds,
            **({"all": every} if method is own else {}),
        }
        for name, method in named.items()
    }


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    pairs = [item.partition("=") for item in arguments.set]
    found = {name: json.loads(value) for name, _, value in pairs}
    return found if arguments.epochs is None else {**found, "epochs": arguments.epochs}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for texts, tables and runs; kept")
    parser.add_argument("--prepare", action="store_true", help="write the text to pre-train on, and say how")
    parser.add_argument("--wiki", type=Path, help="for --prepare: a corpus that textssl reads")
    parser.add_argument("--articles", type=int, default=500, help="for --prepare: documents of it (500)")
    parser.add_argument("--model", type=Path, help="the pre-trained encoder: a run of masked_lm, or a model folder")
    parser.add_argument("--vectors", type=Path, help="run or file of word vectors of the same text")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--sizes", nargs="+", type=int, help="numbers of labels (those of the task)")
    parser.add_argument("--seeds", type=int, help="number of them (AG News 5, SST-2 10)")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--epochs", type=int, help="of fine-tuning, instead of those of the script")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="other options of textssl finetune")
    parser.add_argument("--dev-rows", type=int, default=DEV_ROWS, help=f"training rows kept as dev set ({DEV_ROWS:,})")
    parser.add_argument("--limit-test", type=int, metavar="ROWS", help="score on the first rows of the test only")
    parser.add_argument("--dev-only", action="store_true", help="score on the dev set, write no result")
    parser.add_argument("--again", action="store_true", help="measure what is there already once more")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, default=os.environ.get("TEXTSSL_DATA"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
