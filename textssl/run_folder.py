"""The folder of one training run: what was asked for, on what, how it went, and what came out.

    config.toml  command.txt  environment.json  data.json  metrics.jsonl  checkpoints/  model/  STATUS  LOCK

A process that trains holds a lock (flock on LOCK) which the system frees when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import math
import os
import platform
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from textssl.config import difference, parse_toml, read_toml, to_toml
from textssl.disk import make_folder, reading, sync, translated
from textssl.errors import DataError, ResourceError, UsageError
from textssl.storage import TEMPORARY_PREFIX, commit_file, remove_leftovers

State = Literal["new", "running", "interrupted", "finished", "failed", "diverged"]
STATES = get_args(State)

CONFIG, COMMAND, ENVIRONMENT, DATA = "config.toml", "command.txt", "environment.json", "data.json"
METRICS, CHECKPOINTS, MODEL, STATUS, LOCK = "metrics.jsonl", "checkpoints", "model", "STATUS", "LOCK"
_OWN_NAMES = frozenset({CONFIG, COMMAND, ENVIRONMENT, DATA, METRICS, CHECKPOINTS, MODEL, STATUS, LOCK})
_LOOK_S = 0.05  # who only looks whether a process trains holds the lock for less
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NUMBERS = ("numpy", "numba", "torch", "scikit-learn", "safetensors")
_FILES_AND_SCREEN = ("tokenizers", "datasets", "pyarrow", "cyclopts", "rich", "matplotlib", "pillow")
_PACKAGES = ("textssl", *_NUMBERS, *_FILES_AND_SCREEN)


class RunFolder:
    """One run on disk; make it with `open` to train in it or with `view` to read it.

    Args:
        path: the folder.
        lock: descriptor of the locked LOCK file, or None for a view.
    """

    def __init__(self, path: Path, *, lock: int | None = None) -> None:
        self.path = path
        self.config_path = path / CONFIG
        self.metrics_path = path / METRICS
        self.checkpoints = path / CHECKPOINTS
        self.model = path / MODEL
        self._lock = lock

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any], command: Sequence[str], *, data: Mapping[str, Any]) -> Self:
        """Make a run folder, or open it again to go on when configuration and data are the same.

        Args:
            path: the folder; made with its parents when missing.
            config: every option with its resolved value, as `to_toml` takes it.
            command: the words of the command line.
            data: what is trained on: names, sizes, fingerprints; JSON values.

        Returns:
            The locked folder; `close` it.

        Raises:
            UsageError: the folder holds something else, or a run with another configuration or other data.
            ResourceError: the folder is not writable, or another process trains in it.
        """
        path = Path(path)
        _refuse_foreign(path)
        with translated(path / LOCK, 0):
            make_folder(path)
            descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _take_lock(path, descriptor)
            remove_leftovers(path)
            remove_leftovers(path / CHECKPOINTS)
            run = cls(path, lock=descriptor)
            if (path / STATUS).exists():
                run._refuse_changes(config, data)
            else:
                run._create(config, command, data)
        except BaseException:
            os.close(descriptor)
            raise
        return run

    @staticmethod
    def refuse_early(path: Path, config: Mapping[str, Any]) -> None:
        """Raise what `open` would raise, as far as that can be told before the data are read.

        Raises:
            UsageError: the folder holds something else, or a run with another configuration.
        """
        path = Path(path)
        _refuse_foreign(path)
        if RunFolder.is_run(path):
            _refuse_difference(path, "another configuration", RunFolder(path).config(), _as_read(config))

    @classmethod
    def view(cls, path: Path) -> Self:
        """A run folder to read, without its lock.

        Raises:
            UsageError: the folder holds no run.
        """
        if not cls.is_run(path):
            raise UsageError(f"is no run: it has no {STATUS} and {CONFIG}", where=str(path))
        return cls(Path(path))

    @staticmethod
    def is_run(path: Path) -> bool:
        """Whether a folder holds a run."""
        return (Path(path) / STATUS).is_file() and (Path(path) / CONFIG).is_file()

    def config(self) -> dict[str, Any]:
        """The configuration of the run."""
        return read_toml(self.config_path)

    def data(self) -> dict[str, Any]:
        """What the run is trained on."""
        return _read_json(self.path / DATA)

    def status(self) -> dict[str, Any]:
        """The state ("new", "running", "interrupted", "finished", "failed", "diverged") and what was noted with it.

        Of a process that was killed, "running" is all that it could leave; without its lock the run is interrupted.
        """
        if not (self.path / STATUS).exists():
            return {"state": "new"}
        record = _read_json(self.path / STATUS)
        if record.get("state") == "running" and self._lock is None and not _is_locked(self.path / LOCK):
            return {**record, "state": "interrupted"}
        return record

    def set_status(self, state: State, **fields: Any) -> None:
        """Replace the state and its notes."""
        if state not in STATES:
            raise UsageError(f"state must be one of {', '.join(STATES)}, got {state!r}")
        record = {"state": state, "time": _now(), "process": os.getpid(), **fields}
        commit_file(self.path / STATUS, _json_text(record, indent=1))

    def command(self) -> str:
        """The command line that made the run, and that goes on with it; empty where none was kept."""
        path = self.path / COMMAND
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    def finished_model(self) -> Path:
        """The folder of the model.

        Raises:
            DataError: the run has none yet.
        """
        if self.model.is_dir():
            return self.model
        state = self.status()["state"]
        if state == "finished":
            hint = "Its model was removed: train again, with another --out."
            raise DataError("has no model any more, the run is finished", where=str(self.path), hint=hint)
        hint = f"Finish it: {self.command() or 'run its command again.'}"
        raise DataError(f"has no model yet, the run is {state}", where=str(self.path), hint=hint)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add one line to metrics.jsonl.

        Raises:
            ResourceError: the line cannot be written.
        """
        line = _json_text(record).encode()
        with translated(self.metrics_path, len(line)):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            descriptor = os.open(self.metrics_path, flags, 0o666)
            try:
                while line:
                    line = line[os.write(descriptor, line) :]
            finally:
                os.close(descriptor)

    def sync_metrics(self) -> None:
        """Wait until the disk has the metrics, for instance before a checkpoint that stands after them."""
        if not self.metrics_path.exists():
            return
        with translated(self.metrics_path, 0):
            sync(self.metrics_path)

    def drop_metrics_after(self, step: int) -> None:
        """Remove the lines of later steps, and a last line that was only begun."""
        if self.metrics_path.exists():
            kept = [line for line, record in self._metrics() if record.get("step", 0) <= step]
            commit_file(self.metrics_path, "".join(kept))

    def keep_metrics(self, num_records: int) -> None:
        """Keep only the first records, and no last line that was only begun."""
        if self.metrics_path.exists():
            kept = itertools.islice((line for line, _ in self._metrics()), num_records)
            commit_file(self.metrics_path, "".join(kept))

    def read_metrics(self) -> list[dict[str, Any]]:
        """All records of metrics.jsonl; a last line that is still being written is left out.

        Raises:
            DataError: a line is damaged, with its number.
        """
        return [record for _, record in self._metrics()] if self.metrics_path.exists() else []

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _create(self, config: Mapping[str, Any], command: Sequence[str], data: Mapping[str, Any]) -> None:
        """Write what was asked for; STATUS comes last and makes the folder a run."""
        commit_file(self.config_path, to_toml(config))
        commit_file(self.path / COMMAND, shlex.join(command) + "\n")
        commit_file(self.path / ENVIRONMENT, _json_text(describe_environment(), indent=1))
        commit_file(self.path / DATA, _json_text(data, indent=1))
        self.set_status("new")

    def _refuse_changes(self, config: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        _refuse_difference(self.path, "another configuration", self.config(), _as_read(config))
        _refuse_difference(self.path, "other data", self.data(), json.loads(_json_text(data)))

    def _metrics(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with self.metrics_path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith("\n"):
                    return
                yield line, _parse_record(line, where=f"{self.metrics_path}:{number}")


def describe_environment() -> dict[str, Any]:
    """Versions and machine, for the record of a run and for bug reports; imports none of the packages."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "num_processors": os.cpu_count(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _refuse_foreign(path: Path) -> None:
    """A folder may be used when it is missing, empty, a run, or the beginning of a run whose process died."""
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise UsageError("is a file, expected a folder for the run", where=str(path), hint="Choose another --out.")
    entries = {entry.name for entry in path.iterdir()}
    others = {name for name in entries - _OWN_NAMES if not name.startswith(TEMPORARY_PREFIX)}
    begun = LOCK in entries and not others
    if entries and STATUS not in entries and not begun:
        shown = ", ".join(sorted(entries)[:3]) + (", ..." if len(entries) > 3 else "")
        raise UsageError(
            f"is not empty and holds no run (it has {shown})", where=str(path), hint="Choose another --out."
        )


def _as_read(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it would come back from config.toml."""
    return parse_toml(to_toml(config).encode(), where="configuration")


def _refuse_difference(path: Path, what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    changes = difference(old, new)
    if changes:
        listed = "".join(f"\n  {line}" for line in changes)
        raise UsageError(
            f"holds a run with {what}:{listed}",
            where=str(path),
            hint="Run with the old values to go on, or choose another --out for a new run.",
        )


def _is_locked(path: Path) -> bool:
    """Whether a process trains; where that cannot be told, it does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)  # gives the lock back
    return False


def _take_lock(path: Path, descriptor: int) -> None:
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_S)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        raise ResourceError(
            f"another process trains in this folder ({owner or 'unknown'})",
            where=str(path),
            hint="Wait until it ends, or choose another --out.",
        ) from error
    except OSError as error:
        raise ResourceError(
            f"the file system has no locks: {error.strerror}",
            where=str(path),
            hint="Choose an --out on a local disk.",
        ) from error
    with translated(path / LOCK, 0):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {_now()}\n".encode(), 0)


def _parse_record(line: str, *, where: str) -> dict[str, Any]:
    try:
        items = json.loads(line).items()
    except (ValueError, AttributeError, RecursionError) as error:
        raise DataError("is damaged: not a JSON object", where=where, hint="Remove this line.") from error
    return {key: _NOT_FINITE.get(value, value) if isinstance(value, str) else value for key, value in items}


def _read_json(path: Path) -> dict[str, Any]:
    with reading(path):
        content = path.read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError("is damaged: not JSON", where=str(path)) from error
    if not isinstance(value, dict):
        raise DataError("is damaged: not a JSON object", where=str(path))
    return value


def _json_text(record: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON with a newline; numbers that are not finite, which JSON does not have, become text."""
    return json.dumps(_finite(record), indent=indent, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _version(package: str) -> str | None:
    from importlib import metadata  # a third of this module's import time

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or sys.platform
