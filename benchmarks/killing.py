"""Training that is killed at random times and started again, until there were enough kills; what was counted.

Every run is started, killed and started again until it is finished; its files are then compared with those of a run
that was left alone. After each kill every checkpoint of the run is read and its hashes are compared.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, run_process, say

LOOK_EVERY_S = 0.0005


@dataclass(frozen=True)
class Victim:
    """A training that is killed.

    Args:
        command: its words, by the run folder.
        what: that must be the same in the end, a word for the result.
        files: where it stands, as patterns in the run folder; of several files that fit one, the last by name.
    """

    command: Callable[[Path], Sequence[str | Path]]
    what: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Times:
    """When to kill.

    Args:
        latest: as a share of the time of a run that is left alone.
        aimed: share of the kills that come while something is written, or right after.
        saves: such a kill comes with one of so many things written after the start.
        save_s: and up to so long after its beginning.
    """

    latest: float
    aimed: float = 0.0
    saves: int = 12
    save_s: float = 0.01


class Killing:
    """Runs that are killed and go on.

    Args:
        victim: what runs.
        work: folder for the runs.
        times: of the kills.
        seed: of these times.
    """

    def __init__(self, victim: Victim, work: Path, times: Times, seed: int) -> None:
        self.victim, self.work, self.times = victim, work, times
        self.random = random.Random(seed)
        self._longest_s = 0.0
        self._different = f"different_{victim.what}"
        aimed = ("aimed_at_a_save",) if times.aimed else ()
        self.counted: dict[str, Any] = dict.fromkeys(
            ("kills", *aimed, "restarts", "resumed_at_a_checkpoint", "runs_finished", "checkpoints_read",
             "unreadable_checkpoints", self._different, "killed_before_a_checkpoint",
             "killed_while_writing_a_checkpoint"), 0
        )  # fmt: skip

    def run(self, kills: int) -> dict[str, Any]:
        """Kill so many times; what was counted."""
        self._left_alone("warm-up")
        whole_s = self._left_alone("left-alone")
        expected = digest(self.work / "left-alone", self.victim.files)
        self._longest_s = self.times.latest * whole_s
        say(f"left alone: {whole_s:.1f} s")
        number = 0
        while self.counted["kills"] < kills:
            name = f"run-{number}"
            self._killed_run(name, kills)
            self.counted["runs_finished"] += 1
            self.counted[self._different] += digest(self.work / name, self.victim.files) != expected
            number += 1
        return {**self.counted, "left_alone_s": whole_s}

    def _left_alone(self, name: str) -> float:
        """Seconds of a run from its start or its newest checkpoint to its end."""
        return run_process(self.victim.command(self.work / name), environment=ONE_THREAD).wall_s

    def _killed_run(self, name: str, kills: int) -> None:
        """One run from its start to its end, killed on the way as often as the chances give."""
        starts = 0
        while True:
            resumed = bool(checkpoints_of(self.work / name))
            may_kill = self.counted["kills"] < kills
            ended = not (may_kill and self._killed(name))
            if not may_kill:
                self._left_alone(name)
            self.counted["restarts"] += starts > 0
            self.counted["resumed_at_a_checkpoint"] += resumed
            starts += 1
            if ended:
                say(f"  {name} finished after {starts} starts; {self.counted['kills']} kills")
                return
            self.counted["kills"] += 1
            self._read_checkpoints(name)

    def _killed(self, name: str) -> bool:
        """Start the command and kill it; False where it has ended before."""
        aimed = self.times.aimed > 0 and self.random.random() < self.times.aimed
        with tempfile.TemporaryFile() as printed:
            command = self.victim.command(self.work / name)
            env, nothing = {**os.environ, **ONE_THREAD}, subprocess.DEVNULL
            process = subprocess.Popen(command, stdin=nothing, stdout=printed, stderr=subprocess.STDOUT, env=env)
            if aimed:
                self._wait_for_a_save(process, self.work / name)
            else:
                wait(process, self.random.uniform(0, self._longest_s))
            process.kill()  # which does nothing to one that has ended and was waited for
            if process.wait() < 0:
                if aimed:
                    self.counted["aimed_at_a_save"] += 1
                return True
            if process.returncode != 0:
                printed.seek(0)
                said = printed.read().decode("utf-8", "replace")[-3000:]
                raise SystemExit(f"{name} ended with {process.returncode}:\n{said}")
        return False

    def _wait_for_a_save(self, process: subprocess.Popen[bytes], run: Path) -> None:
        """Until one of the next things is being written, and a moment more; at most until the process has ended."""
        left = self.random.randint(1, self.times.saves)
        seen = being_written(run)
        while left > 0 and process.poll() is None:
            new = being_written(run) - seen
            seen |= new
            left -= len(new)
            time.sleep(LOOK_EVERY_S)
        wait(process, self.random.uniform(0, self.times.save_s))

    def _read_checkpoints(self, name: str) -> None:
        """Read every checkpoint that is there under its name; count those that are not whole."""
        from textssl.errors import DataError
        from textssl.storage import verify_folder

        found = checkpoints_of(self.work / name)
        for checkpoint in found:
            self.counted["checkpoints_read"] += 1
            try:
                verify_folder(checkpoint, hashes=True)
            except DataError as error:
                self.counted["unreadable_checkpoints"] += 1
                say(f"  {checkpoint.name}: {error}")
        self.counted["killed_before_a_checkpoint"] += not found
        self.counted["killed_while_writing_a_checkpoint"] += bool(being_written(self.work / name / "checkpoints"))


def checkpoints_of(run: Path) -> list[Path]:
    """Those under their names, the newest last."""
    return sorted((run / "checkpoints").glob("step-*"))


def being_written(folder: Path) -> set[Path]:
    """What is not yet under its name, in a folder and in its checkpoints."""
    from textssl.storage import TEMPORARY_PREFIX

    return {path for each in (folder, folder / "checkpoints") for path in each.glob(f"{TEMPORARY_PREFIX}*")}


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """So long, or until the process has ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def digest(run: Path, files: Sequence[str]) -> str:
    """SHA-256 of some files of a run, the last by name of those that fit each pattern; every pattern has one."""
    found = hashlib.sha256()
    for pattern in files:
        found.update(hashlib.sha256(max(run.glob(pattern)).read_bytes()).digest())
    return found.hexdigest()


def passed(counted: dict[str, Any], what: str) -> bool:
    """Whether no checkpoint was unreadable and nothing differed."""
    return not counted["unreadable_checkpoints"] and not counted[f"different_{what}"]
