"""Records of a run sent on to TensorBoard or Weights & Biases; a tracker that fails is dropped with one line.

Both are packages of their own. Training neither needs nor waits for them: metrics.jsonl holds the same records.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

TrackerName = Literal["tensorboard", "wandb"]
PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}
_NOT_NUMBERS = frozenset({"kind", "step", "scores"})


class Tracker(Protocol):
    """Takes the records of a run."""

    def log(self, record: Mapping[str, Any]) -> None:
        """Take one record, as it stands in metrics.jsonl."""
        ...

    def close(self) -> None:
        """Send what is still waiting."""
        ...


class SafeTracker:
    """A tracker whose failures cost one warning, and no step.

    Args:
        name: for the warning.
        open_tracker: makes it when the first record comes.
        warn: takes one line.
    """

    def __init__(self, name: str, open_tracker: Callable[[], Tracker], *, warn: Callable[[str], None]) -> None:
        self._name, self._open, self._warn = name, open_tracker, warn
        self._tracker: Tracker | None = None
        self._failed = False

    def log(self, record: Mapping[str, Any]) -> None:
        """Pass a record on, as long as all goes well."""
        if self._failed:
            return
        try:
            if self._tracker is None:
                self._tracker = self._open()
            self._tracker.log(record)
        except Exception as error:  # noqa: BLE001  # whatever fails in there, training goes on
            self._drop(error)

    def close(self) -> None:
        """Close it, if it still works."""
        if self._failed or self._tracker is None:
            return
        try:
            self._tracker.close()
        except Exception as error:  # noqa: BLE001  # as above
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        self._failed, self._tracker = True, None
        package = f" (pip install {PACKAGES[self._name]})" if isinstance(error, ImportError) else ""
        self._warn(f"WARNING: {self._name} fails and is left out from here on: {error}{package}")


def make_tracker(
    name: TrackerName, run: Path, config: Mapping[str, Any], *, warn: Callable[[str], None]
) -> SafeTracker:
    """A tracker by name.

    Args:
        name: "tensorboard" or "wandb".
        run: the run folder; its name is the name of the run there, its resumed sessions are one run.
        config: the options of the run.
        warn: takes one line.
    """
    opened: Callable[[], Tracker] = (
        (lambda: _TensorBoard(run)) if name == "tensorboard" else (lambda: _WeightsAndBiases(run, config))
    )
    return SafeTracker(name, opened, warn=warn)


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a record by names such as train/loss_nats; those of an evaluation stand in its scores."""
    found = {**{key: value for key, value in record.items() if key not in _NOT_NUMBERS}, **record.get("scores", {})}
    return {
        f"{record['kind']}/{key}": float(value)
        for key, value in found.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


class _TensorBoard:
    def __init__(self, run: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(log_dir=str(run / "tensorboard"))

    def log(self, record: Mapping[str, Any]) -> None:
        for name, number in numbers_of(record).items():
            self._writer.add_scalar(name, number, record["step"])

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    def __init__(self, run: Path, config: Mapping[str, Any]) -> None:
        wandb = import_module("wandb")
        same_id = f"{run.name}-{zlib.crc32(str(run.resolve()).encode()):08x}"
        self._run = wandb.init(
            project="textssl", name=run.name, id=same_id, dir=str(run), config=dict(config), resume="allow"
        )

    def log(self, record: Mapping[str, Any]) -> None:
        # A step of its own: after a resume they refuse steps that go back.
        self._run.log({**numbers_of(record), "step": record["step"]})

    def close(self) -> None:
        self._run.finish()
