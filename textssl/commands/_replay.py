"""Make the step again at which a run diverged, and say which gradients, parameters and parts are not finite."""

import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands.base import print_table, printable
from textssl.errors import UsageError
from textssl.run_folder import COMMAND, RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.training.captures import Diagnosed
    from textssl.training.gradient_task import GradientTask

MAX_NAMES = 10


@dataclass(frozen=True)
class ReplayFindings:
    """A step that was made again.

    Args:
        path: the run.
        step: its number, from 0.
        reproduced: whether the same is not finite as in the run.
        loss_nats: mean loss of the step now; not a number where nothing was counted.
        diagnosis: what is not finite now; empty when all is.
        captured: what was not finite in the run.
    """

    path: str
    step: int
    reproduced: bool
    loss_nats: float
    diagnosis: dict[str, Any]
    captured: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """5 (diverged) when it diverges again, else 0."""
        return 5 if self.diagnosis else 0

    def as_dict(self) -> dict[str, Any]:
        """All findings in JSON's types."""
        return asdict(self)


def replay_run(path: Path) -> ReplayFindings:
    """Make the captured step of a run again, with the corpus and the options that it names.

    Raises:
        UsageError: it is no run, it has no captured step, it is of fine-tuning (what was seen is told), or its corpus
            came from Python.
    """
    from textssl.training.captures import newest_capture, replay

    run = RunFolder.view(path)
    capture = newest_capture(path)
    if capture is None:
        raise UsageError(
            "has no captured step: only a network's run that diverged has one",
            where=str(path),
            hint=f"See how it stands: textssl check {path}",
        )

    if run.config().get("command") == "finetune":
        found = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in capture.diagnosis.items())
        raise UsageError(
            f"a step of fine-tuning is not made again, only one of textssl train; this was seen at step "
            f"{capture.step:,} of the run: {found}",
            where=str(path),
            hint="Start a new run with a lower --learning-rate.",
        )

    def make_task() -> "Diagnosed":
        return _task_of_run(run, capture.diagnosis)

    done = replay(capture, make_task)
    mean = done.total / done.count if done.count else float("nan")
    return ReplayFindings(str(path), capture.step, done.reproduced, mean, done.diagnosis, capture.diagnosis)


def show_replay(result: ReplayFindings, console: "Console") -> None:
    """Print what is not finite, and what to do next."""
    console.print(f"{printable(result.path)}: step {result.step:,} made again, loss {result.loss_nats:.4f}")
    found = result.diagnosis or result.captured
    rows = [(name.replace("_", " "), _shown(value)) for name, value in found.items()]
    print_table(console, ("", "now" if result.diagnosis else "in the run"), rows)
    if not result.diagnosis:
        console.print("\nall is finite now: the machine, a library or the corpus is another than in the run")
    elif not result.reproduced:
        console.print("\nit diverges again, yet not in the same place")
    rate = "\nnext: start a new run with a lower --learning-rate"
    console.print(f"{rate}, or with --precision float32" if found.get("precision") == "bfloat16" else rate)


def _task_of_run(run: RunFolder, captured: dict[str, Any]) -> "GradientTask":
    """The task as `textssl train` made it."""
    from textssl.commands import train
    from textssl.commands._train_options import resolve_options

    words = shlex.split((run.path / COMMAND).read_text(encoding="utf-8"))
    if words[3] == "DOCUMENTS":
        raise UsageError(
            "was trained from Python on a corpus that no file holds, so its step cannot be made again here",
            where=str(run.path),
            hint="Use textssl.training.captures.replay with the task that you train.",
        )
    objective = run.config()["objective"]
    method: Any = registry.load("objectives", objective)
    options, config = resolve_options(objective, method, {"config": run.config_path})
    options = replace(options, device=captured["device"], precision=captured["precision"])
    prepared = train.prepared_by(method, words[3], config, options)
    return train.task_of(prepared, options, num_parts=captured["num_parts"])  # type: ignore[return-value]  # only networks are captured


def _shown(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    more = f" and {len(value) - MAX_NAMES} more" if len(value) > MAX_NAMES else ""
    return (", ".join(map(str, value[:MAX_NAMES])) or "none") + more
