"""List what there is to choose from: objectives, corpora, evaluators, formats, commands, presets.

Examples:
  textssl list                 the kinds, and how many there are of each
  textssl list objectives
  textssl list corpora --json
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textssl import registry
from textssl.commands.base import gives_own_errors, print_table
from textssl.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

KINDS = {
    "objectives": "what can be trained: textssl train OBJECTIVE",
    "corpora": "what is always there to train on",
    "evaluators": "what vectors are measured by",
    "formats": "vector files that are read and written",
    "commands": "what textssl does",
    "presets": "named sets of an objective's options",
    "losses": "what objectives minimise",
    "models": "what they train",
}
NEXT = {
    "objectives": "textssl train OBJECTIVE --help",
    "corpora": "textssl train skipgram TEXT --out runs/first    or    textssl train simclr IMAGES --out runs/views",
    "commands": "textssl COMMAND --help",
    "evaluators": "textssl evaluate --help",
    "formats": "textssl export RUN FILE",
    "presets": "textssl train OBJECTIVE CORPUS --preset PRESET",
}


@dataclass(frozen=True)
class Entry:
    """One name that can be typed."""

    name: str
    summary: str


@dataclass(frozen=True)
class Listing:
    """The names of one kind, or the kinds themselves."""

    kind: str
    entries: tuple[Entry, ...]

    def as_dict(self) -> dict[str, Any]:
        """Kind and entries in JSON's types."""
        return {
            "kind": self.kind,
            "entries": [{"name": entry.name, "summary": entry.summary} for entry in self.entries],
        }


@gives_own_errors
def list(kind: str | None = None) -> Listing:  # the command's name
    """List what there is to choose from.

    Args:
        kind: objectives, corpora, evaluators, formats, commands, presets, losses or models;
            all kinds when left out.

    Returns:
        Names with one line about each.

    Raises:
        UsageError: no such kind.
    """
    if kind is None:
        return Listing("kinds", tuple(Entry(name, about) for name, about in KINDS.items()))
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"There are {', '.join(KINDS)}."
        raise UsageError(f"there is no kind {kind!r} to list", hint=f"{hint} See: textssl list")
    return Listing(kind, tuple(_entries(kind)))


def show(result: Listing, console: "Console") -> None:
    """Print name and line about it, one a row."""
    print_table(console, ("", ""), [(entry.name, entry.summary) for entry in result.entries])
    if not result.entries:
        console.print(f"no {result.kind} yet")
    following = "textssl list KIND" if result.kind == "kinds" else NEXT.get(result.kind)
    if following:
        console.print(f"\nnext: {following}")


def _entries(kind: str) -> "tuple[Entry, ...]":
    if kind == "corpora":
        return _corpora()
    if kind == "presets":
        return _presets()
    if not (Path(registry.__file__).parent / kind).is_dir():
        return ()
    return tuple(Entry(name, registry.summary(kind, name)) for name in registry.names(kind))


def _corpora() -> "tuple[Entry, ...]":
    import corpora

    cards = [corpora.card(name) for name in corpora.names()]
    return tuple(Entry(it.name, f"{it.description} ({it.content}, {it.kind}, {it.licence})") for it in cards)


def _presets() -> "tuple[Entry, ...]":
    found = []
    for objective in registry.names("objectives"):
        for preset, values in getattr(registry.load("objectives", objective), "PRESETS", {}).items():
            settings = ", ".join(f"{name} {value}" for name, value in values.items())
            found.append(Entry(f"{objective} {preset}", settings or "what the options are by default"))
    return tuple(found)
