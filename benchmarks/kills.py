"""SIGKILL at random times of single-threaded training: the run goes on to the same vectors, from whole checkpoints.

    python -m benchmarks.kills --text wiki8_lines.txt --kills 60

The command line is used as a person would: the same command again after every kill, until the run is finished, then a
new run, until there were enough kills. After each of them every checkpoint of the run is read and its hashes are
compared.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, RESULTS, run_process, say, write_result
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
        counted = Killing(text, work, arguments.epochs, arguments.seed).run(arguments.kills)
    counted["passed"] = not counted["unreadable_checkpoints"] and not counted["different_vectors"]
    write_result("kills", arguments.results, protocol=PROTOCOL, **counted)
    if not counted["passed"]:
        raise SystemExit("a checkpoint could not be read, or vectors differ")


class Killing:
    """Runs that are killed and go on.

    Args:
        text: to train on.
        work: folder for the runs.
        epochs: of every run.
        seed: of the times of the kills.
    """

    def __init__(self, text: Path, work: Path, epochs: int, seed: int) -> None:
        self.text, self.work, self.epochs = text, work, epochs
        self.random = random.Random(seed)
        self.counted: dict[str, Any] = dict.fromkeys(
            ("kills", "restarts", "resumed_at_a_checkpoint", "runs_finished", "checkpoints_read",
             "unreadable_checkpoints",
             "different_vectors", "killed_before_a_checkpoint", "killed_while_writing_a_checkpoint"), 0
        )  # fmt: skip

    def run(self, kills: int) -> dict[str, Any]:
        """Kill so many times; what was counted."""
        run_process(self._command("warm-up"), environment=ONE_THREAD)
        whole = run_process(self._command("left-alone"), environment=ONE_THREAD)
        expected = digest(self.work / "left-alone" / VECTORS)
        say(f"left alone: {whole.wall_s:.1f} s")
        number = 0
        while self.counted["kills"] < kills:
            self._killed_run(f"run-{number}", kills, LATEST_KILL * whole.wall_s)
            self.counted["runs_finished"] += 1
            self.counted["different_vectors"] += digest(self.work / f"run-{number}" / VECTORS) != expected
            number += 1
        return {**self.counted, "left_alone_s": whole.wall_s}

    def _killed_run(self, name: str, kills: int, longest_s: float) -> None:
        """One run from its start to its end, killed on the way as often as the chances give."""
        starts = 0
        while True:
            resumed = self._newest(name) is not None
            if self.counted["kills"] < kills:
                ended = not self._killed(name, self.random.uniform(0, longest_s))
            else:
                run_process(self._command(name), environment=ONE_THREAD)
                ended = True
            self.counted["restarts"] += starts > 0
            self.counted["resumed_at_a_checkpoint"] += resumed
            starts += 1
            if ended:
                say(f"  {name} finished after {starts} starts; {self.counted['kills']} kills")
                return
            self.counted["kills"] += 1
            self._read_checkpoints(name)

    def _killed(self, name: str, after_s: float) -> bool:
        """Start the command and kill it; False where it has ended before."""
        with tempfile.TemporaryFile() as printed:
            command = [str(word) for word in self._command(name)]
            process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            try:
                code = process.wait(after_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return True
            if code != 0:
                printed.seek(0)
                raise SystemExit(f"{name} ended with {code}:\n{printed.read().decode('utf-8', 'replace')[-3000:]}")
        return False

    def _read_checkpoints(self, name: str) -> None:
        """Read every checkpoint that is there under its name; count those that are not whole."""
        from textssl.errors import DataError
        from textssl.storage import TEMPORARY_PREFIX, verify_folder

        found = sorted((self.work / name / "checkpoints").glob("step-*"))
        for checkpoint in found:
            self.counted["checkpoints_read"] += 1
            try:
                verify_folder(checkpoint, hashes=True)
            except DataError as error:
                self.counted["unreadable_checkpoints"] += 1
                say(f"  {checkpoint.name}: {error}")
        self.counted["killed_before_a_checkpoint"] += not found
        begun = (self.work / name / "checkpoints").glob(f"{TEMPORARY_PREFIX}*")
        self.counted["killed_while_writing_a_checkpoint"] += any(begun)

    def _newest(self, name: str) -> Path | None:
        found = sorted((self.work / name / "checkpoints").glob("step-*"))
        return found[-1] if found else None

    def _command(self, name: str) -> list[str]:
        job = Job(self.text, self.work / name, self.epochs, 1, 1)
        return [
            *textssl_command(SETTINGS["skipgram"], job, cache=self.work / f"store-{name}"),
            "--checkpoint-every",
            "1steps",
        ]


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


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
