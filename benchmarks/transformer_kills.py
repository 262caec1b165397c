"""SIGKILL at random times of pre-training and fine-tuning: the same weights in the end, from whole checkpoints.

    python -m benchmarks.transformer_kills --kills 200

Small transformers on a generated corpus, by the command line, one thread, a checkpoint after every step. Some kills
come at any time from the start of the process to its end, the others while something is being written. What must be
equal in the end is the saved model and the state of the optimizer beside it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.killing import Killing, Times, Victim, passed
from benchmarks.measure import ONE_THREAD, RESULTS, run_process, say, write_result

TIMES = Times(latest=0.9, aimed=0.5)
WHAT = "weights"
LONG = 120
"""Characters of a text."""
FILES = ("model/model.safetensors", "checkpoints/step-*/state.safetensors")
SMALL = {"vocabulary_size": 512, "layers": 2, "width": 64, "heads": 2, "length": 32, "batch_rows": 16, "dropout": 0.1,
         "epochs": 3, "validation_share": 0.1, "evaluate_every": "7steps"}  # fmt: skip
PRETRAINING: dict[str, dict[str, Any]] = {
    "masked_lm": {"mask_unit": "word", "patience": 4},
    "next_token": {"optimizer": "muon", "parts": 2},
}
FINETUNING = {"epochs": 3, "batch": 16, "evaluate_every": "7steps"}
PROTOCOL = (
    "textssl on the command line, small transformers with dropout, 1 thread, a checkpoint after every step; half of "
    "the SIGKILLs after a uniformly random time from the start of the process, half within 10 ms of the beginning of a "
    "write (checkpoint, status, model); the command is repeated until the run is finished; then the model and the last "
    "state, the optimizer's included, are compared with those of a run that was left alone."
)


def main() -> None:
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        found = kill_all(arguments, Path(folder))
    names = [name for name, value in next(iter(found.values())).items() if isinstance(value, int)]
    totals: dict[str, Any] = {name: sum(counted[name] for counted in found.values()) for name in names}
    totals["passed"] = passed(totals, WHAT)
    write_result("transformer_kills", arguments.results, protocol=PROTOCOL, **totals, trainings=found)
    if not totals["passed"]:
        raise SystemExit("a checkpoint could not be read, or weights differ")


def kill_all(arguments: argparse.Namespace, work: Path) -> dict[str, dict[str, Any]]:
    """The kills of every training, shared out equally; what was counted, by its name."""
    found = {}
    for number, (name, victim) in enumerate(victims(work, arguments.sentences).items()):
        kills = arguments.kills * (number + 1) // 3 - arguments.kills * number // 3
        say(f"{name}: {kills} kills")
        (work / name).mkdir()
        found[name] = Killing(victim, work / name, TIMES, arguments.seed + number).run(kills)
    return found


def victims(work: Path, sentences: int) -> dict[str, Victim]:
    """The trainings by name; of fine-tuning also what it starts from is made.

    Args:
        work: for the corpus, and the model to fine-tune.
        sentences: of the corpus.
    """
    corpus, table, model = work / "corpus.txt", work / "labelled.csv", work / "pretrained"
    write_texts(corpus, table, sentences)
    run_process(_pretraining("masked_lm", corpus, model, cache=work / "cache"), environment=ONE_THREAD)
    found = {
        name: Victim(
            lambda run, name=name: _pretraining(name, corpus, run, cache=run.with_name(f"cache-{run.name}")),
            WHAT,
            FILES,
        )
        for name in PRETRAINING
    }
    found["finetune"] = Victim(lambda run: _finetuning(model, table, run), WHAT, FILES)
    return found


def write_texts(corpus: Path, table: Path, sentences: int) -> None:
    """Documents about generated facts, one a line, and the same in a table with a label: whether they are long."""
    from corpora.generate import facts

    texts = [*facts(size=sentences)]
    corpus.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([text, "long" if len(text) > LONG else "short"] for text in texts)


def _pretraining(objective: str, corpus: Path, run: Path, *, cache: Path) -> list[str]:
    options = {**SMALL, **PRETRAINING[objective], "cache": cache}
    return [*_textssl("train", objective, corpus), *_flags(run, options)]


def _finetuning(model: Path, table: Path, run: Path) -> list[str]:
    return [*_textssl("finetune", model, table), *_flags(run, FINETUNING)]


def _textssl(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "textssl", *map(str, words)]


def _flags(run: Path, options: Mapping[str, Any]) -> list[str]:
    every = {**options, "out": run, "device": "cpu", "checkpoint_every": "1steps"}
    return [word for name, value in every.items() for word in ("--" + name.replace("_", "-"), str(value))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--sentences", type=int, default=600, help="of the generated corpus (600)")
    parser.add_argument("--seed", type=int, default=1, help="of the times of the kills")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
