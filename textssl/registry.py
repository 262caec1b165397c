"""Name = file: the members of an open folder are the modules in it, so that a new method is one new file.

Bases (files named core, layers, heads, or starting with base or _) are shared by the members and are none themselves.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType

from textssl.errors import TextsslError, UsageError, did_you_mean

PACKAGE = Path(__file__).parent
BASE_NAMES = frozenset({"core", "layers", "heads"})


def names(folder: str) -> list[str]:
    """The members of an open folder such as "objectives", in alphabetical order; imports nothing."""
    return sorted(path.stem for path in (PACKAGE / folder).glob("*.py") if not is_base(path.stem))


def is_base(name: str) -> bool:
    """Whether a module of an open folder is shared ground of the members."""
    return name in BASE_NAMES or name.startswith(("base", "_"))


def summary(folder: str, name: str) -> str:
    """The first line of a member's docstring, read from the source; imports nothing."""
    tree = ast.parse(_path(folder, name).read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""
    return docstring.partition("\n")[0].strip()


def module(folder: str, name: str) -> ModuleType:
    """Import one member of an open folder."""
    _path(folder, name)
    return importlib.import_module(f"textssl.{folder}.{name}")


def load(folder: str, name: str) -> type:
    """The one public class that a member defines; classes whose name ends in Config are left out.

    Raises:
        UsageError: no member has this name.
        TextsslError: the member defines no public class, or more than one.
    """
    member = module(folder, name)
    classes = [
        value
        for key, value in vars(member).items()
        if inspect.isclass(value)
        and value.__module__ == member.__name__
        and not key.startswith("_")
        and not key.endswith("Config")
    ]
    if len(classes) != 1:
        found = ", ".join(sorted(item.__name__ for item in classes)) or "none"
        raise TextsslError(f"textssl/{folder}/{name}.py must define exactly one public class, found {found}")
    return classes[0]


def _path(folder: str, name: str) -> Path:
    known = names(folder)
    if name not in known:
        raise UsageError(
            f"{folder} has no {name!r}, it has {', '.join(known) or 'nothing'}",
            hint=did_you_mean(name, known) or None,
        )
    return PACKAGE / folder / f"{name}.py"
