"""What the benchmarks share: processes timed and watched, contestants in turn, spreads and ratios, result files."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("textssl", "numpy", "numba", "llvmlite", "safetensors", "cyclopts", "rich")
SAMPLE_EVERY_S = 0.02
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Training threads are given by options; without this BLAS would start threads of its own beside them."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended well.

    Args:
        wall_s: from the start of the process to its end.
        cpu_s: processor time of all its threads.
        peak_anonymous_mb: largest RssAnon seen, in 10**6 bytes; None where it was not watched.
        output: what it printed, errors last.
    """

    wall_s: float
    cpu_s: float
    peak_anonymous_mb: float | None
    output: str


def run_process(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, watch_memory: bool = False
) -> Finished:
    """Run a command to its end; it must end with 0.

    Args:
        command: program and arguments.
        environment: variables set for it, beside those of this process.
        watch_memory: look at its RssAnon 50 times a second.
    """
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            env={**_as_installed(os.environ), **(environment or {})},
        )  # fmt: skip
        peak_kb = _watch(process.pid) if watch_memory else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read().decode("utf-8", "replace")
    if process.returncode != 0:
        raise SystemExit(f"{shown_command(command)} ended with {process.returncode}:\n{output[-3000:]}")
    peak = None if peak_kb is None else peak_kb * 1024 / 1e6
    return Finished(wall, usage.ru_utime + usage.ru_stime, peak, output)


def _as_installed(environment: Mapping[str, str]) -> dict[str, str]:
    """Packages that are installed have their byte code; without this a checkout may be compiled anew in every run."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _watch(pid: int) -> int:
    """The largest RssAnon in kB, seen until the process has ended (it is not waited for)."""
    peak = 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, anonymous_kb(Path(f"/proc/{pid}/status").read_text(encoding="utf-8")))
        time.sleep(SAMPLE_EVERY_S)
    return peak


def anonymous_kb(status: str) -> int:
    """RssAnon of a /proc/PID/status, in kB; 0 where a process that is ending has none."""
    lines = [line.split() for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(lines[0][1]) if lines else 0


def in_turn(contestants: Mapping[str, Callable[[int], Any]], repeats: Mapping[str, int]) -> dict[str, list[Any]]:
    """A B C A B C ...: every contestant's results, called with the number of the round; one with fewer repeats is left
    out of the later rounds."""
    results: dict[str, list[Any]] = {name: [] for name in contestants}
    for number in range(max(repeats.values())):
        for name, contestant in contestants.items():
            if number < repeats[name]:
                results[name].append(contestant(number))
                say(f"  {name}, round {number + 1}: {results[name][-1]}")
    return results


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least, largest, mean, standard deviation (0 for one value) and all the values."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
        "all": list(values),
    }


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, Any]:
    """The spread of theirs / ours, pair by pair; rounds that only one of them has make no pair."""
    return spread([their / our for their, our in zip(theirs, ours, strict=False)])


def machine() -> dict[str, Any]:
    """Processor, cores, memory and system; nothing that names the machine."""
    cpu = Path("/proc/cpuinfo")  # Linux alone has it
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Of Python and the packages that matter."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "from the checkout"
    return found


def shown_command(command: Sequence[str | Path]) -> str:
    """A command for the record: of every path only its last name, for a result tells nothing of a machine's folders."""
    return " ".join(_shown(str(word)) for word in command)


def _shown(word: str) -> str:
    label, equals, value = word.rpartition("=")
    return f"{label}{equals}{Path(value).name if value.startswith(('/', './', '../', '~')) else value}"


def write_result(name: str, folder: Path, *, protocol: str, **content: Any) -> Path:
    """Write results/NAME.json: where, when and how it was measured, then the content."""
    script = Path(sys.argv[0]).stem
    record = {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "load_at_end": round(os.getloadavg()[0], 2),
        "command": shown_command(["python", "-m", f"benchmarks.{script}", *sys.argv[1:]]),
        "versions": versions(),
        "protocol": protocol,
        **content,
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.json"
    target.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    say(f"written: {target}")
    return target


def say(text: str) -> None:
    """A line on the error stream, at once."""
    print(text, file=sys.stderr, flush=True)
