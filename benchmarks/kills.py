"""SIGKILL at random times of single-threaded training: the run goes on to the same vectors, from whole checkpoints.

    python -m benchmarks.kills --text wiki8_lines.txt --kills 60

The command line is used as a person would: the same command again after every kill, until the run is finished, then a
new run, until there were enough kills. After each of them every checkpoint of the run is read and its hashes are
compared.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.killing import Killing, Times, Victim, passed
from benchmarks.measure import RESULTS, write_result
from benchmarks.peers import SETTINGS, Job, textssl_command
from benchmarks.prepare import write_size

VECTORS = "model/model.safetensors"
LATEST_KILL = 0.6
"""Of the time of a run that is left alone: a run is then killed several times before it ends."""
PROTOCOL = (
    "textssl train, 1 thread, a checkpoint after every step, killed by SIGKILL after a uniformly random time and "
    "started again until it is finished; then the vector file is compared with that of a run that was left alone."
)


def main() -> None:
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.work) as folder:
        work = Path(folder)
        text = work / "text.txt"
        write_size(arguments.text, text, round(arguments.megabytes * 1e6))

        def command(run: Path) -> list[str]:
            job = Job(text, run, arguments.epochs, 1, 1)
            trained = textssl_command(SETTINGS["skipgram"], job, cache=work / f"store-{run.name}")
            return [*trained, "--checkpoint-every", "1steps"]

        victim = Victim(command, "vectors", (VECTORS,))
        counted = Killing(victim, work, Times(LATEST_KILL), arguments.seed).run(arguments.kills)
    counted["passed"] = passed(counted, victim.what)
    write_result("kills", arguments.results, protocol=PROTOCOL, **counted)
    if not counted["passed"]:
        raise SystemExit("a checkpoint could not be read, or vectors differ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="lines of words, see benchmarks.prepare")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--megabytes", type=float, default=2, help="of text (2)")
    parser.add_argument("--epochs", type=int, default=50, help="of every run (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the times of the kills")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
