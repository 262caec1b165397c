"""Examine this machine: versions, processor, memory, disk, caches, optional extras; for help and for bug reports.

Examples:
  textssl doctor
  textssl doctor --folder runs          test writing there
  textssl doctor --markdown             to paste into a bug report
"""

import os
import platform
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl import __version__
from textssl.commands.base import existing, gives_own_errors, print_table
from textssl.disk import size_text
from textssl.numba_cache import cache_home

if TYPE_CHECKING:
    from rich.console import Console

REQUIRED = ("numpy", "numba", "safetensors", "cyclopts", "rich", "matplotlib", "scikit-learn", "tokenizers", "datasets")
OPTIONAL = (
    "torch",
    "triton",
    "gensim",
    "model2vec",
    "plotly",
    "starlette",
    "uvicorn",
    "tensorboard",
    "wandb",
    "openTSNE",
)
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "MKL_NUM_THREADS",
    "NO_COLOR",
    "NUMBA_CACHE_DIR",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTHONUTF8",
    "TEXTSSL_CACHE",
    "TEXTSSL_DATA",
    "TEXTSSL_DEBUG",
    "TMPDIR",
    "XDG_CACHE_HOME",
)
LITTLE_DISK = 2 * 10**9
LITTLE_MEMORY = 10**9


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Args:
        section: heading.
        name: what was looked at.
        value: what was found.
        state: "ok", "missing" (an extra that is not installed), "warning" or "failed".
    """

    section: str
    name: str
    value: str
    state: Literal["ok", "missing", "warning", "failed"] = "ok"


@dataclass(frozen=True)
class Examination:
    """All findings; the exit code is 4 when one failed."""

    findings: tuple[Finding, ...]
    markdown: bool = False

    @property
    def exit_code(self) -> int:
        """4 (resources) when something is broken, else 0."""
        return 4 if any(finding.state == "failed" for finding in self.findings) else 0

    def as_dict(self) -> dict[str, Any]:
        """The findings in JSON's types."""
        return {"findings": [asdict(finding) for finding in self.findings], "exit_code": self.exit_code}


@gives_own_errors
def doctor(*, folder: str | Path = ".", markdown: bool = False) -> Examination:
    """Examine this machine.

    Args:
        folder: where runs are to be written; writing, fsync and rename are tested there and nothing is left behind.
        markdown: print tables in Markdown, for a bug report.

    Returns:
        The findings by section.

    Raises:
        DataError: the folder does not exist.
    """
    where = existing(folder, what="folder")
    findings = (
        *_versions(),
        *_machine(),
        *_memory(),
        *_storage(where),
        *_packages(REQUIRED, "packages", "failed"),
        *_packages(OPTIONAL, "extras", "missing"),
        *(Finding("environment", name, os.environ[name]) for name in VARIABLES if name in os.environ),
    )
    return Examination(findings, markdown)


def show(result: Examination, console: "Console") -> None:
    """Print the findings, section by section."""
    sections = list(dict.fromkeys(finding.section for finding in result.findings))
    for section in sections:
        rows = [finding for finding in result.findings if finding.section == section]
        if result.markdown:
            console.print(f"### {section}\n\n| what | found | state |\n| --- | --- | --- |")
            for row in rows:
                console.print(f"| {row.name} | {row.value.replace('|', '&#124;')} | {row.state} |")
        else:
            console.print(section)
            print_table(console, ("", "", ""), [("  " + row.name, row.value, _mark(row.state)) for row in rows])
        console.print("")
    bad = sum(finding.state in ("warning", "failed") for finding in result.findings)
    console.print("everything that is needed works" if not bad else f"{bad} of these need attention")


def _mark(state: str) -> str:
    return "" if state in ("ok", "missing") else f"<- {state}"


def _versions() -> list[Finding]:
    libc = " ".join(platform.libc_ver()) or "unknown C library"
    return [
        Finding("versions", "textssl", __version__),
        Finding("versions", "python", f"{platform.python_version()} ({platform.python_implementation()})"),
        Finding("versions", "system", f"{platform.system()} {platform.release()}, {libc}"),
        Finding("versions", "text encoding", sys.getfilesystemencoding(), _state(sys.flags.utf8_mode or _is_utf8())),
    ]


def _is_utf8() -> bool:
    return sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


def _state(good: object) -> Literal["ok", "warning"]:
    return "ok" if good else "warning"


def _machine() -> list[Finding]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        Finding("machine", "processor", _processor()),
        Finding("machine", "threads usable", f"{usable} of {os.cpu_count()}"),
        Finding("machine", "matrix products", _blas()),
        Finding("machine", "gpu", _gpu()),
    ]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        wide = [flag for flag in ("avx2", "avx512f", "fma") if flag in flags]
        if named:
            return " ".join([named[0], *([f"({', '.join(wide)})"] if wide else [])])
    return platform.processor() or platform.machine()


def _blas() -> str:
    import numpy

    library = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{library.get('name', 'unknown')} {library.get('version', '')} (numpy {numpy.__version__})"


def _gpu() -> str:
    driver = Path("/proc/driver/nvidia/version")
    if not driver.is_file():
        return "none found"
    cards = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return f"{cards} NVIDIA, driver {driver.read_text(encoding='utf-8', errors='replace').split('  ')[1].strip()}"


def _memory() -> list[Finding]:
    meminfo = Path("/proc/meminfo")
    findings = []
    if meminfo.is_file():
        entries = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines() if ":" in line)
        total, free = (int(entries[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
        text = f"{size_text(free)} free of {size_text(total)}"
        findings.append(Finding("memory", "main memory", text, _state(free >= LITTLE_MEMORY)))
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (allowed := limit.read_text(encoding="ascii").strip()) != "max":
        findings.append(Finding("memory", "limit of this container", size_text(int(allowed))))
    return findings or [Finding("memory", "main memory", "unknown on this system")]


def _storage(folder: Path) -> list[Finding]:
    import shutil

    free = shutil.disk_usage(folder).free
    caches = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_home() / "numba")
    return [
        Finding("storage", f"disk of {folder}", f"{size_text(free)} free", _state(free >= LITTLE_DISK)),
        _write_test(folder),
        Finding("storage", "compiled kernels", str(caches), _state(_can_write(caches))),
    ]


def _can_write(folder: Path) -> bool:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return os.access(there, os.W_OK)


def _write_test(folder: Path) -> Finding:
    """Write a megabyte, fsync, rename and read it again, as every checkpoint is written."""
    content = os.urandom(2**20)
    written, renamed = (folder / f".tmp-doctor-{uuid.uuid4().hex}{suffix}" for suffix in ("", "-renamed"))
    started = time.perf_counter()
    try:
        with written.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.rename(renamed)
        same = renamed.read_bytes() == content
    except OSError as error:
        return Finding("storage", "write, fsync, rename", f"{error.strerror or error}", "failed")
    finally:
        written.unlink(missing_ok=True)
        renamed.unlink(missing_ok=True)
    milliseconds = (time.perf_counter() - started) * 1000
    text = f"1 MB in {milliseconds:.0f} ms" if same else "what was read is not what was written"
    return Finding("storage", "write, fsync, rename", text, "ok" if same else "failed")


def _packages(
    names: Sequence[str],
    section: str,
    absent: Literal["missing", "failed"],
    version: Callable[[str], str] = metadata.version,
) -> list[Finding]:
    findings = []
    for name in names:
        try:
            findings.append(Finding(section, name, version(name)))
        except metadata.PackageNotFoundError:
            findings.append(Finding(section, name, "not installed", absent))
    return findings
